"""What the parts of a body are: rows, groups and levels, told apart by their form alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from netspec.errors import Path
from netspec.graph.blocks import Block
from netspec.graph.written import is_chain, long_call

GROUP: Final = {"layers", "repeat", "as", "when", "order", "outputs"}
"""The keys of a group, and of the long form of a level."""
_COMPUTED: Final = re.compile(r"\$(?:\w+|\(.*?\))")


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
    """Whether a mapping is a group or the long form of a level, and not steps by name."""
    return isinstance(body, dict) and "layers" in body and body.keys() <= GROUP


def is_row(item: Any, path: Path, blocks: Mapping[str, Block]) -> bool:
    """Whether a step is a row, or the long form of one."""
    if isinstance(item, dict):
        return is_chain(item) or long_call(item, path, blocks) is not None
    return isinstance(item, str)


def opened(body: Any, path: Path) -> tuple[dict[str, Any], Any, Path]:
    """What stands beside the layers of a block, the layers, and where they stand."""
    return (body, body["layers"], (*path, "layers")) if is_group(body) else ({}, body, path)


def names_in(body: Any) -> Iterator[str]:
    """The names that a body gives to steps of the level that it stands in; a counter in one reads 0."""
    match body:
        case dict() if is_group(body):
            yield from names_in(body["layers"])
        case dict():
            yield from (_COMPUTED.sub("0", str(name)) for name in body)
        case list():
            for item in body:
                yield from names_in(item) if isinstance(item, dict) else ()


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
    if is_row(step, path, blocks):
        yield Row(step, path, around=around)
    else:
        _, body, inner = opened(step, path)
        yield from rows_of(body, inner, blocks)
