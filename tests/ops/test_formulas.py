"""Formulas of parameters and buffers: what they hold at first is what Python makes of them, place by place."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch

import netspec

PYTHON = {name: getattr(math, name) for name in ("log", "exp", "sqrt", "sin", "cos", "floor", "ceil", "pi")}
FORMULAS = [
    ("4", "log(i + 1)"),
    ("3x4", "log(j + 1)"),
    ("3x4", "i"),
    ("3x4", "2 * i + j % 2 - j // 2"),
    ("1x4", "exp(-j)"),
    ("4x1x1", "2 ** (-8 * (i + 1) / h)"),
    ("1x3x8", "sin(j / 10000 ** (2 * (k // 2) / 8)) if k % 2 == 0 else cos(j / 10000 ** (2 * (k // 2) / 8))"),
    ("3x3", "0 if j <= i and not i == 2 else -1e9"),
    ("3x3", "1 if 0 < i <= j or j == 0 else 0.5"),
    ("3x4", "min(i, j, 2) + max(i - j, 0)"),
    ("2x2x2x3", "sqrt(i + j) * abs(k - l) + round(l / 2) + floor(j / 2) + ceil(k / 2)"),
    ("2x3", "pi / 4"),
    ("5", "-i ** 2"),
]


def built(text: str) -> Any:
    return netspec.loads(text).build()


def held(size: str, formula: str) -> Any:
    text = f"input: 3\nparams: {{h: 4}}\nlayers:\n  a: buffer {size} formula=$({formula})\n  b: add(in a) when false\n"
    return built(text).a


@pytest.mark.parametrize(("size", "formula"), FORMULAS)
def test_a_formula_is_what_it_is_place_by_place(size: str, formula: str) -> None:
    table = held(size, formula)
    shape = [int(part) for part in size.split("x")]
    assert list(table.shape) == shape
    assert table.is_contiguous()
    assert table.dtype == torch.float32
    for place in itertools.product(*map(range, shape)):
        names = {**PYTHON, "h": 4, **dict(zip("ijkl", place, strict=False))}
        assert table[place].item() == pytest.approx(eval(formula, names), rel=1e-5, abs=1e-6)


def test_rotary_frequencies_are_the_originals_bit_for_bit() -> None:
    wanted = 1.0 / (10000.0 ** (torch.arange(0, 32, 2).float() / 32))
    assert torch.equal(held("16", "1 / 10000 ** (2 * i / 32)"), wanted)


def test_sizes_stay_arguments_of_the_class() -> None:
    text = """\
input: 8
params: {n: 4}
blocks:
  state d n: {A_log: parameter $(d)x$n formula=$(log(j + 1)), out: sum(A_log) 1}
layers: {a: state 8 $n, b: state 6 $n, c: add(a in)}
outputs: [b, c]
"""
    spec = netspec.loads(text)
    assert "nn.Parameter(torch.log(torch.arange(float(n)) + 1).expand(d, n).clone())" in spec.source()
    assert spec.source().count("class State") == 1
    assert torch.equal(built(text).b.A_log, torch.log(torch.arange(1, 5).float()).repeat(6, 1))


def test_it_is_written_long_with_and_without_its_dollar() -> None:
    for formula in ("log(i + h)", "$(log(i + h))"):
        long = (
            f"input: 4\nparams: {{h: 2}}\nlayers: {{a: {{buffer: {{size: [4], formula: {formula}}}}}, b: add(in a)}}\n"
        )
        assert torch.allclose(built(long).a, torch.log(torch.arange(4.0) + 2))


@pytest.mark.parametrize(
    ("row", "said", "try_"),
    [
        ("parameter 4x4 formula=$(k)", "asks for k, and a tensor of 2 axes has i and j", "counted from 0"),
        ("parameter 4x4 formula=$(log(j))", "no value at place (0, 0): log of a number", "counted from 0"),
        (
            "buffer 4x4 formula=$(0 if j <= i else -1e99)",
            "is -1e+99 at place (0, 3), and float32 ends",
            "counted from 0",
        ),
        ("parameter 4x4 formula=$(1 / (j - 2))", "no value at place (0, 2): divides by zero", "counted from 0"),
        ("parameter 4x4 formula=$(lgo(j))", "there is no function 'lgo'", "Did you mean 'log'?"),
        ("parameter 4x4 formula=$(j + q)", "there is nothing called 'q' here", "Declare it in `params`"),
        ("parameter 4x4 formula=$(len(j))", "cannot be computed for places", "log"),
        ("parameter 4x4 formula=$(i > j)", "is true or false; write 1 if it holds else 0", "counted from 0"),
        ("parameter 4x4 formula=$(i) init=ones", "by its formula, and by init too", "Keep one"),
        ("buffer 4x4 formula=$(h[j])", "cannot be computed for places", "log"),
    ],
)
def test_mistakes(row: str, said: str, try_: str) -> None:
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads(f"input: 4\nparams: {{h: [1, 2]}}\nlayers: {{a: '{row}', b: mul(in a)}}\n")
    problem = caught.value.problems[0]
    assert said in problem.message
    assert try_ in problem.hint


def test_a_counter_around_is_no_place() -> None:
    group = "repeat: 2, layers: {p$i: parameter 4 formula=$(i), o$i: mul(in p$i)}"
    with pytest.raises(netspec.SpecError, match="as: i1"):
        netspec.loads(f"input: 4\nlayers: {{r: {{{group}}}}}\n")
    named = "repeat: 2, as: i1, layers: {p$i1: parameter 4 formula=$(i + i1), o$i1: mul(prev p$i1)}"
    net = built(f"input: 4\nlayers: {{r: {{{named}}}}}\n")
    assert torch.equal(net.r.p1, torch.arange(4.0) + 1)
