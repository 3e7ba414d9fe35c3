"""The pages of a spec's sections and of their keys, told from what reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import yaml

from netspec import lint
from netspec.graph import weights
from netspec.records import Record
from netspec.sections.data import KEYS, Reading, Split
from netspec.sections.document import EXAMPLES, SECTIONS
from netspec.sections.train import Checkpoint, EarlyStop, Evaluate, Train
from netspec.sections.train_reader import train_schema
from netspec.views.reference.examples import flow
from netspec.views.reference.kinds import KINDS
from netspec.views.reference.page import REQUIRED, Argument, Page, argument
from netspec.views.reference.values import accepted

RECORDS: Final[dict[str, type[Record]]] = {
    "train.early_stop": EarlyStop,
    "train.evaluate": Evaluate,
    "train.checkpoint": Checkpoint,
    "data.split": Split,
}
"""Keys that hold keys of their own."""
WRITTEN: Final[dict[str, Any]] = {
    "train.groups": {"norm": "weight_decay=0"},
    "train.clip_grad": 1.0,
    "train.ema": 0.999,
    "train.max_steps": 10_000,
    "train.max_time": "2h",
    "train.threads": 4,
    "train.channels_last": True,
    "train.cuda_graph": False,
    "data.split": {"val": 0.1, "test": 0.1},
    "data.memory": "2GB",
    "data.workers": 4,
    "weights.load": "resnet18.safetensors",
    "weights.freeze": ["conv1", "layer1.*"],
    "lint.ignore": ["bias-before-norm"],
}
"""What is written in the example of a key whose default shows nothing."""


def section_pages() -> Iterator[Page]:
    """A page for each section of a spec, with its keys."""
    for name, (_, sentence) in SECTIONS.items():
        head = ("sections", "section", "a spec", name, (name,), (), _sentence(sentence), "")
        yield Page(*head, _keys(name), {}, written=EXAMPLES[name])


def key_pages() -> Iterator[Page]:
    """A page for each key of each section, with the keys of its own that it holds."""
    for section in SECTIONS:
        for key in _keys(section):
            place = f"{section}.{key.name}"
            record = RECORDS.get(place)
            own = tuple(argument(name, field, record) for name, field in record.fields.items()) if record else ()
            default = f" It takes: {key.takes}." + (f" Default: {key.default}." if key.default != REQUIRED else "")
            text = _sentence(key.sentence) + default + _paragraphs(record)
            head = ("keys", "key", section, key.name, (key.name, place), (), text, "")
            yield Page(*head, own, {}, written=flow({section: {key.name: _example(place, key, record)}})[1:-1])


def _keys(section: str) -> tuple[Argument, ...]:
    """The keys of a section; none where it holds names of the spec's own, or none at all."""
    if section == "train":
        found = [argument(name, field, Train) for name, field in Train.fields.items()]
        required = train_schema()["required"]
        return tuple(_of_room(section, key, key.name in required) for key in found)
    if section == "data":
        reading = {name: argument(name, field, Reading) for name, field in Reading.fields.items()}
        plain = (_plain(section, name, sentence) for name, sentence in KEYS.items())
        return tuple(_of_room(section, reading.get(key.name, key), key.name == "source") for key in plain)
    sentences = {"weights": weights.KEYS, "lint": lint.KEYS}.get(section, {})
    return tuple(_plain(section, name, sentence) for name, sentence in sentences.items())


def _plain(section: str, name: str, sentence: str) -> Argument:
    """A key that no field describes; it takes what its example shows."""
    kinds = {"str": "string", "list": "array", "dict": "object"}
    kind = type(WRITTEN.get(f"{section}.{name}")).__name__
    return Argument(name, "", accepted({"type": kinds.get(kind, "value")}), "null", sentence, False)


def _of_room(section: str, key: Argument, required: bool) -> Argument:
    """The key, with the words that it takes where they are those of a kind."""
    kind = next((kind for kind in KINDS if kind.place == f"{section}.{key.name}"), None)
    takes = f"one of the {kind.name}" if kind else key.takes
    return replace(key, takes=takes, default=REQUIRED if required else key.default)


def _example(place: str, key: Argument, record: type[Record] | None) -> Any:
    """What the example gives a key: what is written for it, or its default."""
    kind = next((kind for kind in KINDS if kind.place == place), None)
    if kind is not None:
        return kind.entries()[0].example
    own: str = getattr(record, "example", "")
    if own:
        return yaml.safe_load(own)
    return WRITTEN.get(place, yaml.safe_load(key.default))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _paragraphs(record: type[Record] | None) -> str:
    """What a record says of itself, behind the sentence of its key."""
    return f"\n\n{' '.join((record.__doc__ or '').split())}" if record else ""
