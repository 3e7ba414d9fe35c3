"""The pages of the reference: for each word its arguments, its rule, and an example with what it gives."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from netspec.layers.base import Op
from netspec.lint import rules
from netspec.records import Entry
from netspec.views.reference.keys import key_pages, section_pages
from netspec.views.reference.kinds import KINDS, Kind
from netspec.views.reference.page import Page, argument, shown
from netspec.vocabulary import WRAPS


def pages() -> tuple[Page, ...]:
    """Every page, kind by kind, those of plugins among them. Imports the whole catalogue."""
    return _pages(tuple(cls for kind in KINDS for cls in kind.entries()))


@lru_cache(maxsize=2)
def _pages(entries: tuple[type[Entry], ...]) -> tuple[Page, ...]:
    """The pages while the catalogues hold these entries."""
    words = (_page(cls, kind) for kind in KINDS for cls in kind.entries())
    return (*words, *_wraps(), *section_pages(), *key_pages(), *_checks())


def _page(cls: type[Entry], kind: Kind) -> Page:
    """The page of a class."""
    words = tuple(dict.fromkeys(word.lower() for word in (cls.__name__, *cls.words)))
    own = tuple(word for word in words if cls in kind.catalogue.find(word))
    text = "\n\n".join(" ".join(part.split()) for part in (cls.__doc__ or "").split("\n\n"))
    flags = {word: f"{name}={shown(value)}" for word, (name, value) in cls.flags.items()}
    flags |= {name: f"{name}=true" for name, field in cls.fields.items() if field.default is False}
    arguments = tuple(argument(name, field, cls) for name, field in cls.fields.items())
    inputs = tuple(_inputs(cls)) if issubclass(cls, Op) else ()
    head = (kind.name, kind.noun, kind.place, cls.__name__, own, cls.general)
    return Page(*head, text.strip(), cls.rule, arguments, flags, inputs, cls)


def _inputs(cls: type[Op]) -> Iterator[str]:
    """The inputs of an operation, in square brackets those that may be left out."""
    for i, name in enumerate(cls.takes):
        yield name if i < cls.inputs[0] else f"[{name}]"


def _wraps() -> Iterator[Page]:
    """The pages of wraps."""
    for cls in WRAPS.classes():
        text = "\n\n".join(" ".join(part.split()) for part in (cls.__doc__ or "").split("\n\n"))
        arguments = tuple(argument(name, field, cls) for name, field in cls.fields.items())
        flags = {name: f"{name}=true" for name, field in cls.fields.items() if field.default is False}
        word = cls.called()
        yield Page("wraps", "wrap", "layers, as wrap=", word, (word,), (), text.strip(), "", arguments, flags)


def _checks() -> Iterator[Page]:
    """The pages of checks."""
    for rule in rules():
        text = "\n\n".join(" ".join(part.split()) for part in (rule.__doc__ or "").split("\n\n"))
        place = "lint.ignore" if rule.severity != "error" else "every spec"
        head = ("checks", rule.severity, place, rule.code, (rule.code,), (), text.strip(), "")
        yield Page(*head, (), {}, written=rule.example.strip())
