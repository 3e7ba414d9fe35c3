"""What other tools write: whole files are told by whose they are, calls by the row that they mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import netspec
from netspec.graph.python_calls import row_for
from netspec.sections.known import entries
from netspec.text.report import SpecError

FILES = {
    "yolo.yaml": (
        "nc: 80\nbackbone:\n  - [-1, 1, Conv, [64, 3, 2]]\nhead:\n  - [15, 1, Detect, [nc]]\n",
        "Ultralytics",
    ),
    "coco8.yaml": ("path: ../coco8\ntrain: images/train\nval: images/val\nnames: {0: person}\n", "Ultralytics"),
    "model.yaml": ("input_features: [{name: a, type: text}]\noutput_features: [{name: b, type: number}]\n", "Ludwig"),
    "model.json": ('{"class_name": "Sequential", "config": {"layers": []}}', "Keras"),
    "config.json": ('{"architectures": ["BertModel"], "hidden_size": 768, "model_type": "bert"}', "Hugging Face"),
    "net.txt": ('name: "LeNet"\nlayer {\n  name: "conv1"\n  type: "Convolution"\n}\n', "Caffe"),
    "deploy.prototxt": ('input: "data"\n', "Caffe"),
    "yolov3.cfg": ("[net]\nbatch=64\n\n[convolutional]\nfilters=32\n", "Darknet"),
    "net.yml": ("import torch\nfrom torch import nn\n\nclass Net(nn.Module):\n    def __init__(self):\n", "Python"),
    "net.py": ("x = 3\n", "Python"),
    "train.yaml": ("model:\n  _target_: torch.nn.Linear\n  in_features: 3\n", "Hydra"),
    "fit.yaml": ("model:\n  class_path: my.Model\n", "Lightning"),
    "faster.yaml": ("MODEL: {DEPTH: 50}\nSOLVER: {LR: 0.1}\n", "Detectron2"),
    "args.yaml": ("task: detect\nmode: train\nmodel: yolov8n.pt\ndata: coco8.yaml\n", "Ultralytics"),
    "mm.yaml": (
        "model:\n  type: ImageClassifier\n  backbone: {type: ResNet}\n  head: {type: LinearClsHead}\n",
        "MMEngine",
    ),
    "mm.py.txt": ("model = dict(\n    type='FasterRCNN',\n    backbone=dict(type='ResNet'))\n", "Python"),
    "k.txt": ("model = tf.keras.Sequential([\n  Dense(3)])\n", "Python"),
    "net.log": ("Net(\n  (conv1): Conv2d(1, 6, kernel_size=(5, 5))\n)\n", "torch prints"),
    "old.txt": ('name: "x"\nop {\n type: "Conv"\n}\n', "Caffe2"),
    "pipeline.config": (
        "model {\n  ssd {\n    num_classes: 90\n  }\n}\ntrain_config {\n  batch_size: 24\n}\n",
        "TensorFlow",
    ),
    "tfjs.json": ('{"format": "layers-model", "modelTopology": {}}', "TensorFlow.js"),
    "mx.json": ('{"nodes": [], "arg_nodes": [0], "heads": [[1, 0, 0]]}', "MXNet"),
    "onnx.json": ('{"irVersion": "8", "producerName": "pytorch", "graph": {"node": []}}', "ONNX"),
    "hydra.yaml": ("defaults:\n  - model: resnet\n  - _self_\nseed: 3\n", "Hydra"),
    "sft.yaml": ("model_name_or_path: bert-base\nlearning_rate: 1e-4\n", "Hugging Face"),
    "d2.yaml": ("_BASE_: ../Base.yaml\nMODEL: {WEIGHTS: x.pkl}\n", "Detectron2"),
    "spacy.cfg": ('[nlp]\nlang = "en"\n[components]\n', "INI or TOML"),
    "set.toml": ('# mine\n[model]\nname = "x"\n', "INI or TOML"),
    "timm.yaml": ("model: resnet50\nbatch_size: 32\nopt: sgd\nsched: cosine\n", "some other configuration"),
    "params.json": ('{"dim": 4096, "n_heads": 32, "vocab_size": -1}', "some other configuration"),
    "compose.yaml": ("services:\n  web: {image: nginx}\n", "some other configuration"),
    "wandb.yaml": ("program: train.py\nmethod: bayes\nmetric: {name: val_loss}\n", "some other configuration"),
    "net.onnx": ("\x08\x07", "ONNX"),
    "best.pt": ("PK", "torch"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_tool_is_told_at_once(name: str, tmp_path: Path) -> None:
    text, whose = FILES[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(SpecError, match=whose) as caught:
        netspec.load(tmp_path / name)
    (problem,) = caught.value.problems
    assert problem.code == "foreign"
    assert problem.hint


@pytest.mark.parametrize(
    "text",
    [
        *("netspec: 1\nlayers {a: conv 3}\n", "input: 3\nmodel: [fc 3]\n", "netspec: 1\nbackbone: [fc 3]\nhead: 3\n"),
        *("inptu: 3\nlayer: [fc 3]\n", "model: [fc 3]\n", "train: {loss: mse}\ndata: digits\n", "[conv 3]\n", "{}\n"),
        *("name: Net\noptimizer: adam\nLayers: [fc 3]\n", "input_shape: 3\nnetwork: [fc 3]\noptim: adam\n"),
    ],
)
def test_a_spec_with_mistakes_is_taken_for_no_other_file(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        netspec.loads(text)
    assert "foreign" not in {problem.code for problem in caught.value.problems}


CALLS = {
    # torch's modules
    "Linear(400, 120)": ("fc 400->120", "400"),
    "nn.Linear(400, 120, bias=False)": ("fc 400->120 nobias", "16x5x5"),
    "torch.nn.Linear(in_features=400, out_features=10)": ("fc 400->10", "400"),
    "nn.Conv2d(3, 16, 3)": ("conv 3->16 k3", "3x8x8"),
    "nn.Conv2d(3, 6, kernel_size=(3, 5), stride=2, padding=1)": ("conv 3->6 k3x5 s2 p1", "3x8x8"),
    "nn.Conv1d(16, 33, 3, dilation=2, bias=False)": ("conv 16->33 k3 d2 nobias", "16x20"),
    "nn.ConvTranspose2d(64, 32, 2, stride=2)": ("conv_transpose 64->32 k2 s2", "64x4x4"),
    "nn.MaxPool2d(2, 2)": ("maxpool k2 s2", "3x8x8"),
    "nn.AvgPool2d(kernel_size=3, padding=1)": ("avgpool k3 p1", "3x8x8"),
    "nn.AdaptiveAvgPool2d((1, 1))": ("adaptive_avg_pool2d 1x1", "3x8x8"),
    "nn.BatchNorm2d(16)": ("bn", "16x4x4"),
    "nn.BatchNorm1d(8, eps=0.001)": ("bn eps=0.001", "8"),
    "nn.LayerNorm(64)": ("layernorm", "10x64"),
    "nn.GroupNorm(8, 64)": ("groupnorm 8", "64x4x4"),
    "nn.ReLU(inplace=True)": ("relu", "8"),
    "nn.LeakyReLU(0.2)": ("leaky_relu 0.2", "8"),
    "nn.Dropout(p=0.5)": ("dropout 0.5", "8"),
    "nn.Flatten()": ("flatten", "3x8x8"),
    "nn.Softmax(dim=1)": ("softmax 1", "8"),
    "nn.Embedding(1000, 64, padding_idx=0)": ("embedding 1000 64 padding_idx=0", "int T"),
    "nn.LSTM(64, 128, num_layers=2, batch_first=True)": ("lstm 128 num_layers=2 batch_first", "Tx64"),
    "nn.MultiheadAttention(64, 8, batch_first=True)": ("multihead_attention 8 batch_first", None),
    "self.conv1 = nn.Conv2d(1, 32, 3, 1)": ("conv1: conv 1->32 k3", None),
    "nn.Sequential(nn.Linear(8, 4), nn.ReLU())": ("[fc 8->4, relu]", None),
    "nn.Conv2d(3, width * 2, 3)": ("conv 3->$(width * 2) k3", None),
    # functions of torch
    "F.relu(x)": ("relu", "8"),
    "F.max_pool2d(x, 2)": ("max_pool2d k2", "3x8x8"),
    "torch.flatten(x, 1)": ("flatten", "3x8x8"),
    "torch.cat([a, b], dim=1)": ("cat(a b)", None),
    "torch.cat((a, b))": ("cat(a b) 0", None),
    "F.max_pool2d(F.relu(x), 2)": ("relu, max_pool2d k2", "3x8x8"),
    "torch.add(a, b)": ("add(a b)", None),
    "F.softmax(x, dim=-1)": ("softmax -1", "8"),
    "F.dropout(x, 0.5, self.training)": ("dropout 0.5", "8"),
    "nn.Conv2D(3, 16, 3)": ("conv 3->16 k3", "3x8x8"),
    "nn.LeakyReLU(0.2, inplace=True)": ("leaky_relu 0.2", "8"),
    "nn.LazyLinear(10)": ("fc 10", "8"),
    "nn.Softmax()": ("softmax -1", "8"),
    "nn.Unflatten(1, (2, 4))": ("unflatten 1 2x4", "8"),
    "nn.utils.weight_norm(nn.Conv1d(3, 8, 3))": ("conv 3->8 k3 wrap=weight_norm", "3x8"),
    "nn.Sequential(OrderedDict([('a', nn.Linear(8, 4)), ('b', nn.ReLU())]))": ("{a: fc 8->4, b: relu}", None),
    "nn.ModuleList([nn.Linear(8, 4), nn.Linear(4, 5)])": ("[fc 8->4, fc 4->5]", None),
    # methods of values
    "x.view(x.size(0), -1)": ("flatten", "3x8x8"),
    "h.reshape(h.shape[0], -1)": ("flatten", "3x8x8"),
    "x.permute(0, 2, 1)": ("permute 0 2 1", "3x8"),
    "x.mean(dim=[2, 3])": ("mean 2 3", "3x8x8"),
    "x.squeeze(-1)": ("squeeze -1", "8x1"),
    # Keras
    "Dense(64, activation=tf.nn.relu)": ("fc 64, relu", "8"),
    "model.add(Dense(10))": ("fc 10", "8"),
    "model.add(layers.Conv2D(32, 3, activation='relu'))": ("conv 32 k3, relu", "3x8x8"),
    "Dense(64)(x)": ("fc 64", "8"),
    "Concatenate(axis=-1)([a, b])": ("concat(a b) -1", None),
    "Add()([a, b])": ("add(a b)", None),
    "LSTM(64)": ("lstm 64 batch_first, select 1 -1", "Tx8"),
    "layers.GRU(32, return_sequences=True)": ("gru 32 batch_first", "Tx8"),
    "SimpleRNN(32)": ("rnn 32 batch_first, select 1 -1", "Tx8"),
    "Bidirectional(LSTM(64, return_sequences=True))": ("lstm 64 batch_first bidirectional", "Tx8"),
    "TimeDistributed(Dense(10))": ("linear 10", "Tx8"),
    "MaxPool1D(2)": ("maxpool k2", "3x8"),
    "MaxPooling3D(2)": ("maxpool k2", "3x8x8x8"),
    "UpSampling2D(2)": ("upsample s2", "3x8x8"),
    "UpSampling2D(size=(2, 2), interpolation='bilinear')": ("upsample s2x2 mode=bilinear", "3x8x8"),
    "ZeroPadding2D((1, 2))": ("zeropad2d p2x2x1x1", "3x8x8"),
    "ZeroPadding2D(padding=((0, 1), (2, 3)))": ("zeropad2d p2x3x0x1", "3x8x8"),
    "Embedding(input_dim=1000, output_dim=64)": ("embedding 1000 64", "int T"),
    "LeakyReLU(alpha=0.3)": ("leaky_relu 0.3", "8"),
    "Dropout(rate=0.3)": ("dropout 0.3", "8"),
    # Flax and Paddle
    "nn.Dense(features=128)": ("fc 128", "8"),
    "nn.Conv(features=32, kernel_size=(3, 3))": ("conv 32 k3x3 same", "3x8x8"),
    "nn.Embed(1000, 64)": ("embedding 1000 64", "int T"),
    "paddle.nn.Conv2D(3, 16, 3)": ("conv 3->16 k3", "3x8x8"),
    # Keras, as it mostly is
    "Dense(10, activation='relu')": ("fc 10, relu", "8"),
    "layers.Dense(units=64, use_bias=False)": ("fc 64 nobias", "8"),
    'keras.layers.Dense(10, activation="softmax")': ("fc 10, softmax -1", "8"),
    "Conv2D(32, (3, 3), activation='relu', input_shape=(28, 28, 1))": ("conv 32 k3x3, relu", "1x28x28"),
    "layers.Conv2D(64, 3, strides=2, padding='same')": ("conv 64 k3 s2 same", "3x8x8"),
    "MaxPooling2D()": ("maxpool k2", "3x8x8"),
    "layers.Dropout(0.25)": ("dropout 0.25", "8"),
    "BatchNormalization()": ("bn", "8x4x4"),
    "layers.Activation('tanh')": ("tanh", "8"),
    # this language's words with Python's brackets
    "conv(3, 6, 5)": ("conv 3->6 k5", "3x8x8"),
    "dropout(0.5)": ("dropout 0.5", "8"),
    "fc(10)": ("fc 10", "8"),
    "conv(64, kernel=3, stride=2)": ("conv 64 k3 s2", "3x8x8"),
    "conv2d(filters=64, k=3)": ("conv2d 64 k3", "3x8x8"),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_call_of_python_is_answered_with_its_row(call: str) -> None:
    row, meets = CALLS[call]
    assert row_for(call) == row
    with pytest.raises(SpecError) as caught:
        netspec.loads(f"input: {meets or 8}\nlayers:\n  - {call}\n", name="net.yaml")
    (problem,) = (each for each in caught.value.problems if each.severity == "error")
    assert problem.hint.startswith(f"Write {row}")
    if meets:
        netspec.loads(f"input: {meets}\nlayers:\n  - {row}\n")


def test_brackets_around_nothing_are_left_out() -> None:
    with pytest.raises(SpecError) as caught:
        netspec.loads("input: 3x8x8\nlayers: [Flatten()]\n")
    (problem,) = caught.value.problems
    assert problem.hint == "Without brackets it takes what is before it: Flatten"


@pytest.mark.parametrize(
    "call",
    [
        *("print('x')", "nn.Linear(a.b, 3)", "x = self.conv1(x)", "conv(a)", "nn.Conv2d(3", "f()", "F.linear(x, w)"),
        *(
            "Conv1D(64, 5, padding='causal')",
            "MaxPooling2D(2, padding='same')",
            "Conv2D(8, kernel_size=4, padding='same')",
        ),
        *("Bidirectional(LSTM(64))", "LSTM(64, activation='relu')", "x.view(-1, 400)", "hk.Conv2D(32, kernel_shape=3)"),
        *("nn.Conv(32, (3, 3), strides=2)", "Embedding(10, 4, mask_zero=True)", "nn.Dense(features=3, dot_general=f)"),
    ],
)
def test_a_call_without_a_sure_meaning_gets_no_row(call: str) -> None:
    assert row_for(call) == ""


def test_a_call_that_commas_tore_is_put_together_again() -> None:
    text = "input: 3x8x8\nlayers: [nn.Conv2d(3, 6, kernel_size=(3, 3)), Dense(10, activation='relu')]\n"
    with pytest.raises(SpecError) as caught:
        netspec.loads(text)
    first, second = caught.value.problems
    assert first.hint == "Write conv 3->6 k3x3"
    assert second.hint.startswith('Write "fc 10, relu"')


MODULES = {
    "nn.Conv2d(3, 4, (3, 5), stride=2, padding=1, bias=False)": (3, 9, 9),
    "nn.ConvTranspose2d(3, 4, 3, 2, 1, 1)": (3, 5, 5),
    "nn.MaxPool2d(3, 2, 1)": (3, 9, 9),
    "nn.AvgPool2d(3, 2, 1, True, False)": (3, 9, 9),
    "nn.Upsample(scale_factor=2, mode='bilinear', align_corners=True)": (3, 4, 4),
    "nn.Upsample(2)": (3, 4, 4),
    "nn.LSTM(8, 4, batch_first=True)": (5, 8),
    "nn.Linear(16 * 2, 3)": (32,),
    "nn.GELU('tanh')": (8,),
    "nn.Softmax(-1)": (8,),
    "nn.GroupNorm(2, 4, 1e-3)": (4, 3),
    "nn.InstanceNorm2d(3, affine=True)": (3, 4, 4),
    "nn.LayerNorm([4, 6])": (4, 6),
    "nn.PixelShuffle(2)": (8, 3, 3),
    "nn.ZeroPad2d((1, 2, 3, 0))": (3, 4, 4),
    "nn.Sequential(nn.Linear(8, 4), nn.Sigmoid(), nn.Linear(4, 2))": (8,),
    "nn.Unflatten(1, (2, 4))": (8,),
    "nn.utils.parametrizations.weight_norm(nn.Conv1d(3, 8, 3))": (3, 8),
}


@pytest.mark.parametrize("call", MODULES)
def test_the_row_computes_what_the_call_does(call: str) -> None:
    import torch
    from torch import nn

    module = eval(call, {"nn": nn})
    row = row_for(call)
    step = row if row.startswith("[") else f'"{row}"'
    net = netspec.loads(f"input: {'x'.join(map(str, MODULES[call]))}\nlayers: {{m: {step}}}\n").build()
    theirs = {f"m.{name}": value for name, value in module.state_dict().items()}
    assert {name: value.shape for name, value in net.state_dict().items()} == {n: v.shape for n, v in theirs.items()}
    net.load_state_dict(theirs)
    x = torch.randn(2, *MODULES[call])
    expected = module.eval()(x)
    torch.testing.assert_close(net.eval()(x), expected[0] if isinstance(expected, tuple) else expected)


HEAD = "netspec: 1\ninput: 1x8x8\nlayers: [fc 10]\ndata: digits\n"
ENTRIES = {
    "loss: nn.CrossEntropyLoss()": "cross_entropy",
    "loss: nn.CrossEntropyLoss(label_smoothing=0.1)": "cross_entropy label_smoothing=0.1",
    "loss: F.cross_entropy": "cross_entropy",
    "loss: SparseCategoricalCrossentropy()": "cross_entropy",
    "optimizer: 'torch.optim.Adam(model.parameters(), lr=3e-4)'": "adam lr=0.0003",
    "optimizer: 'optim.SGD(net.parameters(), lr=0.001, momentum=0.9)'": "sgd lr=0.001 m0.9",
    "optimizer: 'AdamW(params, 1e-4, weight_decay=0.1)'": "adamw lr=0.0001 weight_decay=0.1",
    "optimizer: Adam(learning_rate=0.01)": "adam lr=0.01",
    "scheduler: 'lr_scheduler.StepLR(optimizer, step_size=10, gamma=0.5)'": "step 10 gamma=0.5",
    "scheduler: 'CosineAnnealingLR(opt, T_max=100)'": "cosine T_max=100",
    "metrics: [Accuracy()]": "accuracy",
    "metrics: [torchmetrics.F1Score]": "f1",
    "transform: 'transforms.Normalize((0.5,), (0.5,))'": "normalize 0.5 0.5",
    "transform: 'T.Resize((8, 8))'": "resize 8x8",
    "transform: transforms.ToTensor()": "Leave it out",
    "transform: [randomcrop]": "data: {augment: crop}",
    "augment: RandomHorizontalFlip()": "flip",
    "augment: 'transforms.RandomCrop(8, padding=1)'": "crop 8 pad=1",
    "augment: RandomRotation(10)": "rotate 10",
    "init: 'nn.init.normal_(m.weight, 0, 0.02)'": "normal mean=0 std=0.02",
    "init: nn.init.zeros_(m.bias)": "zeros",
    "init: xavier_uniform_": "xavier_uniform",
    "init: he_normal": "kaiming_normal",
    "init: glorot_uniform": "xavier_uniform",
    "source: torchvision.datasets.MNIST('data')": "mnist path=data",
}


@pytest.mark.parametrize("line", ENTRIES)
def test_every_section_answers_what_other_tools_write(line: str) -> None:
    """What the hint says is then followed, to a spec that checks."""
    key, _, given = line.partition(": ")
    said = ENTRIES[line]
    sections = {
        "init": "init: {{fc: {}}}\n",
        "source": "data: {{source: {}}}\n",
        "transform": "data: {{source: digits, transform: {}}}\n",
        "augment": "data: {{source: digits, augment: {}}}\n",
    }
    train = {"loss": "cross_entropy", "optimizer": "adam"}

    def spec(value: str) -> str:
        head = HEAD.replace("data: digits\n", "") if key in ("source", "transform", "augment") else HEAD
        if key in sections:
            return head + sections[key].format(value)
        options = train | {key: value}
        return head + f"train: {{{', '.join(f'{k}: {v}' for k, v in options.items())}}}\n"

    with pytest.raises(SpecError) as caught:
        netspec.loads(spec(given))
    problem = next(each for each in caught.value.problems if each.severity == "error")
    assert said in problem.hint
    if " it " not in problem.hint and "data:" not in said and "mnist" not in said:
        netspec.loads(spec(f"[{said}]" if key == "metrics" else said))


@pytest.mark.parametrize("catalogue", dict.fromkeys(entries().values()), ids=lambda catalogue: catalogue.noun)
def test_what_others_call_a_word_leads_to_one(catalogue: Any) -> None:
    for other, word in catalogue.foreign.items():
        assert catalogue.find(word), f"{other} is called {word}"
        assert not catalogue.find(other), f"{other} is a word already"
    assert not catalogue.foreign.keys() & catalogue.explained.keys()


MADE = {
    "depthwise_conv": ["conv $(in.c) k3 g$(in.c) same"],
    "separable_conv": ["conv $(in.c) k3 g$(in.c) same, conv 64 k1"],
    "conv1x1": ["conv 64 k1"],
    "dilated_conv": ["conv 64 k3 d2"],
    "global_max_pool": ["adaptive_maxpool 1, flatten"],
    "UpSampling2D": ["upsample s2"],
    "weight_norm": ["conv 64 k3 wrap=weight_norm"],
    "spectral_norm": ["conv 64 k3 wrap=spectral_norm"],
    "norm": ["bn", "layernorm", "groupnorm 8", "instancenorm", "rmsnorm"],
    "rescale": ["mul 0.00392"],
    "scale": ["mul 0.5", "add 0.5"],
    "crop": ["slice 2 1 -1, slice 3 1 -1"],
    "sequential": ["[conv 8 k3, relu]"],
    "loop": ["relu x3", "{repeat: 3, layers: [conv 8 k3 same, relu]}"],
    "if": ["relu when training"],
    "se": ["{gate: [gap, fc 4, relu, fc $(in.c), sigmoid, unflatten 1 $(in.c)x1x1], out: mul(in gate)}"],
    "bottleneck": ["[conv $c k3 same, relu]"],
    "none": ["identity"],
}


@pytest.mark.parametrize("word", MADE)
def test_what_is_made_otherwise_is_made_as_it_is_said(word: str) -> None:
    with pytest.raises(SpecError) as caught:
        netspec.loads(f"input: 8x32x32\nlayers: [{word} 8]\n")
    for row in MADE[word]:
        assert row.strip("{}") in caught.value.problems[0].hint
        step = row if row[0] in "[{" else f'"{row}"'
        netspec.loads(f"input: 8x32x32\nparams: {{c: 8}}\nlayers: {{m: [{step}]}}\n")


@pytest.mark.parametrize(
    ("word", "hint"), [("conv16 k3", "conv 16"), ("fc10", "fc 10"), ("conv3x3 16", "conv 64 k3x3")]
)
def test_a_number_joined_to_a_word_is_taken_apart(word: str, hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        netspec.loads(f"input: 3x8x8\nlayers: [{word}]\n")
    assert hint in caught.value.problems[0].hint
