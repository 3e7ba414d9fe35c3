"""What options of datasets take: names, signs, parts of dates. Each is the check of a field and its JSON Schema."""

from __future__ import annotations

from typing import Any, Final

from netspec.datasets.dates import PARTS
from netspec.datasets.writing import MINUS, SIGNS
from netspec.records import refuse

NAMES: Final = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
EMPTY: Final = {"anyOf": [NAMES, {"type": "number"}, {"type": "array", "items": {"type": ["string", "number"]}}]}
SIGN: Final = {"type": "string"}
MARK: Final = {"enum": [*SIGNS, *(c for known in SIGNS.values() for c in known)]}
BETWEEN: Final = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " "}
"""Words for signs between columns, or between the labels in a cell."""


def names(value: Any) -> tuple[str, ...]:
    """The check of a field that takes one name or a list of them."""
    found = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else ()
    if not found or not all(isinstance(n, str) and n for n in found):
        raise refuse("a name, or a list of names")
    return found


def sign(value: Any) -> str:
    """The check of a field that takes one sign, or a word for it."""
    if isinstance(value, str) and (value in BETWEEN or len(value) == 1):
        return BETWEEN.get(value, value)
    raise refuse(f"one character, or a word for it: {', '.join(BETWEEN)}")


def mark(value: Any) -> str:
    """A decimal or thousands sign by its word, or as it is typed."""
    found = {text: word for word, known in SIGNS.items() for text in (word, *known)}
    if isinstance(value, str) and value in found:
        return found[value]
    raise refuse(f"one of {', '.join(SIGNS)}")


def unit_signs(value: Any) -> tuple[str, ...]:
    """Signs that stand beside numbers; a minus is none of them."""
    found = names(value)
    if any(set(sign) & MINUS for sign in found):
        raise refuse("what is no part of a number; a minus is")
    return found


def parts_of_dates(value: Any) -> tuple[str, ...]:
    """The parts of dates that are taken, each once."""
    found = names(value)
    if not set(found) <= set(PARTS) or len(set(found)) < len(found):
        raise refuse(f"some of {', '.join(PARTS)}")
    return found


def empty_texts(value: Any) -> tuple[str, ...]:
    """The texts that stand for a missing value; numbers among them as texts."""
    found = value if isinstance(value, list | tuple) else [value]
    # By their very types: true and false are numbers to Python, and no cell's text.
    return names([str(each) if type(each) in (int, float) else each for each in found])
