"""What a call names: its operation, and the values that it takes, in the order in which it takes them."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.errors import At, Problem
from netspec.graph.draft import Value
from netspec.graph.references import resolve
from netspec.graph.scope import Scope
from netspec.graph.written import Written
from netspec.language.calls import evaluate
from netspec.language.refusals import Refused
from netspec.layers.base import Op
from netspec.records import shown
from netspec.words import did_you_mean, few


def op_word(call: Written, scope: Scope) -> str:
    """The word of a call's operation, computed where it is `$act`. Raises Refused."""
    if isinstance(call.op, str):
        return call.op
    word = evaluate(call.op, scope.lookup, At(call.path))
    if not isinstance(word, str):
        hint = "Give the parameter the word of an operation, such as relu."
        raise Refused(Problem("unknown-op", f"{shown(word)} is not an operation", call.op_at, hint))
    return word


def values_of(call: Written, scope: Scope, names: Sequence[str] | None = None) -> tuple[Value, ...]:
    """The values that a call takes: those in its brackets, else the one before it.

    `names` are those of its inputs, by which `query=x` finds its place; None where only the first value counts.
    Raises Refused.
    """
    found, later = _taken(call, scope, names)
    if later and names is not None:
        raise _missing(names[len(found)], call)
    return tuple(found)


def values_and_masks(call: Written, scope: Scope, cls: type[Op]) -> tuple[tuple[Value, ...], tuple[str, ...]]:
    """The values that an operation takes, with the names of the masks that come last. Raises Refused."""
    found, later = _taken(call, scope, cls.takes)
    if later and (len(found) < cls.inputs[0] or not later.keys() <= set(cls.masks)):
        raise _missing(cls.takes[len(found)], call)
    return (*found, *later.values()), tuple(later)


def _missing(name: str, call: Written) -> Refused:
    hint = f"Name it in the brackets, as in {name}=prev."
    return Refused(Problem("inputs", f"the input {name} is missing", call.at, hint))


def _taken(call: Written, scope: Scope, names: Sequence[str] | None) -> tuple[list[Value], dict[str, Value]]:
    """The values in their places, and by name those that come after a place that is left out. Raises Refused."""
    if call.inputs is None:
        return [scope.flow.prev], {}
    found: list[Value] = []
    placed: dict[int, Value] = {}
    for given, at in call.inputs:
        values = resolve(given, at, scope)
        if given.keyword is None or names is None:
            if placed:
                text, hint = "an input without a name comes after one with a name", "Put those with names last."
                raise Refused(Problem("inputs", text, at, hint))
            found += values
            continue
        place = _place(given.keyword, names, at)
        if place < len(found) or place in placed or len(values) != 1:
            raise Refused(Problem("twice", f"the input {given.keyword} is given twice", at, "Keep one of them."))
        placed[place] = values[0]
    while len(found) in placed:
        found.append(placed.pop(len(found)))
    return found, {names[place]: placed[place] for place in sorted(placed)} if names is not None else {}


def _place(keyword: str, names: Sequence[str], at: At) -> int:
    if keyword not in names:
        hint = did_you_mean(keyword, names) or (f"It takes: {few(names)}." if names else "")
        raise Refused(Problem("inputs", f"there is no input {keyword!r}", at, hint))
    return names.index(keyword)
