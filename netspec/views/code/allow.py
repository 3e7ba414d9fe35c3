"""The last look at printed source: only what netspec writes may be in it."""

from __future__ import annotations

import ast
from collections.abc import Collection
from typing import Final

_NODES: Final = (
    ast.Module, ast.Import, ast.ImportFrom, ast.alias, ast.ClassDef, ast.FunctionDef, ast.arguments, ast.arg,
    ast.Return, ast.Assign, ast.AugAssign, ast.If, ast.For, ast.Continue, ast.Expr, ast.Call, ast.keyword,
    ast.Attribute, ast.Name, ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.ListComp, ast.GeneratorExp,
    ast.comprehension, ast.Starred, ast.Subscript, ast.Slice, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare,
    ast.IfExp, ast.JoinedStr, ast.FormattedValue, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
    ast.expr_context,
)  # fmt: skip
_IMPORTS: Final = {"torch", "torch.nn.functional", "collections", "fnmatch", "math"}
_CALLS: Final = {
    "super", "getattr", "setattr", "isinstance", "range", "zip", "float", "int", "len", "max", "min", "round", "abs",
    "OrderedDict", "sum", "list", "fnmatch", "next",
}  # fmt: skip


class Disallowed(Exception):
    """Source with something that netspec does not print: a fault of netspec, never a spec's."""


def check(source: str, plugins: Collection[str] = ()) -> None:
    """Refuse source with anything that netspec does not print. Raises Disallowed.

    `plugins` are the modules of plugins that the network has layers of, and so imports.
    """
    if not source.isascii():
        raise Disallowed("a character beyond ASCII")
    tree = ast.parse(source)
    own = {n.name for n in ast.walk(tree) if isinstance(n, ast.ClassDef | ast.FunctionDef)}
    own |= {name for node in ast.walk(tree) for name in _unpacked(node)}
    for node in ast.walk(tree):
        fault = _fault(node, own, _IMPORTS | set(plugins))
        if fault:
            raise Disallowed(f"line {getattr(node, 'lineno', '?')}: {fault}")


def _unpacked(node: ast.AST) -> list[str]:
    """The names that hold modules: those of `conv, norm = self.children()`."""
    match node:
        case ast.Assign(
            targets=[ast.Tuple(elts=names)],
            value=ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr="children"), args=[]),
        ):
            return [name.id for name in names if isinstance(name, ast.Name)]
    return []


def _fault(node: ast.AST, own: set[str], imports: set[str]) -> str:
    """What is wrong with a node; empty if nothing is."""
    match node:
        case ast.Import() if not all(alias.name in imports for alias in node.names):
            return "an import"
        case ast.ImportFrom() if node.module not in _IMPORTS:
            return "an import"
        case ast.Attribute() if node.attr.startswith("__") and node.attr != "__init__":
            return f"the attribute {node.attr}"
        case ast.Call(func=ast.Name(id=name)) if name not in _CALLS | own:
            return f"a call of {name}"
        case ast.Call(func=ast.Name(id="getattr" | "setattr"), args=[_, ast.Constant(value=str(name)), *_]):
            return f"the attribute {name}" if name.startswith("__") else ""
        case ast.Call(func=ast.Name(id="getattr" | "setattr")):
            return "an attribute that is not named"
        case ast.Name(id=name) if name.startswith("__"):
            return f"the name {name}"
    return "" if isinstance(node, _NODES) else type(node).__name__
