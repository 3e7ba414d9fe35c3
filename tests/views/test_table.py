"""The summary counts what torch would, and shows it in this form."""

from __future__ import annotations

from math import prod
from pathlib import Path

import pytest

import netspec
from netspec.views.table import summary, text

SPECS = sorted((Path(__file__).parent.parent.parent / "specs").glob("*.yaml"))
LENET = """\
name   op                output        parameters     MACs   memory
-------------------------------------------------------------------
input  input             1 x 32 x 32                         4.1 kB
conv1  Conv2d(1, 6, 5)   6 x 28 x 28          156  117,600  18.8 kB
relu1  ReLU()            6 x 28 x 28                        18.8 kB
pool1  MaxPool2d(2)      6 x 14 x 14                         4.7 kB
conv2  Conv2d(6, 16, 5)  16 x 10 x 10       2,416  240,000   6.4 kB
relu2  ReLU()            16 x 10 x 10                        6.4 kB
pool2  MaxPool2d(2)      16 x 5 x 5                          1.6 kB
fc1    Linear(400, 120)  120               48,120   48,000    480 B
relu3  ReLU()            120                                  480 B
fc2    Linear(120, 84)   84                10,164   10,080    336 B
relu4  ReLU()            84                                   336 B
fc3    Linear(84, 10)    10                   850      840     40 B
-------------------------------------------------------------------
parameters  61,706
MACs        416,520
memory      246.8 kB parameters, 62.5 kB outputs at batch 1"""


def load(layers: str, given: str = "input: 3x8x8") -> netspec.Spec:
    return netspec.loads(f"netspec: 1\n{given}\nlayers:\n{layers}")


def test_lenet_looks_like_this() -> None:
    spec = netspec.load(next(p for p in SPECS if p.stem == "lenet5_tutorial"))
    assert text(summary(spec.graph)) == LENET


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_rows_add_up(path: Path) -> None:
    graph = netspec.load(path).graph
    found = summary(graph)
    assert sum(row.parameters for row in found.rows if not row.level) == graph.parameter_count
    assert len(text(found).splitlines()) == len(found.rows) + 6
    assert found.listed()["parameters"] == graph.parameter_count
    assert found.trainable == sum(prod(shape) for shape in graph.trained().values())


def test_what_only_the_run_decides_is_a_polynomial() -> None:
    found = summary(load("  - embedding 9 4, linear 5\n", "input: int T").graph)
    assert [row["macs"] for row in found.listed()["rows"]] == [0, 0, "20*T"]
    assert found.listed()["activation_bytes"] == "44*T"
    assert "int T" in text(found)


def test_levels_are_indented_and_can_be_left_out() -> None:
    found = summary(load("  a: [conv 4 k3, relu]\n  b: fc 2\n").graph)
    assert [(row.name, row.depth, row.level) for row in found.rows] == [
        ("input", 0, False),
        ("a", 0, True),
        ("0", 1, False),
        ("1", 1, False),
        ("b", 0, False),
    ]
    assert found.rows[1].parameters == 112
    assert "\n  0 " not in text(found, depth=1)


def test_frozen_parameters_are_not_trained() -> None:
    found = summary(load("  a: conv 4 k3\n  b: fc 2\nweights: {freeze: [a]}\n").graph)
    assert found.parameters - found.trainable == 112
    assert "of them trained" in text(found)


def test_a_module_that_runs_again_has_the_name_of_its_step() -> None:
    rows = """\
  net: [linear 8, bn]
  one: linear 8
  c: cell 8
  again: use(in) net
  two: use one
  three: use(in) net.0
  four: use c
"""
    found = summary(load(rows, "input: 8\nblocks: {cell c: [linear $c]}").graph)
    assert [(row.path, row.op, row.parameters) for row in found.rows[-4:]] == [
        ("again", "use net", 0),
        ("two", "use one: Linear(8, 8)", 0),
        ("three", "use net.0: Linear(8, 8)", 0),
        ("four", "use c: cell c=8", 0),
    ]
