"""The document: the sections of a spec, each checked for its form, none yet for its meaning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from netspec.catalogue import SLIP
from netspec.errors import At, Problem
from netspec.sections.base import Section
from netspec.sections.known import find, section, sections
from netspec.text.foreign import WRITE
from netspec.text.source import COMMAND_LINE, Source
from netspec.words import few, nearest

NETWORK = ("netspec", "input", "inputs", "blocks", "layers", "extends")
"""Sections by one of which a spec is known."""


@dataclass(frozen=True, slots=True)
class Document:
    """A spec, section by section, as plain data."""

    source: Source
    """The text that all of it stands in."""
    name: str = "Net"
    params: dict[str, Any] = field(default_factory=dict)
    blocks: dict[str, Any] = field(default_factory=dict)
    """The body of each block by its header."""
    defaults: dict[str, Any] = field(default_factory=dict)
    layers: Any = None
    """A row, a list or a mapping; None where they are missing or cannot be read."""
    sections: dict[str, Any] = field(default_factory=dict)
    """Every section that is there, by name."""
    refused: frozenset[str] = frozenset()
    """Sections that are there and cannot be read; what they would have said is unknown."""
    folded: bool = False
    """Whether the network is meant as it is once its small matrices are added to the weights that they stand beside."""


def read_document(source: Source) -> tuple[Document, list[Problem]]:
    """The sections of a spec, and what is wrong with their form."""
    data = source.data
    if not isinstance(data, dict):
        what = "is empty" if data is None else "is not a mapping of sections"
        hint = "A spec begins with: netspec: 1. `netspec init` writes one."
        return Document(source), [Problem("document", f"the spec {what}", At(), hint)]
    if data and _is_another(data):
        text = f"this is some other configuration, no spec: its keys are {few(data)}"
        return Document(source), [Problem("foreign", text, hint=WRITE)]
    problems: list[Problem] = []
    found: dict[str, Any] = {}
    refused: set[str] = set()
    for key, value in data.items():
        name, own = key, find(key)
        if own is None:
            problem, name = _unknown(key, source)
            problems.append(problem)
            if not name or name in data or name in found:
                continue
            source = source.renamed(key, name)  # what follows reads it as the one that it must mean
            own = section(name)
        if isinstance(value, bool) or not isinstance(value, own.forms):
            refused.add(name)
            if name == key:
                problems.append(_unfit(own, value))
            continue
        kept, wrong = own.plain(value)
        problems += wrong
        if kept is not None:
            found[name] = kept
    if "extends" not in refused:  # what it has is unknown
        problems += _missing({*found, *refused}, found)
    return (
        Document(
            source,
            found.get("name", "Net"),
            found.get("params", {}),
            found.get("blocks", {}),
            found.get("defaults", {}),
            found.get("layers"),
            found,
            frozenset(refused),
        ),
        problems,
    )


def _is_another(data: dict[str, Any]) -> bool:
    """Whether the keys are those of something else: none is, or may be, one of a network, and few are sections."""

    def like(key: str) -> bool:
        near = nearest(key, NETWORK, SLIP)
        return near != "" and near[0] == key[0].lower()

    unknown = [key for key in data if find(key) is None]
    if not unknown or any(map(like, data)):
        return False
    return 2 * sum(key.lower() not in _called() for key in unknown) > len(data)


def _called() -> dict[str, str]:
    """Sections by what others call them."""
    return {word: one.key for one in sections() for word in one.meant}


def _unknown(key: str, source: Source) -> tuple[Problem, str]:
    """The problem with a key that is no section, and the section that it must mean; empty where none is near."""
    from netspec.sections.elsewhere import belongs  # only a mistake pays for it

    known = [one.key for one in sections()]
    called = _called().get(key.lower(), "")
    file = source.file_of((key,))
    typed = "\n".join(file.lines) if file.name == COMMAND_LINE else ""
    hint = "" if called else belongs(key, source.data, typed)
    meant = called or ("" if hint else nearest(key, known))
    hint = hint or (f"Did you mean {meant!r}?" if meant else f"There are: {', '.join(known)}.")
    return Problem("unknown-section", f"there is no section {key!r}", At((key,), on_key=True), hint), meant


def _unfit(own: Section, value: Any) -> Problem:
    """The problem with a section of another form."""
    text = f"{own.key} holds {own.sentence}; {_kind(value)} is found"
    return Problem("bad-section", text, At((own.key,), on_key=True), own.advice(value))


def _missing(there: set[str], found: dict[str, Any]) -> list[Problem]:
    """The problems of a spec without layers, or with no input or two kinds of them."""
    problems = []
    if "layers" not in there:
        hint = f"For example: {section('layers').example}"
        problems.append(Problem("no-layers", "the spec has no layers", At(), hint))
    if "input" not in there and ("inputs" not in there or found.get("inputs") == {}):
        hint = f"For example: {section('input').example}"
        problems.append(Problem("no-input", "the spec has no input", At(), hint))
    if "input" in there and "inputs" in there:
        hint = "Keep one: input for a single one, inputs for several by name."
        problems.append(Problem("two-inputs", "input and inputs are both there", At(("input",), on_key=True), hint))
    return problems


def _kind(value: Any) -> str:
    """What a value of YAML is, in words."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list():
            return "a list"
    return repr(value)
