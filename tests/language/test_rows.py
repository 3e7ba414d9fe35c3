"""Rows: every form of the grammar, where each word stands, and what is no row."""

from __future__ import annotations

from dataclasses import replace
from math import isinf
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.language.rows import MAX_CALLS, Arg, Call, Expr, Input, RowError, Word, parse, parse_value, template


def one(text: str) -> Call:
    (call,) = parse(text)
    return call


def args(text: str) -> list[tuple[str, str, Any]]:
    """Kind, name and value of each argument, expressions by their text."""
    return [(a.kind, a.name, plain(a.value)) for a in one(text).args]


def plain(value: Any) -> Any:
    match value:
        case tuple():
            return tuple(plain(v) for v in value)
        case Expr():
            return f"{'-' if value.negative else ''}$({value.text})"
        case Word():
            return value.text
    return value


@pytest.mark.parametrize(
    ("word", "kind", "name", "value"),
    [
        ("6", "positional", "", 6),
        ("-1", "positional", "", -1),
        ("0.1", "positional", "", 0.1),
        (".5", "positional", "", 0.5),
        ("2e-3", "positional", "", 0.002),
        ("T", "positional", "", "T"),
        ("-T", "positional", "", "-T"),
        ("3x5", "positional", "", (3, 5)),
        ("BxTx3", "positional", "", ("B", "T", 3)),
        ("$c", "positional", "", "$(c)"),
        ("-$c", "positional", "", "-$(c)"),
        ("$(4*c)", "positional", "", "$(4*c)"),
        ("$(f(1, 2) + 3)", "positional", "", "$(f(1, 2) + 3)"),
        ("$cx3", "positional", "", "$(cx3)"),
        ("$(c)x3", "positional", "", ("$(c)", 3)),
        ("1->6", "arrow", "", (1, 6)),
        ("->6", "arrow", "", (None, 6)),
        ("1->6->9", "arrow", "", (1, 6, 9)),
        ("1\u21926->9", "arrow", "", (1, 6, 9)),
        ("\u21926", "arrow", "", (None, 6)),
        ("$a->$(2*a)", "arrow", "", ("$(a)", "$(2*a)")),
        ("k5", "letter", "k", 5),
        ("k3x5", "letter", "k", (3, 5)),
        ("s$s", "letter", "s", "$(s)"),
        ("p-1", "letter", "p", -1),
        ("p$((k-1)*d)", "letter", "p", "$((k-1)*d)"),
        ("p=0.1", "keyword", "p", 0.1),
        ("mode=fan_out", "keyword", "mode", "fan_out"),
        ("stride=2x1", "keyword", "stride", (2, 1)),
        ("x=$(a if b else c)", "keyword", "x", "$(a if b else c)"),
        ("ceil_mode", "word", "", "ceil_mode"),
        ("data/mnist", "word", "", "data/mnist"),
        ("net.0", "word", "", "net.0"),
        ("d40.npz", "word", "", "d40.npz"),
        ("x3.npz", "word", "", "x3.npz"),
        ("2024.csv", "word", "", "2024.csv"),
        ("k1.e5", "letter", "k", 1e5),
        ("path=2024.csv", "keyword", "path", "2024.csv"),
    ],
)
def test_arguments(word: str, kind: str, name: str, value: Any) -> None:
    assert args(f"op {word}") == [(kind, name, value)]
    assert one(f"op  {word} ").args[0].span == (4, 4 + len(word))


def test_a_chain_of_calls_and_where_each_word_stands() -> None:
    text = "conv(in) 1->6 k5 nobias , relu,  pool 2"
    calls = parse(text)
    assert [text[slice(*c.span)] for c in calls] == ["conv(in) 1->6 k5 nobias", "relu", "pool 2"]
    assert [text[slice(*c.op_span)] for c in calls] == ["conv", "relu", "pool"]
    assert [text[slice(*a.span)] for a in calls[0].args] == ["1->6", "k5", "nobias"]
    assert calls[0].inputs == (Input(("in",), None, (5, 7)),)


