"""Classes that hold only numbers, as the functions that they are: `rotary(x, cos, sin)` for `self.query(x, cos, sin)`.

What their constructors are given, the functions are given, and who calls them keeps it.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from netspec.graph.names import MODULE_ATTRIBUTES
from netspec.python.names import Namespace, identifier
from netspec.python.nodes import assign, assigned, attribute, call, named, same, stored, walk
from netspec.python.reserved import BUILTINS, RESERVED
from netspec.views.code.containers import SELF, SUPER
from netspec.views.code.program import Program
from netspec.views.code.tidy import Tree, changed

_MODULE: Final = named("nn.Module")
_BY_OTHER_WAYS: Final = {"children", "get_submodule"}
"""What reaches members of a class otherwise than by their names."""


def without_empty(program: Program, registering: Collection[str] = ()) -> Program:
    """A program in which a class that holds nothing but arguments is a function, where it is only ever called.

    A class whose members all were such may be one itself. The last class stays what it is, and so do those that are
    `registering` modules that they are given.
    """
    classes, comments = list(program.classes), dict(program.comments)
    functions: list[ast.FunctionDef] = []
    if not any(map(_bare, classes[:-1])):
        return program
    nodes = [node for each in classes for node in walk(each)]
    taken = {node.id for node in nodes if isinstance(node, ast.Name)} | {n.arg for n in nodes if isinstance(n, ast.arg)}
    names = Namespace(taken | {each.name for each in classes} | RESERVED | BUILTINS)
    for each in [each.name for each in classes[:-1] if each.name not in registering]:
        at = next(i for i, known in enumerate(classes) if known.name == each)
        bare, members = _bare(classes[at]), [_members(other, each) for other in classes]
        whole = [found for found in members if found is not None]
        if bare is None or len(whole) < len(members) or _reached(set().union(*whole), classes):
            continue
        given = [_given(cls, found, bare) for cls, found in zip(classes, whole, strict=True)]
        if any(found is None for found in given):
            continue
        name = _named(each, names)
        functions.append(_function(bare, name, comments))
        classes = [_calling(cls, found or {}, name, comments) for cls, found in zip(classes, given, strict=True)]
        del classes[at]
    return replace(program, classes=tuple(classes), comments=comments, functions=tuple(functions))


@dataclass(frozen=True, slots=True)
class _Bare:
    """A class without members."""

    run: ast.FunctionDef
    """Its forward."""
    made: ast.FunctionDef | None
    """Its constructor, if it has one."""
    kept: Mapping[str, ast.expr]
    """What its forward reads of itself, over the constructor's arguments."""

    @property
    def arguments(self) -> list[str]:
        """The arguments of its constructor, in order."""
        return [argument.arg for argument in self.made.args.args[1:]] if self.made is not None else []


def _bare(cls: ast.ClassDef) -> _Bare | None:
    """A class that has only a forward, and a constructor that keeps its arguments and numbers that follow from them."""
    if not same(cls.bases, [_MODULE]):
        return None
    match cls.body:
        case [ast.FunctionDef(name="forward") as run]:
            bare = _Bare(run, None, {})
        case [ast.FunctionDef(name="__init__", body=[first, *rest]) as made, ast.FunctionDef(name="forward") as run]:
            kept = dict(found for statement in rest if (found := _keeps(statement)) is not None)
            if not same(first, ast.Expr(call(SUPER))) or len(kept) < len(rest):
                return None
            bare = _Bare(run, made, kept)
        case _:
            return None
    nodes = walk(bare.run)
    reads = sum(isinstance(node, ast.Name) and node.id == "self" for node in nodes)
    known = sum(_attribute(node) in bare.kept for node in nodes)
    own = {node.id for node in nodes if isinstance(node, ast.Name)} | {n.arg for n in nodes if isinstance(n, ast.arg)}
    computed = {name for name, node in bare.kept.items() if not isinstance(node, ast.Name)}
    arguments = set(bare.arguments)
    clear = own.isdisjoint(arguments | bare.kept.keys()) and computed.isdisjoint(arguments)
    return bare if reads == known and clear else None


