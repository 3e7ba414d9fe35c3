"""Keys at the root of a spec that are no sections: the place that each must mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from netspec.errors import Path
from netspec.faults import meant_word
from netspec.language.habits import MEANT
from netspec.records import Entry
from netspec.sections.data import Data
from netspec.sections.habits import NAMES, meant
from netspec.sections.overrides import classes_of, takers
from netspec.sections.train_record import Train
from netspec.words import in_shell

_ENTRIES: Final[tuple[Path, ...]] = (
    ("train", "optimizer"),
    ("train", "scheduler"),
    ("train", "loss"),
    ("train", "early_stop"),
    ("data", "source"),
)
"""Where a spec names entries whose arguments may be meant."""


def belongs(key: str, data: dict[str, Any], typed: str = "") -> str:
    """Where a key of the root that is no section belongs; empty where nothing has it.

    `typed` is the override that it comes from, where it stands on the command line.
    """
    place = next(_places(key, data), None)
    if place is None:
        said = ((section, meant(section, key)) for section in ("train", "data"))
        return next((text if "belongs" in text else f"In {section}: {text}" for section, text in said if text), "")
    value, dotted = _right(data[key], place), ".".join(map(str, place))
    if typed:
        rest = typed[len(key) :] if value == data[key] else f"={value}"
        return f"Did you mean {in_shell(dotted + rest)}?"
    section, name, *inner = place
    if inner:
        return meant(str(section), key) or f"It belongs to {section}.{name}."
    return f"It belongs into `{section}`, as in {section}: {{{name}: {_plain(value)}}}"


def _places(key: str, data: dict[str, Any]) -> Iterator[Path]:
    """The places in a spec that have such a key: its params, keys of sections, arguments of what it names."""
    word = key.lower().replace("-", "_")
    if isinstance(params := data.get("params"), dict) and key in params:
        yield "params", key
    for section, known in (("train", Train.fields), ("data", Data.keys)):
        name = word if word in known else NAMES[section].get(word)
        if name is not None:
            yield section, name
    for place in _ENTRIES:
        for name in (word, *MEANT.get(word, ())):
            if name in _taken((*place, name), data):
                yield (*place, name)


def _taken(path: Path, data: dict[str, Any]) -> set[str]:
    """The arguments of the entry that stands above a path."""
    entry: Any = data
    for part in path[:-1]:
        entry = entry.get(part) if isinstance(entry, dict) else None
    if isinstance(entry, str):
        return {name for taker in takers(entry, path, data) for name in taker.names}
    found: list[type[Entry]] = (
        classes_of(next(iter(entry)), path) if isinstance(entry, dict) and len(entry) == 1 else []
    )
    return {name for cls in found for name in cls.fields}


def _right(value: Any, place: Path) -> Any:
    """The value as the key of a section has it: `gpu` is cuda."""
    field = Train.fields.get(str(place[-1])) if place[0] == "train" and len(place) == 2 else None
    return (meant_word(value, field.kind(Train)[1]) if field is not None else "") or value


def _plain(value: Any) -> str:
    """A plain value as it stands in braces, where it is a short one."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if isinstance(value, str | int | float) and re.fullmatch(r"[\w.+=/ -]{1,60}", text) else "..."
