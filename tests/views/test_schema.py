"""The JSON Schema is one, and agrees with the specs that netspec takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from jsonschema import Draft202012Validator

from netspec import SpecError, loads
from netspec.language.calls import read_entry
from netspec.layers.base import Op
from netspec.records import Entry
from netspec.sections.known import entries
from netspec.text.reader import read_file, read_text
from netspec.views.schema import schema
from netspec.vocabulary import OPERATIONS
from tests.drawn import MORE, documents

ROOT = Path(__file__).parent.parent.parent
SPECS = [*sorted((ROOT / "specs").glob("*.yaml")), *sorted((ROOT / "netspec" / "templates").glob("*.yaml"))]
SCHEMA = schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def test_it_is_a_valid_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_specs_are_valid(path: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(read_file(path).data)] == []


@given(documents)
@settings(max_examples=60 * MORE)
def test_whatever_network_is_accepted_is_valid(document: dict[str, Any]) -> None:
    try:
        loads(yaml.safe_dump(document, sort_keys=False))
    except SpecError:
        assume(False)
    assert VALIDATOR.is_valid(document)


TRAINED = "input: 1x8x8\nlayers: fc 10\ndata: {source: digits}\ntrain: {loss: cross_entropy, optimizer: sgd lr=0.1}\n"


@pytest.mark.parametrize(
    "section",
    [
        "train: {loss: ce, optimizer: {adam: }, scheduler: null, epochs: null, clip_grad: }",
        "train: {loss: {ce: {label_smoothing: $s}}, optimizer: {adamw: lr=$s}, epochs: $n, batch: $(2*n)}",
        "train: {loss: ce, optimizer: {AdamW: {betas: [$s, 0.99], lr: '1e-3'}}, metrics: [{topk: 3}, {accuracy: }]}",
        "train: {loss: ce, optimizer: sgd lr=0.1, evaluate: {steps: $n}, checkpoint: null, early_stop: null}",
        "data: {source: digits, split: null, transform: null, augment: null}",
        "data: {source: {digits: }, split: {val: $s}, transform: [{resize: {size: 8x8}}, {crop: {size: $(n+3)}}]}",
        "data: {source: digits, transform: [resize 8, {input: [{scale: {factor: 1}}]}], augment: {input: flip}}",
        "layers: [{fc: {out_features: $n}}, {fc: {out_features: '10'}}]",
        "layers: {when: relu, as: {order: relu}, fc: fc 10}",
        "layers: [{relu: {}, when: 1}, {fc: {out_features: 10}, when: n > 1}]",
    ],
    ids=str,
)
def test_whatever_section_is_accepted_is_valid(section: str) -> None:
    text = yaml.safe_dump({**yaml.safe_load(TRAINED), "params": {"n": 5, "s": 0.25}, **yaml.safe_load(section)})
    assert [problem for problem in loads(text).warnings if problem.severity == "error"] == []
    assert [error.message for error in VALIDATOR.iter_errors(read_text(text).data)] == []


@pytest.mark.parametrize(
    ("path", "cls"),
    [
        (path, cls)
        for path, catalogue in entries().items()
        if path[0] in ("data", "train") and path[1:]
        for cls in catalogue.classes()
    ],
    ids=lambda part: part.__name__ if isinstance(part, type) else ".".join(part),
)
def test_every_entry_by_each_of_its_words(path: tuple[str, ...], cls: type[Entry]) -> None:
    section, key, *names = path
    base: dict[str, Any] = yaml.safe_load(TRAINED)
    example = yaml.safe_load(cls.example)
    _, found = read_entry(example, (), entries()[path])
    values = {n: list(v) if isinstance(v, tuple) else v for n, v in found.values.items()}
    for word in (cls.__name__, *cls.words):
        for form in (example, {word: values}, *({word: {**values, name: "$x"}} for name in cls.fields)):
            held = {"out": form} if names else form
            assert VALIDATOR.is_valid({**base, section: {**base[section], key: held}}), form


@pytest.mark.parametrize(
    "wrong",
    [
        {"trian": {}},
        {"train": {"loss": "mse", "optimizer": "sgd", "epochs": "ten"}},
        {"train": {"loss": "mse"}},
        {"train": {"loss": None, "optimizer": "sgd"}},
        {"train": {"loss": "mse", "optimizer": {"sgd": {"lr": "high"}}}},
        {"train": {"loss": "mse", "optimizer": {"SGDD": {}}}},
        {"data": {"src": "digits"}},
        {"export": {"onnx": {"opset": 3}}},
        {"layers": 3},
    ],
    ids=str,
)
def test_mistakes_are_seen(wrong: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid({"netspec": 1, "input": "3", "layers": ["fc 3"], **wrong})


def test_every_operation_is_explained() -> None:
    for cls in OPERATIONS.classes():
        assert issubclass(cls, Op)
        described = SCHEMA["$defs"][cls.__name__]
        assert described["description"]
        assert described["properties"].keys() == cls.fields.keys()
