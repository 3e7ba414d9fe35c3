"""Calls meet records: the words and numbers of a row, or a long form, become checked arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any, Final, TypeVar

from netspec.catalogue import Catalogue
from netspec.dims import Dim, named
from netspec.errors import At, Path, Problem
from netspec.faults import Invalid, shown
from netspec.language import expressions, misshapen, rows
from netspec.language.formulas import over_places
from netspec.language.habits import MEANT, PYTHON, advice
from netspec.language.refusals import Refused, Unknown
from netspec.language.rows import Arg, Call, Expr, RowError, Word
from netspec.records import Entry
from netspec.words import FEW, did_you_mean

Lookup = Callable[[str], Any]
"""Gives the value of a name in an expression; raises KeyError with a hint."""
E_ = TypeVar("E_", bound=Entry)
C_ = TypeVar("C_")
R_ = TypeVar("R_")

_DIM = re.compile(r"-?[A-Z][A-Z0-9_]*")
_NAME = re.compile(r"[A-Za-z_]\w*")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}


@dataclass(slots=True)
class Arguments:
    """Arguments by field, where each was written, and the expressions that some came from."""

    values: dict[str, Any] = field(default_factory=dict)
    """Computed, and not yet checked against the fields."""
    places: dict[str, At] = field(default_factory=dict)
    written: dict[str, Expr] = field(default_factory=dict)
    """By field too."""
    sources: dict[str, Any] = field(default_factory=dict)
    """What is computed, as it is written: an expression, or sizes with expressions among them."""
    word: str = ""
    """What they are the arguments of, as it is written; empty where that has no word of its own."""

    def put(self, name: str, value: Any, at: At, source: Any) -> None:
        """Set one argument; `source` is what it is computed from."""
        self.values[name] = value
        self.places[name] = at
        if isinstance(source, Expr | tuple | list):
            self.sources[name] = source
        if isinstance(source, Expr) and not source.negative:
            self.written[name] = source


LOST: Final = object()
"""What stands where a value would, had it been readable."""


def found(value: Any) -> Any:
    """`value`, unless an earlier problem left it unknown. Raises Unknown."""
    if value is LOST:
        raise Unknown
    return value


def nothing(name: str) -> Any:
    """A lookup that knows no names."""
    raise KeyError


def first_taking(classes: Sequence[C_], read: Callable[[C_], R_]) -> R_:
    """What `read` makes of the first of a word's classes that takes it: avgpool has an argument in 2d that 1d lacks.

    Raises Refused, with the fewest reasons, where none does.
    """
    refusals = []
    for cls in classes:
        try:
            return read(cls)
        except Refused as refused:
            refusals.append(refused)
    raise min(refusals, key=lambda refused: len(refused.problems))


def compute(value: Any, lookup: Lookup, at: At, symbols: bool = False) -> Any:
    """The plain value of a part of a row: expressions computed, tuples made. Raises Refused."""
    match value:
        case Expr():
            result = evaluate(value, lookup, at)
            if value.negative and not isinstance(result, int | float | Dim):
                hint = "Leave the minus out, or take a number."
                raise Refused(Problem("expression", f"a minus stands before a number, not {shown(result)}", at, hint))
            return -result if value.negative else result
        case tuple():
            parts = [compute(part, lookup, at, symbols) for part in value]
            flat: list[Any] = []
            for part in parts:
                flat.extend(part if isinstance(part, list | tuple) else [part])
            return tuple(flat)
        case Word(text=text):
            if symbols and _DIM.fullmatch(text):
                return named(text[1:]) * -1 if text.startswith("-") else named(text)
            return _WORDS.get(text, text)
    return value


def evaluate(expr: Expr, lookup: Lookup, at: At) -> Any:
    """The value of an expression that stands at `expr.span` of the text at `at`. Raises Refused."""
    try:
        return expressions.computed(expr.tree, lookup)
    except expressions.ExpressionError as error:
        for word in _NAME.findall(expr.text):
            with suppress(KeyError):
                lookup(word)  # raises Unknown where the expression may be wrong only for a name that is lost
        start = expr.span[0] + error.start
        stop = expr.span[1] if error.stop is None else expr.span[0] + error.stop
        place = At(at.path, (start, max(stop, start + 1)), at.on_key)
        raise Refused(Problem("expression", error.message, place, error.hint)) from None


class Rest(list[Any]):
    """The bare values that one field has taken so far; a tuple once all are there."""


def arguments(call: Call, cls: type[Entry], lookup: Lookup, path: Path) -> Arguments:
    """The arguments of a row's call, by the fields of `cls`. Raises Refused with every problem."""
    found = Arguments(word=call.op if isinstance(call.op, str) else "")
    refusals: list[Refused] = []
    free = cls.positional()
    for place, arg in enumerate(call.args):
        try:
            for name, value in fields_of(arg, cls, free, path, found.word):
                _take(found, name, value, arg, cls, lookup, At(path, arg.span))
        except Refused as refused:
            refusals.append(_as_parameter(_as_path(refused, place, call, cls), arg, lookup))
    raise_all(refusals)
    found.values.update({name: tuple(value) for name, value in found.values.items() if isinstance(value, Rest)})
    return found


