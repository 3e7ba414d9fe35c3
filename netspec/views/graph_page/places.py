"""Where the steps of a network stand in its printed source."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Final

from netspec.graph.model import Graph, Step
from netspec.python.allowlist import parsed

LISTS: Final = ("Sequential", "ModuleList")


def code_lines(graph: Graph, text: str) -> dict[Step, int]:
    """The line of the source that stands for each step.

    That of a module is where it is made, in the class of its level or in the loop that makes several; that of a
    function is where its value gets its name, or where the forward begins that calls it.
    """
    classes = {node.name: node for node in parsed(text).body if isinstance(node, ast.ClassDef)}
    root = classes.get(graph.name)
    found = _Lines(classes)
    return {step: found.line(root, step) for step in graph.root.walk() if not step.left_out} if root is not None else {}


class _Lines:
    """Follows names through classes and lists of modules; what several steps share is followed once."""

    def __init__(self, classes: dict[str, ast.ClassDef]) -> None:
        self.classes = classes
        self.members = {name: dict(_made(each)) for name, each in classes.items()}
        self.known: dict[str, tuple[ast.AST, bool]] = {}

    def line(self, root: ast.ClassDef, step: Step) -> int:
        """The line of a step."""
        around, whole = self._at(root, step.level.path)
        if not whole:
            return _first(around)
        if step.member:
            inner, there = self._into(around, step.member.split("."))
            if there:
                return _first(inner)
        if isinstance(around, ast.ClassDef):
            return _in_forward(around, step.name)
        return _first(around)

    def _at(self, root: ast.ClassDef, path: str) -> tuple[ast.AST, bool]:
        """What the level at a path is made by, its class where it has one; and whether it was found."""
        if not path:
            return root, True
        if path not in self.known:
            outer, _, name = path.rpartition(".")
            around, whole = self._at(root, outer)
            made, there = self._into(around, [name]) if whole else (around, False)
            self.known[path] = self._class(made), there
        return self.known[path]

    def _into(self, around: ast.AST, names: Iterable[str]) -> tuple[ast.AST, bool]:
        """What a member is made by, and whether it was found; else the last that was."""
        for name in names:
            around = self._class(around)
            inner = self.members[around.name].get(name) if isinstance(around, ast.ClassDef) else _element(around, name)
            if inner is None:
                return around, False
            around = inner
        return around, True

    def _class(self, made: ast.AST) -> ast.AST:
        """The class that a call makes an instance of, where it is one of the source's."""
        if isinstance(made, ast.Call) and isinstance(made.func, ast.Name):
            return self.classes.get(made.func.id, made)
        return made


def _first(node: ast.AST) -> int:
    """The line where something begins."""
    return int(getattr(node, "lineno", 1))


def _made(each: ast.ClassDef) -> Iterator[tuple[str, ast.AST]]:
    """The members of a class with what makes them; of several makings the last that makes something."""
    for node in ast.walk(each):
        if isinstance(node, ast.Assign) and not (isinstance(node.value, ast.Constant) and node.value.value is None):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
                    yield target.attr, node.value
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            named = isinstance(node.func, ast.Attribute) and node.func.attr.startswith(("register_", "add_module"))
            if named and isinstance(node.args[0].value, str):
                yield node.args[0].value, node


def _element(made: ast.AST, name: str) -> ast.AST | None:
    """What makes a member of a list of modules; the loop that makes all of them where it is one."""
    if not isinstance(made, ast.Call):
        return None
    args: list[ast.expr] = list(made.args)
    if len(args) == 1 and isinstance(args[0], ast.List):
        args = args[0].elts
    if len(args) == 1 and isinstance(args[0], ast.Dict):
        pairs = zip(args[0].keys, args[0].values, strict=True)
        return next((value for key, value in pairs if isinstance(key, ast.Constant) and key.value == name), None)
    for place, each in enumerate(args if name.isdigit() else ()):
        inner = each.value if isinstance(each, ast.Starred) else each
        if isinstance(inner, ast.ListComp | ast.GeneratorExp):  # a loop makes it and all behind it
            return inner.elt
        if place == int(name) or inner is not each:
            return inner
    return None


def _in_forward(each: ast.ClassDef, name: str) -> int:
    """Where the forward of a class gives a value its name, or where it begins."""
    forward = next((n for n in each.body if isinstance(n, ast.FunctionDef) and n.name == "forward"), None)
    for node in ast.walk(forward) if forward is not None else ():
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            return node.lineno
    return _first(forward or each)
