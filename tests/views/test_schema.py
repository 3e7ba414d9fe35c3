"""The JSON Schema is one, and agrees with the specs that netspec takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from netspec.layers.base import Op
from netspec.source import read_file
from netspec.views.schema import schema
from netspec.vocabulary import OPERATIONS

ROOT = Path(__file__).parent.parent.parent
SPECS = [*sorted((ROOT / "specs").glob("*.yaml")), *sorted((ROOT / "netspec" / "templates").glob("*.yaml"))]
SCHEMA = schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def test_it_is_a_valid_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_specs_are_valid(path: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(read_file(path).data)] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"trian": {}},
        {"train": {"loss": "mse", "optimizer": "sgd", "epochs": "ten"}},
        {"train": {"loss": "mse"}},
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
