"""Wrapped layers: what a call says of it, `wrap=lora rank=8`, and what the `wrap` section says by patterns of names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from netspec.errors import At, Path, Problem
from netspec.graph.draft import Level, Step
from netspec.graph.report import Report
from netspec.language.calls import Arguments, Lookup, compute, construct, fields_of, long_value, read_entry
from netspec.language.refusals import Refused
from netspec.language.rows import Arg
from netspec.layers.base import Layer, Op
from netspec.vocabulary import WRAPS
from netspec.weights.patterns import WILD, means
from netspec.words import offered
from netspec.wraps import OPTIONS, Wrap

if TYPE_CHECKING:
    from netspec.graph.declared import Declared

NONE: Final = "none"
"""Stands for no wrap, where a pattern or a kind of layer would have one."""


def is_option(name: str, cls: type[Op]) -> bool:
    """Whether an argument beside `wrap` is the wrap's, and not the layer's own."""
    return name in OPTIONS and name not in cls.fields


def of_wrap(arg: Arg, cls: type[Op]) -> bool:
    """Whether an argument of a row that has a wrap is that, or one of its own."""
    return arg.name == "wrap" or (arg.kind in ("keyword", "word") and is_option(arg.name or arg.text, cls))


def read(word: object, cls: type[Op], args: Sequence[Arg], path: Path, at: At, lookup: Lookup) -> Wrap | None:
    """The wrap that a row names, with its arguments there; None for `none`. Raises Refused."""
    found = _class(word, cls, at)
    if found is None:
        return None
    given, free = Arguments(word=str(word)), list[str]()
    for arg in args:
        where = At(path, arg.span)
        for name, value in fields_of(arg, found, free, path, str(word)):
            given.put(name, compute(value, lookup, where), where, None)
    return construct(found, given, at)


def read_long(value: Any, cls: type[Op], options: Mapping[str, Any], path: Path, lookup: Lookup) -> Wrap | None:
    """The wrap that a long call names: `wrap: lora` with its options beside, or as a row or mapping. Raises Refused."""
    at = At((*path, "wrap"))
    if value is None or (isinstance(value, str) and " " not in value):
        found = _class(value, cls, at)
        if found is None:
            return None
        given = Arguments(word=str(value))
        for name, option in options.items():
            where = At((*path, name))
            given.put(name, long_value(option, lookup, where), where, None)
        return construct(found, given, at)
    if not isinstance(value, str | dict):
        raise Refused(Problem("bad-argument", f"there is no wrap {value!r}", at, f"There are: {', '.join(words())}."))
    _need_layer(cls, at)
    return read_entry(value, (*path, "wrap"), WRAPS, lookup)[0]


def _class(word: object, cls: type[Op], at: At) -> type[Wrap] | None:
    """The class of wraps that a word names for a class of operations; None for `none`. Raises Refused."""
    if word in (NONE, None):
        return None
    found = WRAPS.find(word) if isinstance(word, str) else ()
    if not found:
        hint = WRAPS.unknown(str(word)) if isinstance(word, str) else f"There are: {', '.join(words())}."
        raise Refused(Problem("bad-argument", f"there is no wrap {word!r}", at, hint))
    _need_layer(cls, at)
    return found[0]


def words() -> list[str]:
    """What wraps are called."""
    return [cls.called() for cls in WRAPS.classes()]


def _need_layer(cls: type[Op], at: At) -> None:
    """Raises Refused for a class of operations without parameters."""
    if not issubclass(cls, Layer) or cls.parameters is Layer.parameters:
        text, hint = "only an operation with a weight can be wrapped", "As in: conv 8 k3 wrap=weight_norm"
        raise Refused(Problem("bad-argument", text, at, hint))


def refusal(wrap: Wrap, op: Op) -> tuple[str, str] | None:
    """Why a wrap cannot be that of an operation, whose sizes are known, and what to do; None where it can."""
    if not isinstance(op, Layer) or not op.parameters():
        return "only an operation with a weight can be wrapped", "As in: conv 8 k3 wrap=weight_norm"
    if not wrap.beside and "weight" not in op.parameters():
        return f"{wrap.word} wraps one weight, and {type(op).called()} has none of that name", "Leave the wrap out."
    return wrap.refusal(op)


def need_fit(step: Step, at: At) -> None:
    """Raises Refused where the wrap of a step cannot be that of its operation."""
    assert step.wrap is not None
    assert step.op is not None
    if why := refusal(step.wrap, step.op):
        raise Refused(Problem("bad-argument", why[0], at, why[1]))


# --- by patterns of names -----------------------------------------------------------------------


def wrap_by_name(root: Level, section: Mapping[str, Any], declared: Declared, report: Report) -> None:
    """Wrap the layers that the lines of the `wrap` section mean, each as the first line says that means it.

    What a call says of itself stays. A pattern means layers by their names or those of levels around them; what has no
    weight, or is beside those that the wrap is for, is passed over by a pattern and refused where it is named.
    """
    own, lines = declared.wrapping, list(_lines(section, declared.params, report))
    members = list(_members(root, ""))
    if not lines or not report.affords(len(lines), len(members), At(("wrap",), on_key=True)):
        return
    for number, (pattern, wrap, at) in enumerate(lines):
        meant = [(path, step) for path, step in members if means(pattern, path)]
        fitting = [(path, step) for path, step in meant if wrap is None or _may_have(wrap, step)]
        if not fitting:
            report.add(_unmet(pattern, wrap, meant, members, at))
        taken = [p for p, _ in fitting if any(means(before, p) for before, *_ in lines[:number])]
        said = [p for p, step in fitting if step in own]
        if fitting and len(taken) + len(said) >= len(fitting):
            text = f"{pattern!r} never holds: a line above it, or the layer itself, says how each of them is wrapped"
            report.add(
                Problem("wrap", text, at, "The first line that matches wins. Write this one above, or leave it out.")
            )
        for path, step in fitting:
            if path in taken or step in own:
                continue
            assert step.op is not None
            if wrap is not None and (why := refusal(wrap, step.op)):
                hint = f"{why[1].rstrip('.')}: {{{path}: none}} above it." if WILD & set(pattern) else why[1]
                report.add(Problem("wrap", f"{path}: {why[0]}", at, hint))
            elif wrap is None or not (wrap.beside and declared.folded):
                step.wrap = wrap


def _lines(section: Mapping[str, Any], lookup: Lookup, report: Report) -> Iterator[tuple[str, Wrap | None, At]]:
    """The lines that can be read: a pattern, what wraps the layers that it means, and where it stands."""
    for pattern, value in section.items():
        path = ("wrap", pattern)
        with report.catching():
            wrap = None if value == NONE else read_entry(value, path, WRAPS, lookup)[0]
            yield str(pattern), wrap, At(path, on_key=True)


def _members(level: Level, prefix: str) -> Iterator[tuple[str, Step]]:
    """The layers of a network by their names, a layer with several by its first."""
    for name, step in level.members.items():
        if name in level.aliases or step.value.tensor is None:
            continue
        if step.body is not None:
            yield from _members(step.body, f"{prefix}{name}.")
        elif isinstance(step.op, Layer):
            yield f"{prefix}{name}", step


def _may_have(wrap: Wrap, step: Step) -> bool:
    """Whether a layer is of a kind that a wrap is for, whatever its arguments are."""
    return isinstance(step.op, Layer) and bool(step.op.parameters()) and wrap.takes(step.op)


def _unmet(
    pattern: str, wrap: Wrap | None, meant: Sequence[tuple[str, Step]], members: Sequence[tuple[str, Step]], at: At
) -> Problem:
    """The problem with a line that wraps nothing."""
    kinds = "layer with a weight" if wrap is None else f"layer that {wrap.word} is for"
    if meant and wrap is not None:
        path, step = meant[0]
        assert step.op is not None
        why, hint = refusal(wrap, step.op) or ("", "")
        return Problem("wrap", f"{path}: {why}", at, hint)
    for path, step in members:
        parts = step.op.parameters() if step.op is not None else {}
        if any(means(pattern, f"{path}.{part}") for part in parts):
            text = f"{pattern!r} means a part of {path}, and a wrap is that of a whole layer"
            hint = "The projections of an attention have lora together, as in peft: " if len(parts) > 2 else ""
            return Problem("wrap", text, at, f"{hint}write {path}." if hint else f"Write {path}.")
    known = [path for path, step in members if wrap is None or _may_have(wrap, step)]
    return Problem("wrap", f"{pattern!r} matches no {kinds}", at, offered(pattern, known))