def test_inputs() -> None:
    text = "attn(x query=a.output.0 rounds.*.skip, $name d$(i+1).h)"
    inputs = one(text).inputs
    assert inputs is not None
    assert [(i.path, i.keyword) for i in inputs] == [
        (("x",), None),
        (("a", "output", "0"), "query"),
        (("rounds", "*", "skip"), None),
        (("$name",), None),
        (("d$(i+1)", "h"), None),
    ]
    assert text[slice(*inputs[1].span)] == "query=a.output.0"
    assert one("relu").inputs is None
    assert one("noise()").inputs == ()


def test_repetition_and_condition_come_last() -> None:
    call = one("block 64 x$depth when i < 3 and (a, b)")
    assert call.args == (Arg("positional", 64, (6, 8)),)
    assert plain(call.times) == "$(depth)"
    assert call.when is not None
    assert call.when.text == "i < 3 and (a, b)"
    assert one("block x3").times == 3
    assert plain(one("block x$(2*n)").times) == "$(2*n)"
    assert one("reshape x").times is None


def test_the_operation_may_be_a_parameter() -> None:
    assert plain(one("$act 3").op) == "$(act)"
    assert one("nn.Conv2d 3").op == "nn.Conv2d"


@pytest.mark.parametrize(
    ("text", "under", "message"),
    [
        ("conv 6,", ",", "nothing behind a comma"),
        ("conv 6,, relu", ",,", "nothing between two commas"),
        ("", "", "without an operation"),
        ("3 conv", "3", "not an operation"),
        ("conv(in 6", "(", "never closed"),
        ("conv $(6", "(", "never closed"),
        ("conv 6)", ")", "not an argument|not a value"),
        ("conv(in)6", "6", "not a call"),
        ("conv(4 5)", "4", "not an input"),
        ("conv 6 #", "#", "not an argument"),
        ("conv k\u0663", "\u0663", "not an argument|not a value"),
        ("fc 10->", ">", "a size is missing"),
        ("fc 10->x", "x", "not a size"),
        ("fc 10-> 20", ">", "a size is missing"),
        ("block x3 64", "64", "after the repetition"),
        ("block x3x2", "x3x2", "not a repetition"),
        ("relu when", "when", "without a condition"),
        ("fc k=", "=", "a value is missing"),
        ("fc 99999999999999999999", "99999999999999999999", "too large"),
    ],
)
def test_what_is_no_row_says_where(text: str, under: str, message: str) -> None:
    with pytest.raises(RowError, match=message) as caught:
        parse(text)
    start, stop = caught.value.span
    assert 0 <= start < stop <= len(text) + 1
    assert under in text[start:stop]


def test_a_row_has_an_end() -> None:
    assert len(parse(", ".join(["relu"] * MAX_CALLS))) == MAX_CALLS
    with pytest.raises(RowError, match="more than"):
        parse(", ".join(["relu"] * (MAX_CALLS + 1)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3x224x224", (3, 224, 224)),
        ("$width", "$(width)"),
        ("$(2*d)", "$(2*d)"),
        ("fan_out", "fan_out"),
        ("two words", "two words"),
        ("3 apples", "3 apples"),
        ("T", "T"),
    ],
)
def test_values_of_the_long_form(text: str, value: Any) -> None:
    assert plain(parse_value(text)) == value


def test_templates_are_cut_into_plain_and_computed_parts() -> None:
    assert [plain(p) for p in template("denselayer$(i+1)_$act")] == ["denselayer", "$(i+1)", "_", "$(act)", ""]
    assert template("plain") == ("plain",)
    with pytest.raises(RowError):
        template("a$(b")


def _texts(data: Any) -> set[str]:
    """Every text in plain data."""
    if isinstance(data, str):
        return {data}
    inner = [*data, *data.values()] if isinstance(data, dict) else data if isinstance(data, list) else []
    return set().union(*map(_texts, inner))


SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.yaml"))
READY = sorted(set().union(*(_texts(yaml.safe_load(path.read_text())) for path in SPECS)))
"""Every text of the ready specs."""
_PIECES = st.sampled_from(
    [*"abxkT 0159.,()$=-*[]#'\u2192\u00e9\t", "->", "conv ", " x3", " when ", "$(", "$n", "in", "k3", "1e", "(a b)"]
)


