"""What other tools write: whole files are told by whose they are, calls by the row that they mean."""

from __future__ import annotations

from pathlib import Path

import pytest

import netspec
from netspec.graph.python_calls import row_for
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
    "text", ["netspec: 1\nlayers {a: conv 3}\n", "input: 3\nmodel: [fc 3]\n", "netspec: 1\nbackbone: [fc 3]\nhead: 3\n"]
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
    # Keras
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
    "call", ["print('x')", "nn.Linear(a.b, 3)", "x = self.conv1(x)", "conv(a)", "nn.Conv2d(3", "f()", "F.linear(x, w)"]
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
