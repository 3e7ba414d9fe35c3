"""How a module below another is reached in the printed file: `self.features[0].conv`."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from netspec.graph.model import Level
from netspec.python.nodes import attribute, is_identifier, item, method, valued
from netspec.views.code.containers import containers, key_of
from netspec.views.code.patterns import Pattern
from netspec.views.code.sequences import positional


class Paths:
    """Writes paths to modules; `serving` tells which class each level has."""

    def __init__(self, serving: Mapping[Level, Pattern]) -> None:
        self.serving = serving
        self.called: dict[Level, str] = {}
        """What each level that has been passed through is called by besides names: "number", "key" or nothing."""

    def reached(self, start: ast.expr, level: Level, parts: Sequence[str]) -> ast.expr:
        """What `parts` lead to below a level, which itself is `start`."""
        if not parts:
            return start
        name, *rest = parts
        keys = containers(level).get(name, ()) if name not in level.members and rest else ()
        if keys and is_identifier(name):
            inner: ast.expr = item(attribute(start, name), key_of(rest[0], keys))
            step, rest = level.members[f"{name}.{rest[0]}"], rest[1:]
        elif name in level.members and (way := self._way(start, level, name)) is not None:
            step, inner = level.members[name], way
        else:
            return method(start, "get_submodule", valued(".".join(parts)))
        return self.reached(inner, step.body, rest) if step.body is not None else inner

    def _way(self, start: ast.expr, level: Level, name: str) -> ast.expr | None:
        """One of the members of a level, which itself is `start`; None where only its name as a string will do."""
        if is_identifier(name):
            return attribute(start, name)
        if level not in self.called:
            self.called[level] = self._called_by(level)
        key = {"number": int(name) if name.isdecimal() else name, "key": name}.get(self.called[level])
        return None if key is None else item(start, valued(key))

    def _called_by(self, level: Level) -> str:
        """How a level calls its members: by name, by number, or by the key of a mapping."""
        pattern = self.serving.get(level)
        if pattern is not None and pattern.base == "nn.ModuleDict":
            return "key"
        indexed = pattern is None or pattern.base == "nn.ModuleList" or (pattern.sequential and level.kind != "root")
        return "number" if indexed and positional(level) else ""
