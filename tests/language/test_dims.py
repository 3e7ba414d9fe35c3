"""Sizes known only at run time: arithmetic on names means arithmetic on whatever numbers come."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.dims import Dim, Size, known, named, names, product, substitute

B, T = named("B"), named("T")

Both = tuple[Size, Callable[[dict[str, int]], int]]
"""A size, and the same computed on plain numbers."""

_NAMES = st.sampled_from(["B", "T"])
_OPERATIONS: dict[str, Callable[[Size, Size], Size]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
}


def _leaf_name(name: str) -> Both:
    return named(name), lambda v: v[name]


def _leaf_number(number: int) -> Both:
    return number, lambda v: number


def _combined(left: Both, sign: str, right: Both, divisor: int) -> Both:
    apply = _OPERATIONS[sign]
    if sign == "//":
        right = _leaf_number(divisor)
    a, b = left[1], right[1]
    return apply(left[0], right[0]), lambda v: cast(int, apply(a(v), b(v)))


_LEAVES = st.one_of(st.builds(_leaf_name, _NAMES), st.builds(_leaf_number, st.integers(-9, 9)))
_SIZES = st.recursive(
    _LEAVES,
    lambda inner: st.builds(_combined, inner, st.sampled_from([*_OPERATIONS]), inner, st.integers(1, 8)),
    max_leaves=7,
)
_NUMBERS = st.fixed_dictionaries({"B": st.integers(1, 60), "T": st.integers(1, 60)})


@given(_SIZES, _NUMBERS)
@settings(max_examples=500, deadline=None)
def test_arithmetic_commutes_with_the_numbers_that_come(both: Both, numbers: dict[str, int]) -> None:
    size, compute = both
    assert substitute(size, dict(numbers)) == compute(numbers)


@given(_SIZES, _NUMBERS)
@settings(max_examples=200, deadline=None)
def test_a_part_of_the_numbers_may_come_first(both: Both, numbers: dict[str, int]) -> None:
    size, compute = both
    half = substitute(size, {"B": numbers["B"]})
    assert names(half) <= {"T"}
    assert substitute(half, {"T": numbers["T"]}) == compute(numbers)


@given(_SIZES, _SIZES, _SIZES)
@settings(max_examples=200, deadline=None)
def test_sums_and_products_have_one_form(a: Both, b: Both, c: Both) -> None:
    x, y, z = a[0], b[0], c[0]
    assert x + y == y + x
    assert x * y == y * x
    assert (x + y) + z == x + (y + z)
    assert x * (y + z) == x * y + x * z
    assert x - x == 0
    assert hash(x + y) == hash(y + x)


@given(_SIZES, st.integers(1, 9))
@settings(max_examples=200, deadline=None)
def test_an_even_division_leaves_nothing(both: Both, factor: int) -> None:
    size = both[0]
    assert (size * factor) // factor == size
    assert (size * factor + factor) // factor == size + 1


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (T, "T"),
        (T - 4 + 4, "T"),
        (2 * T + 1, "2*T + 1"),
        (1 - T, "-T + 1"),
        ((2 * T * B) // (2 * B), "T"),
        ((2 * T + 3) // 2, "T + 1"),
        ((T + 1) // 2, "(T + 1) // 2"),
        ((T - 1) // 2 + 1, "(T + 1) // 2"),
        (3 * (T // 2), "3*(T // 2)"),
        ((4 * T + 2) // 4, "T"),
        (T * B, "B*T"),
        (T * 0, "0"),
    ],
)
def test_how_sizes_are_written(size: Size, text: str) -> None:
    assert str(size) == text


def test_names_products_and_what_is_known() -> None:
    assert names((T + 1) // 2 * B) == {"B", "T"}
    assert product([2, T, 3]) == 6 * T
    assert product([]) == 1
    assert known(3)
    assert not known(T)
    assert isinstance(T // 2, Dim)
    assert substitute(9 * B, {"B": 1}) == 9
    assert substitute(T // 2, {"T": 2 * B}) == B


def test_sizes_do_not_grow_without_end() -> None:
    with pytest.raises(OverflowError):
        reduce(operator.mul, [named(f"N{i}") + 1 for i in range(80)])
