"""Mappings and lists where one entry is expected: what each must mean, and what to write."""

from __future__ import annotations

from typing import Any, Final

from netspec.catalogue import Catalogue
from netspec.records import Entry
from netspec.words import few

_KIND: Final = ("type", "name", "kind", "format", "class", "class_name", "_target_")
"""Keys under which other tools name what an entry is."""
_OPTIONS: Final = ("args", "kwargs", "params", "config", "options", "init_args")
"""Keys under which they hold its arguments."""


def advice(given: Any, catalogue: Catalogue[Any], several: bool) -> str:
    """What to write for what is no entry of a catalogue; `several` tells whether a list of them may stand there."""
    if isinstance(given, list):
        return _of_a_list(given, catalogue)
    if isinstance(given, dict) and (row := written(given, catalogue)):
        return f"Write {row}"
    if isinstance(given, dict) and (len(given) > 1 or _named(given, catalogue)):
        return _of_words(given, catalogue, several)
    example = next(iter(catalogue.words()), "")
    return f"For example: {example}" if example else ""


def is_none(given: dict[str, Any], catalogue: Catalogue[Any]) -> bool:
    """Whether a mapping of one word, which the catalogue has not, holds an entry under another word."""
    return not catalogue.find(next(iter(given))) and bool(written(given, catalogue) or _named(given, catalogue))


def written(given: dict[str, Any], catalogue: Catalogue[Any]) -> str:
    """The entry that a mapping with its word under a key of its own means, `{type: sgd, lr: 0.1}`; empty for others."""
    key = next((key for key in _KIND if isinstance(given.get(key), str)), None)
    word = given[key] if key is not None else ""
    word = word if catalogue.find(word) else catalogue.meant(word)
    if not catalogue.find(word):
        return ""
    options: dict[str, Any] = {}
    for name, value in given.items():
        if name != key:
            options |= value if name in _OPTIONS and isinstance(value, dict) else {name: value}
    return with_options(word, options)


def with_options(word: str, options: dict[str, Any]) -> str:
    """A word with its arguments as a row, or long where one is no plain value."""
    plain = all(isinstance(value, str | int | float) and " " not in str(value) for value in options.values())
    if plain:
        return " ".join([word, *(f"{name}={_shown(value)}" for name, value in options.items())])
    return f"{{{word}: {{{', '.join(f'{name}: {_shown(value)}' for name, value in options.items())}}}}}"


def _of_a_list(given: list[Any], catalogue: Catalogue[Any]) -> str:
    """What to write for a list where one entry stands."""
    if len(given) == 1 and isinstance(given[0], str):
        return f"It stands alone, without the list: {given[0]}"
    whole: dict[str, Any] = {}
    for item in given:
        whole |= item if isinstance(item, dict) else {item: None} if isinstance(item, str) else {}
    if len(whole) == 1 and all(catalogue.find(word) for word in whole):
        ((word, value),) = whole.items()
        return f"It stands alone, without the list: {with_options(word, value if isinstance(value, dict) else {})}"
    return _of_words(whole, catalogue, several=False) if whole else advice(None, catalogue, several=False)


def _of_words(given: dict[str, Any], catalogue: Catalogue[Any], several: bool) -> str:
    """What to write for a mapping of several words where one entry stands, or a list of them."""
    if all(_known(word, catalogue) for word in given):
        if not several:
            return f"Keep one of them: {few(given)}."
        items = (f"{word}: {value if isinstance(value, str | int | float) else '...'}" for word, value in given.items())
        return f"Several are a list: [{few(items)}]"
    if not (named := _named(given, catalogue)):
        return f"There is no {catalogue.noun} {next(word for word in given if not _known(word, catalogue))!r}."
    whole = named[0] if len(named) == 1 else f"[{few(named)}]" if several else ""
    alone = f"as in {whole}" if whole else f"such as {named[0]}"
    if catalogue.noun not in ("loss", "metric"):
        return f"It stands alone, {alone}"
    return f"What stands there holds for all outputs, {alone}; it has no names of outputs or targets."


def _named(given: dict[str, Any], catalogue: Catalogue[Any]) -> list[str]:
    """The entries of a catalogue that stand as values under other words."""
    return list(dict.fromkeys(v for v in given.values() if isinstance(v, str) and _known(v, catalogue)))


def _known(row: str, catalogue: Catalogue[Any]) -> tuple[type[Entry], ...]:
    """What the first word of a row names in a catalogue."""
    return catalogue.find(row.split(" ")[0])


def _shown(value: Any) -> str:
    """A value of a long form as a row has it."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
