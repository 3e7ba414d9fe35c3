"""The last look at printed source: it is the tree that was meant, and names only what the catalogue gives.

Two locks, each of which would do alone. The text is read back, and is node for node the tree that was
printed, so nothing that a string of a spec says has shaped it. And whatever the tree is, it can reach
nothing but the functions of torch that the network's own operations are written with, the network's
members, and a handful of builtins: no `torch.load`, no `x.tofile`, no module behind a module.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from netspec.python.nodes import same, walk

_NODES: Final = (
    ast.Module, ast.Import, ast.ImportFrom, ast.alias, ast.ClassDef, ast.FunctionDef, ast.arguments, ast.arg,
    ast.Return, ast.Assign, ast.AugAssign, ast.If, ast.Raise, ast.For, ast.Continue, ast.Expr, ast.Call, ast.keyword,
    ast.Attribute, ast.Name, ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.ListComp, ast.GeneratorExp, ast.DictComp,
    ast.comprehension, ast.Starred, ast.Subscript, ast.Slice, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare,
    ast.IfExp, ast.JoinedStr, ast.FormattedValue, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
    ast.expr_context,
)  # fmt: skip
_IMPORTS: Final = {"torch": "torch", "torch.nn.functional": "F", "math": "math"}
"""The modules that are imported whole, by what they are called."""
_FROM: Final = {"torch": "nn", "collections": "OrderedDict", "fnmatch": "fnmatch"}
"""The modules that one name is imported from."""
MATH: Final = {name: f"math.{name}" for name in ("sqrt", "ceil", "floor", "sin", "cos", "exp", "log")}
"""The functions of expressions that are Python's, but no builtins."""
BUILTINS: Final = {
    "super", "getattr", "setattr", "isinstance", "range", "enumerate", "zip", "float", "int", "len", "max", "min",
    "round", "abs", "sum", "list", "reversed", "tuple", "slice", "next", "type", "ValueError",
}  # fmt: skip
"""Functions that are called, and never handed on."""
TORCH: Final = frozenset({
    "nn.Module", "nn.Sequential", "nn.ModuleList", "nn.ModuleDict",
    "torch.empty_like", "torch.norm_except_dim",  # initialisation of wrapped weights
    "nn.init.zeros_",  # rows of embeddings that stand for padding
    *MATH.values(),
})  # fmt: skip
METHODS: Final = frozenset({
    "shape", "training", "add_module", "register_buffer", "register_parameter", "get_submodule", "children", "modules",
    "named_modules", "named_parameters", "append", "format", "startswith", "endswith", "data", "copy_",
    "parameters", "dtype", "to",  # the dtype that the network computes in
})  # fmt: skip
_COUNTING: Final = (ast.Name, ast.Constant, ast.BinOp, ast.operator)
"""What counts the rounds of a loop."""
_BY_NAME: Final = {"getattr", "setattr", "get_submodule"}
"""What reaches a member by a string, which must then be a member's name."""


def _name_of(node: ast.expr) -> str:
    """The name that an expression is; empty for any other."""
    return node.id if isinstance(node, ast.Name) else ""


class Disallowed(Exception):
    """Source with something that netspec does not print: a fault of netspec, never a spec's."""


@dataclass(frozen=True, slots=True)
class Closed:
    """All that the text of one network may name; without a network, what every text may."""

    torch: frozenset[str] = TORCH
    """By their whole paths: `torch.cat`, `nn.Conv2d`, `F.relu`, and the classes of plugins."""
    methods: frozenset[str] = METHODS
    """What may be asked of any value."""
    members: frozenset[str] | None = frozenset()
    """What may be asked of the network and the modules in it; None for every name that a member may have."""
    plugins: frozenset[str] = frozenset()
    """The modules of plugins that it has layers of, and so imports."""
    taken: frozenset[str] = frozenset()
    """What modules have of their own, so that no member is called so."""


def parsed(text: str) -> ast.Module:
    """The tree of a text that is printed."""
    return ast.parse(text)


def check(source: str, allowed: Closed | None = None, meant: ast.AST | None = None) -> None:
    """Refuse source with anything but what is `allowed`, or with another tree than the one that was meant.

    Raises Disallowed.
    """
    if not source.isascii():
        raise Disallowed("a character beyond ASCII")
    tree = parsed(source)
    if meant is not None and not same(tree, meant):
        raise Disallowed("the text has another tree than the one that was meant")
    nodes = walk(tree)
    look = _Look(nodes, allowed or Closed())
    for node in nodes:
        fault = look.fault(node)
        if fault:
            raise Disallowed(f"line {getattr(node, 'lineno', '?')}: {fault}")


