"""The pages of the reference: for each word its arguments, its rule, and an example with what it gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Final

from netspec.catalogue import Entry
from netspec.fields import Field
from netspec.graph.wrapping import SENTENCES, WRAPS
from netspec.layers.base import Op, literal
from netspec.lint import rules
from netspec.views.reference.examples import Example, example, wrapped
from netspec.views.reference.rooms import ROOMS, Room
from netspec.views.reference.values import accepted

INFERRED: Final = "inferred"
REQUIRED: Final = "required"


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: how it is written, what it takes, and what it is without a word."""

    name: str
    letter: str
    takes: str
    default: str
    sentence: str
    torch: bool
    """Whether torch has it too."""


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that is known of one word."""

    room: str
    noun: str
    place: str
    name: str
    words: tuple[str, ...]
    """What it answers to, in lower case, its own name first."""
    general: tuple[str, ...]
    """Words that it shares with others; what they meet decides."""
    text: str
    rule: str
    arguments: tuple[Argument, ...]
    flags: dict[str, str]
    """Bare words, and what each stands for."""
    inputs: tuple[str, ...] = ()
    """The names of its inputs in order; those that may be left out in brackets."""
    cls: type[Entry] | None = None

    @property
    def sentence(self) -> str:
        """What it does, in one sentence."""
        return self.text.split("\n\n")[0]

    @property
    def example(self) -> Example:
        """The example, worked out by the real rules."""
        if self.room == "wraps":
            return wrapped(self.name)
        if self.cls is None:
            return Example("", next(rule.example for rule in rules() if rule.code == self.name).strip())
        return example(self.cls, next(room for room in ROOMS if room.name == self.room))

    def listed(self) -> dict[str, Any]:
        """Plain data for JSON."""
        plain = {
            name: getattr(self, name)
            for name in ("room", "place", "name", "words", "general", "text", "rule", "inputs")
        }
        arguments = [asdict(argument) for argument in self.arguments]
        return {**plain, "arguments": arguments, "flags": self.flags, "example": asdict(self.example)}


def pages() -> tuple[Page, ...]:
    """Every page, room by room, those of plugins among them. Imports the whole catalogue."""
    return _pages(tuple(cls for room in ROOMS for cls in room.entries()))


@lru_cache(maxsize=2)
def _pages(entries: tuple[type[Entry], ...]) -> tuple[Page, ...]:
    """The pages while the catalogues hold these entries."""
    return (*(_page(cls, room) for room in ROOMS for cls in room.entries()), *_wraps(), *_checks())


def _page(cls: type[Entry], room: Room) -> Page:
    words = tuple(dict.fromkeys(word.lower() for word in (cls.__name__, *cls.words)))
    own = tuple(word for word in words if cls in room.catalogue.find(word))
    text = "\n\n".join(" ".join(part.split()) for part in (cls.__doc__ or "").split("\n\n"))
    flags = {word: f"{name}={_shown(value)}" for word, (name, value) in cls.flags.items()}
    flags |= {name: f"{name}=true" for name, field in cls.fields.items() if field.default is False}
    arguments = tuple(_argument(name, field, cls) for name, field in cls.fields.items())
    inputs = tuple(_inputs(cls)) if issubclass(cls, Op) else ()
    head = (room.name, room.noun, room.place, cls.__name__, own, cls.general)
    return Page(*head, text.strip(), cls.rule, arguments, flags, inputs, cls)


def _inputs(cls: type[Op]) -> Iterator[str]:
    for i, name in enumerate(cls.takes):
        yield name if i < cls.inputs[0] else f"[{name}]"


def _argument(name: str, field: Field[Any], cls: type[Entry]) -> Argument:
    letter = next((letter for letter, meant in cls.letters.items() if meant == name), "")
    default = REQUIRED if field.required else INFERRED if field.axis is not None else _shown(field.default)
    return Argument(name, letter, accepted(field.kind(cls)[1]), default, field.sentence, field.torch)


def _shown(value: Any) -> str:
    """A value as a spec writes it."""
    if isinstance(value, tuple | list):
        return "x".join(map(_shown, value)) or "none"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else value if isinstance(value, str) else literal(value)


def _wraps() -> Iterator[Page]:
    for word in WRAPS:
        yield Page("wraps", "wrap", "layers, as wrap=", word, (word,), (), SENTENCES[word], "", (), {})


def _checks() -> Iterator[Page]:
    for rule in rules():
        text = "\n\n".join(" ".join(part.split()) for part in (rule.__doc__ or "").split("\n\n"))
        place = "lint.ignore" if rule.severity != "error" else "every spec"
        yield Page("checks", rule.severity, place, rule.code, (rule.code,), (), text.strip(), "", (), {})
