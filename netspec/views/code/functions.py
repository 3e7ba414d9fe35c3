"""Classes that hold nothing, as the functions that they are: `rotary(x, cos, sin)` for `self.query(x, cos, sin)`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from netspec.python.names import Namespace, identifier
from netspec.python.nodes import named, same, walk
from netspec.python.reserved import BUILTINS, RESERVED
from netspec.views.code.containers import SELF, SUPER
from netspec.views.code.program import Program
from netspec.views.code.tidy import Tree, changed

_MODULE: Final = named("nn.Module")
_BY_OTHER_WAYS: Final = {"children", "get_submodule"}
"""What reaches members of a class otherwise than by their names."""


def without_empty(program: Program) -> Program:
    """A program in which a class that has no arguments and no members is a function, where it is only ever called.

    A class whose members all were such may be one itself. The last class stays what it is.
    """
    classes, comments = list(program.classes), dict(program.comments)
    functions: list[ast.FunctionDef] = []
    if not any(map(_runs_alone, classes[:-1])):
        return program
    nodes = [node for each in classes for node in walk(each)]
    taken = {node.id for node in nodes if isinstance(node, ast.Name)} | {n.arg for n in nodes if isinstance(n, ast.arg)}
    names = Namespace(taken | {each.name for each in classes} | RESERVED | BUILTINS)
    for each in [each.name for each in classes[:-1]]:
        at = next(i for i, known in enumerate(classes) if known.name == each)
        run, members = _runs_alone(classes[at]), [_members(other, each) for other in classes]
        whole = [found for found in members if found is not None]
        if run is None or len(whole) < len(members) or _reached(set().union(*whole), classes):
            continue
        name = _named(each, names)
        functions.append(_function(run, name, comments))
        classes = [_calling(cls, found, name, comments) for cls, found in zip(classes, whole, strict=True)]
        del classes[at]
    return replace(program, classes=tuple(classes), comments=comments, functions=tuple(functions))


def _runs_alone(cls: ast.ClassDef) -> ast.FunctionDef | None:
    """The forward of a class that has nothing else, and reads nothing of itself."""
    match cls.body:
        case [ast.FunctionDef(name="forward") as run] if same(cls.bases, [_MODULE]):
            reads = any(isinstance(node, ast.Name) and node.id == "self" for node in walk(run))
            return None if reads else run
    return None


def _members(cls: ast.ClassDef, name: str) -> set[str] | None:
    """The members of a class that are made of the class of that name; None where it stands in another place too."""
    nodes = walk(cls)
    mentions = sum(isinstance(node, ast.Name) and node.id == name for node in nodes)
    if not mentions:
        return set()
    made = {attr for function in cls.body for attr in _made(function, name)}
    ways = {node.attr for node in nodes if isinstance(node, ast.Attribute) and same(node.value, SELF)}
    dynamic = any(isinstance(node, ast.Call) and same(node.func, named("getattr")) for node in nodes)
    whole = same(cls.bases, [_MODULE]) and len(made) == mentions and not dynamic
    return made if whole and _BY_OTHER_WAYS.isdisjoint(ways) else None


def _made(function: ast.stmt, name: str) -> Iterator[str]:
    """The members that a constructor makes of a class, each in a statement of its own."""
    for statement in function.body if isinstance(function, ast.FunctionDef) else ():
        match statement:
            case ast.Assign(
                targets=[ast.Attribute(value=ast.Name(id="self"), attr=attr)],
                value=ast.Call(func=ast.Name(id=made), args=[], keywords=[]),
            ) if made == name:
                yield attr


def _reached(members: set[str], classes: Sequence[ast.ClassDef]) -> bool:
    """Whether a member of one of these names is anything else than made and called, in any class."""
    nodes = [node for cls in classes for node in walk(cls)]
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    for node in nodes:
        if isinstance(node, ast.Attribute) and node.attr in members:
            own = same(node.value, SELF)
            if not own or (isinstance(node.ctx, ast.Load) and id(node) not in called):
                return True
        elif isinstance(node, ast.Constant) and node.value in members:
            return True
    return False


def _named(cls: str, names: Namespace) -> str:
    """A name for the function: the words of the class's, or where a variable is called so, with a verb before them."""
    words = identifier("_".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", cls)).lower())
    return names.fresh(words if words not in names.taken else f"apply_{words}")


def _function(run: ast.FunctionDef, name: str, comments: dict[ast.stmt, str]) -> ast.FunctionDef:
    """A `forward` as a function of its own."""
    arguments = ast.arguments(posonlyargs=[], args=run.args.args[1:], kwonlyargs=[], kw_defaults=[], defaults=[])
    made = ast.FunctionDef(name, arguments, run.body, [])
    if run in comments:
        comments[made] = comments[run]
    return made


def _calling(cls: ast.ClassDef, members: set[str], name: str, comments: dict[ast.stmt, str]) -> ast.ClassDef:
    """A class that calls the function in place of these members."""
    body: list[ast.stmt] = []
    for function in cls.body if members else ():
        assert isinstance(function, ast.FunctionDef)
        kept = [statement for statement in function.body if not _sets(statement, members)]
        if function.name == "__init__" and len(kept) == 1 and len(function.args.args) == 1:
            match kept[0]:
                case ast.Expr(value=ast.Call(func=of, args=[], keywords=[])) if same(of, SUPER):
                    continue
        trimmed = ast.FunctionDef(function.name, function.args, kept, [])
        body.append(_called(trimmed, members, name, comments))
        if function in comments:
            comments[body[-1]] = comments[function]
    return ast.ClassDef(cls.name, cls.bases, [], body, []) if members else cls


def _sets(statement: ast.stmt, members: set[str]) -> bool:
    """Whether a statement sets one of these members."""
    match statement:
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=attr)]):
            return attr in members
    return False


def _called(node: Tree, members: set[str], name: str, comments: dict[ast.stmt, str]) -> Tree:
    """A tree in which the function is called; what stays as it is may be a part of the old one."""
    match node:
        case ast.Attribute(value=ast.Name(id="self"), attr=attr) if attr in members:
            return named(name)  # type: ignore[return-value]
    copy = changed(node, lambda part: _called(part, members, name, comments))
    if copy is not node and isinstance(copy, ast.stmt) and isinstance(node, ast.stmt) and node in comments:
        comments[copy] = comments[node]
    return copy