class _Look:
    """Looks at the nodes of one tree."""

    def __init__(self, nodes: Sequence[ast.AST], allowed: Closed) -> None:
        """`allowed` is all that the text may name of torch."""
        self.allowed = allowed
        self.imports = {*_IMPORTS.values(), *_FROM.values(), *(name.partition(".")[0] for name in allowed.plugins)}
        self.bound = self.imports | set(_bound(nodes))
        self.members = None if allowed.members is None else allowed.members | set(_kept(nodes))
        """What may be asked of modules: members, and attributes in which classes keep what forward reads again."""
        self.called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
        self.longer = _beginnings(nodes)
        making = (node for node in nodes if isinstance(node, ast.FunctionDef) and node.name == "__init__")
        self.making = {id(node) for function in making for node in walk(function)}
        """Nodes of constructors, where variables hold modules."""

    def fault(self, node: ast.AST) -> str:
        """What is wrong with a node; empty if nothing is."""
        match node:
            case ast.Import(names=names):
                whole = all(
                    (n.name in self.allowed.plugins and n.asname is None)
                    or (n.name in _IMPORTS and (n.asname or n.name) == _IMPORTS[n.name])
                    for n in names
                )
                return "" if whole else "an import"
            case ast.ImportFrom(names=[ast.alias(name=name, asname=None)], module=str(module), level=0):
                return "" if _FROM.get(module) == name else "an import"
            case ast.ImportFrom():
                return "an import"
            case ast.ClassDef() if node.decorator_list or node.keywords:
                return "a decorated class"
            case ast.FunctionDef() if node.decorator_list or node.returns:
                return "a decorated function"
            case ast.Name(id=name):
                return self._name(node, name)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Call():
                return self._call(node)
            case ast.Constant(value=value) if not isinstance(value, int | float | str | None) and value is not ...:
                return f"the value {value!r}"
            case ast.Raise():
                match node:
                    case ast.Raise(exc=ast.Call(func=ast.Name(id="ValueError")), cause=None):
                        return ""
                return "another error than ValueError"
            case ast.FormattedValue() if node.conversion != -1 or node.format_spec:
                return "a format"
        return "" if isinstance(node, _NODES) else type(node).__name__

    def _name(self, node: ast.Name, name: str) -> str:
        """What is wrong with a name: one that nothing in the text binds, or that hides an import."""
        if not isinstance(node.ctx, ast.Load):
            return f"the name {name}" if name in self.imports or name.startswith("__") else ""
        if name in self.bound or (name in BUILTINS and id(node) in self.called):
            return ""
        return f"the name {name}"

    def _attribute(self, node: ast.Attribute) -> str:
        """An attribute of an imported module is looked at with its whole path, any other by itself."""
        path, start = _path(node)
        if start in self.imports:
            known = path in self.allowed.torch or id(node) in self.longer
            return "" if known and isinstance(node.ctx, ast.Load) else f"the name {path}"
        if node.attr == "__init__":
            of_super = isinstance(node.value, ast.Call) and _path(node.value.func)[1] == "super"
            return "" if of_super else "the attribute __init__"
        of_module = start in ("self", "module") or id(node) in self.making
        if node.attr in self.allowed.methods or (of_module and self._is_member(node.attr)):
            return ""
        return f"the attribute {node.attr}"

    def _call(self, node: ast.Call) -> str:
        """What is wrong with a call: a function that is not in the closed set, or arguments from a dictionary."""
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if any(keyword.arg is None and not isinstance(keyword.value, ast.Name) for keyword in node.keywords):
            return "arguments from a dictionary"
        if isinstance(node.func, ast.Name) and name == "type":
            of_module = [*map(_name_of, node.args)] == ["module"] and not node.keywords
            return "" if of_module else "the name type"  # with more it would make a class
        if name not in _BY_NAME:
            return ""
        match node.args:
            case [ast.Constant(value=str(text))] if name == "get_submodule":
                pass
            case [ast.Name(id="self"), ast.JoinedStr(values=parts)] if name == "getattr":
                return "" if self._counts_members(parts) else "getattr by a name that is no member's"
            case [of, ast.Constant(value=str(text)), *rest] if len(rest) == (name == "setattr"):
                if _path(of)[1] not in ("self", "module") and id(of) not in self.making:
                    return f"{name} of something else than a module"
            case _:
                return f"{name} without a name"
        whole = self._is_member(text) or all(map(self._is_member, text.split(".")))
        return "" if whole else f"the attribute {text}"

    def _counts_members(self, parts: Sequence[ast.expr]) -> bool:
        """Whether a text with numbers in it is the names of members."""
        whole = all(isinstance(part, ast.FormattedValue | ast.Constant) for part in parts)
        counting = (part.value for part in parts if isinstance(part, ast.FormattedValue))
        plain = all(isinstance(node, _COUNTING) for value in counting for node in walk(value))
        pattern = "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else "[0-9]+" for part in parts)
        names = self.members
        if names is None:
            return whole and plain and isinstance(parts[0], ast.Constant) and self._is_member(str(parts[0].value))
        return whole and plain and any(re.fullmatch(pattern, name) for name in names)

    def _is_member(self, name: str) -> bool:
        """Whether modules may be asked for an attribute of this name."""
        if self.members is None:
            return not name.startswith("__") and name not in self.allowed.taken
        return name in self.members


def _path(node: ast.expr) -> tuple[str, str]:
    """`torch.linalg.vector_norm` and the name it begins with; calls and indices on the way are passed over."""
    parts: list[str] = []
    plain = True
    while not isinstance(node, ast.Name):
        match node:
            case ast.Attribute(value=inner, attr=name):
                parts.append(name)
            case ast.Subscript(value=inner):
                plain = False
            case ast.Call(func=ast.Name(id="getattr"), args=[inner, *_]):
                plain = False
            case ast.Call(func=ast.Attribute(value=inner, attr="get_submodule")):
                plain = False
            case _:
                return "", ""
        node = inner
    return (".".join([node.id, *reversed(parts)]) if plain else "", node.id)


def paths(tree: ast.AST) -> set[str]:
    """All that a text of netspec's own names: paths into modules, and `.name` for what it asks of values."""
    found = set()
    nodes = walk(tree)
    longer = _beginnings(nodes)
    for node in nodes:
        if isinstance(node, ast.Attribute):
            path, start = _path(node)
            if start not in {*_IMPORTS.values(), *_FROM.values()}:
                found.add(f".{node.attr}")
            elif id(node) not in longer:
                found.add(path)
    return found


def _beginnings(nodes: Sequence[ast.AST]) -> set[int]:
    """The nodes that are only the beginning of a path."""
    return {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}


def _kept(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """The attributes that the classes set of themselves: `self.name = ...`."""
    for node in nodes:
        match node:
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                yield name


def _bound(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """The names that the text gives a meaning."""
    for node in nodes:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.arg(arg=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
