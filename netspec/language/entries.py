"""Reads entries of catalogues where a section names one: a word alone, with its arguments, or in the long form."""

from __future__ import annotations

from typing import Any

from netspec.catalogue import Catalogue
from netspec.errors import At, Path, Problem
from netspec.language.calls import (
    E_,
    Arguments,
    Lookup,
    Refused,
    arguments,
    construct,
    long_arguments,
    nothing,
    one_class,
    single_call,
)
from netspec.language.habits import PYTHON
from netspec.language.rows import Call
from netspec.records import shown
from netspec.words import few


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
    if isinstance(value, dict) and len(value) == 1:
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
    example = next(iter(catalogue.words()), "")
    hint = f"For example: {example}" if example else ""
    if isinstance(value, dict) and len(value) > 1:
        hint = _one_of(value, catalogue, several)
    raise Refused(Problem("bad-value", text, At(path), hint))


def _one_of(given: dict[str, Any], catalogue: Catalogue[Any], several: bool) -> str:
    """What to write for a mapping of several words where one entry stands, or a list of them."""
    if all(catalogue.find(word) for word in given):
        if not several:
            return f"Keep one of them: {few(given)}."
        items = (f"{word}: {value if isinstance(value, str | int | float) else '...'}" for word, value in given.items())
        return f"Several are a list: [{few(items)}]"
    named = list(dict.fromkeys(v for v in given.values() if isinstance(v, str) and catalogue.find(v.split(" ")[0])))
    if not named:
        return f"There is no {catalogue.noun} {next(word for word in given if not catalogue.find(word))!r}."
    whole = named[0] if len(named) == 1 else f"[{few(named)}]" if several else ""
    alone = f"as in {whole}" if whole else f"such as {named[0]}"
    return f"What stands there holds for all outputs, {alone}; it has no names of outputs or targets."


def _one(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _entry_call(text: str, path: Path, catalogue: Catalogue[Any]) -> Call:
    """The one call that a text consists of. Raises Refused, with what to write for a call as Python has it."""
    try:
        return single_call(text, path)
    except Refused:
        from netspec.language.python_calls import entry_for, how  # only a mistake pays for it

        row = entry_for(text, catalogue)
        if hint := f"Write {row}" if row else how(text, catalogue):
            raise Refused(Problem("row", PYTHON, At(path, (0, len(text))), hint)) from None
        raise