def _as_parameter(refused: Refused, arg: Arg, lookup: Lookup) -> Refused:
    """The same, with what to try where the word is no argument but a parameter: `conv width k3`."""
    codes = {problem.code for problem in refused.problems}
    if arg.kind != "word" or not isinstance(arg.value, Word) or codes != {"unknown-argument"}:
        return refused
    try:
        known = lookup(arg.value.text)
    except (KeyError, Refused):
        return refused
    if not isinstance(known, int | float | str | list):
        return refused
    return Refused(*(replace(problem, hint=f"Write ${arg.value.text} for its value.") for problem in refused.problems))


def _as_path(refused: Refused, place: int, call: Call, cls: type[Entry]) -> Refused:
    """The same, with what to write where the word may belong to a path with blanks: `images my photos`."""
    codes = {problem.code for problem in refused.problems}
    if not 0 < place < FEW or cls.positional()[:1] != ["path"] or codes != {"unknown-argument"}:
        return refused
    words = call.args[: place + 1]
    if not all(each.kind in ("word", "positional") for each in words):
        return refused
    hint = f"A path with blanks is written long: {{{call.op}: {{path: {' '.join(each.text for each in words)}}}}}"
    return Refused(*(replace(problem, hint=f"{problem.hint} {hint}") for problem in refused.problems))


def raise_all(refusals: Sequence[Refused]) -> None:
    """Raises one Refused with the problems of all, if there are any refusals."""
    if refusals:
        raise Refused(*(problem for refused in refusals for problem in refused.problems))


def _take(found: Arguments, name: str, value: Any, arg: Arg, cls: type[Entry], lookup: Lookup, at: At) -> None:
    """Compute one value and put it where it belongs."""
    described = cls.fields[name]
    if described.places and isinstance(value, Expr) and not value.negative:
        computed: Any = over_places(value.text, lookup, at, value.span[0])
    else:
        computed = compute(value, lookup, at, described.symbols)
    held = found.values.get(name)
    if described.rest and arg.kind == "positional" and (held is None or isinstance(held, Rest)):
        held = Rest() if held is None else held
        held += computed if isinstance(computed, tuple | list) else (computed,)
        computed = held
        sources = found.sources.get(name, [])
        sources += value if isinstance(value, tuple) else (value,)
        value = sources
    elif name in found.values:
        hint = "Keep one of them."
        if isinstance(found.values.get("path"), str) and "path" in cls.fields:
            hint += " A path with blanks is written long, as in {csv: {path: my data.csv, target: label}}."
        raise Refused(Problem("twice", f"{name} is given twice", at, hint))
    found.put(name, computed, at, value)


