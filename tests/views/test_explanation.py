"""A step is explained by its own numbers, a code by a spec that has its fault."""

from __future__ import annotations

import pytest
import torch

import netspec
from netspec.views.codes import EXAMPLES, examples
from netspec.views.explanation import explained, receptive_field, steps
from tests.cli.test_commands import run

LENET = """\
netspec: 1
input: 1x32x32
layers:
  conv1: conv 6 k5
  pool1: avgpool 2
  conv2: conv 16 k3 s2 p2 d2
  side: conv(pool1) 16 k1 s2
  both: add(conv2 side)
  norm: bn
  up: conv_transpose 8 k4 s2 p1
  head: [gap, flatten, fc 10]
"""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("conv1", ["(32 + 2 * 0 - 1 * (5 - 1) - 1) // 1 + 1 = 28", "weight 6 x 1 x 5 x 5 = 150; bias 6; 156 in all"]),
        ("conv1", ["784 places x 150 weights = 117,600", "18,816 bytes of output", "sees        5 x 5 points"]),
        ("conv2", ["(14 + 2 * 2 - 2 * (3 - 1) - 1) // 2 + 1 = 7", "14 x 14 points of the input", "4 x 4 apart"]),
        ("up", ["(7 - 1) * 2 - 2 * 1 + 1 * (4 - 1) + 0 + 1 = 14"]),
        ("head", ["a level", "90 in 2 tensors of its members"]),
        ("head.2", ["input       8\n", "MACs        80\n"]),
        ("both", ["14 x 14 points"]),
    ],
)
def test_the_numbers_of_a_step(name: str, words: list[str]) -> None:
    spec = netspec.loads(LENET)
    text = explained(spec.graph, spec.document.source, name)
    assert text is not None
    for each in words:
        assert each in text, text


def test_the_cost_of_a_wrapped_step_is_that_of_the_summary() -> None:
    spec = netspec.loads("netspec: 1\ninput: 5x8\nlayers: {a: linear 4 wrap=lora rank=2}\n")
    text = explained(spec.graph, spec.document.source, "a")
    assert text is not None
    assert f"MACs        {spec.graph.macs()}\n" in text
    assert spec.graph.macs() == 5 * (8 * 4 + 2 * (8 + 4))


def test_what_a_step_sees_is_what_changes_it() -> None:
    spec = netspec.loads(LENET.split("  norm")[0])
    found = receptive_field(spec.graph, steps(spec.graph)["both"])
    assert found is not None
    net = spec.build().eval()
    x = torch.randn(1, 1, 32, 32, requires_grad=True)
    net(x)[0, :, 3, 3].sum().backward()
    assert x.grad is not None
    rows = x.grad[0, 0].abs().sum(1).nonzero()
    assert int(rows.max() - rows.min()) + 1 == found.sizes[0]


def test_what_mixes_all_places_has_no_window() -> None:
    spec = netspec.loads(LENET)
    for name in ("up", "head.0"):
        assert receptive_field(spec.graph, steps(spec.graph)[name]) is None


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_has_its_fault_alone(code: str) -> None:
    text = EXAMPLES[code]
    try:
        found = list(netspec.loads(text if text.startswith("netspec:") else f"netspec: 1\n{text}").warnings)
    except netspec.SpecError as error:
        found = list(error.problems)
    assert [problem.code for problem in found] == [code]


def test_the_command() -> None:
    done = run("explain", "specs/lenet5_tutorial.yaml", "conv2")
    assert done.returncode == 0
    assert "100 places x 2,400 weights = 240,000" in done.stdout
    assert "Did you mean 'conv2'?" in run("explain", "specs/lenet5_tutorial.yaml", "cnov2").stderr
    done = run("explain", "bias-before-norm")
    assert "subtracts the mean of each channel" in done.stdout
    assert "Write nobias." in done.stdout
    assert "Did you mean 'unknown-op'?" in run("explain", "unknown-opp").stderr
    assert "there is no operation or block" in run("explain", "error[unknown-op]").stdout
    done = run("explain", "specs/lenet5_tutorial.yaml")
    assert done.returncode == 2
    assert "name a step of specs/lenet5_tutorial.yaml as well" in done.stderr
    assert "and more. Name a step" in run("explain", "weights").stderr
    assert len(examples()) > 80
