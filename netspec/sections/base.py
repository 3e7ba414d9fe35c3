"""What the sections of a spec share: closed sets of keys, lists of entries, and their JSON Schema."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final, TypeVar

from netspec.catalogue import Catalogue, Entry
from netspec.errors import At, Path, Problem
from netspec.language.calls import Lookup, Refused, read_entry
from netspec.sections.habits import meant
from netspec.words import did_you_mean

E_ = TypeVar("E_", bound=Entry)
Places = dict[str | None, At]
"""Where an entry's arguments stand by field, and under None where the entry does."""
NOTHING: Final = {"type": "null"}
"""The JSON Schema of a key without a value, which is the same as leaving it out."""


def unknown_keys(keys: Iterable[str], known: Collection[str], path: Path) -> list[Problem]:
    """A problem for every key that a section does not have."""
    problems = []
    for key in keys:
        if key not in known:
            hint = meant(str(path[-1]), key) or did_you_mean(key, known) or f"It has: {', '.join(known)}."
            problems.append(Problem("unknown-key", f"{path[-1]} has no {key!r}", At((*path, key), on_key=True), hint))
    return problems


def read_entries(
    value: Any, path: Path, catalogue: Catalogue[E_], lookup: Lookup
) -> tuple[list[tuple[E_, Places]], list[Problem]]:
    """One entry or a list of them, each with where its arguments stand, and what is wrong with the others."""
    entries: list[tuple[E_, Places]] = []
    problems: list[Problem] = []
    for item, where in [(v, (*path, i)) for i, v in enumerate(value)] if isinstance(value, list) else [(value, path)]:
        try:
            entry, given = read_entry(item, where, catalogue, lookup, several=True)
            entries.append((entry, dict([(None, At(where)), *given.places.items()])))
        except Refused as refused:
            problems += refused.problems
    return entries, problems


def entry_schema(catalogue: Catalogue[Any], sentence: str) -> dict[str, Any]:
    """The JSON Schema of one entry: a row, or the long form with its arguments by name."""
    classes = {word: cls for cls in catalogue.classes() for word in (*cls.words, cls.__name__.lower(), cls.__name__)}
    sentences = {word: (cls.__doc__ or "").split("\n\n")[0] for word, cls in classes.items()}
    long = {
        "type": "object",
        "properties": {
            word: {"description": sentences[word], "anyOf": [{"type": ["string", "number", "null"]}, cls.json_schema()]}
            for word, cls in classes.items()
        },
        "additionalProperties": False,
        "maxProperties": 1,
        "minProperties": 1,
    }
    examples = [cls.example for cls in catalogue.classes()]
    return {"description": sentence, "anyOf": [{"type": "string", "examples": examples}, long]}


def entries_schema(catalogue: Catalogue[Any], sentence: str) -> dict[str, Any]:
    """The JSON Schema of one entry or a list of them."""
    one = entry_schema(catalogue, sentence)
    return {
        "description": sentence,
        "anyOf": [*one["anyOf"], {"type": "array", "items": {"anyOf": one["anyOf"]}}, NOTHING],
    }
