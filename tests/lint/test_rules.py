"""Every rule objects to its own example, says why, and is listed."""

from __future__ import annotations

from pathlib import Path

import pytest

import netspec
from netspec import lint
from netspec.errors import Problem
from netspec.lint.base import Rule
from netspec.lint.class_count import ClassCount

FILES = {p.stem for p in Path(lint.__file__).parent.glob("*.py")} - {"__init__", "base", "flow"}


def found(text: str) -> list[Problem]:
    """What is said of a spec, errors and warnings."""
    try:
        return list(netspec.loads(f"netspec: 1\n{text}").warnings)
    except netspec.SpecError as error:
        return list(error.problems)


def codes(text: str) -> list[str]:
    return [problem.code for problem in found(text)]


def test_every_file_is_listed() -> None:
    assert set(lint.RULES) == FILES


@pytest.mark.parametrize("rule", list(lint.rules()), ids=lambda rule: rule.code)
def test_a_rule_objects_to_its_example(rule: Rule) -> None:
    (problem,) = found(rule.example)
    assert problem.at.path
    assert problem.code == rule.code
    if not isinstance(rule, ClassCount):
        assert problem.severity == rule.severity
    sentence, _, why = (rule.__doc__ or "").partition("\n\n")
    assert sentence.endswith(".")
    assert why


def test_a_code_belongs_to_one_rule() -> None:
    known = [rule.code for rule in lint.rules()]
    assert len(known) == len(set(known))