def fields_of(arg: Arg, cls: type[Entry], free: list[str], path: Path, word: str = "") -> list[tuple[str, Any]]:
    """The fields that one argument of a row sets, each with its value as it is written.

    `free` are the fields that bare values still fill; those that this one fills are taken out. `word` is what the
    class is called in the row. Raises Refused.
    """
    at = At(path, arg.span)
    word = word or cls.called()
    name = arg.name
    match arg.kind:
        case "arrow":
            assert isinstance(arg.value, tuple)
            return [(n, size) for n, size in zip(arrow_of(cls, at, word), arg.value, strict=True) if size is not None]
        case "letter" if arg.name not in (*cls.letters, *cls.fields) and free and cls.fields[free[0]].textual:
            return [(free.pop(0), Word(arg.text))]
        case "letter" | "keyword":
            name = cls.letters.get(arg.name, arg.name)
        case "word":
            return [_flag(arg, cls, free, at, word)]
        case "positional":
            if not free:
                raise Refused(_too_many(cls, at, word))
            name = free[0] if cls.fields[free[0]].rest else free.pop(0)
    if name not in cls.fields:
        raise Refused(unknown_argument(name, cls, at, word))
    return [(name, arg.value)]


def arrow_of(cls: type[Entry], at: At, word: str) -> tuple[str, str]:
    """The two fields that an arrow sets. Raises Refused."""
    if cls.arrow is None:
        hint = f"As in: {cls.example}" if cls.example else "Write the size behind the arrow alone."
        raise Refused(Problem("bad-argument", f"{word} takes no arrow", at, hint))
    return cls.arrow


def _flag(arg: Arg, cls: type[Entry], free: list[str], at: At, word: str) -> tuple[str, Any]:
    """The field that a bare word sets, and to what: `nobias` is `bias=False`. Raises Refused."""
    assert isinstance(arg.value, Word)
    name = arg.value.text
    if name in cls.flags:
        return cls.flags[name]
    if name in cls.fields and _is_flag(cls, name):
        return name, True
    if free and (cls.fields[free[0]].textual or name in _WORDS):
        return free.pop(0), arg.value
    if name in cls.fields:
        text = f"{word} takes a value for {name}: {cls.fields[name].sentence}"
        raise Refused(Problem("bad-argument", text, at, f"Write {name}= and the value behind it."))
    problem = unknown_argument(name, cls, at, word)
    if (denied := name.removeprefix("no").lstrip("_")) != name and denied in cls.fields and _is_flag(cls, denied):
        problem = replace(problem, hint=f"Write {denied}=false.")
    raise Refused(problem)


def _is_flag(cls: type[Entry], name: str) -> bool:
    """Whether true may be written by the argument's name alone."""
    if isinstance(cls.fields[name].default, bool):
        return True
    _, schema = cls.fields[name].kind(cls)
    return any(kind.get("type") == "boolean" for kind in (schema, *schema.get("anyOf", ())))


def long_arguments(given: Mapping[str, Any], cls: type[Entry], lookup: Lookup, path: Path, word: str = "") -> Arguments:
    """The arguments of a long form, `{out_channels: 6, kernel_size: 5}`, of what is called `word`. Raises Refused."""
    found = Arguments(word=word)
    refusals: list[Refused] = []
    for name, value in given.items():
        at = At((*path, name))
        try:
            described = cls.fields.get(name)
            if described is None:
                raise Refused(unknown_argument(name, cls, At((*path, name), on_key=True), word))
            if described.places and isinstance(value, str):
                written = expression(value)
                computed: Any = over_places(written.text if written else value, lookup, at, 2 if written else 0)
            else:
                computed = long_value(value, lookup, at, described.symbols, described.textual)
            found.put(name, computed, at, source_of(value))
        except Refused as refused:
            refusals.append(refused)
    raise_all(refusals)
    return found


def expression(value: Any) -> Expr | None:
    """The expression that a value of a long form is; None where it is none."""
    parsed = rows.parse_value(value) if isinstance(value, str) and value.startswith("$") else None
    return parsed if isinstance(parsed, Expr) and not parsed.negative else None


