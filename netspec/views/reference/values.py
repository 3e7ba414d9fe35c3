"""What an argument takes, in a few words, told from its JSON Schema."""

from __future__ import annotations

from typing import Any, Final

_PLAIN: Final = {
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "string": "word",
    "null": "null",
    "object": "mapping",
    "array": "list",
}
_BOUNDS: Final = (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<"))


def accepted(schema: dict[str, Any]) -> str:
    """`{"type": "integer", "minimum": 1}` as `whole number >= 1`."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(accepted(choice) for choice in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    kinds = schema.get("type", "value")
    if isinstance(kinds, list):
        return " or ".join(accepted({**schema, "type": kind}) for kind in kinds)
    if kinds == "array":
        return _list(schema)
    limits = " and ".join(f"{sign} {schema[key]}" for key, sign in _BOUNDS if key in schema)
    return " ".join(filter(None, (_PLAIN.get(kinds, kinds), limits if kinds in ("integer", "number") else "")))


def _list(schema: dict[str, Any]) -> str:
    """What is said of a list: how many it holds, where that is fixed."""
    low, high = schema.get("minItems", 0), schema.get("maxItems")
    count = f"{low} of them" if low == high else ""
    return count or "list"
