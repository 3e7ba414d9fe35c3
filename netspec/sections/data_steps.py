"""The steps under `transform` and `augment`: rows for all inputs that are alike, or for one by its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from netspec.catalogue import Catalogue
from netspec.errors import At, Path, Problem
from netspec.language.calls import Lookup
from netspec.sections.base import Places, entries_schema, read_entries
from netspec.transforms.base import Mixing
from netspec.transforms.route import Written
from netspec.vocabulary import AUGMENTATIONS, TRANSFORMS
from netspec.words import did_you_mean


@dataclass(frozen=True, slots=True)
class ReadStep:
    """A step, and where it and its arguments stand."""

    written: Written
    places: Places


def read_steps(
    value: Any, path: Path, catalogue: Catalogue[Any], lookup: Lookup, names: Sequence[str] = ()
) -> tuple[list[ReadStep], list[Problem], bool]:
    """The steps under a key, in order, what is wrong with others, and whether all of them could be read.

    `names` are those of the network's inputs. A step that belongs under the other key is told so. A step whose value
    an earlier problem left unknown cannot be read, and there is nothing more to say of it.
    """
    found: list[ReadStep] = []
    problems: list[Problem] = []
    whole = True
    if value is None:
        return found, problems, whole
    for item, where, name in _rows(value, path, catalogue, names):
        if name is not None and names and name not in names:
            problems.append(_no_input(name, where, names))
            continue
        entries, wrong = read_entries(item, where, catalogue, lookup)
        problems += [_sent(problem, catalogue) for problem in wrong]
        whole &= len(entries) == (len(item) if isinstance(item, list) else 1)
        for step, places in entries:
            if name is not None and isinstance(step, Mixing):
                text = f"{step.said} mixes whole samples, and not one input of them"
                problems.append(Problem("bad-value", text, places[None], "Write it without the name of an input."))
            found.append(ReadStep(Written(step, name), places))
    return found, problems, whole and not problems


def _rows(
    value: Any, path: Path, catalogue: Catalogue[Any], names: Sequence[str]
) -> Iterator[tuple[Any, Path, str | None]]:
    """What stands under a key, piece by piece: where it stands, and the name of the input that it is for."""
    for item, where in [(v, (*path, i)) for i, v in enumerate(value)] if isinstance(value, list) else [(value, path)]:
        if _is_by_name(item, catalogue, names):
            yield from ((rows, (*where, name), name) for name, rows in item.items() if rows is not None)
        else:
            yield item, where, None


def _is_by_name(item: Any, catalogue: Catalogue[Any], names: Sequence[str]) -> bool:
    """Whether a mapping gives steps for inputs by their names, and is not a step in long form."""
    if not isinstance(item, dict) or not item:
        return False
    steps = all(_begins(rows, catalogue) for rows in item.values())
    if any(catalogue.find(word) for word in item):  # an input may be called as a step is
        return steps and all(name in names for name in item)
    return steps or any(name in names for name in item)


def _begins(rows: Any, catalogue: Catalogue[Any]) -> bool:
    """Whether what stands under a word can only be steps."""
    first = rows[0] if isinstance(rows, list) and rows else rows
    word = next(iter(first), "") if isinstance(first, dict) else str(first).split(" ")[0]
    return isinstance(first, str | dict) and bool(catalogue.find(word))


def _no_input(name: str, where: Path, names: Sequence[str]) -> Problem:
    """The problem of a step that is for an input which the network does not have."""
    hint = did_you_mean(name, names) or f"There are: {', '.join(names)}."
    return Problem("unknown-input", f"the network has no input {name!r}", At(where, on_key=True), hint)


def _sent(problem: Problem, catalogue: Catalogue[Any]) -> Problem:
    """The problem; with a step that belongs under the other key told so."""
    other, others = ("augment", AUGMENTATIONS) if catalogue is TRANSFORMS else ("transform", TRANSFORMS)
    word = problem.message.split("'")[1] if problem.code == f"unknown-{catalogue.noun}" else ""
    return replace(problem, hint=f"It belongs under {other}.") if word and others.find(word) else problem


def steps_schema(catalogue: Catalogue[Any], sentence: str) -> dict[str, Any]:
    """The JSON Schema of steps for all inputs, or of some for each input by its name."""
    steps = entries_schema(catalogue, sentence)
    *forms, listed, nothing = steps["anyOf"]
    rows = {"anyOf": [{"type": "string"}, listed, nothing]}
    by_name = {"type": "object", "description": "the steps for inputs, by their names", "additionalProperties": rows}
    some = {"type": "array", "items": {"anyOf": [*forms, by_name]}}
    return {"description": sentence, "anyOf": [*forms, some, by_name, nothing]}