def source_of(value: Any) -> Any:
    """A value of a long form as a row has it, where there are expressions in it; None where there are none."""
    if isinstance(value, list):
        parts = tuple(map(source_of, value))
        return parts if any(part is not None for part in parts) else None
    if not isinstance(value, str) or "$" not in value:
        return None
    parsed = rows.parse_value(value)
    return parsed if isinstance(parsed, Expr | tuple) else None


def long_value(value: Any, lookup: Lookup, at: At, symbols: bool = False, textual: bool = False) -> Any:
    """A value of a long form, with the `$` expressions inside it computed. Raises Refused."""
    if isinstance(value, list):
        return [long_value(v, lookup, At((*at.path, i)), symbols, textual) for i, v in enumerate(value)]
    if isinstance(value, dict):
        return {k: long_value(v, lookup, At((*at.path, k)), symbols, textual) for k, v in value.items()}
    if not isinstance(value, str) or (textual and "$" not in value):
        return value
    try:
        return compute(rows.parse_value(value), lookup, at, symbols)
    except RowError as error:
        hint = advice(value, error.span) or error.hint
        raise Refused(Problem("row", error.message, At(at.path, error.span), hint)) from None


def plain_value(value: Any, name: str, at: At) -> Any:
    """`value`, which an expression can use: a number, a word, or a list of such. Raises Refused for anything else."""
    if isinstance(value, list):
        return [plain_value(item, name, At((*at.path, i))) for i, item in enumerate(value)]
    if isinstance(value, dict) or (isinstance(value, float) and not isfinite(value)):
        what = "a mapping" if isinstance(value, dict) else shown(value)
        text = f"{name} is a number, a word, or a list of such; {what} is found"
        raise Refused(Problem("bad-value", text, at, f"For example: {name}: 64, or {name}: [64, 128]"))
    return value


def construct(cls: type[E_], given: Arguments, at: At) -> E_:
    """The entry with these arguments. Raises Refused with a problem for each fault, at its argument."""
    try:
        return cls(**given.values).under(given.word)
    except Invalid as invalid:
        problems = []
        for fault in invalid.faults:
            place = given.places.get(str(fault.loc[0]), at) if fault.loc else at
            message = fault.told(given.word or cls.called())
            problems.append(Problem(fault.code, message, place, fault.hint))
        raise Refused(*problems) from None


def read_entry(
    value: Any, path: Path, catalogue: Catalogue[E_], lookup: Lookup = nothing, several: bool = False
) -> tuple[E_, Arguments]:
    """An entry of a catalogue, written as a row (`adamw lr=2e-3`) or long (`{AdamW: {lr: 2e-3}}`). Raises Refused.

    `several` tells whether a list of them may stand there.
    """
    if isinstance(value, str):
        call = _entry_call(value, path, catalogue)
        at = At(path, call.op_span)
        assert isinstance(call.op, str)
        cls = one_class(call.op, catalogue, at)
        given = arguments(call, cls, lookup, path)
        return construct(cls, given, at), given
    if isinstance(value, dict) and len(value) == 1 and not misshapen.is_none(value, catalogue):
        (word, options), *_ = value.items()
        at = At((*path, word), on_key=True)
        cls = one_class(word, catalogue, at)
        if isinstance(options, str | int | float) and not isinstance(options, bool):
            call = single_call(f"{word} {options}", (*path, word))
            given = arguments(call, cls, lookup, (*path, word))
            return construct(cls, given, at), given
        if options is not None and not isinstance(options, dict):
            text, hint = f"{word} takes its arguments by name, not {shown(options)}", f"For example: {cls.example}"
            raise Refused(Problem("bad-value", text, At((*path, word)), hint))
        given = long_arguments(options or {}, cls, lookup, (*path, word), word)
        return construct(cls, given, at), given
    text = f"expected the name of {_one(catalogue.noun)}, alone or with its arguments"
    raise Refused(Problem("bad-value", text, At(path), misshapen.advice(value, catalogue, several)))


