"""From words to what they stand for here: operations, values, names, conditions, counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from netspec.errors import At, Path, Problem
from netspec.faults import shown
from netspec.graph.draft import Value
from netspec.graph.model import Guard
from netspec.graph.names import check_member_name
from netspec.graph.scope import Scope
from netspec.language import rows
from netspec.language.calls import evaluate, long_value
from netspec.language.refusals import Refused, Unknown
from netspec.language.rows import Expr, Input, RowError, Template
from netspec.layers.base import Op
from netspec.sections.params import check_param_name
from netspec.words import did_you_mean, few, offered

if TYPE_CHECKING:
    from netspec.graph.written import Written

MAX_ROUNDS: Final = 10_000
PHASES: Final = {"train", "eval", "test", "inference", "self"}
"""What others call the phase that a condition may ask for."""
REPEATS: Final = "For example: repeat: 3; or repeat: [64, 128] with as: width"


def resolve(given: Input, at: At, scope: Scope) -> list[Value]:
    """The value or values that a reference names. Raises Refused."""
    head, *rest = [_filled(part, at.path, scope) if "$" in part else part for part in given.path]
    if rest and rest[0] == "*":
        values = scope.all_rounds(head)
        single = scope.value(head)
        if values is None and (single.lost if single is not None else scope.lost(head)):
            return [Value(head, None, scope.level)]
        if values is None:
            text, hint = f"{head} is not repeated, so it has no .*", f"Write {head} for its only value."
            raise Refused(Problem("unknown-name", text, at, hint))
        rest = rest[1:]
    else:
        value = scope.value(head)
        if value is None and rest:  # a member of a list: `convs.0`
            value, rest = scope.value(f"{head}.{rest[0]}"), rest[1:]
        if value is None and scope.lost(head):
            return [Value(head, None, scope.level)]
        if value is None:
            hint = offered(head, scope.steps(), "Available here: {}.")
            raise Refused(Problem("unknown-name", f"there is no value {head!r} before this", at, hint))
        values = [value]
    return [part_of(value, rest, at) for value in values]


def part_of(value: Value, rest: list[str], at: At) -> Value:
    """The part of a value that names with dots lead to: `rnn.output`. Raises Refused."""
    for name in rest:
        if value.tensor is None and name not in value.parts:
            return Value(name, None, value.level)
        if name not in value.parts:
            hint = f"It has: {few(value.parts)}." if value.parts else "It is a single tensor."
            if value.step is not None and value.step.body is not None:
                hint = f"{hint} A level shows its end, or what its `outputs` names."
            raise Refused(Problem("unknown-name", f"{value.name} has no part {name!r}", at, hint))
        part = value.parts[name]
        if part.tensor is None and value.tensor is not None:
            fields = value.step.op.fields if value.step is not None and value.step.op is not None else {}
            hint = f"Write need_{name} in its row." if f"need_{name}" in fields else ""
            raise Refused(Problem("unknown-name", f"{value.name} does not give its {name}", at, hint))
        value = part
    return value


def reference(text: Any, path: Path, scope: Scope) -> Value:
    """The one value that a text names. Raises Refused for a text that names several."""
    found = references(text, path, scope)
    if len(found) != 1:
        head = text.partition(".")[0]
        one = next((value.name for value in found if scope.value(value.name) is value), "")
        hint = f"{head} is that of the last round; a step that joins them, x: concat({head}.*), makes one of all."
        hint = f"Name one of them, as in {one}." if one and one != head else hint
        raise Refused(Problem("outputs", f"{text} is {len(found)} values, one is expected here", At(path), hint))
    return found[0]


def references(text: Any, path: Path, scope: Scope) -> list[Value]:
    """The value that a text names, or with .* those of all rounds. Raises Refused."""
    if not isinstance(text, str):
        hint = f"Write the name of a step or an input: {few(scope.steps())}"
        if isinstance(text, dict) and all(isinstance(value, str) for value in text.values()):
            hint = f"Outputs with names are a mapping: outputs: {{{few(f'{k}: {v}' for k, v in text.items())}}}"
        raise Refused(Problem("outputs", "the name of a step is expected here", At(path), hint))
    return resolve(Input(tuple(text.split(".")), None, (0, len(text))), At(path, (0, len(text))), scope)


def member_name(template: Template, path: Path, scope: Scope) -> str:
    """The name that a template makes here. Raises Refused."""
    name = _joined(template, path, scope)
    problem = check_member_name(name, At(path, on_key=True))
    if problem is not None:
        raise Refused(problem)
    return name


def template(text: str, path: Path) -> Template:
    """The plain and the computed parts of a name. Raises Refused."""
    try:
        return rows.template(text)
    except RowError as error:
        raise Refused(Problem("row", error.message, At(path, on_key=True), error.hint)) from None


def _filled(text: str, path: Path, scope: Scope) -> str:
    """A text with its `$x` and `$(expr)` computed. Raises Refused."""
    return _joined(template(text, path), path, scope)


def _joined(parts: Template, path: Path, scope: Scope) -> str:
    """The name that parts make, the computed ones as they are here. Raises Refused."""
    if len(parts) == 1 and isinstance(parts[0], str):
        return parts[0]
    at = At(path, on_key=True)
    return "".join(str(evaluate(p, scope.lookup, at)) if isinstance(p, Expr) else p for p in parts)


def check_columns(options: Mapping[str, Any], path: Path) -> None:
    """Raises Refused for names of columns without a repeat that has any."""
    if "as" in options and "repeat" not in options:
        text = "`as` names the columns of a repeat, and there is none"
        raise Refused(Problem("repeat", text, At((*path, "as"), on_key=True), REPEATS))


def decide(options: Mapping[str, Any], path: Path, scope: Scope) -> tuple[bool | str, Guard | None]:
    """Whether a condition holds, and the guard that it makes of its steps."""
    check_columns(options, path)
    if "when" not in options:
        return True, None
    text = str(options["when"]).lower() if isinstance(options["when"], bool) else str(options["when"])
    at = At((*path, "when"))
    if not isinstance(options["when"], bool | int | str):
        raise Refused(Problem("when", "a condition is expected here", at, "For example: s != 1 or in.c != c"))
    if text in ("true", "false"):
        return text == "true", Guard(at, Expr(text.capitalize(), (0, len(text))))
    when = Expr(text, (0, len(text)))
    return condition(when, (*path, "when"), scope), Guard(at, when)


def condition(expr: Expr, path: Path, scope: Scope) -> bool | str:
    """True or False, or `training` or `not training`, which only the run decides."""
    text = " ".join(expr.text.split())
    if text in ("training", "not training"):
        return text

    def known(name: str) -> Any:
        try:
            return scope.lookup(name)
        except KeyError as error:
            raise KeyError("Write training, or not training." if name in PHASES else error.args[0]) from None

    try:
        return bool(evaluate(expr, known, At(path)))
    except Unknown:
        return True


def rounds_of(group: Mapping[str, Any], path: Path, scope: Scope) -> list[dict[str, Any]]:
    """The parameters of each round of a repeat: a counter, or a row of a table. Raises Refused."""
    at = At((*path, "repeat"))
    given = group["repeat"]
    table = long_value(given, scope.lookup, at)
    if isinstance(table, bool) or not isinstance(table, int | list):
        hint = f"Write ${table} for its value." if isinstance(table, str) and _known(table, scope) else REPEATS
        raise Refused(Problem("repeat", f"repeat takes a count or a table of rows, not {shown(table)}", at, hint))
    count = table if isinstance(table, int) else len(table)
    if not 0 <= count <= MAX_ROUNDS:
        raise Refused(Problem("repeat", f"a repeat of {count:,}; it can be 0 to {MAX_ROUNDS:,}", at, REPEATS))
    names = group.get("as", [])
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        text, hint = "`as` takes a name, or a list of names", "For example: as: [width, stride]"
        raise Refused(Problem("repeat", text, At((*path, "as")), hint))
    for name in names:
        check_param_name(name, At((*path, "as")))
    if isinstance(table, int):
        # With a name of its own the counter leaves the `i` of a repeat around it alone.
        return [dict.fromkeys(names or ["i"], i) for i in range(count)]
    return [{**columns(names, row, At((*at.path, i))), "i": i} for i, row in enumerate(table)]


def _known(name: str, scope: Scope) -> bool:
    """Whether a word is the name of a parameter that can be counted by."""
    try:
        return isinstance(scope.lookup(name), int | list)
    except (KeyError, Refused):
        return False


def columns(names: list[str], row: Any, at: At) -> dict[str, Any]:
    """The values of one row of a repeat's table by the names of `as`. Raises Refused."""
    if len(names) <= 1 and not (isinstance(row, list) and len(names) == 1 and len(row) == 1):
        return dict.fromkeys(names, row)
    if not isinstance(row, list) or len(row) != len(names):
        found = len(row) if isinstance(row, list) else 1
        text = f"this row has {found} value{'s' if found != 1 else ''}, `as` names {len(names)}: {few(names)}"
        raise Refused(Problem("repeat", text, at, "Give every row a value for each name."))
    return dict(zip(names, row, strict=True))


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
    """What is raised for an input that a call needs and does not have."""
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
    """Which of an operation's inputs a keyword names. Raises Refused."""
    if keyword not in names:
        hint = did_you_mean(keyword, names) or (f"It takes: {few(names)}." if names else "")
        raise Refused(Problem("inputs", f"there is no input {keyword!r}", at, hint))
    return names.index(keyword)