def _keeps(statement: ast.stmt) -> tuple[str, ast.expr] | None:
    """The attribute that a statement sets, and the arithmetic that it is."""
    match statement:
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=attr)], value=value):
            return None if any(isinstance(node, ast.Call | ast.Attribute) for node in walk(value)) else (attr, value)
    return None


def _attribute(node: ast.AST) -> str:
    """The attribute of the object itself that a node is; empty for any other node."""
    match node:
        case ast.Attribute(value=ast.Name(id="self"), attr=attr):
            return attr
    return ""


def _members(cls: ast.ClassDef, name: str) -> dict[str, ast.Call] | None:
    """The members of a class that are made of the class of that name, and how; None where it stands elsewhere too."""
    nodes = walk(cls)
    mentions = sum(isinstance(node, ast.Name) and node.id == name for node in nodes)
    if not mentions:
        return {}
    made = dict(found for function in cls.body for found in _made(function, name))
    ways = {node.attr for node in nodes if isinstance(node, ast.Attribute) and same(node.value, SELF)}
    dynamic = any(isinstance(node, ast.Call) and same(node.func, named("getattr")) for node in nodes)
    whole = same(cls.bases, [_MODULE]) and len(made) == mentions and not dynamic
    return made if whole and _BY_OTHER_WAYS.isdisjoint(ways) else None


def _made(function: ast.stmt, name: str) -> Iterator[tuple[str, ast.Call]]:
    """The members that a constructor makes of a class, each in a statement of its own."""
    for statement in function.body if isinstance(function, ast.FunctionDef) else ():
        match statement:
            case ast.Assign(
                targets=[ast.Attribute(value=ast.Name(id="self"), attr=attr)],
                value=ast.Call(func=ast.Name(id=made)) as how,
            ) if made == name:
                yield attr, how


@dataclass(frozen=True, slots=True)
class _Given:
    """What a call of the function gives it in place of what the constructor was given."""

    args: list[ast.expr]
    keywords: list[ast.keyword]
    kept: Mapping[str, ast.expr]
    """What the class that calls keeps for it."""


def _given(cls: ast.ClassDef, members: Mapping[str, ast.Call], bare: _Bare) -> dict[str, _Given] | None:
    """What calls of each member give the function; None where the class has no attribute free to keep it in."""
    statements = [part for function in cls.body if isinstance(function, ast.FunctionDef) for part in function.body]
    kept = dict(pair for statement in statements if (pair := _keeps(statement)) is not None)
    taken = {_attribute(node) for node in walk(cls)} - {*kept} | MODULE_ATTRIBUTES
    found: dict[str, _Given] = {}
    for member, how in members.items():
        more: dict[str, ast.expr] = {}

        def read(
            argument: str, node: ast.expr, member: str = member, more: dict[str, ast.expr] = more
        ) -> ast.expr | None:
            """How forward reads it."""
            if not any(isinstance(part, ast.Name) for part in walk(node)):
                return node
            if any(isinstance(part, ast.Call | ast.Attribute | ast.Starred) for part in walk(node)):
                return None
            held = [name for name, known in bare.kept.items() if isinstance(known, ast.Name) and known.id == argument]
            free = (name for name in (argument, *held, f"{member}_{argument}") if name not in {*taken, *kept})
            name = next((name for name, known in kept.items() if same(known, node)), None) or next(free, None)
            if name is None:
                return None
            more[name] = kept[name] = node
            return attribute(SELF, name)

        args = [read(name, node) for name, node in zip(bare.arguments, how.args, strict=False)]
        keywords = {k.arg: read(k.arg, k.value) for k in how.keywords if k.arg is not None}
        read_ = [node for node in args if node is not None]
        by_name = [ast.keyword(name, node) for name, node in keywords.items() if node is not None]
        if len(read_) < len(how.args) or len(by_name) < len(how.keywords):
            return None
        found[member] = _Given(read_, by_name, more)
    return found


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


