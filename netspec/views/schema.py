"""The JSON Schema of a spec, made of the same records that check it."""

from __future__ import annotations

from typing import Any

from netspec.catalogue import Catalogue
from netspec.sections.base import BODY
from netspec.sections.known import sections
from netspec.vocabulary import OPERATIONS

_BESIDE: dict[str, Any] = {
    "repeat": {"description": "a count, or a table of rows", "type": ["integer", "string", "array"]},
    "as": {"description": "names for the columns of a row", "type": ["string", "array"]},
    "when": {"description": "a condition", "type": ["string", "boolean", "integer"]},
    "order": {"type": "array", "items": {"type": "string"}},
    "outputs": {"type": ["array", "object", "string"]},
    "route": {
        "description": "tokens that are routed to experts, each of which is run for its own alone",
        "type": "object",
        "properties": {
            "over": {"description": "the tokens, one in each row", "type": ["object", "string"]},
            "to": {"description": "for each token the numbers of its experts", "type": "string"},
            "weights": {"description": "for each of them its weight", "type": "string"},
            "each": {"description": "values that have a place for each expert", "type": "object"},
        },
        "required": ["over", "to"],
        "additionalProperties": False,
    },
    "scan": {
        "description": "the values whose places the layers are run for in turn, and the states that they hand on",
        "anyOf": [
            {"type": ["array", "string"]},
            {
                "type": "object",
                "properties": {
                    "over": {"description": "what it goes along", "type": ["array", "object", "string"]},
                    "carry": {"description": "each state, with the value that it begins as", "type": "object"},
                    "axis": {"description": "counted from the batch, which is 0", "type": ["integer", "string"]},
                    "reverse": {"description": "whether it begins with the last place", "type": "boolean"},
                },
                "required": ["over"],
                "additionalProperties": False,
            },
        ],
    },
}
"""What may stand beside `layers`, or a long call; where neither is, it is the name of a step like any other."""


def schema() -> dict[str, Any]:
    """The whole schema, draft 2020-12. Imports every family of layers."""
    known = sections()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "netspec",
        "description": "A neural network, its data, its training and its export.",
        "type": "object",
        "properties": {own.key: {"description": own.sentence, **own.schema()} for own in known},
        "anyOf": [{"required": [own.key for own in known if own.required]}, {"required": ["extends"]}],
        "additionalProperties": False,
        "$defs": _definitions(),
    }


def outline() -> dict[str, Any]:
    """The same without what is inside layers and blocks, to stand within another schema."""
    whole = schema()
    del whole["$schema"], whole["$defs"]
    opened: dict[str, Any] = _opened(whole)
    return opened


def _opened(part: Any) -> Any:
    """A part of a schema with anything allowed where it refers to another."""
    if isinstance(part, dict):
        return {} if "$ref" in part else {key: _opened(value) for key, value in part.items()}
    return [_opened(item) for item in part] if isinstance(part, list) else part


def _definitions() -> dict[str, Any]:
    """What the schema refers to by name: rows, steps, bodies and the operations."""
    rows = {"type": "string", "description": "a row: operations with their arguments, separated by commas"}
    examples = [cls.example for cls in OPERATIONS.classes()]
    long = {word: {"anyOf": [*_references(word), BODY]} for word in OPERATIONS.words()}
    step = {
        "type": "object",
        "properties": {
            **long,
            **{key: {"anyOf": [beside, BODY]} for key, beside in _BESIDE.items()},
            "layers": BODY,
        },
        "additionalProperties": {"anyOf": [BODY, {}]},  # {}: the arguments of a block may be anything
    }
    body = {"anyOf": [{**rows, "examples": examples}, {"type": "array", "items": BODY}, step]}
    return {"body": body, **_long(OPERATIONS)}


def _references(word: str) -> list[dict[str, Any]]:
    """The long forms that a word may have: one for each class that it stands for."""
    return [{"$ref": f"#/$defs/{cls.__name__}"} for cls in OPERATIONS.find(word)]


def _long(catalogue: Catalogue[Any]) -> dict[str, Any]:
    """The long form of each entry, by its class name."""
    return {
        cls.__name__: {"description": (cls.__doc__ or "").split("\n", 1)[0], **cls.json_schema()}
        for cls in catalogue.classes()
    }
