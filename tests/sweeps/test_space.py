"""What a sweep tries: choices and ranges as they are written, and what they cannot be."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netspec.errors import UsageError
from netspec.sweeps.space import Choice, Range, read_space


def test_choices_ranges_and_what_is_fixed() -> None:
    space = read_space(["params.width=32,64,96", "train.optimizer.lr=1e-4..1e-2:log", "train.epochs=3"])
    assert space.axes == (
        Choice("params.width", ("32", "64", "96")),
        Range("train.optimizer.lr", 1e-4, 1e-2, log=True),
    )
    assert space.fixed == ("train.epochs=3",)
    assert space.size is None


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=1,2,2", ("1", "2")),
        ("a=1,1", ("1",)),
        ("a=adamw lr=1e-3,sgd lr=0.1", ("adamw lr=1e-3", "sgd lr=0.1")),
        ("a='conv 6, relu','conv 8, relu'", ("'conv 6, relu'", "'conv 8, relu'")),
        ("a=[1, 2],[3, 4]", ("[1, 2]", "[3, 4]")),
        ("a=$(max(b, c)),7", ("$(max(b, c))", "7")),
        ("a=1..4", ("1", "2", "3", "4")),
        ("a=-1..1", ("-1", "0", "1")),
        ("a=2..9:step=3", ("2", "5", "8")),
        ("a=0.1..0.5:step=0.1", ("0.1", "0.2", "0.3", "0.4", "0.5")),
        ("a=1..3:log", ("1", "2", "3")),
    ],
)
def test_values_that_can_be_counted(text: str, values: tuple[str, ...]) -> None:
    (axis,) = read_space([text]).axes
    assert axis.values == values
    assert axis.size == len(values)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a", "not path=values"),
        ("a=", "not path=values"),
        ("a=1,,2", "nothing between two commas"),
        ("a=4..2", "4 is not below 2"),
        ("a=0..1.5:log", "a range above 0"),
        ("a=1..9:lgo", "Did you mean 'log'?"),
        ("a=1..9:step=x", "Did you mean 'step'?"),
        ("a=1..9:log:step=2", "do not go together"),
        ("a=1..9:step=0", "not a whole number above 0"),
        ("a=1..9:step=0.5", "not a whole number above 0"),
        ("a=1..9:step=20", "out of the range"),
        ("a=3", "nothing to sweep over"),
    ],
)
def test_what_is_no_space(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_space([text])
    assert words in str(caught.value)


def test_a_path_is_given_once() -> None:
    with pytest.raises(UsageError, match="a is given twice"):
        read_space(["a=1,2", "a=1..3"])


def test_every_combination_comes_once() -> None:
    space = read_space(["a=1,2", "b=x,y,z", "c=1..2"])
    assert space.size == 12
    found = [tuple(space.combination(i).items()) for i in range(12)]
    assert len(set(found)) == 12
    assert found[0] == (("a", "1"), ("b", "x"), ("c", "1"))
    assert list(space.samples(0, 12)) == [dict(pairs) for pairs in found]
    assert len(list(space.samples(0, 5))) == 5


@given(st.floats(1e-9, 1e9), st.floats(1.01, 1e6), st.booleans(), st.integers(0, 99))
def test_a_drawn_number_lies_in_its_range(low: float, ratio: float, log: bool, seed: int) -> None:
    axis = Range("a", low, low * ratio, None, log)
    assert low * (1 - 1e-5) <= float(axis.drawn(Random(seed))) <= low * ratio * (1 + 1e-5)
