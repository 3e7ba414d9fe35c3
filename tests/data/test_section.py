"""The `data` and `export` sections: what they accept, and where their problems point."""

from __future__ import annotations

from typing import Any

import pytest

from netspec.datasets.npz import NPZ
from netspec.dims import BATCH
from netspec.errors import Problem
from netspec.language.calls import read_entry
from netspec.language.refusals import Refused
from netspec.sections.data import Data, read_data
from netspec.sections.export import Export, read_export
from netspec.tensors import Tensor
from netspec.text.reader import read_text
from netspec.text.source import Source
from netspec.views.format import formatted
from netspec.vocabulary import DATASETS
from tests.data.writing import section


def problems_of(text: str) -> list[tuple[str, str]]:
    """The code of each problem and the text that its caret marks."""
    source = read_text(text)
    _, problems = read_data(source.data["data"])
    return [(p.code, marked(p, source)) for p in problems]


def marked(problem: Problem, source: Source) -> str:
    place = source.place(problem.at)
    return place.text[place.column - 1 : place.column - 1 + place.width]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data: {sorce: digits}", [("unknown-key", "sorce"), ("no-source", "{")]),
        ("data: {source: digit}", [("unknown-dataset", "digit")]),
        ("data: {source: digits, split: {vall: 0.1}}", [("unknown-argument", "vall")]),
        ("data: {source: digits, split: {val: 1.5}}", [("bad-argument", "1.5")]),
        ("data: {source: digits, split: {val: b.csv}}", [("bad-argument", "b.csv")]),
        ("data: {source: digits, split: {val: 0.5, test: 0.5}}", [("split", "{")]),
        ("data: {source: digits, transform: resize 32 modee=area}", [("unknown-argument", "modee=area")]),
        ("data: {source: digits, transform: [resize 32, normalize 0 0]}", [("bad-argument", "0")]),
        ("data: {source: digits, transform: normalize 1x2 1}", [("shape-mismatch", "1x2")]),
        ("data: {source: digits, augment: crop 9}", [("shape-mismatch", "9")]),
        ("data: {source: digits, augment: crop 6}", [("two-shapes", "crop 6")]),
        ("data: {source: digits, transform: crop 6, augment: crop 6}", []),
        ("data: {source: digits, transform: reshape 65}", [("shape-mismatch", "65")]),
        ("data: {source: [digits]}", [("bad-value", "[")]),
        ("data: {source: mnist}", [("missing-argument", "mnist")]),
        ("data: {source: digits, memory: lots}", [("bad-argument", "lots")]),
        ("data: {source: digits, workers: -1}", [("bad-argument", "-1")]),
        ("data: {source: images photos size=0}", [("bad-argument", "size=0")]),
        ("data: {source: csv a.csv y separator=ab}", [("bad-argument", "separator=ab")]),
        ("data: {source: csv a.csv y encoding=utf9}", [("bad-argument", "encoding=utf9")]),
        ("data: {source: csv a.csv y decimal=dot}", [("bad-argument", "decimal=dot")]),
        ("data: {source: csv a.csv y date_parts=century}", [("bad-argument", "date_parts=century")]),
        ("data: {source: digits, split: {fold: 6 of 5}}", [("bad-argument", "6 of 5")]),
        ("data: {source: digits, split: {fold: 1 of 5, val: 0.1}}", [("split", "{")]),
        ("data: {source: digits, split: {group: a, time: b}}", [("split", "{")]),
    ],
)
def test_problems_point_at_what_is_wrong(text: str, expected: list[tuple[str, str]]) -> None:
    assert problems_of(text) == expected


def test_all_problems_come_at_once() -> None:
    text = "data: {source: digit, split: {val: x}, transform: [rezise 3, pad a], augment: flop}"
    assert [code for code, _ in problems_of(text)] == [
        "unknown-dataset",
        "bad-argument",
        "unknown-transform",
        "unknown-argument",
        "unknown-augmentation",
    ]


