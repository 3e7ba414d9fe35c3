"""What a call names: its operation, and the values that it takes, in the order in which it takes them."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.errors import At, Problem, did_you_mean
from netspec.graph.model import Value
from netspec.graph.references import resolve
from netspec.graph.scope import Scope
from netspec.graph.written import Written
from netspec.language.calls import Refused, evaluate


def op_word(call: Written, scope: Scope) -> str:
    """The word of a call's operation, computed where it is `$act`. Raises Refused."""
    if isinstance(call.op, str):
        return call.op
    word = evaluate(call.op, scope.lookup, At(call.path))
    if not isinstance(word, str):
        raise Refused(Problem("unknown-op", f"{word!r} is no operation", call.op_at))
    return word


def values_of(call: Written, scope: Scope, names: Sequence[str] | None = None) -> tuple[Value, ...]:
    """The values that a call takes: those in its brackets, else the one before it.

    `names` are those of its inputs, by which `query=x` finds its place; None where only the first value counts.
    Raises Refused.
    """
    if call.inputs is None:
        return (scope.flow.prev,)
    found: list[Value] = []
    placed: dict[int, Value] = {}
    for given, at in call.inputs:
        values = resolve(given, at, scope)
        if given.keyword is None or names is None:
            if placed:
                raise Refused(Problem("inputs", "an input without a name comes after one with a name", at))
            found += values
            continue
        if given.keyword not in names:
            hint = did_you_mean(given.keyword, names) or (f"It takes: {', '.join(names)}." if names else "")
            raise Refused(Problem("inputs", f"there is no input {given.keyword!r}", at, hint))
        place = names.index(given.keyword)
        if place < len(found) or place in placed or len(values) != 1:
            raise Refused(Problem("twice", f"the input {given.keyword} is given twice", at, "Keep one of them."))
        placed[place] = values[0]
    gap = next((i for i in range(len(found), max(placed, default=0)) if i not in placed), None)
    if gap is not None and names is not None:
        raise Refused(Problem("inputs", f"the input {names[gap]} is missing", call.at))
    return (*found, *(placed[i] for i in sorted(placed)))
