"""How a module below another is reached in the printed file: `self.features[0].conv`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netspec.graph.model import Level
from netspec.python.literals import literal
from netspec.python.names import is_identifier
from netspec.views.code.containers import containers, key_of
from netspec.views.code.patterns import Pattern
from netspec.views.code.sequences import positional


class Paths:
    """Writes paths to modules; `serving` tells which class each level has."""

    def __init__(self, serving: Mapping[Level, Pattern]) -> None:
        self.serving = serving
        self.called: dict[Level, str] = {}
        """What each level that has been passed through is called by besides names: "number", "key" or nothing."""

    def reached(self, start: str, level: Level, parts: Sequence[str]) -> str:
        """What `parts` lead to below a level, which itself is `start`."""
        if not parts:
            return start
        name, *rest = parts
        keys = containers(level).get(name, ()) if name not in level.members and rest else ()
        if keys and is_identifier(name):
            step, rest, way = level.members[f"{name}.{rest[0]}"], rest[1:], f".{name}[{key_of(rest[0], keys)}]"
        elif name in level.members and (way := self._way(level, name)):
            step = level.members[name]
        else:
            return f"{start}.get_submodule({literal('.'.join(parts))})"
        return self.reached(f"{start}{way}", step.body, rest) if step.body is not None else f"{start}{way}"

    def _way(self, level: Level, name: str) -> str:
        """What is written behind a level for one of its members; empty where only its name as a string will do."""
        if is_identifier(name):
            return f".{name}"
        if level not in self.called:
            self.called[level] = self._called_by(level)
        return {"number": f"[{name}]", "key": f"[{literal(name)}]"}.get(self.called[level], "")

    def _called_by(self, level: Level) -> str:
        pattern = self.serving.get(level)
        if pattern is not None and pattern.base == "nn.ModuleDict":
            return "key"
        indexed = pattern is None or pattern.base == "nn.ModuleList" or (pattern.sequential and level.kind != "root")
        return "number" if indexed and positional(level) else ""
