"""Arguments that hold for every operation of a kind: the lines of `defaults`, the first of which wins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from netspec.errors import At, Path, Problem
from netspec.language.calls import Arguments
from netspec.layers.base import Op
from netspec.text.source import Source
from netspec.words import listed
from netspec.wraps import Wrap

WRAP: Final = "wrap"
"""What a line may say besides arguments."""


@dataclass(slots=True)
class Default:
    """One line of `defaults`: a kind of operation, and arguments that its calls do not have to give."""

    word: str
    classes: tuple[type[Op], ...]
    """The classes that its word means."""
    path: Path
    values: dict[str, Any] | None = None
    """By field; None where they cannot be read."""
    wins: set[str] = field(default_factory=set)
    """The fields that it gives to some call."""
    space: str = ""
    """The name that its file was brought in under, in whose blocks alone it holds."""
    takers: dict[str, set[str]] = field(default_factory=dict)
    """Of each field that was there already, the lines that gave it; an empty word stands for the calls themselves."""


def fill(given: Arguments, cls: type[Op], defaults: list[Default], space: str = "") -> None:
    """Give a call of `cls`, in a block of `space`, what it does not say, each from the first line that has it."""
    from_line: dict[str, str] = {}
    for line in defaults:
        if cls not in line.classes or line.space not in ("", space):
            continue
        for name in line.values or ():
            assert line.values is not None
            if name not in cls.fields:
                continue
            if name in given.values:
                line.takers.setdefault(name, set()).add(from_line.get(name, ""))
                continue
            given.values[name] = line.values[name]
            from_line[name] = line.word
            line.wins.add(name)


Asked = Wrap | Literal[""] | None
"""A wrap that is asked for; empty where none is to be, and None where nothing is said."""


def wrap_of(cls: type[Op], asked: Asked, defaults: list[Default], space: str = "") -> Wrap | None:
    """What wraps the weight of a call of `cls`: what it asks for itself, else what the first line says that does."""
    from_line = ""
    for line in defaults:
        if cls not in line.classes or line.space not in ("", space) or WRAP not in (line.values or {}):
            continue
        assert line.values is not None
        if asked is not None:
            line.takers.setdefault(WRAP, set()).add(from_line)
            continue
        asked, from_line = line.values[WRAP], line.word
        line.wins.add(WRAP)
    return asked or None


def idle(line: Default, name: str, defaults: list[Default], source: Source) -> Problem | None:
    """What is wrong with an argument of a line that no call takes; None where another spec's line takes its place."""
    takers = [other for other in defaults if other.word in line.takers.get(name, ())]
    if source.inherited(line.path) or any(source.file_of(t.path) != source.file_of(line.path) for t in takers):
        return None
    at = At((*line.path, name) if (*line.path, name) in source.marks else line.path, on_key=True)
    if name not in line.takers:
        text = f"the network has no {line.word} that takes {name}"
        return Problem("defaults", text, at, "Leave it out, or correct the word.")
    if not takers:
        text = f"{line.word}: {name} never holds, because every {line.word} gives its own"
        return Problem("defaults", text, at, "Leave it out here, or there.")
    text = f"{line.word}: {name} never holds: {listed(t.word for t in takers)} above it gives the same"
    return Problem("defaults", text, at, "The first line that matches wins. Write this one above, or leave it out.")
