"""Fields that take one value or several: what each may be is said once, and is their check and their JSON Schema."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from netspec.dims import Dim, Size
from netspec.records import MAX_INT, REQUIRED, Checked, Field, is_whole, refuse


@dataclass(frozen=True, slots=True)
class Item:
    """What each of several values may be: as a check, and as JSON Schema."""

    takes: Callable[[Any], bool]
    """Whether a value may be one of them."""
    json: dict[str, Any]
    """Its JSON Schema."""


def whole(low: int = -MAX_INT, *, open_sizes: bool = False) -> Item:
    """A whole number of at least `low`; with `open_sizes` also a size that is known only at run time."""
    json = {"type": "integer"} | ({"minimum": low} if low > -MAX_INT else {})
    return Item(lambda v: (is_whole(v) and low <= v <= MAX_INT) or (open_sizes and isinstance(v, Dim)), json)


def positive(below: float = MAX_INT) -> Item:
    """A number greater than 0."""
    json = {"type": "number", "exclusiveMinimum": 0} | ({"exclusiveMaximum": below} if below < MAX_INT else {})
    return Item(lambda v: isinstance(v, int | float) and not isinstance(v, bool) and 0 < v < below, json)


def Several(
    sentence: str,
    item: Item,
    expected: str,
    default: Any = REQUIRED,
    *,
    alone: bool = False,
    least: int = 1,
    fit: Callable[[tuple[Any, ...]], bool] = lambda items: True,
    **more: Any,
) -> Field[Any]:
    """One value or a list of them, which becomes a tuple; with `alone`, one that stands in no list stays as it is.

    There are at least `least` of them, which `fit` together. What is refused is said to be no `expected`.
    """

    def check(value: Any) -> Any:
        listed = isinstance(value, list | tuple)
        items = tuple(value) if listed else (value,)
        if len(items) < least or not all(map(item.takes, items)) or not fit(items):
            raise refuse(expected)
        return items if listed or not alone else value

    several = {"type": "array", "items": item.json, "minItems": least}
    return Checked(sentence, check, several if least > 1 else {"anyOf": [item.json, several]}, default, **more)


def rising(items: Sequence[int]) -> bool:
    """Whether each number is larger than the one before it."""
    return all(a < b for a, b in pairwise(items))


def Dims(sentence: str, default: Any = REQUIRED, *, low: int = -1, **more: Any) -> Field[tuple[Size, ...]]:
    """Any number of sizes, some of which may be known only at run time."""
    expected = f"sizes of at least {low}"
    return Several(sentence, whole(low, open_sizes=True), expected, default, least=0, symbols=True, **more)
