"""What stands where steps are expected and is none: what it must mean, and what to write."""

from __future__ import annotations

from typing import Any

from netspec.catalogue import SLIP
from netspec.errors import At, Path, Problem
from netspec.faults import shown
from netspec.language.levels import GROUP
from netspec.language.refusals import Refused
from netspec.vocabulary import OPERATIONS
from netspec.words import did_you_mean, few

EXAMPLE = "{repeat: 3, layers: [conv 8 k3, relu]}"


def meant_by(word: Path, values: Any) -> str:
    """The row that numbers in a list under a word mean, `Conv2d: [3, 6, 5]`; empty where they mean none for sure."""
    if not word or not isinstance(values, list) or not OPERATIONS.find(str(word[0])):
        return ""
    from netspec.graph.python_calls import row_for  # only a mistake pays for it

    return row_for(f"{word[0]}({', '.join(map(str, values))})")


def no_step(item: Any, path: Path, around: Any = None) -> Refused:
    """What is raised for a value where a step is expected; `around` is the list that it is an item of."""
    hint = "A row begins with a word, as in: conv 6 k5"
    if isinstance(item, int | float) and isinstance(path[-1], int):
        hint = f"{hint}; sizes in it have an x between them, as in 3x3"
        if row := meant_by(path[-2:-1], around):
            hint = f"Write {row}"
    if path[-1] in GROUP:
        hint = f"`{path[-1]}` stands beside `layers:`, as in {EXAMPLE}."
    elif item is None:
        where = "behind the -" if isinstance(path[-1], int) else "behind the colon"
        hint = f"Write it {where}; a row in [ ] or {{ }} that contains a comma must be quoted."
        if OPERATIONS.find(str(path[-1])) and isinstance(path[-2], int):
            hint = f"Leave out the colon behind {path[-1]}."
        elif OPERATIONS.find(str(path[-1])):
            hint = f"A row in [ ] or {{ }} that contains a comma is quoted; a colon behind {path[-1]} is left out."
    text = f"a step is expected here, not {shown(item)}"
    return Refused(Problem("empty-step", text, At(path), hint))


def not_steps(body: dict[str, Any], path: Path) -> Refused | None:
    """What is raised for a mapping that is meant as a group or as a call, as its numbers show; None for steps."""
    kind = body.get("type")
    if isinstance(kind, str):
        return _typed(kind, path)
    numbers = {key for key, value in body.items() if isinstance(value, int | float)}
    if numbers and ("layers" in body or numbers & {"repeat", "when"}):
        return _misspelt_group(body, path)
    if numbers and len(numbers) == len(body):
        return _nameless_call(body, path)
    return None


def _typed(kind: str, path: Path) -> Refused:
    """A call that names its operation by a key, as other formats have it; `type` can be no step's name."""
    text, hint = "a call begins with its word, not with `type`", f"Write {kind}: {{...}} with its arguments inside."
    return Refused(Problem("empty-step", text, At((*path, "type"), on_key=True), hint))


def _misspelt_group(body: dict[str, Any], path: Path) -> Refused | None:
    """A group with keys that no group has."""
    unknown = [key for key in body if key not in GROUP]
    problems = []
    for key in unknown:
        hint = did_you_mean(key, sorted(GROUP), SLIP) or f"Steps stand under `layers:`, as in {EXAMPLE}."
        problems.append(Problem("unknown-key", f"a group has no {key!r}", At((*path, key), on_key=True), hint))
    return Refused(*problems) if problems else None


def _nameless_call(body: dict[str, Any], path: Path) -> Refused:
    """Arguments without the operation that they belong to, or operations with no more than a number each."""
    if all(words := [word if OPERATIONS.find(word) else OPERATIONS.meant(word) for word in body]):
        pairs = zip(words, body.values(), strict=True)
        calls = [word if value is True else f"{word} {shown(value)}" for word, value in pairs]
        row = calls[0] if len(calls) == 1 else f"[{', '.join(calls)}]"
        hint = f"Write {f'{path[-1]}: {row}' if isinstance(path[-1], str) else row}"
        return Refused(Problem("empty-step", "a call is one text, its number behind its word", At(path), hint))
    name = path[-1] if isinstance(path[-1], str) else "name"
    given = few(f"{key}: {shown(value)}" for key, value in body.items())
    hint = f"Name the operation that they belong to, as in {name}: {{conv: {{{given}}}}}"
    return Refused(Problem("empty-step", "steps are expected here, not numbers by name", At(path), hint))