RUN = """\
input: 1x8x8
layers: [fc 10]
data: digits
train: {loss: ce, optimizer: sgd lr=0.1, epochs: 5, scheduler: SCHEDULE}
"""
TRAIN = "data: digits\ntrain: {loss: LOSS, optimizer: adam}\n"
FINE = {
    "linear-into-linear": "input: 8\nlayers: [fc 4, relu, fc 2]\n",
    "linear-into-linear merged": "input: 8\nlayers: {a: fc 4, b: fc(in) 4, c: add(a b), d: fc 2}\n",
    "linear-into-linear beside": (
        "input: 5x8\nlayers: {a: linear 8, q: linear 8, y: sdpa(q q q) heads=2, o: linear 8, out: add(a o)}\n"
    ),
    "bias-before-norm": "input: 3x8x8\nlayers: [conv 4 k3 nobias, bn]\n",
    "bias-before-norm shared": "input: 3x8x8\nlayers: {a: conv 4 k3, b: bn, c: add(b a)}\n",
    "bias-before-norm last axis": "input: 5x8\nlayers: [linear 8, batchnorm1d]\n",
    "bias-before-norm group": "input: 3x8x8\nlayers: [conv 4 k3, groupnorm 2]\n",
    "dropout-before-norm": "input: 3x8x8\nlayers: [conv 4 k3 nobias, bn, dropout 0.1, relu]\n",
    "dropout-before-norm off": "input: 3x8x8\nlayers: [conv 4 k3 nobias, dropout 0, bn]\n",
    "dropout-last": "input: 8\nlayers: [fc 8, dropout 0.1, relu, fc 2]\n",
    "recurrent-dropout": "input: TxBx8\nlayers: [lstm 16 num_layers=2 dropout=0.2]\n",
    "batch-axis": "input: 10x32\nlayers: [gru 16 batch_first]\n",
    "batch-axis first": "input: TxBx32\nlayers: [gru 16]\n",
    "batch-axis attention": "input: 10x32\nlayers: [attention 4]\n",
    "batch-concat": "inputs: {a: 8, b: 8}\nlayers: {both: concat(a b)}\n",
    "batch-concat none": "input: 8\nlayers: {p: parameter 3x4, q: parameter 2x4, both: concat(p q) 0}\noutputs: both\n",
    "inplace-shared": "input: 8\nlayers: {a: fc 8, b: relu inplace, c: add(b in)}\n",
    "inplace-shared before": "input: 8\nlayers: {a: fc 8, n: neg(a), b: relu(a) inplace, c: add(n b)}\n",
    "no-effect": "input: 8\nlayers: {a: fc 8, b: fc(in) 4}\noutputs: [a, b]\n",
    "no-effect tied": ("input: int T\nlayers: {s: {w: parameter 9x4}, e: embedding(in) 9 4}\ntie: {e.weight: s.w}\n"),
    "no-effect part": "input: TxBx8\nlayers: {r: lstm 16}\noutputs: r.h\n",
    "scores-activated": "input: 1x8x8\nlayers: [fc 10, relu]\n" + TRAIN.replace("LOSS", "ce"),
    "probabilities-missing": "input: 1x8x8\nlayers: [fc 10, log_softmax 1]\n" + TRAIN.replace("LOSS", "nll"),
    "probabilities-missing log": "input: 1x8x8\nlayers: [fc 10, softmax 1, log]\n" + TRAIN.replace("LOSS", "nll"),
    "relu-under-regression": "input: 1x8x8\nlayers: [fc 10]\n" + TRAIN.replace("LOSS", "mse one_hot"),
    "norm-of-one": "input: 1x8x8\nlayers: [conv 4 k3 nobias, gap, bn, fc 10]\n" + TRAIN.replace("LOSS", "ce"),
    "batch-softmax of similarities": (
        "inputs: {a: 8, b: 8}\nlayers: {x: fc(a) 4, y: fc(b) 4, z: transpose(y) 0 1, m: matmul(x z), s: softmax 0}\n"
    ),
    "batch-softmax along time": "input: TxBx8\nlayers: [linear 4, softmax 0]\n",
    "tokens-as-channels": "input: int 20\nlayers: [embedding 50 16, transpose 1 2, conv1d 8 k3, gap, fc 2]\n",
    "tokens-as-channels map": "input: int 20\nlayers: [embedding 50 16, unsqueeze 1, conv 8 k3x16, gap, fc 2]\n",
    "tokens-as-channels signal": "input: 16x20\nlayers: [conv1d 8 k3 nobias, bn, gap, fc 2]\n",
    "channels-last": "input: 3x64x64\nlayers: [conv 4 k3, gap, fc 2]\n",
    "channels-last moved": "input: 64x64x3\nlayers: [permute 0 3 1 2, conv 4 k3, gap, fc 2]\n",
    "channels-last small map": "input: 64x4x4\nlayers: [conv 4 k3, gap, fc 2]\n",
    "channels-last linear": "input: 64x64x3\nlayers: [linear 8, relu, linear 2]\n",
    "sample-count": "input: 2x200\nlayers: [reshape B -1, linear 10]\n"
    + TRAIN.replace("data: digits\n", "").replace("LOSS", "ce"),
    "sample-count time first": (
        "input: TxBx8\nlayers: [lstm 16, linear 9, log_softmax 2]\ntrain: {loss: ctc, optimizer: adam}\n"
    ),
    "strided-same odd": (
        "input: 3x33x33\nlayers: [conv 8 k3 s2 same, relu, gap, fc 2]\nweights: {load: a.safetensors}\n"
    ),
    "strided-same own": "input: 3x32x32\nlayers: [conv 8 k3 s2 same, relu, gap, fc 2]\n",
    "schedule-length": RUN.replace("SCHEDULE", "cosine T_max=5"),
    "schedule-length whole": RUN.replace("SCHEDULE", "cosine warmup=100"),
    "schedule-length milestones": RUN.replace("SCHEDULE", "multistep 2x4"),
    "schedule-length steps": RUN.replace("SCHEDULE", "onecycle max_lr=0.1 total_steps=115"),
    "past-the-end": RUN.replace("scheduler: SCHEDULE", "lookahead: {every: 115}"),
    "past-the-end frozen": "weights: {freeze: [fc1.bias], unfreeze: {epoch: 4}}\n" + RUN.replace("SCHEDULE", "cosine"),
    "past-the-end unknown": (
        "input: 8\nlayers: [fc 2]\ntrain: {loss: mse, optimizer: adam, lookahead: {every: 9000}}\n"
    ),
    "optimizer-ranks": (
        "input: 8\nlayers: [fc 4 nobias, relu, fc 2]\n"
        'train: {loss: mse, optimizer: muon, groups: {"*.bias": adamw lr=1e-3}}\n'
    ),
    "value-range": "input: 1x8x8\nlayers: [fc 10]\ndata: {source: digits, transform: [scale 255, normalize 33 78]}\n",
    "value-range scaled": (
        "input: 1x8x8\nlayers: [fc 10]\ndata: {source: digits, transform: [scale 2 -1, normalize -0.5 1]}\n"
    ),
    "no-gradient": "input: int 5\nlayers: [embedding 8 4, fc 2]\ntrain: {loss: ce, optimizer: adam}\n",
    "random-base": (
        "input: 8\nlayers: [fc 8 wrap=lora rank=2, relu, fc 4]\nweights: {load: base.safetensors}\n"
        "train: {loss: mse, optimizer: adam}\n"
    ),
    "no-gradient frozen": (
        "input: 8\nlayers: {a: fc 8, b: argmax 1, c: embedding 8 4}\nweights: {freeze: [a]}\n"
        "train: {loss: mse, optimizer: adam}\n"
    ),
}


