"""The document: the sections of a spec, each checked for its form, none yet for its meaning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from netspec.catalogue import SLIP
from netspec.errors import At, Problem
from netspec.python.reserved import is_class_name
from netspec.text.foreign import WRITE
from netspec.text.overlay import renamed
from netspec.text.source import Source
from netspec.words import few, nearest

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
    "order": (list, "the order in which members are registered, by name or pattern; others follow as they are written"),
    "tie": (dict, "parameters that share one tensor, `{lm_head.weight: wte.weight}`"),
    "init": (dict, "how parameters are initialised, by kind of layer or by name"),
    "weights": (dict, "weights to load and names to freeze"),
    "extends": (str, "a spec that this one is laid over"),
    "lint": (dict, "warnings that this spec does not want, `{ignore: [bias-before-norm]}`"),
    "data": ((dict, str), "where the data comes from and how it is prepared"),
    "train": (dict, "loss, optimizer and how long"),
    "export": ((dict, str), "how the network is exported"),
}
"""Every section, the form it takes, and what it is for."""
EXAMPLES: dict[str, str] = {
    "netspec": "netspec: 1",
    "name": "name: LeNet5",
    "input": "input: 1x32x32",
    "inputs": "inputs: {image: 3x64x64, meta: 12}",
    "params": "params: {width: 64}",
    "blocks": "blocks: {unit c: [conv $c k3 same, relu]}",
    "defaults": "defaults: {bn: eps=0.001}",
    "layers": "layers: [conv 6 k5, relu, fc 10]",
    "outputs": "outputs: [boxes, scores]",
    "order": "order: [conv*, fc*]",
    "tie": "tie: {lm_head.weight: wte.weight}",
    "init": "init: {conv: kaiming_normal}",
    "weights": "weights: {load: resnet18.safetensors}",
    "extends": "extends: base.yaml",
    "lint": "lint: {ignore: [bias-before-norm]}",
    "data": "data: {source: digits}",
    "train": "train: {loss: cross_entropy, optimizer: adamw}",
    "export": "export: onnx opset=20",
}
"""Each section as it may stand in a spec."""
NETWORK = ("netspec", "input", "inputs", "blocks", "layers", "extends")
"""Sections by one of which a spec is known."""
MEANT: dict[str, str] = {
    **dict.fromkeys(("model", "network", "net", "architecture", "modules", "backbone"), "layers"),
    **dict.fromkeys(("input_shape", "input_size", "in", "shape"), "input"),
    **dict.fromkeys(("parameters", "variables", "vars", "hyperparameters", "config"), "params"),
    **dict.fromkeys(("dataset", "datasets"), "data"),
    **dict.fromkeys(("training", "trainer"), "train"),
}
"""Sections by what others call them."""


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
    refused: frozenset[str] = frozenset()
    """Sections that are there and cannot be read; what they would have said is unknown."""


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
    sections: dict[str, Any] = {}
    refused: set[str] = set()
    for key, value in data.items():
        name = key
        if key not in SECTIONS:
            problem, name = _unknown(key)
            problems.append(problem)
            if not name or name in data or name in sections:
                continue
            source = renamed(source, key, name)  # what follows reads it as the one that it must mean
        if not isinstance(value, bool) and isinstance(value, SECTIONS[name][0]):
            sections[name] = value
            continue
        refused.add(name)
        if name == key:
            problems.append(_unfit(key, value))
    problems += _missing({*sections, *refused}, sections)
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
            frozenset(refused),
        ),
        problems,
    )


def _is_another(data: dict[str, Any]) -> bool:
    """Whether the keys are those of something else: none is, or may be, one of a network, and few are sections."""

    def like(key: str) -> bool:
        near = nearest(key, NETWORK, SLIP)
        return near != "" and near[0] == key[0].lower()

    known = sum(key in SECTIONS or key.lower() in MEANT for key in data)
    return 2 * known < len(data) and not any(map(like, data))


def _unknown(key: str) -> tuple[Problem, str]:
    """The problem with a key that is no section, and the section that it must mean; empty where none is near."""
    from netspec.sections.train import Train  # only a mistake pays for it

    meant = MEANT.get(key.lower()) or nearest(key, SECTIONS) if key not in Train.fields else ""
    hint = f"Did you mean {meant!r}?" if meant else f"There are: {', '.join(SECTIONS)}."
    if key in Train.fields:
        hint = f"It belongs into `train`, as in train: {{{key}: ...}}"
    return Problem("unknown-section", f"there is no section {key!r}", At((key,), on_key=True), hint), meant


def _unfit(key: str, value: Any) -> Problem:
    """The problem with a section of another form."""
    hint = f"For example: {EXAMPLES[key]}"
    if key == "input" and isinstance(value, list) and value and all(isinstance(size, int) for size in value):
        hint = f"Write sizes with x between them: input: {'x'.join(map(str, value))}"
    if key == "input" and isinstance(value, dict):
        hint = "Several inputs by name stand in `inputs`."
    text = f"{key} holds {SECTIONS[key][1]}; {_kind(value)} is found"
    return Problem("bad-section", text, At((key,), on_key=True), hint)


def _missing(there: set[str], sections: dict[str, Any]) -> list[Problem]:
    problems = []
    if sections.get("netspec", 1) != 1:
        text = f"this is version {sections['netspec']} of the language; only version 1 is known"
        problems.append(Problem("version", text, At(("netspec",)), "Write netspec: 1, or update netspec."))
    if "layers" not in there:
        problems.append(Problem("no-layers", "the spec has no layers", At(), f"For example: {EXAMPLES['layers']}"))
    if "input" not in there and ("inputs" not in there or sections.get("inputs") == {}):
        problems.append(Problem("no-input", "the spec has no input", At(), f"For example: {EXAMPLES['input']}"))
    if "input" in there and "inputs" in there:
        hint = "Keep one: input for a single one, inputs for several by name."
        problems.append(Problem("two-inputs", "input and inputs are both there", At(("input",), on_key=True), hint))
    return problems


def _named(sections: dict[str, Any]) -> list[Problem]:
    """The network's name becomes that of a class."""
    name = sections.get("name", "Net")
    if is_class_name(name) and not name.startswith("__"):
        return []
    del sections["name"]
    hint = "A name has letters, digits and _, begins with no digit and no __, and is no word of Python's."
    return [Problem("name", f"the network cannot be called {name!r}", At(("name",)), hint)]


def _kind(value: Any) -> str:
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