def _one(noun: str) -> str:
    """A noun with its article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _entry_call(text: str, path: Path, catalogue: Catalogue[Any]) -> Call:
    """The one call that a text consists of. Raises Refused, with what to write for a call as Python has it."""
    try:
        return single_call(text, path)
    except Refused:
        from netspec.language.python_calls import entry_for, how  # only a mistake pays for it

        row = entry_for(text, catalogue, made)
        if hint := f"Write {row}" if row else how(text, catalogue):
            raise Refused(Problem("row", PYTHON, At(path, (0, len(text))), hint)) from None
        raise


def made(row: str, cls: type[Entry]) -> None:
    """Make the entry that a row of plain values means. Raises Refused."""
    construct(cls, arguments(rows.parse(row)[0], cls, nothing, ()), At())


def single_call(text: str, path: Path) -> Call:
    """The one call that a text consists of, which is no step of the network. Raises Refused."""
    call = one_call(text, path)
    asked = ((call.inputs, "takes no inputs"), (call.times, "is not repeated"), (call.when, "has no condition"))
    for message in [message for value, message in asked if value is not None]:
        hint = "Steps of the network have that. A value that looks so is given by its name, as in path=x3."
        raise Refused(Problem("row", f"{call.op} {message}", At(path, call.span), hint))
    return call


def one_call(text: str, path: Path, on_key: bool = False) -> Call:
    """The one call of a plain word that a text, which may be a key, consists of. Raises Refused."""
    try:
        calls = rows.parse(text)
    except RowError as error:
        hint = advice(text, error.span) or error.hint
        raise Refused(Problem("row", error.message, At(path, error.span, on_key), hint)) from None
    if len(calls) != 1:
        message = "one word with its arguments is expected here, without a comma"
        raise Refused(Problem("row", message, At(path, on_key=on_key), "Put a space between arguments."))
    if not isinstance(calls[0].op, str):
        at = At(path, calls[0].op_span, on_key)
        raise Refused(Problem("row", "a plain word is expected here", at, "Only the rows of layers begin with a $."))
    return calls[0]


def bare_call(text: str, path: Path, word: str = "") -> Call:
    """Arguments alone, `lr=3e-5 weight_decay=0`, as the call of a word that stands elsewhere. Raises Refused."""
    try:
        return Call(word, (0, len(text)), None, rows.parse_arguments(text))
    except RowError as error:
        raise Refused(Problem("row", error.message, At(path, error.span), error.hint)) from None


def one_class(word: str, catalogue: Catalogue[E_], at: At) -> type[E_]:
    """The class that a word stands for. Raises Refused with the nearest known word."""
    classes = catalogue.find(word)
    if not classes:
        hint = catalogue.unknown(word)
        raise Refused(Problem(f"unknown-{catalogue.noun}", f"there is no {catalogue.noun} {word!r}", at, hint))
    return classes[0]


def unknown_argument(name: str, cls: type[Entry], at: At, word: str = "") -> Problem:
    """The problem with an argument that a class, called `word` where it is used, does not have."""
    known = [*cls.fields, *cls.flags]
    letters = [f"{letter} ({name})" for letter, name in cls.letters.items()]
    whole = f"It has: {', '.join([*known, *letters]) or 'none'}."
    hint = _habit(name, cls) or did_you_mean(name, known) or whole
    return Problem("unknown-argument", f"{word or cls.called()} has no argument {name!r}", at, hint)


def _habit(name: str, cls: type[Entry]) -> str:
    """What to write for an argument as others have it; empty for any other."""
    if name in cls.letters:
        return f"{name} is {cls.letters[name]}; its value follows at once, as in {name}3."
    meant = next((field for field in MEANT.get(name, ()) if field in cls.fields), "")
    if meant:
        return f"It is called {meant} here."
    return cls.instead_of(name)


def _too_many(cls: type[Entry], at: At, word: str) -> Problem:
    """The problem of a value for which no argument is left."""
    ordered = cls.positional()
    named = [f"{name}=" for name, field in cls.fields.items() if name not in ordered and field.axis is None]
    hint = f"In order: {', '.join(ordered) or 'none'}." + (f" By name: {', '.join(named)}." if named else "")
    return Problem("too-many", f"{word} takes no further value here", at, hint)