@pytest.mark.parametrize("text", FINE.values(), ids=list(FINE))
def test_a_rule_lets_pass_what_is_fine(text: str) -> None:
    assert found(text) == []


OBJECTED = {
    "scores-activated": [
        "input: 1x8x8\nlayers: [fc 10, log_softmax 1]\n" + TRAIN.replace("LOSS", "ce"),
        "input: 1x8x8\nlayers: [fc 10, sigmoid, identity]\n" + TRAIN.replace("LOSS", "bce_logits one_hot"),
        "input: 1x8x8\nblocks: {head c: {f: fc $c, s: softmax 1}}\nlayers: [head 10]\n" + TRAIN.replace("LOSS", "ce"),
    ],
    "probabilities-missing": ["input: 1x8x8\nlayers: [fc 10]\n" + TRAIN.replace("LOSS", "bce one_hot")],
    "norm-of-one": [
        "input: 1x8x8\nlayers: [fc 8 nobias, bn, fc 10]\ndata: digits\n"
        "train: {loss: ce, optimizer: adam, batch: 479}\n"  # 1,438 samples are 3 times 479 and one
    ],
    "batch-axis": ["input: 10x32\nlayers: [transformer_encoder_layer 4]\n"],
    "linear-into-linear": ["input: 8\nblocks: {two: {a: linear 4, b: linear 8}}\nlayers: [two]\n"],
    "inplace-shared": ["input: 8\nblocks: {res: {a: relu(in) inplace, b: add(a in)}}\nlayers: [fc 8, res]\n"],
    "batch-softmax": [
        "input: 4x16\nlayers: [linear 8, log_softmax 0]\n",
        "input: 8\nlayers: [fc 4, softmin -2]\n",
        "input: TxBx8\nlayers: [linear 4, softmax 1]\n",
    ],
    "tokens-as-channels": [
        "input: int 20\nlayers: [embedding 50 16, relu, batchnorm1d, fc 2]\n",
        "input: int 20\nlayers: {e: embedding 50 16, r: lstm 8 batch_first, c: conv1d 4 k3, f: fc 2}\n",
        "input: int 20\nblocks: {b: [conv 4 k3, relu]}\nlayers: [embedding 50 16, b, fc 2]\n",
        "input: int 20\nlayers: [embedding 50 16, maxpool 2, fc 2]\n",
    ],
    "channels-last": [
        "input: 32x48x4\nlayers: [bn, relu, gap, fc 2]\n",
        "inputs: {a: 96x128x1, b: 4}\nlayers: {c: conv(a) 4 k1, g: gap, t: flatten, d: concat(t b), e: fc 2}\n",
        "input: 64x64x3\nblocks: {b: [conv 4 k3, relu]}\nlayers: [b, gap, fc 2]\n",
    ],
    "sample-count": [
        "input: 3x20x20\nlayers: [conv 4 k3 s2, reshape -1 81, linear 3]\ntrain: {loss: ce, optimizer: adam}\n",
        "input: int T\nlayers: [embedding 9 4, reshape -1 4, linear 1]\ntrain: {loss: mse, optimizer: adam}\n",
        "input: 2x200\nlayers: [reshape -1 200, linear 10]\n"
        + TRAIN.replace("digits", "npz a.npz").replace("LOSS", "ce"),
    ],
    "strided-same": [
        "input: 3x32x32\nlayers: [conv 8 k5 s2 same nobias, bn eps=0.001, gap, fc 2]\nweights: {load: a.safetensors}\n",
        "input: 3x32x33\nlayers: [conv 8 k3 s2 p1, relu, gap, fc 2]\nweights: {load: a.safetensors}\n",
    ],
    "schedule-length": [
        RUN.replace("SCHEDULE", words)
        for words in (
            "step 5",
            "multistep 3x8",
            "cosine warmup=500",
            "onecycle max_lr=0.1 total_steps=900",
            "linear total_iters=9",
        )
    ],
    "past-the-end": [
        RUN.replace("scheduler: SCHEDULE", "lookahead: {every: 116}"),
        RUN.replace("scheduler: SCHEDULE", "max_steps: 4, lookahead: {every: 5}"),
        "weights: {freeze: [fc1.bias], unfreeze: {epoch: 5}}\n" + RUN.replace("SCHEDULE", "cosine"),
        "weights: {freeze: {names: [fc1.bias], until: {step: 115}}}\n" + RUN.replace("SCHEDULE", "cosine"),
    ],
    "optimizer-ranks": [
        "input: 8\nlayers: [fc 4 nobias, bn, fc 2]\ntrain: {loss: mse, optimizer: muon, groups: {bn: adam}}\n",
        "input: 8\nlayers: {p: parameter 8, out: mul(in p)}\ntrain: {loss: mse, optimizer: muon}\n",
    ],
    "value-range": [
        "input: 1x8x8\nlayers: [fc 10]\ndata: {source: digits, transform: TRANSFORM}\n".replace("TRANSFORM", words)
        for words in ("[scale 2 -1, normalize 5 1]", "scale 0.00392", "[reshape 1x8x8, normalize 33.3 78.6]")
    ],
    "no-effect": ["input: 8\nblocks: {b: {a: fc 8, c: fc(in) 8}}\nlayers: [b]\n"],
}


