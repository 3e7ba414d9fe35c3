"""The reader of YAML: what it takes for a number, what it refuses, and where everything stands."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.errors import At
from netspec.sections.overlay import merged
from netspec.sections.overrides import overridden
from netspec.text.reader import MAX_BYTES, MAX_NODES, read_file, read_text
from netspec.text.report import SpecError, report
from netspec.text.source import Place
from tests.effort import computing


def problems_of(text: str) -> list[tuple[str, str]]:
    """Code and place of every problem that reading gives."""
    with pytest.raises(SpecError) as caught:
        read_text(text)
    source = caught.value.source
    assert source is not None
    return [(p.code, str(source.place(p.at)).removeprefix("<spec>:")) for p in caught.value.problems]


def shown(place: Place) -> str:
    """The characters that the carets would underline."""
    return place.text[place.column - 1 : place.column - 1 + place.width]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 1e5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("+1", 1),
        ("0x1f", 31),
        ("0o17", 15),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("'1'", "1"),
        ('"true"', "true"),
        ("''", ""),
        ("=", "="),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: Any) -> None:
    found = read_text(f"a: {text}").data["a"]
    assert found == value
    assert type(found) is type(value)


def test_not_a_number_is_one() -> None:
    assert math.isnan(read_text("a: .nan").data["a"])


def test_keys_are_words() -> None:
    assert read_text("1: a\nnull: b\nyes: c").data == {"1": "a", "null": "b", "yes": "c"}


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_an_empty_text_holds_nothing(text: str) -> None:
    assert read_text(text).data is None


def test_every_repeated_key_is_reported_where_it_stands_and_where_it_stood() -> None:
    text = "a: 1\nb: {c: 1, c: 2}\na: {x: 1}\na: [1]\n"
    assert problems_of(text) == [("duplicate-key", "2:11"), ("duplicate-key", "3:1"), ("duplicate-key", "4:1")]
    with pytest.raises(SpecError, match="'a' is given twice; it stands on line 1 already"):
        read_text(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: !!str 1", "1:4"),
        ("a: !!python/object/apply:os.system [ls]", "1:4"),
        ("a: !own 1", "1:4"),
        ("a: &x 1", "1:4"),
        ("a: *x", "1:4"),
        ("<<: *x", "1:1"),
        ("a: [&x {b: 1}]", "1:5"),
        ("a: 1\n---\nb: 2", "2:1"),
        ("? [a]\n: 1", "1:3"),
        ("a:\n\tb: 1", "2:1"),
        ("a: b: c", "1:5"),
    ],
)
def test_what_a_spec_never_needs_is_refused_where_it_stands(text: str, place: str) -> None:
    assert problems_of(text) == [("yaml", place)]


def test_a_merge_key_is_plain_only_in_quotes() -> None:
    assert problems_of("a:\n  <<: {a: 1}") == [("yaml", "2:3")]
    assert read_text("'<<': {a: 1}").data == {"<<": {"a": 1}}


@pytest.mark.parametrize("text", ["a: [1", "a: 'x", "{", "a: }", "%YAML", "- a\nb: 1", "[a]]", "a: @b"])
def test_broken_yaml_is_one_problem(text: str) -> None:
    assert [code for code, _ in problems_of(text)] == ["yaml"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[" * 30_000, "too-large"),
        ("{a: " * 30_000, "too-large"),
        ("- " * 30_000, "too-large"),
        ("[" + "1," * (MAX_NODES + 1) + "]", "too-large"),
        ("a: " + "b" * MAX_BYTES, "unreadable"),
        ("a: " + "9" * 19, "number"),
        ("a: 0x" + "f" * 5000, "number"),
        ("a: 010", "number"),
        ("a: -007.5", "number"),
        ("a: [1, 00]", "number"),
        ("a: 0x10", "number"),
    ],
)
def test_size_is_bounded_in_little_time(text: str, code: str) -> None:
    with computing(10):
        assert [found for found, _ in problems_of(text)] == [code]


@pytest.mark.parametrize("character", ["\u202e", "\u2066", "\u200f", "\x07", "\x1b", "\x00", "\x7f", "\ud800"])
def test_hidden_characters_are_refused_where_they_stand(character: str) -> None:
    assert problems_of(f"a: 1\né: x{character}y") == [("hidden-character", "2:5")]
    with pytest.raises(SpecError) as caught:
        read_text(f"a: x{character}y")
    assert character not in str(caught.value)


def test_a_mark_of_byte_order_before_the_text_is_none_of_it() -> None:
    assert read_text("\ufeffa: 1").data == {"a": 1}
    assert problems_of("a: \ufeff1") == [("hidden-character", "1:4")]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"a: 1\nb: \xff\n", "byte 0xff on line 2"),
        (b"a: " + b"x" * MAX_BYTES, "too large"),
        (None, "No such file"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, raw: bytes | None, message: str) -> None:
    path = tmp_path / "a.yaml"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(SpecError, match=message):
        read_file(path)
    with pytest.raises(SpecError, match="is a folder"):
        read_file(tmp_path)


def test_a_file_that_is_not_there_is_looked_for_beside(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="`netspec init` writes one"):
        read_file(tmp_path / "lenet.yaml")
    (tmp_path / "lenet5.yaml").write_text("a: 1")
    with pytest.raises(SpecError, match=r"Did you mean 'lenet5\.yaml'"):
        read_file(tmp_path / "lenet.yaml")
    with pytest.raises(SpecError, match=r"There are: lenet5\.yaml"):
        read_file(tmp_path)


def test_a_file_may_begin_with_a_mark_of_byte_order(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert read_file(tmp_path / "a.yaml").data == {"a": 1, "b": 2}


# --- places ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "at", "place", "under"),
    [
        ("a: conv 6 k5", At(("a",)), "1:4", "conv 6 k5"),
        ("a: conv 6 k5", At(("a",), (7, 9)), "1:11", "k5"),
        ("a: 'conv 6 k5'", At(("a",), (7, 9)), "1:12", "k5"),
        ('a: "conv 6 k5"', At(("a",), (7, 9)), "1:12", "k5"),
        ('a: "conv\\t6"', At(("a",), (5, 6)), "1:4", '"conv\\t6"'),
        ("a: conv\n  6", At(("a",), (5, 6)), "1:4", "conv"),
        ("a: >\n  conv\n  6", At(("a",), (5, 6)), "1:4", ">"),
        ("é: ü x", At(("é",), (2, 3)), "1:6", "x"),
        ("ab: 1", At(("ab",), on_key=True), "1:1", "ab"),
        ("- x\n- ab: [1, 23]", At((1, "ab", 1)), "2:11", "23"),
        ("- x\n- ab: [1, 23]", At((1, "ab"), on_key=True), "2:3", "ab"),
        ("ab: 1", At(("ab", "nowhere", 3)), "1:5", "1"),
        ("ab: 1", At(("nowhere",)), "1:1", "a"),
        ("'a bc': 1", At(("a bc",), (2, 4), on_key=True), "1:4", "bc"),
        ("", At(("nowhere",)), "1:1", ""),
    ],
)
def test_places_of_keys_values_and_parts_of_values(text: str, at: At, place: str, under: str) -> None:
    found = read_text(text, "s.yaml").place(at)
    assert str(found) == f"s.yaml:{place}"
    assert shown(found) == under


@pytest.mark.parametrize(("text", "place"), [("a: [1", "1:4"), ("a:\n  [1\n", "2:3"), ("a: 'x\n\n", "1:4")])
def test_what_is_never_closed_is_shown_where_it_is_opened(text: str, place: str) -> None:
    assert problems_of(text) == [("yaml", place)]


def test_a_report_underlines_what_is_wrong() -> None:
    with pytest.raises(SpecError) as caught:
        read_text("layers:\n  - fc 10\nlayers: 1\n", "net.yaml")
    assert str(caught.value) == (
        "net.yaml:3:1  error[duplicate-key]  'layers' is given twice; it stands on line 1 already\n"
        "  3 | layers: 1\n"
        "    | ^^^^^^\n"
        "  Keep one of them."
    )


def test_of_a_very_long_line_the_part_around_the_place_is_shown() -> None:
    with pytest.raises(SpecError) as caught:
        read_text("a: [" + "x, " * 9000 + "&anchor y, " + "x, " * 9000 + "]")
    _, line, carets, *_ = str(caught.value).splitlines()
    assert len(line) < 300
    assert line[carets.index("^") :].startswith("&anchor")


# --- overrides ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("assignment", "data"),
    [
        ("a.b.1=7", {"a": {"b": [1, 7]}}),
        ("a.b.1={c: d}", {"a": {"b": [1, {"c": "d"}]}}),
        ("a.c.d=1e-3", {"a": {"b": [1, 2], "c": {"d": 0.001}}}),
        ("a=", {"a": None}),
        ("t=x=y", {"a": {"b": [1, 2]}, "t": "x=y"}),
        ("0=no", {"a": {"b": [1, 2]}, "0": "no"}),
    ],
)
def test_overrides_reach_into_mappings_and_lists(assignment: str, data: Any) -> None:
    assert overridden(read_text("a: {b: [1, 2]}"), [assignment]).data == data


@pytest.mark.parametrize(
    "assignment",
    [
        "",
        "a",
        "=1",
        "a..b=1",
        ".a=1",
        "a.b.2=1",
        "a.b.x=1",
        "a.b.-1=1",
        "a=[1",
        "a=b: c: d",
        ".".join("a" * 5000) + "=1",
    ],
)
def test_overrides_that_mean_nothing(assignment: str) -> None:
    with pytest.raises(SpecError, match="command line:1"):
        overridden(read_text("a: {b: [1, 2]}"), [assignment])


@pytest.mark.parametrize("digits", ["9" * 30, "9" * 5000])
def test_an_override_beyond_all_lists(digits: str) -> None:
    with pytest.raises(SpecError) as caught:
        overridden(read_text("a: [1]"), [f"a.{digits}=1"])
    assert "has no entry" in caught.value.problems[0].message


def test_overrides_stand_on_the_command_line() -> None:
    source = overridden(read_text("a: {b: [1, 2]}", "s.yaml"), ["a.b.1=conv 6 k5", "c.d={x: 1}"])
    place = source.place(At(("a", "b", 1), (5, 6)))
    assert (str(place), shown(place)) == ("command line:1:12", "6")
    assert str(source.place(At(("c", "d", "x")))) == "command line:1:9"
    assert str(source.place(At(("c",)))) == "command line:1:1"
    assert str(source.place(At(("a", "b", 0)))) == "s.yaml:1:9"


def test_later_overrides_win() -> None:
    assert overridden(read_text("a: 1"), ["a=2", "a=3"]).data == {"a": 3}


def test_one_spec_laid_over_another() -> None:
    base = read_text("a: {x: 1, y: 2}\nb: [1, 2]", "base.yaml")
    top = read_text("b: [3]\na: {y: 4}", "top.yaml")
    both = merged(base, top)
    assert both.data == {"a": {"x": 1, "y": 4}, "b": [3]}
    assert str(both.place(At(("a", "x")))) == "base.yaml:1:8"
    assert str(both.place(At(("a", "y")))) == "top.yaml:2:8"
    assert str(both.place(At(("b", 0)))) == "top.yaml:1:5"
    assert both.place(At(("b", 1))).file.name == "top.yaml"


# --- anything -------------------------------------------------------------------------------------

_PIECES = st.sampled_from(
    [
        *"[]{},:-?&*!|>%@`'\"#\n\t ab1.~é",
        ": ",
        "- ",
        "\n  ",
        "\n- ",
        "a: ",
        "<<: ",
        "--- ",
        "\n...\n",
        "\u2028",
        "\u202e",
    ]
)


def _read_or_refuse(text: str) -> None:
    with computing(2):
        try:
            source = read_text(text)
            for path, mark in source.marks.items():
                place = source.place(At(path, (0, 1)))
                assert place.line >= 1 <= place.column
                assert mark.line <= len(source.file.lines)
        except SpecError as error:
            assert error.problems
            assert error.source is not None
            assert report(error.problems, error.source)


@given(st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_text_reads_or_is_refused(text: str) -> None:
    _read_or_refuse(text)


@given(st.lists(_PIECES, max_size=60).map("".join))
@settings(max_examples=300, deadline=None)
def test_any_punctuation_reads_or_is_refused(text: str) -> None:
    _read_or_refuse(text)


@given(st.binary(max_size=200))
@settings(max_examples=50, deadline=None)
def test_any_bytes_read_or_are_refused(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(raw)
    try:
        read_file(path)
    except SpecError as error:
        assert error.problems


@given(st.lists(st.sampled_from([*"ab.=0129-[]{}:, \n", "layers"]), max_size=20).map("".join))
@settings(max_examples=200, deadline=None)
def test_any_override_is_laid_over_or_refused(assignment: str) -> None:
    try:
        overridden(read_text("a: {b: [1, 2]}\nlayers: [x]"), [assignment])
    except SpecError as error:
        assert error.problems
