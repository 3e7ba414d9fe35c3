"""The document: the sections of a spec, each checked for its form, none yet for its meaning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from netspec.errors import At, Problem, did_you_mean
from netspec.language.reserved import is_class_name
from netspec.source import Source

SECTIONS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "netspec": (int, "the version of the language, 1"),
    "name": (str, "the name of the network, which its class takes"),
    "input": ((str, int), "the shape of the one input without the batch: 1x32x32"),
    "inputs": (dict, "the shapes of several inputs by name"),
    "params": (dict, "numbers and words that expressions use as $name"),
    "blocks": (dict, "reusable parts with parameters, `basic c s=1: ...`"),
    "defaults": (dict, "arguments for every operation of a kind, `{bn: eps=0.001}`"),
    "layers": ((list, dict, str), "the network itself"),
    "outputs": ((list, dict, str), "what the network gives, if not its last value"),
    "order": (list, "the order in which members are registered, by name or pattern"),
    "tie": (dict, "parameters that share one tensor, `{lm_head.weight: wte.weight}`"),
    "init": (dict, "how parameters are initialised, by kind of layer or by name"),
    "weights": (dict, "weights to load and names to freeze"),
    "extends": (str, "a spec that this one is laid over"),
    "lint": (dict, "warnings that this spec does not want, `{ignore: [bias-before-norm]}`"),
    "data": ((dict, str), "where the data comes from and how it is prepared"),
    "train": (dict, "loss, optimizer and how long"),
    "export": (dict, "how the network is exported"),
}
"""Every section, the form it takes, and what it is for."""


@dataclass(frozen=True, slots=True)
class Document:
    """A spec, section by section, as plain data."""

    source: Source
    name: str = "Net"
    params: dict[str, Any] = field(default_factory=dict)
    blocks: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    layers: Any = None
    sections: dict[str, Any] = field(default_factory=dict)
    """Every section that is there, by name."""


def read_document(source: Source) -> tuple[Document, list[Problem]]:
    """The sections of a spec, and what is wrong with their form."""
    data = source.data
    if not isinstance(data, dict):
        what = "is empty" if data is None else "is not a mapping of sections"
        hint = "A spec begins with: netspec: 1. `netspec init` writes one."
        return Document(source), [Problem("document", f"the spec {what}", At(), hint)]
    problems: list[Problem] = []
    sections: dict[str, Any] = {}
    for key, value in data.items():
        at = At((key,), on_key=True)
        if key not in SECTIONS:
            hint = did_you_mean(key, SECTIONS) or f"There are: {', '.join(SECTIONS)}."
            problems.append(Problem("unknown-section", f"there is no section {key!r}", at, hint))
        elif isinstance(value, bool) or not isinstance(value, SECTIONS[key][0]):
            problems.append(Problem("bad-section", f"{key} holds {SECTIONS[key][1]}; {_kind(value)} is found", at))
        else:
            sections[key] = value
    problems += _missing(data, sections)
    problems += _named(sections)
    return (
        Document(
            source,
            sections.get("name", "Net"),
            sections.get("params", {}),
            sections.get("blocks", {}),
            sections.get("defaults", {}),
            sections.get("layers"),
            sections,
        ),
        problems,
    )


def _missing(data: dict[str, Any], sections: dict[str, Any]) -> list[Problem]:
    problems = []
    if sections.get("netspec", 1) != 1:
        text = f"this is version {sections['netspec']} of the language; only version 1 is known"
        problems.append(Problem("version", text, At(("netspec",))))
    if "layers" not in data:
        problems.append(Problem("no-layers", "the spec has no layers", At(), "Add a section: layers: [...]"))
    if "input" not in data and not data.get("inputs"):
        problems.append(Problem("no-input", "the spec has no input", At(), "For example: input: 1x32x32"))
    if "input" in data and "inputs" in data:
        problems.append(Problem("two-inputs", "input and inputs are both there", At(("input",), on_key=True)))
    return problems


def _named(sections: dict[str, Any]) -> list[Problem]:
    """The network's name becomes that of a class."""
    name = sections.get("name", "Net")
    if is_class_name(name):
        return []
    del sections["name"]
    hint = "A name has letters, digits and _, begins with no digit, and is no word of Python's."
    return [Problem("name", f"the network cannot be called {name!r}", At(("name",)), hint)]


def _kind(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case dict():
            return "a mapping"
        case list():
            return "a list"
    return repr(value)