@pytest.mark.parametrize(("code", "text"), [(c, t) for c, texts in OBJECTED.items() for t in texts], ids=str)
def test_a_rule_objects_to_other_forms_too(code: str, text: str) -> None:
    assert codes(text) == [code]


def test_other_padding_is_a_note_or_where_the_norms_are_those_of_keras_a_warning() -> None:
    note, ported = (found(text)[0] for text in reversed(OBJECTED["strided-same"]))
    assert (note.severity, ported.severity) == ("info", "warning")
    assert ported.message.endswith("where TensorFlow's SAME pads 1 before and 2 behind")
    text = OBJECTED["strided-same"][0].replace("conv 8 k5 s2 same", "zeropad2d 1x2x1x2, conv 8 k5 s2")
    assert "zeropad2d 1x2x1x2" in ported.hint
    assert found(text) == []


def test_a_mean_of_bytes_is_told_as_one_of_0_to_1() -> None:
    (problem,) = found(next(iter(lint.rules(["value_range"]))).example)
    assert "normalize 0.4824 0.2275" in problem.hint


def test_the_batch_is_shown_where_it_is_not_one_row_a_sample(tmp_path: Path) -> None:
    spec = netspec.loads("netspec: 1\ninput: 2x200\nlayers: [reshape -1 200, linear 10]\n")
    assert spec.graph.in_words.startswith("2 x 200 -> 2*B x 10, ")
    line = netspec.loads("netspec: 1\ninput: 8\nlayers: [fc 2]\n").graph.in_words
    assert line.startswith("8 -> 2, 18 parameters")


