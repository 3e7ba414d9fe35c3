"""The defaults that a block's header gives its parameters, where they are constants."""

from __future__ import annotations

from typing import Any

from netspec.errors import At
from netspec.graph.blocks import read_block
from netspec.graph.model import Level
from netspec.language.calls import compute
from netspec.language.refusals import Refused


def header_defaults(level: Level) -> dict[str, Any]:
    """The constant defaults of a block's parameters by name; none for other levels."""
    if level.kind != "block" or not isinstance(level.source, tuple):
        return {}
    path = level.source  # a block is written under its header
    block = read_block(path[-1], None, path)
    found = {}
    for name, default in block.params.items():
        if default is not ... and (value := _constant(default, At(path))) is not None:
            found[name] = value
    return found


def _constant(default: Any, at: At) -> Any:
    """The value of a default that asks for no name; None for one that does."""
    nothing: dict[str, Any] = {}
    try:
        return compute(default, nothing.__getitem__, at)
    except Refused:
        return None