def test_an_augmentation_under_transform_is_sent_where_it_belongs() -> None:
    _, problems = read_data({"source": "digits", "transform": "flip"})
    assert problems[0].hint == "It belongs under augment."


def test_short_and_long_forms_mean_the_same() -> None:
    short = section({"source": "mnist data/mnist", "transform": ["pad 2", "normalize 0.5 0.25"], "split": 0.1})
    long = section(
        {
            "source": {"mnist": {"path": "data/mnist"}},
            "transform": [{"Pad": {"padding": 2}}, {"normalize": {"mean": 0.5, "std": 0.25}}],
            "split": {"val": 0.1},
        }
    )
    assert short == long
    assert section("digits").source == section({"source": "digits"}).source


def test_what_a_section_gives_is_known_without_reading() -> None:
    read = section({"source": "digits", "transform": ["resize 32", "normalize 0.3 0.4"]})
    gives = read.gives()
    assert gives.inputs == (Tensor((BATCH, 1, 32, 32)),)
    assert gives.classes == 10


def test_expressions_of_the_spec_are_computed() -> None:
    def lookup(name: str) -> Any:
        return {"size": 16}[name]

    read, problems = read_data({"source": "digits", "transform": ["resize $size", "pad $(size // 8)"]}, lookup=lookup)
    assert not problems
    assert read is not None
    assert read.gives().inputs == (Tensor((BATCH, 1, 20, 20)),)


@pytest.mark.parametrize(
    ("written", "count"), [("2GB", 2 * 10**9), ("1.5 mb", 1_500_000), ("700", 700), (700, 700), ("8B", 8), (None, None)]
)
def test_memory_is_written_as_people_write_it(written: Any, count: int | None) -> None:
    assert section({"source": "digits", "memory": written}).reading.memory == count


def test_export_section() -> None:
    read, problems = read_export({"onnx": {"output": "probabilities", "opset": 19}})
    assert not problems
    assert read is not None
    assert [each.given for each in read.formats] == [{"opset": 19, "output": "probabilities"}]
    assert read_export("onnx opset=19 output=probabilities") == (read, [])
    source = read_text("export: {onnx: {opset: 3}, tflite: {}}")
    read, problems = read_export(source.data["export"])
    assert read is None
    assert [(p.code, marked(p, source)) for p in problems] == [("bad-argument", "3"), ("unknown-format", "tflite")]


def test_schemas_name_every_word_with_its_arguments() -> None:
    schema = Data().schema()["anyOf"][1]
    sources = schema["properties"]["source"]["anyOf"][1]["properties"]
    assert {word.lower() for word in sources} == {word.lower() for word in DATASETS.words()}
    assert sources["mnist"]["anyOf"][1]["required"] == ["path"]
    assert "opset" in Export().schema()["anyOf"][1]["properties"]["onnx"]["anyOf"][1]["properties"]


@pytest.mark.parametrize(
    "name",
    ["d40.npz", "x3.npz", "2024.npz", "d40", "d040", "k3x5", "a1/b2.npz", "3d/a.npz", "d4.tar", "./x3"],
)
def test_the_name_of_a_file_is_no_option(name: str) -> None:
    source, _ = read_entry(f"npz {name} inputs=d1.npz", (), DATASETS)
    assert isinstance(source, NPZ)
    assert (source.path, source.inputs) == (name, ("d1.npz",))
    row = f"data: npz {name} inputs=d1\n"
    long = formatted(read_text(row), long=True)
    assert long == f"data: {{npz: {{path: {name}, inputs: d1}}}}\n"
    again, _ = read_entry(read_text(formatted(read_text(long))).data["data"], (), DATASETS)
    assert again.given == {"path": name, "inputs": ("d1",)}


@pytest.mark.parametrize("row", ["npz x3", "npz a.npz when true", "npz(a) a.npz"])
def test_a_source_is_no_step_of_the_network(row: str) -> None:
    with pytest.raises(Refused) as caught:
        read_entry(row, (), DATASETS)
    assert caught.value.problems[0].code == "row"