def _function(bare: _Bare, name: str, comments: dict[ast.stmt, str]) -> ast.FunctionDef:
    """A `forward` as a function of its own, which is also given what the constructor was."""
    run = bare.run
    known = bare.made.args if bare.made is not None else run.args
    head = ast.arguments(
        posonlyargs=[],
        args=[*run.args.args[1:], *(known.args[1:] if known is not run.args else [])],
        kwonlyargs=[],
        kw_defaults=[],
        defaults=known.defaults,
    )
    often = Counter(map(_attribute, walk(run)))
    held = {attr: node for attr, node in bare.kept.items() if often[attr] > 1 and not isinstance(node, ast.Name)}
    before = [assign(stored(attr), node) for attr, node in held.items()]
    reads = {attr: named(attr) if attr in held else node for attr, node in bare.kept.items()}
    body = [_over(statement, reads, comments) for statement in run.body]
    made = ast.FunctionDef(name, head, [*before, *body], [])
    if run in comments:
        comments[made] = comments[run]
    return made


def _over(node: Tree, reads: Mapping[str, ast.expr], comments: dict[ast.stmt, str]) -> Tree:
    """A tree in which attributes are the function's arguments."""
    if (attr := _attribute(node)) in reads:
        return reads[attr]  # type: ignore[return-value]
    return _commented(node, changed(node, lambda part: _over(part, reads, comments)), comments)


def _calling(
    cls: ast.ClassDef, members: Mapping[str, _Given], name: str, comments: dict[ast.stmt, str]
) -> ast.ClassDef:
    """A class that calls the function in place of these members."""
    body: list[ast.stmt] = []
    for function in cls.body if members else ():
        assert isinstance(function, ast.FunctionDef)
        kept = _keeping(function.body, members) if function.name == "__init__" else function.body
        if function.name == "__init__" and len(kept) == 1 and len(function.args.args) == 1:
            match kept[0]:
                case ast.Expr(value=ast.Call(func=of, args=[], keywords=[])) if same(of, SUPER):
                    continue
        trimmed = ast.FunctionDef(function.name, function.args, kept, [])
        body.append(_called(trimmed, members, name, comments))
        if function in comments:
            comments[body[-1]] = comments[function]
    return ast.ClassDef(cls.name, cls.bases, [], body, []) if members else cls


def _keeping(statements: Sequence[ast.stmt], members: Mapping[str, _Given]) -> list[ast.stmt]:
    """The statements of a constructor that keeps what calls give the function, in the place of these members.

    That stands behind what it keeps already, as far as it begins with that.
    """
    known = {found[0] for statement in statements if (found := _keeps(statement)) is not None}
    more = {name: node for each in members.values() for name, node in each.kept.items() if name not in known}
    begin = next((at for at, each in enumerate(statements) if at and not _prepares(each)), len(statements))
    left = [statement for statement in statements[begin:] if not _sets(statement, members)]
    return [*statements[:begin], *(assigned(SELF, name, node) for name, node in more.items()), *left]


def _prepares(statement: ast.stmt) -> bool:
    """Whether a statement of a constructor only looks at its arguments, or keeps them."""
    match statement:
        case ast.Assign(targets=[ast.Name()]) | ast.If(body=[ast.Raise()]):
            return True
    return _keeps(statement) is not None


def _sets(statement: ast.stmt, members: Collection[str]) -> bool:
    """Whether a statement sets one of these members."""
    match statement:
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=attr)]):
            return attr in members
    return False


def _called(node: Tree, members: Mapping[str, _Given], name: str, comments: dict[ast.stmt, str]) -> Tree:
    """A tree in which the function is called; what stays as it is may be a part of the old one."""
    copy = changed(node, lambda part: _called(part, members, name, comments))
    match node, copy:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=attr)), ast.Call() if attr in members:
            given = members[attr]
            args, keywords = [*copy.args, *given.args], [*copy.keywords, *given.keywords]
            return ast.Call(named(name), args, keywords)  # type: ignore[return-value]
    return _commented(node, copy, comments)


def _commented(node: Tree, copy: Tree, comments: dict[ast.stmt, str]) -> Tree:
    """A copy of a tree, of which is said what is said of that."""
    if copy is not node and isinstance(copy, ast.stmt) and isinstance(node, ast.stmt) and node in comments:
        comments[copy] = comments[node]
    return copy
