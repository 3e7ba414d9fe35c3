"""The blocks of a file under a name, with the params and the defaults that they see there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from netspec.errors import Path
from netspec.language import expressions, rows
from netspec.language.rows import Expr, RowError
from netspec.sections.params import bare, brought, spaces
from netspec.text.source import Mark, Source

_WORD: Final = re.compile(r"[A-Za-z_]\w*")


def brought_in(source: Source, space: str) -> Source:
    """What a spec has of another one that it uses under a name.

    A block `encoder` is `vit.encoder` there, a param `width` that blocks mention is `vit_width`, and a line `bn` of
    `defaults` is `vit.bn`, which holds in those blocks alone.
    """
    blocks, params, defaults = (_mapping(source, key) for key in ("blocks", "params", "defaults"))
    names = {name: brought(name, space) for name in _mentioned(blocks, params)}
    marks: dict[Path, Mark] = {}

    def moved(section: str, old: str, new: str, value: Any) -> Any:
        marks.update(_under(source, (section, old), (section, new), value))
        return value

    data = {
        "params": {new: _renamed(moved("params", old, new, params[old]), names) for old, new in names.items()},
        "blocks": {f"{space}.{h}": moved("blocks", h, f"{space}.{h}", body) for h, body in blocks.items()},
        "defaults": {f"{space}.{w}": moved("defaults", w, f"{space}.{w}", line) for w, line in defaults.items()},
    }
    return Source(source.file, {key: value for key, value in data.items() if value or key == "blocks"}, marks)


def _mapping(source: Source, key: str) -> Mapping[str, Any]:
    """A section of a spec that is a mapping; nothing where it is not."""
    found = source.data.get(key) if isinstance(source.data, dict) else None
    return found if isinstance(found, dict) else {}


def _mentioned(blocks: Mapping[str, Any], params: Mapping[str, Any]) -> list[str]:
    """The params that blocks mention, and those that these are computed from."""
    words, found = set(_words(blocks)), set()
    for name in reversed([*params]):
        if name in words or any(bare(name, space) in words for space in spaces(blocks)):
            found.add(name)
            words |= set(_words(params[name]))
    return [name for name in params if name in found]


def _words(data: Any) -> Iterator[str]:
    """Every word of the texts in plain data, keys among them."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _WORD.findall(key)
            yield from _words(value)
    elif isinstance(data, list):
        for value in data:
            yield from _words(value)
    elif isinstance(data, str):
        yield from _WORD.findall(data)


def _under(source: Source, old: Path, new: Path, value: Any) -> Iterator[tuple[Path, Mark]]:
    """The marks of a value, under another path."""
    if old in source.marks:
        yield new, source.marks[old]
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from _under(source, (*old, key), (*new, key), part)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """A param's value with other names in its expressions."""
    if isinstance(value, list):
        return [_renamed(part, names) for part in value]
    if not isinstance(value, str) or "$" not in value:
        return value
    with suppress(RowError):  # what cannot be read is told where it is
        return "".join(_expression(p, names) if isinstance(p, Expr) else p for p in rows.template(value))
    return value


def _expression(expr: Expr, names: Mapping[str, str]) -> str:
    """An expression with other names in it, as it is written in a text."""
    text = expr.text
    with suppress(expressions.ExpressionError):
        found = [node for node in ast.walk(expr.tree) if isinstance(node, ast.Name) and node.id in names]
        for node in sorted(found, key=lambda node: node.col_offset, reverse=True):
            text = text[: node.col_offset] + names[node.id] + text[node.end_col_offset :]
    return f"$({text})"
