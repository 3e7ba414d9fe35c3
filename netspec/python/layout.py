"""Lines of Python that fit the page: one line where it fits, else broken where `ruff format` breaks it."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from netspec.python.expressions import DOT, Brackets, Break, Piece, Pieces, bare, flat, pieces
from netspec.python.precedence import BINARY

WIDTH: Final = 120
INDENT: Final = "    "
Comments = Mapping[ast.stmt, str]
"""What comments say of statements."""


def lines(statements: Sequence[ast.stmt], comments: Comments, depth: int = 0) -> list[str]:
    """The lines of statements at an indent of `depth`, each with its comment."""
    return [line for statement in statements for line in _lines(statement, comments, depth)]


def _lines(node: ast.stmt, comments: Comments, depth: int) -> list[str]:
    """The lines of a statement and of those in it, each with its comment."""
    found = commented(statement(node, depth), comments.get(node, ""))
    match node:
        case ast.ClassDef():
            for i, inner in enumerate(node.body):
                found += [""] if i else []
                found += _lines(inner, comments, depth + 1)
        case ast.FunctionDef() | ast.For():
            found += lines(node.body, comments, depth + 1)
        case ast.If():
            found += lines(node.body, comments, depth + 1)
            if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
                first, *rest = _lines(node.orelse[0], comments, depth)
                found += [f"{INDENT * depth}el{first.lstrip()}", *rest]
            elif node.orelse:
                found += [f"{INDENT * depth}else:", *lines(node.orelse, comments, depth + 1)]
    return found


def commented(found: list[str], comment: str) -> list[str]:
    """Lines with a comment behind the last, if it fits there."""
    last = f"{found[-1]}  # {comment}"
    return [*found[:-1], last] if comment and len(last) <= WIDTH else found


def statement(node: ast.stmt, depth: int) -> list[str]:
    """The lines of a statement, or of the head of one that holds others. Raises TypeError for what is never written."""
    match node:
        case ast.Assign(targets=[ast.Tuple() as target], value=ast.Tuple() as value) if len(value.elts) > 1:
            line = f"{INDENT * depth}{flat(bare(target))} = {flat(bare(value))}"
            return [line] if len(line) <= WIDTH else _assignment(target, pieces(value), depth)
        case ast.Assign(targets=[target], value=value):
            return _assignment(target, pieces(value), depth)
        case ast.AugAssign(target=target, op=operator, value=value):
            return _broken(f"{flat(bare(target))} {BINARY[type(operator)][0]}= ", pieces(value), depth)
        case ast.Expr(value=value):
            return _broken("", pieces(value), depth)
        case ast.Return(value=ast.expr() as value):
            return _returned(value, depth)
        case ast.If(test=test):
            return _broken("if ", pieces(test), depth, ":")
        case ast.For(target=target, iter=of):
            return _broken(f"for {flat(bare(target))} in ", pieces(of), depth, ":")
        case ast.FunctionDef(name=name, args=arguments):
            return _head(f"def {name}", _parameters(arguments), depth)
        case ast.ClassDef(name=name, bases=bases):
            return _head(f"class {name}", [pieces(base) for base in bases], depth)
        case ast.Raise(exc=ast.expr() as error):
            return _broken("raise ", pieces(error), depth)
        case ast.Continue():
            return [f"{INDENT * depth}continue"]
        case ast.Import(names=[name]):
            return [f"{INDENT * depth}import {name.name}{f' as {name.asname}' if name.asname else ''}"]
        case ast.ImportFrom(names=[name], module=module):
            return [f"{INDENT * depth}from {module} import {name.name}"]
    raise TypeError(f"{type(node).__name__} is not written")


def _head(name: str, items: list[Pieces], depth: int) -> list[str]:
    """The head of a class or a function."""
    brackets = Brackets("(", items, ")")
    whole = f"{INDENT * depth}{name}{brackets.text}:"
    return [whole] if len(whole) <= WIDTH else _opened("", _Nested(f"{name}(", items, "):"), depth)


def _parameters(arguments: ast.arguments) -> list[Pieces]:
    """The parameters of a function."""
    without: list[None] = [None] * (len(arguments.args) - len(arguments.defaults))
    defaults = [*without, *arguments.defaults]
    return [_parameter(arg, default) for arg, default in zip(arguments.args, defaults, strict=True)]


def _parameter(argument: ast.arg, default: ast.expr | None) -> Pieces:
    """One parameter of a function, with its default."""
    return [argument.arg] if default is None else [f"{argument.arg}=", *pieces(default)]


def _assignment(target: ast.expr, value: Pieces, depth: int) -> list[str]:
    """The lines of an assignment, broken where the whole is too long: inside brackets, the last ones first."""
    left = bare(target)
    prefix = f"{flat(left)} = "
    whole = f"{INDENT * depth}{prefix}{flat(value)}"
    if len(whole) <= WIDTH and not _has_rows(value):
        return [whole]
    several = isinstance(target, ast.Tuple) and len(target.elts) > 1
    room = WIDTH - len(f"{INDENT * depth}{prefix}")
    if room > 0 and (several or not _brackets(left) or _has_rows(value) or _nested(value, room)):
        return _broken(prefix, value, depth)
    if several:
        assert isinstance(target, ast.Tuple)
        opened = _opened("", _Nested("(", [pieces(item) for item in target.elts], ")"), depth, " = ")
    else:
        opened = _forced("", left, depth, " = ")
    return [*opened[:-1], *_broken(opened[-1].lstrip(), value, depth)]


def _returned(value: ast.expr, depth: int) -> list[str]:
    """The lines of a return; several values stand in brackets where they do not fit on one line."""
    written = bare(value)
    if len(f"{INDENT * depth}return {flat(written)}") > WIDTH and isinstance(value, ast.Tuple) and len(value.elts) > 1:
        return _opened("return ", _Nested("(", [pieces(item) for item in value.elts], ")"), depth)
    return _broken("return ", written, depth)


@dataclass(frozen=True, slots=True)
class _Nested:
    """An expression that is opened at a pair of its brackets."""

    head: str
    """All that stands before the items, the opening bracket among it."""
    items: Sequence[Pieces]
    """What may stand in lines of its own."""
    tail: str
    """All that stands behind them."""


def _broken(prefix: str, expression: Pieces, depth: int, suffix: str = "") -> list[str]:
    """`prefix` and an expression as lines at an indent of `depth`."""
    whole = f"{INDENT * depth}{prefix}{flat(expression)}{suffix}"
    if _has_rows(expression):
        return _opened(prefix, _read(expression, len(expression) - 1), depth, suffix)
    if len(whole) <= WIDTH:
        return [whole]
    parts = _parts(expression)
    nested = _nested(expression, WIDTH - len(INDENT * depth + prefix), last=len(parts) == 2)
    if nested and len(parts) < 3:
        return _opened(prefix, nested, depth, suffix)
    if len(parts) == 1 and len(f"{INDENT * (depth + 1)}{flat(expression)}") > WIDTH:
        return _forced(prefix, expression, depth, suffix)
    return [f"{INDENT * depth}{prefix}(", *_enclosed(expression, depth + 1), f"{INDENT * depth}){suffix}"]


def _opened(prefix: str, expression: _Nested, depth: int, suffix: str = "") -> list[str]:
    """The expression with each of its items on lines of its own."""
    comma = "," if len(expression.items) > 1 else ""
    inner = [line for item in expression.items for line in _enclosed(item, depth + 1, comma)]
    return [f"{INDENT * depth}{prefix}{expression.head}", *inner, f"{INDENT * depth}{expression.tail}{suffix}"]


def _enclosed(expression: Pieces, depth: int, suffix: str = "") -> list[str]:
    """The lines of an expression in brackets, where it may go on in the next line."""
    whole = f"{INDENT * depth}{flat(expression)}{suffix}"
    if _has_rows(expression):
        return _opened("", _read(expression, len(expression) - 1), depth, suffix)
    if len(whole) <= WIDTH:
        return [whole]
    parts = _parts(expression)
    if len(parts) > 1:
        *first, last = parts
        return [*(line for part in first for line in _enclosed(part, depth)), *_enclosed(last, depth, suffix)]
    nested = _nested(expression, WIDTH - len(INDENT * depth))
    return _opened("", nested, depth, suffix) if nested else _forced("", expression, depth, suffix)


def _forced(prefix: str, expression: Pieces, depth: int, suffix: str) -> list[str]:
    """The expression opened at its last brackets, though the line is too long even so."""
    places = _brackets(expression)
    nested = _read(expression, places[-1]) if places else None
    if nested and nested.items:
        return _opened(prefix, nested, depth, suffix)
    return [f"{INDENT * depth}{prefix}{flat(expression)}{suffix}"]


def _nested(expression: Pieces, room: int, last: bool = False) -> _Nested | None:
    """The expression, to be opened at the first brackets for which there is no room; if `last`, only behind all else.

    None if the line would be too long even so.
    """
    places = _brackets(expression)
    starts = [len(flat(expression[:place])) for place in places]
    ends = [*(start + 1 for start in starts[1:]), len(flat(expression)) + 1]
    at = next((at for at, end in enumerate(ends) if end > room), None) if places else None
    if at is None or starts[at] >= room or (last and places[at] + 1 != len(expression)):
        return None
    nested = _read(expression, places[at])
    return nested if nested.items else None


def _parts(expression: Pieces) -> list[Pieces]:
    """The expression cut before its loosest operators, or a chain of calls before each call's dot."""
    breaks = [(at, piece.level) for at, piece in enumerate(expression) if isinstance(piece, Break)]
    level = min((level for _, level in breaks), default=DOT)
    places = [at for at, found in breaks if found == level]
    if not places or (level == DOT and len(places) < 2):
        return [expression]
    return [_begun(expression[a:b]) for a, b in zip([0, *places], [*places, len(expression)], strict=True)]


def _begun(part: Pieces) -> Pieces:
    """A part as it begins its line: an operator without the space before it."""
    first = part[0]
    return [first.text.lstrip(), *part[1:]] if isinstance(first, Break) else part


def _brackets(expression: Pieces) -> list[int]:
    """Where its outermost brackets stand among the pieces."""
    return [at for at, piece in enumerate(expression) if isinstance(piece, Brackets)]


def _read(expression: Pieces, place: int) -> _Nested:
    """One pair of brackets of an expression, with all that stands before and behind it as text."""
    brackets = expression[place]
    assert isinstance(brackets, Brackets)
    head, tail = flat(expression[:place]), flat(expression[place + 1 :])
    return _Nested(f"{head}{brackets.open}", brackets.items, f"{brackets.close}{tail}")


def _has_rows(expression: Sequence[Piece]) -> bool:
    """Whether it ends in items that are read one by one, each in a line of its own."""
    last = expression[-1] if expression else None
    return isinstance(last, Brackets) and last.rows