def _within(span: tuple[int, int], text: str) -> bool:
    return 0 <= span[0] <= span[1] <= len(text) + 1


@given(st.one_of(st.text(max_size=60), st.lists(_PIECES, max_size=25).map("".join)))
@settings(max_examples=400, deadline=None)
def test_any_text_is_a_row_or_a_row_error(text: str) -> None:
    for read in (parse, parse_value, template):
        try:
            found: Any = read(text)
        except RowError as error:
            assert _within(error.span, text), (error.message, error.span)
            continue
        if read is parse:
            assert all(_within(a.span, text) and a.span[0] < a.span[1] for call in found for a in call.args)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("conv 6 k5,  relu", "conv 6 k5, relu"),
        ("conv(in  skip) 1->6 s$s p$((k-1) // 2)", "conv(in skip) 1->6 s$s p$((k-1) // 2)"),
        ("attn(x query=a.output.0) heads=$h mask=.5 ", "attn(x query=a.output.0) heads=$h mask=.5"),
        ("$act 2e-3 x3 when  i < 3   and k", "$act 2e-3 x3 when i < 3 and k"),
        ("$(acts[0]) x$(2*n)", "$(acts[0]) x$(2*n)"),
        ("csv data/2024.csv d040 1\u21922", "csv data/2024.csv d040 1\u21922"),
        ("noise()", "noise()"),
    ],
)
def test_calls_are_printed_as_they_were_written(text: str, printed: str) -> None:
    assert ", ".join(map(str, parse(text))) == printed


@given(st.one_of(st.lists(_PIECES, max_size=25).map("".join), st.sampled_from(READY)))
@settings(max_examples=400, deadline=None)
def test_what_is_printed_means_the_same(text: str) -> None:
    try:
        calls = parse(text)
    except RowError:
        return
    as_written = ", ".join(map(str, calls))
    made = ", ".join(str(replace(c, args=tuple(replace(a, text="") for a in c.args))) for c in calls)
    assert meaning(as_written) == meaning(text)
    if not any(isinstance(a.value, float) and isinf(a.value) for c in calls for a in c.args):
        assert meaning(made) == meaning(text)


def test_a_name_before_an_x_is_printed_in_brackets() -> None:
    (call,) = parse("parameter $(experts)x$(2*hidden)x$(d)")
    assert str(replace(call, args=(replace(call.args[0], text=""),))) == "parameter $(experts)x$(2*hidden)x$d"


def meaning(text: str) -> list[Any]:
    """The calls of a row without their places."""
    return [
        (
            plain(c.op),
            None if c.inputs is None else [(i.path, i.keyword) for i in c.inputs],
            [(a.kind, a.name, plain(a.value)) for a in c.args],
            plain(c.times),
            None if c.when is None else c.when.text.split(),
        )
        for c in parse(text)
    ]


@pytest.mark.parametrize(
    ("row", "place", "value", "printed"),
    [
        ("adamw 2e-3 x3", None, "0.1", "adamw 2e-3 p=0.1 x3"),
        ("conv 6 k5", 0, "$(2 * w)", "conv $(2 * w) k5"),
        ("conv 6 k5", 1, "3x3", "conv 6 k3x3"),
        ("conv 6 p=0", 1, "same", "conv 6 p=same"),
        ("csv a.csv", 0, "b.csv", "csv b.csv"),
        ("csv a.csv", 0, "x3", "csv p=x3"),
        ("csv a.csv", 0, "when", "csv p=when"),
    ],
)
def test_an_argument_is_set(row: str, place: int | None, value: str, printed: str) -> None:
    call = one(row)
    old = None if place is None else call.args[place]
    assert str(call.with_argument("p", value, old)) == printed


def test_a_flag_is_set_by_its_name() -> None:
    call = one("relu inplace x2")
    assert str(call.with_argument("inplace", "false", call.args[0], flag=True)) == "relu inplace=false x2"


@pytest.mark.parametrize("value", ["", "1 2", "1, relu", "a(", "->5", "{a: 1}"])
def test_what_is_not_one_value_is_not_set(value: str) -> None:
    with pytest.raises(RowError):
        one("conv 6 k5").with_argument("p", value)
