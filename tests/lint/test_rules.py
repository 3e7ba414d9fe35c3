"""Every rule objects to its own example, says why, and is listed."""

from __future__ import annotations

from pathlib import Path

import pytest

import netspec
from netspec import lint
from netspec.lint.base import Rule

FILES = {p.stem for p in Path(lint.__file__).parent.glob("*.py")} - {"__init__", "base"}


def test_every_file_is_listed() -> None:
    assert {*lint.NETWORK, *lint.EXPERIMENT} == FILES


@pytest.mark.parametrize("rule", list(lint.rules()), ids=lambda rule: rule.code)
def test_a_rule_objects_to_its_example(rule: Rule) -> None:
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads(f"netspec: 1\n{rule.example}")
    (problem,) = caught.value.problems
    assert problem.at.path
    sentence, _, why = (rule.__doc__ or "").partition("\n\n")
    assert sentence.endswith(".")
    assert why


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
