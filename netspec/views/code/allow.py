"""The last look at printed source: only what netspec writes may be in it."""

from __future__ import annotations

import ast
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
    "OrderedDict", "sum", "list", "fnmatch",
}  # fmt: skip


def check(source: str) -> None:
    """Refuse source with anything that netspec does not print. Raises AssertionError: it would be our fault."""
    assert source.isascii(), "printed source is plain ASCII"
    tree = ast.parse(source)
    own = {n.name for n in ast.walk(tree) if isinstance(n, ast.ClassDef | ast.FunctionDef)}
    for node in ast.walk(tree):
        assert isinstance(node, _NODES), f"line {getattr(node, 'lineno', '?')}: {type(node).__name__}"
        if isinstance(node, ast.Import):
            assert all(alias.name in _IMPORTS for alias in node.names), "an import"
        if isinstance(node, ast.ImportFrom):
            assert node.module in _IMPORTS, "an import"
        if isinstance(node, ast.Attribute):
            allowed = not node.attr.startswith("__") or node.attr == "__init__"
            assert allowed, f"the attribute {node.attr}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id in _CALLS | own, f"a call of {node.func.id}"
