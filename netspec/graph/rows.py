"""Rows of the network as calls: read, and with their arrows spread."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeVar

from netspec.errors import At, Path, Problem, Span
from netspec.faults import shown
from netspec.graph import wrapping
from netspec.graph.blocks import Block, bind
from netspec.graph.model import Guard
from netspec.graph.references import MAX_ROUNDS, condition
from netspec.graph.scope import Scope
from netspec.language import rows
from netspec.language.calls import Arguments, Lookup, arguments, compute
from netspec.language.habits import EQUATION, IN_PLACE, PYTHON, advice
from netspec.language.python_calls import CALL
from netspec.language.refusals import Refused
from netspec.language.rows import Arg, Call, Expr, Input, RowError, Word
from netspec.layers.base import Op
from netspec.records import Entry
from netspec.vocabulary import OPERATIONS
from netspec.wraps import Wrap


def read_row(text: str, path: Path) -> tuple[Call, ...]:
    """The calls of a row. Raises Refused."""
    try:
        calls = rows.parse(text)
        if any(_is_python(call) for call in calls):
            _refuse_python(text, path)
        return calls
    except RowError as error:
        _refuse_python(text, path)
        hint = _colon(text, path) or _numbered(text, error.span) or advice(text, error.span) or error.hint
        raise Refused(Problem("row", error.message, At(path, error.span), hint)) from None


def _is_python(call: Call) -> bool:
    """Whether a call that can be read is one of Python all the same: `nn.ReLU()`, `ReLU(inplace=True)`."""
    if not isinstance(call.op, str) or call.inputs is None:
        return False
    fields = {name for cls in OPERATIONS.find(call.op) for name in cls.fields}
    unknown = not call.inputs and not fields
    called = any("(" in name for given in call.inputs for name in given.path)  # one call of another
    return "." in call.op or unknown or called or any(given.keyword in fields for given in call.inputs)


def _refuse_python(text: str, path: Path) -> None:
    """Raises Refused for a call as Python has it, with the row that it means."""
    from netspec.graph.python_calls import row_for  # only a mistake pays for it
    from netspec.language.python_calls import how

    whole = text.whole if isinstance(text, Torn) else text
    hint = ""
    if row := row_for(whole):
        quote = '"' if isinstance(text, Torn) and "," in row and row[0] not in "[{" else ""
        hint = f"Write {quote}{row}{quote}"
        if row.startswith("fc "):
            hint += "; for the last axis alone, without flattening, linear in place of fc"
    elif "self." in whole:
        hint = IN_PLACE if CALL.fullmatch(whole) else ""
    else:
        hint = how(whole, OPERATIONS)
    if hint:
        span = (0, len(text.rstrip(",;")))
        raise Refused(Problem("row", PYTHON, At(path, span), hint))


def _numbered(text: str, span: Span) -> str:
    """What to try for steps by number, `concat(-1 6)`; empty for any other text."""
    word = text[: text.rfind("(", 0, span[0])].rpartition(",")[2].strip()
    several = any(cls.inputs[1] > 1 for cls in OPERATIONS.find(OPERATIONS.meant(word) or word))
    if "(" not in text[: span[0]] or not several or not _NUMBERS.fullmatch(text[slice(*span)]):
        return ""
    return "Steps are referred to by name, the one before as prev; give it one, as in - skip: conv 8 k3"


def _colon(text: str, path: Path) -> str:
    """What to try for the arguments of an operation that stands before a colon; empty for any other text."""
    word = str(path[-1]) if path else ""
    if OPERATIONS.find(word) and not text[:1].isalpha():
        return f"Write {word} {text}, without the colon."
    return ""


_NUMBERS: Final = re.compile(r"\[?\s*-?\d+(?:\s*,\s*-?\d+)*\s*\]?")
K_ = TypeVar("K_")


class Torn(str):
    """The beginning of a row that a comma tore apart; `whole` is all of it."""

    whole: str = ""


def untorn(entries: Iterable[tuple[K_, Any]]) -> Iterator[tuple[K_, Any]]:
    """The entries of a list or mapping without what a comma tore from a row: `[add(a, b)]` has the entry `b)`.

    What the rest was torn from cannot be read, so the comma is told there.
    """
    opened, before, nothing = 0, "", False
    found: list[tuple[K_, Any]] = []
    for key, value in entries:
        rest = opened > 0 and ")" in str(key)
        text = str(key if rest or value is None else value)
        if isinstance(value, list | dict) and not rest:
            opened, before = 0, ""
        elif opened > 0:
            opened += _balance(text)
            found[-1] = (found[-1][0], _joined(found[-1][1], text))
            continue
        elif not (_is_equation(before, text) or (nothing and value is None and OPERATIONS.find(text.split(" ")[0]))):
            opened, before = _balance(text), text
        else:
            continue
        nothing = value is None
        found.append((key, value))
    return iter(found)


def _joined(torn: Any, rest: str) -> Any:
    """The beginning of a row with one more of the pieces that commas made of it."""
    if not isinstance(torn, str):
        return torn
    joined = Torn(torn)
    joined.whole = f"{torn.whole if isinstance(torn, Torn) else torn}, {rest}"
    return joined


def _is_equation(before: str, text: str) -> bool:
    """Whether a text is the rest of an equation that begins in the one before, `einsum(a b) ij,jk->ik`."""
    begun = "einsum" in before and "->" not in before and ":" not in before
    return begun and EQUATION.fullmatch(text) is not None


def _balance(text: str) -> int:
    """How many brackets a text leaves open."""
    return sum(text.count(c) for c in "([") - sum(text.count(c) for c in ")]")


@dataclass(frozen=True, slots=True)
class Short:
    """A piece of a row."""

    call: Call
    """As it was read."""
    path: Path
    """Where its row stands."""

    @property
    def op(self) -> str | Expr:
        return self.call.op

    @property
    def at(self) -> At:
        return At(self.path, self.call.span)

    @property
    def op_at(self) -> At:
        return At(self.path, self.call.op_span)

    @property
    def inputs(self) -> tuple[tuple[Input, At], ...] | None:
        named = self.call.inputs
        return None if named is None else tuple((given, At(self.path, given.span)) for given in named)

    @property
    def repeats(self) -> bool:
        return self.call.times is not None

    @property
    def certain(self) -> bool:
        return self.call.times is None and self.call.when is None

    def times(self, scope: Scope) -> Any:
        return compute(self.call.times, scope.lookup, self.at)

    def rounds(self, scope: Scope) -> list[dict[str, Any]]:
        count = self.times(scope)
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= MAX_ROUNDS:
            text = f"a repetition of {shown(count)}; it can be 0 to {MAX_ROUNDS:,}"
            raise Refused(Problem("repeat", text, self.at, "As in: conv 8 k3 x3"))
        return [{"i": i} for i in range(count)]

    def decide(self, scope: Scope) -> tuple[bool | str, Guard | None]:
        if self.call.when is None:
            return True, None
        return condition(self.call.when, self.path, scope), Guard(self.at, self.call.when)

    def arguments(self, cls: type[Entry], lookup: Lookup) -> Arguments:
        if not any(arg.name == "wrap" for arg in self.call.args) or not issubclass(cls, Op):
            return arguments(self.call, cls, lookup, self.path)
        call = replace(self.call, args=tuple(arg for arg in self.call.args if not wrapping.of_wrap(arg, cls)))
        return arguments(call, cls, lookup, self.path)

    def bind(self, block: Block, lookup: Lookup) -> Arguments:
        return bind(block, self.call, lookup, self.path)

    def wrap(self, cls: type[Op], lookup: Lookup) -> Wrap | Literal[""] | None:
        arg = next((a for a in self.call.args if a.name == "wrap"), None)
        if arg is None:
            return None
        at = At(self.path, arg.span)
        beside = [other for other in self.call.args if other is not arg and wrapping.of_wrap(other, cls)]
        return wrapping.read(compute(arg.value, lookup, at), cls, beside, self.path, at, lookup) or ""

    def narrowed(self, at: At) -> At:
        arrow = next((a for a in self.call.args if a.kind == "arrow" and a.span == at.span), None)
        if arrow is None or not isinstance(arrow.value, tuple):
            return at
        return At(at.path, (arrow.span[0], arrow.span[0] + len(str(arrow.value[0]))))


def calls_of_row(text: str, path: Path) -> list[Short]:
    """The calls that a row consists of. Raises Refused."""
    return [Short(piece, path) for call in read_row(text, path) for piece in spread(call, path)]


def spread(call: Call, path: Path) -> Iterator[Call]:
    """`fc 400->120->84 between=relu` as fc 400->120, relu, fc 120->84. Raises Refused."""
    arrow = next((a for a in call.args if a.kind == "arrow"), None)
    between = next((a for a in call.args if a.kind == "keyword" and a.name == "between"), None)
    if arrow is None or not isinstance(arrow.value, tuple):
        yield call
        return
    others = tuple(a for a in call.args if a not in (arrow, between))
    sizes = arrow.value
    if between is not None and (len(sizes) < 3 or not isinstance(between.value, Word)):
        text = "nothing lies between the two sizes" if len(sizes) < 3 else "between names one operation"
        raise Refused(Problem("between", text, At(path, between.span), "For example: fc 400->120->84 between=relu"))
    for i in range(len(sizes) - 1):
        if i and between is not None and isinstance(between.value, Word):
            span = (between.span[0] + len("between="), between.span[1])
            yield Call(between.value.text, span, None, (), op_span=span)
        pair = Arg("arrow", sizes[i : i + 2] if i == 0 else (None, sizes[i + 1]), arrow.span)
        yield replace(call, args=(pair, *others), inputs=call.inputs if i == 0 else None)
