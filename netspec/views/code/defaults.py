"""The defaults that a block's header gives its parameters, where they are constants."""

from __future__ import annotations

from typing import Any

from netspec.errors import At
from netspec.graph.model import Level
from netspec.language.calls import compute, nothing
from netspec.language.refusals import Refused


def header_defaults(level: Level) -> dict[str, Any]:
    """The constant defaults of a block's parameters by name; none for other levels."""
    written = level.header.params if level.header is not None else {}
    found = {name: _constant(default) for name, default in written.items() if default is not ...}
    return {name: value for name, value in found.items() if value is not None}


def _constant(default: Any) -> Any:
    """The value of a default that asks for no name; None for one that does."""
    try:
        return compute(default, nothing, At())
    except Refused:
        return None
