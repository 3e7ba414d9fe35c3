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
    assert {*lint.NETWORK, *lint.EXPERIMENT, *lint.TRAINING} == FILES


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


TRAIN = "data: digits\ntrain: {loss: LOSS, optimizer: adam}\n"
FINE = {
    "linear-into-linear": "input: 8\nlayers: [fc 4, relu, fc 2]\n",
    "linear-into-linear merged": "input: 8\nlayers: {a: fc 4, b: fc(in) 4, c: add(a b), d: fc 2}\n",
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
    "no-effect part": "input: TxBx8\nlayers: {r: lstm 16}\noutputs: r.h\n",
    "scores-activated": "input: 1x8x8\nlayers: [fc 10, relu]\n" + TRAIN.replace("LOSS", "ce"),
    "probabilities-missing": "input: 1x8x8\nlayers: [fc 10, log_softmax 1]\n" + TRAIN.replace("LOSS", "nll"),
    "probabilities-missing log": "input: 1x8x8\nlayers: [fc 10, softmax 1, log]\n" + TRAIN.replace("LOSS", "nll"),
    "relu-under-regression": "input: 1x8x8\nlayers: [fc 10]\n" + TRAIN.replace("LOSS", "mse one_hot"),
    "norm-of-one": "input: 1x8x8\nlayers: [conv 4 k3 nobias, gap, bn, fc 10]\n" + TRAIN.replace("LOSS", "ce"),
    "no-gradient": "input: int 5\nlayers: [embedding 8 4, fc 2]\ntrain: {loss: ce, optimizer: adam}\n",
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
    "no-effect": ["input: 8\nblocks: {b: {a: fc 8, c: fc(in) 8}}\nlayers: [b]\n"],
}


@pytest.mark.parametrize(("code", "text"), [(c, t) for c, texts in OBJECTED.items() for t in texts], ids=str)
def test_a_rule_objects_to_other_forms_too(code: str, text: str) -> None:
    assert codes(text) == [code]


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
