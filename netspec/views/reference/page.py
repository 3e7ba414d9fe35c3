"""A page of the reference: all that is known of one word."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from netspec.python.literals import literal
from netspec.records import Entry, Field, Record
from netspec.views.reference.examples import Example, example, flow, wrapped
from netspec.views.reference.kinds import KINDS
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

    kind: str
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
    written: str = ""
    """Its example where it has no record: some lines of a spec."""

    @property
    def sentence(self) -> str:
        """What it does, in one sentence."""
        return self.text.split("\n\n")[0]

    @property
    def example(self) -> Example:
        """The example, worked out by the real rules."""
        if self.kind == "wraps":
            return wrapped(self.name)
        if self.cls is None:
            return Example("", self.written)
        return example(self.cls, next(kind for kind in KINDS if kind.name == self.kind))

    def listed(self) -> dict[str, Any]:
        """Plain data for JSON."""
        plain = {
            name: getattr(self, name)
            for name in ("kind", "place", "name", "words", "general", "text", "rule", "inputs")
        }
        arguments = [asdict(argument) for argument in self.arguments]
        return {**plain, "arguments": arguments, "flags": self.flags, "example": asdict(self.example)}


def argument(name: str, field: Field[Any], cls: type[Record]) -> Argument:
    """What a page says of one field of a record."""
    letters: dict[str, str] = getattr(cls, "letters", {})
    letter = next((letter for letter, meant in letters.items() if meant == name), "")
    default = REQUIRED if field.required else INFERRED if field.axis is not None else shown(field.default)
    return Argument(name, letter, accepted(field.kind(cls)[1]), default, field.sentence, field.torch)


def shown(value: Any) -> str:
    """A value as a spec writes it."""
    if isinstance(value, tuple | list):
        return "x".join(map(shown, value)) or "none"
    if value is None:
        return "null"
    if isinstance(value, Record):
        return flow({name: value.__dict__[name] for name in value.fields if value.__dict__[name] is not None})
    return str(value).lower() if isinstance(value, bool) else value if isinstance(value, str) else literal(value)
