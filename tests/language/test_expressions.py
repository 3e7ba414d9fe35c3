"""Expressions: the same arithmetic as Python's, and nothing else of Python."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.dims import named
from netspec.language.expressions import ExpressionError, evaluate, names, parse
from tests.effort import computing

VALUES: dict[str, Any] = {"a": 3, "b": -2, "f": 0.5, "s": "word", "l": [1, 2, 3], "T": named("T")}


def value(text: str) -> Any:
    return evaluate(text, VALUES.__getitem__)


def refusal(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        value(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4*a", 12),
        ("7 // b", -4),
        ("7 % b", -1),
        ("a / 2", 1.5),
        ("2 ** 10", 1024),
        ("2 ** 62", 2**62),
        ("(2*a) ** -0.5", 6**-0.5),
        ("(-1) ** 99999999999", -1),
        ("1 < a <= 3 != b", True),
        ("not a and b or f", 0.5),
        ("'x' if a > 5 else s", "word"),
        ("l[0] + l[-1]", 4),
        ("l[1:]", [2, 3]),
        ("l[::-1]", [3, 2, 1]),
        ("a in l", True),
        ("'or' in s", True),
        ("5 not in l", True),
        ("s + '_' + s", "word_word"),
        ("min(a, b) + max(l)", 1),
        ("round(2.5) + ceil(0.1) + floor(0.9)", 3),
        ("round(7.25, 1)", 7.2),
        ("round(123, -2)", 100),
        ("sqrt(9) + sin(0) + cos(0)", 4.0),
        ("abs(b) + int(1.9) + len(s) + sum(l)", 13),
        ("[a, b]", [3, -2]),
        ("(a, b)", [3, -2]),
        ("None", None),
        ("a > 2 and true", True),
        ("null", None),
        ("  a  ", 3),
        ("a\n + 1", 4),
        ("2*T - T", named("T")),
        ("T == T", True),
    ],
)
def test_values(text: str, expected: Any) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "text",
    [
        "lambda: 1",
        "[x for x in l]",
        "{a: b}",
        "{a}",
        "f'{a}'",
        "f''",
        "b'x'",
        "1j",
        "...",
        "a := 1",
        "a = 1",
        "a; b",
        "*l",
        "min(*l)",
        "min(l, key=len)",
        "await a",
        "yield a",
        "a is a",
        "a @ b",
        "a | b",
        "a << 5",
        "~a",
        "_",
        "__import__('os')",
        "_i",
        "eval('1')",
        "print(a)",
        "s.upper()",
        "s.__class__",
        "a.real",
        "l.append",
        "().__class__.__bases__",
        "s[0].x",
        "(min)(a, b)(a)",
        "'%s' % a",
        "\u00e9",
        "a \u2212 b",
        "import os",
        "",
        "  ",
        "a b",
        "(a",
        "0777",
    ],
)
def test_the_rest_of_python_is_refused(text: str) -> None:
    refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "2 ** 63",
        "10 ** 10 ** 10",
        "9 ** 9 ** 9 ** 9",
        "(2**62) ** (2**62)",
        "2.0 ** 5000",
        "1e308 * 10",
        "(-8) ** 0.5",
        "2**62 + 2**62",
        "s * 5000",
        "5000 * l",
        "l * 10**15",
        "s * 2**62",
        "[[[1] * 4096] * 4096] * 4096",
        "([[1]*4000]*17) == ([[1]*4000]*17)",
        "round(5, -(2**40)) or 2**63",
        "int('9' * 4096)",
        "sum([l * 1000] * 1000, [])",
        "(" * 100 + "1" + ")" * 100 + "+1" * 60,
        "1" + "+1" * 190,
        "[" * 30 + "]" * 30,
        "not " * 90 + "a",
        "a" * 401,
        "9" * 300,
        "1e999",
    ],
)
def test_results_and_effort_are_bounded(text: str) -> None:
    with computing(1):
        refusal(text)


@pytest.mark.parametrize(
    ("text", "message", "under"),
    [
        ("a + nothing", "nothing called 'nothing'", "nothing"),
        ("  a + 1 / 0", "divides by zero", "1 / 0"),
        ("a + l[7]", "beyond the end", "l[7]"),
        ("1 + mim(a, b)", "no function 'mim'", "mim(a, b)"),
        ("a + s.c", "s has no 'c'", "s.c"),
        ("T > 3", "known only then", "T > 3"),
        ("1 + [x for x in l]", "not part of the language", "[x for x in l]"),
        ("s + 1", "cannot be computed", "s + 1"),
        ("in.c", "nothing called 'in'", "in"),
    ],
)
def test_refusals_say_where(text: str, message: str, under: str) -> None:
    error = refusal(text)
    assert message in error.message
    assert text[error.start : error.stop] == under


def test_a_name_that_is_nearly_known_is_offered() -> None:
    assert refusal("1 + mim(a, b)").hint == "Did you mean 'min'?"


def test_names_that_are_looked_up() -> None:
    assert names(parse("in.c + max(a, l[b]) if x else 'y'")) == {"in", "a", "l", "b", "x"}


# --- anything -------------------------------------------------------------------------------------

_LEAVES = st.one_of(st.integers(-20, 20).map(str), st.sampled_from(["0.5", "2.5", "1e3", "True"]))


_SIGNS = ["+", "-", "*", "/", "//", "%", "<", "<=", ">", ">=", "==", "!=", "and", "or"]


def _compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = st.builds("({} {} {})".format, inner, st.sampled_from(_SIGNS), inner)
    return st.one_of(
        binary,
        st.builds("({} ** {})".format, inner, st.integers(-3, 4)),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("({}{})".format, st.sampled_from(["-", "+", "not "]), inner),
        st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), inner, inner),
        st.builds("{}({})".format, st.sampled_from(["abs", "int", "round", "ceil", "floor"]), inner),
        st.builds("sum([{}, {}])".format, inner, inner),
        st.builds("[{}, {}][-1]".format, inner, inner),
    )


@given(st.recursive(_LEAVES, _compound, max_leaves=8).filter(lambda t: len(t) <= 300))
@settings(max_examples=400, deadline=None)
def test_arithmetic_agrees_with_python(text: str) -> None:
    try:
        expected = eval(text, {"ceil": math.ceil, "floor": math.floor})
    except (ArithmeticError, TypeError, ValueError):
        refusal(text)
        return
    try:
        found = value(text)
    except ExpressionError as error:
        assert "too large" in error.message or "finite" in error.message or "real" in error.message
        return
    assert found == expected
    assert type(found) is type(expected)


_PIECES = st.sampled_from(
    [
        *"abflsT019 .,()[]:+-*/%<>=!'\"\\{}_@~|&^;#\n\t\r\x0c",
        "**",
        "in",
        " in ",
        "in.",
        " if ",
        " else ",
        "min(",
        "round(",
        *[" and ", "not ", "lambda ", "for ", "2**", "e5", "is ", "__", "0x", "j", "\u00e9"],
    ]
)


@given(st.one_of(st.text(max_size=40), st.lists(_PIECES, max_size=20).map("".join)))
@settings(max_examples=600, deadline=None)
@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")
def test_any_text_is_a_value_or_an_expression_error(text: str) -> None:
    with computing(1):
        try:
            value(text)
        except ExpressionError as error:
            assert error.start >= 0
