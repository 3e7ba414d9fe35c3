"""Rows made at random, written in any way that the language allows: both forms mean the same."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings

from netspec.language import rows
from netspec.language.calls import arguments
from netspec.records import Entry
from netspec.text.reader import read_text
from netspec.views.format import formatted
from netspec.vocabulary import OPERATIONS

CLASSES = sorted(OPERATIONS.classes(), key=lambda cls: cls.__name__)
NAMES = {"n": 3, "m": 4}

sizes = st.sampled_from(["1", "-1", "16", "0.5", "2e-3", "$n", "-$m", "$(2*n)", "$(max(n, m))"])
parts = sizes.filter(lambda text: text[-1] not in "nm")  # `$nx3` is the name nx3
values = st.one_of(sizes, st.lists(parts, min_size=2, max_size=3).map("x".join), st.sampled_from(["true", "same", "B"]))


@st.composite
def calls(draw: Any) -> str:
    """A call with arguments that its class has, by position, letter, flag, arrow or name."""
    cls = draw(st.sampled_from(CLASSES))
    words = [cls.__name__]
    if bool(draw(st.booleans())):
        words[0] += draw(st.sampled_from(["(in)", "(in prev)", "(a=in b=prev.0)", "(parts.*)"]))
    free = cls.positional()
    count = draw(st.integers(0, min(2, len(free))))
    plain = free[:count]
    words += [draw(sizes) for _ in plain]
    for name in sorted(draw(st.sets(st.sampled_from(sorted(cls.fields)), max_size=3))) if cls.fields else []:
        letters = [letter for letter, field in cls.letters.items() if field == name]
        if name in plain:
            continue
        if letters and draw(st.booleans()):
            words.append(f"{letters[0]}{draw(sizes.filter(lambda s: s[0] in '0123456789$-'))}")
        else:
            words.append(f"{name}={draw(sizes if name in (cls.arrow or ()) else values)}")
    if draw(st.booleans()):
        words.append(draw(st.sampled_from(["x2", "x$n", "when n > 2", "x3 when i != n and m == 4"])))
    return " ".join(words)


@settings(max_examples=400, deadline=None)
@given(st.lists(calls(), min_size=1, max_size=3).map(", ".join))
def test_long_and_back(row: str) -> None:
    short = in_form(row, long=False)
    long = in_form(short, long=True)
    assert in_form(long, long=False) == short
    assert in_form(short, long=False) == short
    assert in_form(long, long=True) == long
    assert meaning(read_text(short).data["layers"][0]) == meaning(row)


def in_form(row: str, *, long: bool) -> str:
    text = row if row.startswith("layers:") else f"layers:\n  - {row}\n"
    return formatted(read_text(text), long=long)


def meaning(row: Any) -> list[Any]:
    """What a row says, whatever the way it is written in."""
    found: list[Any] = []
    for call in rows.parse(row):
        assert isinstance(call.op, str)
        cls: type[Entry] = OPERATIONS.find(call.op)[0]
        inputs = None if call.inputs is None else [(given.keyword, given.path) for given in call.inputs]
        when = None if call.when is None else call.when.text
        times = None if call.times is None else rows.written(call.times)
        values = arguments(call, cls, NAMES.__getitem__, ()).values
        for name in values:  # a list of one and its only value are the same
            if cls.fields[name].rest and not isinstance(values[name], tuple):
                values[name] = (values[name],)
        found.append((call.op, inputs, values, times, when))
    return found
