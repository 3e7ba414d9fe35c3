"""What the parts of a body are: rows, groups and levels, told apart by their form alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from netspec.errors import Path
from netspec.graph.blocks import Block
from netspec.graph.scope import Naming
from netspec.graph.written import Written, calls_of, is_chain, long_call
from netspec.language.refusals import Refused

GROUP: Final = {"layers", "repeat", "as", "when", "order", "outputs", "scan", "route"}
"""The keys of a group, and of the long form of a level."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row, or the long form of one, and where it stands."""

    written: Any
    path: Path
    alone: bool = False
    """Whether it is a whole body; a mapping there names steps, so that it can only be a text."""
    around: Mapping[str, Any] = field(default_factory=dict)
    """The mapping that it is a step of, if it has a name."""


def is_group(body: Any) -> bool:
    """Whether a mapping is a group or the long form of a level, and not steps by name.

    `layers` alone is such a name, the commonest one of all. It is a body beside what says something of it, and where
    a step inside it has the name itself.
    """
    if not isinstance(body, dict) or "layers" not in body or not body.keys() <= GROUP:
        return False
    inner = body["layers"]
    named = isinstance(inner, dict) and "layers" in inner and not (len(inner) > 1 and inner.keys() <= GROUP)
    return len(body) > 1 or named


def is_row(item: Any, path: Path, blocks: Mapping[str, Block]) -> bool:
    """Whether a step is a row, or the long form of one."""
    if isinstance(item, dict):
        return is_chain(item) or long_call(item, path, blocks) is not None
    return isinstance(item, str)


def opened(body: Any, path: Path) -> tuple[dict[str, Any], Any, Path]:
    """What stands beside the layers of a block, the layers, and where they stand."""
    return (body, body["layers"], (*path, "layers")) if is_group(body) else ({}, body, path)


def naming_of(body: Any) -> Naming:
    """How the unnamed members of a body are called."""
    return "list" if isinstance(body, list | str) else "names"


def rows_of(body: Any, path: Path, blocks: Mapping[str, Block]) -> Iterator[Row]:
    """Every row of a body, in the order of writing."""
    match body:
        case str():
            yield Row(body, path, alone=True)
        case list():
            for i, item in enumerate(body):
                yield from _rows_of_step(item, (*path, i), blocks, {})
        case dict() if is_group(body) and len(body) > 1:
            yield from rows_of(body["layers"], (*path, "layers"), blocks)
        case dict():
            for name, step in body.items():
                yield from _rows_of_step(step, (*path, name), blocks, body)


def _rows_of_step(step: Any, path: Path, blocks: Mapping[str, Block], around: Mapping[str, Any]) -> Iterator[Row]:
    """Those of one step: itself, or what is in it."""
    if is_row(step, path, blocks):
        yield Row(step, path, around=around)
    else:
        _, body, inner = opened(step, path)
        yield from rows_of(body, inner, blocks)


def first_call(body: Any, path: Path, blocks: Mapping[str, Block]) -> Written | None:
    """The call that a body begins with; None where it has none, or one that cannot be read."""
    try:
        while (calls := calls_of(body, path, blocks)) is None:
            if not body or not isinstance(body, dict | list):
                return None
            key: Any = 0 if isinstance(body, list) else "layers" if is_group(body) else next(iter(body))
            body, path = body[key], (*path, key)
    except Refused:
        return None
    return next(iter(calls), None)
