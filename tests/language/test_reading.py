"""Reading text: YAML 1.2 scalars, refusals with their places, rows, expressions, and arbitrary input."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import netspec
from netspec.dims import Dim, Size, named, substitute
from netspec.errors import At
from netspec.language import expressions, rows
from netspec.sections.overrides import overridden
from netspec.text.reader import read_text
from netspec.text.report import SpecError
from tests.effort import computing

SPECS = sorted((Path(__file__).parent.parent.parent / "specs").glob("*.yaml"))


def test_scalars_follow_yaml_1_2() -> None:
    text = "a: 1e-3\nb: no\nc: on\nd: '010'\ne: 1:30\nf: 0x1f\ng: .inf\nh: ~\ni: 'no'\nj: 2020-01-01\nk: True\n"
    assert read_text(text).data == {
        "a": 0.001, "b": "no", "c": "on", "d": "010", "e": "1:30", "f": 31, "g": float("inf"),
        "h": None, "i": "no", "j": "2020-01-01", "k": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", "<spec>:3:1", "'a' is given twice; it stands on line 1"),
        ("a: &x 1\n", "<spec>:1:4", "an anchor"),
        ("a: *x\n", "<spec>:1:4", "an alias"),
        ("a: !!python/object:os.system x\n", "<spec>:1:4", "plain data"),
        ("a: 1\n---\nb: 2\n", "<spec>:2:1", "a second document"),
        ("[" * 30_000, "<spec>:1:33", "nested deeper than 32"),
        ("a: \u202egnp.exe\n", "<spec>:1:4", "bidirectional"),
        ("a: [1, {b: ${x}}]\n", "<spec>:1:13", "not part of the language"),
        ("a: 99999999999999999999\n", "<spec>:1:4", "too large"),
        ("a: [" + "1, " * 60_000 + "]\n", "<spec>:1:", "more than 50,000 values"),
    ],
    ids=lambda v: v[:12],
)
def test_what_a_spec_never_needs_is_refused(text: str, place: str, says: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_text(text)
    assert str(caught.value).startswith(place)
    assert says in str(caught.value)


def test_places_of_keys_values_and_parts_of_rows() -> None:
    source = read_text('layers:\n  - conv 6 k5\n  - x: "fc 10"\n')
    assert str(source.place(At(("layers", 0), (5, 6)))) == "<spec>:2:10"
    assert str(source.place(At(("layers", 1, "x"), on_key=True))) == "<spec>:3:5"
    assert str(source.place(At(("layers", 1, "x"), (3, 5)))) == "<spec>:3:12"


def test_overrides_reach_lists_and_make_new_keys() -> None:
    source = overridden(read_text("a: [1, 2]\n"), ["a.1=5", "train.epochs=3"])
    assert source.data == {"a": [1, 5], "train": {"epochs": 3}}
    assert str(source.place(At(("train", "epochs")))) == "command line:1:14"


def test_both_arrows_mean_the_same() -> None:
    plain, unicode = rows.parse("fc 400->120->84")[0], rows.parse("fc 400\u2192120\u219284")[0]
    assert plain.args[0].value == unicode.args[0].value == (400, 120, 84)


@pytest.mark.parametrize(
    "text",
    ["2**2**2**2**2", "'a' * 10**9", "__import__('os')", "().__class__", "[1] * 5000", "9**99", "(lambda: 1)()",
     "[x for x in y]", "f'{x}'", "1 / 0", "x.__class__", "0 if", "x := 1", "print(1)"],
)  # fmt: skip
def test_expressions_are_bounded_arithmetic(text: str) -> None:
    with computing(1), pytest.raises(expressions.ExpressionError):
        expressions.evaluate(text, {"x": 2}.__getitem__)


NUMBERS = st.integers(-20, 20).map(str) | st.sampled_from(["a", "b"])
ARITHMETIC = st.recursive(
    NUMBERS,
    lambda inner: (
        st.builds(
            "({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "//", "%", "<", "==", "and", "or"]), inner
        )
        | st.builds("({} if {} else {})".format, inner, inner, inner)
        | st.builds("min({}, {})".format, inner, inner)
    ),
    max_leaves=8,
)


@given(ARITHMETIC)
@settings(max_examples=150, deadline=None)
def test_expressions_agree_with_python(text: str) -> None:
    names = {"a": 3, "b": 7}
    try:
        expected = eval(text, {"min": min}, names)
    except ArithmeticError:
        with pytest.raises(expressions.ExpressionError):
            expressions.evaluate(text, names.__getitem__)
        return
    assert expressions.evaluate(text, names.__getitem__) == expected


SIZES = st.recursive(
    st.integers(-6, 9) | st.sampled_from([named("T"), named("B")]),
    lambda inner: st.tuples(st.sampled_from("+-*/"), inner, inner),
    max_leaves=7,
)


def value(tree: object, names: dict[str, Size] | None) -> Size:
    if not isinstance(tree, tuple):
        assert isinstance(tree, int | Dim)
        return substitute(tree, names) if names else tree
    left, right = value(tree[1], names), value(tree[2], names)
    match tree[0]:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
    return left // right


@given(SIZES, st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=300, deadline=None)
def test_symbolic_sizes_commute_with_numbers(tree: object, t: int, b: int) -> None:
    names: dict[str, Size] = {"T": t, "B": b}
    try:
        symbolic, plain = value(tree, None), value(tree, names)
        found = substitute(symbolic, names)
    except (ZeroDivisionError, OverflowError):
        return
    assert found == plain


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        netspec.loads(text)
    except SpecError as error:
        assert error.problems


@given(st.text(st.sampled_from("conv 36k.x$()->=,[]{}relu*/-"), max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_row_is_read_or_refused(text: str) -> None:
    try:
        rows.parse(text)
    except rows.RowError as error:
        assert error.message


@given(st.data())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_damaged_specs_are_refused_with_places(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(SPECS)).read_text()
    words = text.split(" ")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(words) - 1))
        words[at] = data.draw(
            st.sampled_from(["", words[at] * 2, "-1", "x3", "$c", "conv", "[", "when", "in", "B", "0"])
        )
    try:
        netspec.loads(" ".join(words))
    except SpecError as error:
        assert error.problems
        assert str(error).startswith("<spec>:")
