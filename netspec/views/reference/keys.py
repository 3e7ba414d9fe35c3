"""The pages of a spec's sections and of their keys, told from what reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import yaml

from netspec.records import Record
from netspec.sections.base import Key, Section
from netspec.sections.known import sections
from netspec.views.reference.examples import flow
from netspec.views.reference.kinds import KINDS, Kind
from netspec.views.reference.page import REQUIRED, Argument, Page, argument
from netspec.views.reference.values import accepted


def section_pages() -> Iterator[Page]:
    """A page for each section of a spec, with its keys."""
    for own in sections():
        head = ("sections", "section", "a spec", own.key, (own.key,), (), _sentence(own.sentence), "")
        keys = tuple(_argument(own, name, key) for name, key in own.keys.items())
        yield Page(*head, keys, {}, written=own.example)


def key_pages() -> Iterator[Page]:
    """A page for each key of each section, with the keys of its own that it holds."""
    for own in sections():
        for name, key in own.keys.items():
            place, told, record = f"{own.key}.{name}", _argument(own, name, key), key.holds
            inner = tuple(argument(name, field, record) for name, field in record.fields.items()) if record else ()
            default = f" It takes: {told.takes}." + (f" Default: {told.default}." if told.default != REQUIRED else "")
            text = _sentence(told.sentence) + default + _paragraphs(record)
            head = ("keys", "key", own.key, name, (name, place), (), text, "")
            written = flow({own.key: {**key.beside, name: _example(place, key, told)}})[1:-1]
            yield Page(*head, inner, {}, written=written)


def _argument(own: Section, name: str, key: Key) -> Argument:
    """A key as an argument, with the words that it takes where they are those of a kind."""
    told = _plain(name, key) if key.field_of is None else argument(name, key.field_of.fields[name], key.field_of)
    kind = _kind(f"{own.key}.{name}")
    takes = f"one of the {kind.name}" if kind else told.takes
    return replace(told, takes=takes, default=REQUIRED if key.required else told.default)


def _plain(name: str, key: Key) -> Argument:
    """A key that no field describes; it takes what its example shows."""
    kinds = {"str": "string", "list": "array", "dict": "object"}
    kind = kinds.get(type(key.example).__name__, "value")
    return Argument(name, "", accepted({"type": kind}), "null", key.sentence, False)


def _kind(place: str) -> Kind | None:
    """The kind whose words a key takes."""
    return next((kind for kind in KINDS if kind.place == place), None)


def _example(place: str, key: Key, told: Argument) -> Any:
    """What the example gives a key: what is written for it, a word of its kind, or its default."""
    kind = _kind(place)
    if kind is not None and not isinstance(key.example, dict):
        return kind.entries()[0].example
    own: str = getattr(key.holds, "example", "")
    if own:
        return yaml.safe_load(own)
    return yaml.safe_load(told.default) if key.example is None else key.example


def _sentence(text: str) -> str:
    """A text that begins with a capital and ends with a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def _paragraphs(record: type[Record] | None) -> str:
    """What a record says of itself, behind the sentence of its key."""
    return f"\n\n{' '.join((record.__doc__ or '').split())}" if record else ""