def test_tokens_whose_number_is_open_are_told_the_same_way_out() -> None:
    (problem,) = found("input: int T\nlayers: [embedding 50 16, conv1d 8 k3]\n")
    assert "If it counts tokens, write transpose 1 2 before" in problem.hint
    assert not found("input: int T\nlayers: [embedding 50 16, transpose 1 2, conv1d 8 k3]\n")


def test_a_row_that_is_repeated_is_told_once() -> None:
    assert codes("input: 3x8x8\nlayers: [{repeat: 4, layers: [conv 4 k3 same, bn]}]\n") == ["bias-before-norm"]


def test_a_spec_can_ignore_a_warning() -> None:
    text = "input: 3x8x8\nlayers: [conv 4 k3, bn]\nlint: {ignore: [bias-before-norm]}\n"
    assert found(text) == []


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{ignore: [bias-befor-norm]}", "there is no check"),
        ("{ignore: [data-shape]}", "is an error, and only warnings"),
        ("{ignore: bias-before-norm}", "is a list"),
        ("{ignored: []}", "has no 'ignored'"),
    ],
)
def test_what_cannot_be_ignored(section: str, message: str) -> None:
    (problem,) = found(f"input: 8\nlayers: [fc 2]\nlint: {section}\n")
    assert message in problem.message


def test_an_error_is_not_silenced_by_the_code_of_a_warning() -> None:
    text = "input: 1x8x8\nlayers: [fc 9]\nlint: {ignore: [class-count]}\n" + TRAIN.replace("LOSS", "ce")
    assert codes(text) == ["class-count"]


@pytest.mark.parametrize("spec", sorted((Path(__file__).parents[2] / "specs").glob("*.yaml")), ids=lambda p: p.stem)
def test_nothing_is_said_of_the_ready_specs(spec: Path) -> None:
    assert netspec.load(spec).warnings == ()


def test_more_outputs_than_classes_is_a_warning() -> None:
    text = "netspec: 1\ninput: 1x8x8\nlayers: [fc 12]\ndata: digits\n"
    spec = netspec.loads(f"{text}train: {{loss: cross_entropy, optimizer: adam}}\n")
    assert [(p.code, p.severity) for p in spec.warnings] == [("class-count", "warning")]


@pytest.mark.parametrize(
    "layers",
    ["conv 4 k3, relu, fc 10", "conv 4 k3, flatten 2, linear 10", "conv 4 k3, permute 0 2 3 1, linear 10"],
)
def test_a_linear_layer_may_follow_what_is_no_map(layers: str) -> None:
    assert not netspec.loads(f"netspec: 1\ninput: 3x8x8\nlayers: {layers}\n").warnings


def test_a_problem_in_the_network_leaves_the_rest_silent() -> None:
    """What the loss and the classes are held against is unknown by then."""
    text = "netspec: 1\ninput: 1x8x8\nlayers: [conv 4 k9, fc 3]\ndata: digits\n"
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads(f"{text}train: {{loss: mse, optimizer: adam}}\n")
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    "layers",
    [
        "{c: conv 4 k3 nobias, b: bn, r: relu, g: gap, h: fc 3}",
        "{c: conv 4 k3, p: parameter 4x1x1, m: mul(p c), h: fc 3 nobias}",
        "{c: conv 4 k3 nobias, l: {i: instancenorm affine, r: relu}, h: fc 3}",
        "[[conv 4 k3, prelu, gap], fc 3]",
    ],
)
def test_what_is_advised_for_parameters_that_are_no_matrices_is_taken(layers: str) -> None:
    text = f"input: 3x8x8\nlayers: {layers}\ntrain: {{loss: ce, optimizer: muon"
    (problem,) = found(f"{text}}}\n")
    assert problem.code == "optimizer-ranks"
    assert found(f"{text}, {problem.hint.partition(': ')[2]}}}\n") == []
