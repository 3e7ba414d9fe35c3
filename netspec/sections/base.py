"""What a section of a spec is, and what sections share: closed sets of keys, lists of entries, their JSON Schema."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Protocol, TypeVar

from netspec.catalogue import Catalogue
from netspec.errors import At, Path, Problem
from netspec.language.calls import Lookup, read_entry
from netspec.language.refusals import Refused
from netspec.records import Entry, Record
from netspec.sections.habits import meant
from netspec.words import did_you_mean

E_ = TypeVar("E_", bound=Entry)
Places = dict[str | None, At]
"""Where an entry's arguments stand by field, and under None where the entry does."""
NOTHING: Final = {"type": "null"}
"""The JSON Schema of a key without a value, which is the same as leaving it out."""
BODY: Final[dict[str, Any]] = {"$ref": "#/$defs/body"}
"""The JSON Schema of layers."""
_TYPES: Final = {str: "string", int: "integer", dict: "object", list: "array"}


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a section."""

    sentence: str
    """What it says."""
    example: Any = None
    """What it is given in an example, where its default shows nothing."""
    json: Mapping[str, Any] | None = None
    """What it takes; nothing is said of one that its section's own schema describes."""
    field_of: type[Record] | None = None
    """The record that has it as a field."""
    holds: type[Record] | None = None
    """The record that its own keys are the fields of."""
    required: bool = False
    """Whether its section cannot be without it."""
    beside: Mapping[str, Any] = field(default_factory=dict)
    """What has to stand beside it, in an example too."""


class Around(Protocol):
    """What a section is read with: the params of the spec, and its other sections."""

    @property
    def lookup(self) -> Lookup:
        """The params."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the network's inputs."""

    def value(self, key: str) -> Any:
        """What another section says; None where it is not there or cannot be read."""


class Section:
    """A section of a spec. What is told of it, checks it and completes it follows from here."""

    key: ClassVar[str]
    after: ClassVar[str] = ""
    """The section that it is told after, wherever all of them are."""
    sentence: ClassVar[str]
    """What it is for."""
    example: ClassVar[str]
    """It as it may stand in a spec."""
    forms: ClassVar[tuple[type, ...]]
    """The plain data that it may be."""
    required: ClassVar[bool] = False
    network: ClassVar[bool] = True
    """Whether it is a part of the network, which is read while the graph is built, and not by `read`."""
    meant: ClassVar[tuple[str, ...]] = ()
    """What others call it."""
    keys: ClassVar[Mapping[str, Key]] = {}
    """Its keys; none where they are names of the spec's own."""
    json: ClassVar[Mapping[str, Any] | None] = None
    """Its JSON Schema, where that does not follow from its forms and keys."""
    entries: ClassVar[Mapping[Path, Catalogue[Any]]] = {}
    """Where it names entries, and of which catalogue; a * stands for any name. Of operations it has whole rows."""

    def advice(self, value: Any) -> str:
        """What to write in place of data of another form."""
        return f"For example: {self.example}"

    def plain(self, value: Any) -> tuple[Any, list[Problem]]:
        """Its data, None where that cannot be used, and what is wrong with it, whatever else the spec says."""
        return value, []

    def read(self, value: Any, path: Path, around: Around) -> tuple[Any, list[Problem]]:
        """What it says, None where that cannot be told, and everything that is wrong with it."""
        return value, unknown_keys(value, self.keys, path) if self.keys and isinstance(value, dict) else []

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""
        if self.json is not None:
            return dict(self.json)
        types = [_TYPES[form] for form in self.forms]
        schema: dict[str, Any] = {"type": types[0] if len(types) == 1 else types}
        if not self.keys:
            return schema
        properties = {name: {"description": key.sentence, **(key.json or {})} for name, key in self.keys.items()}
        needed = [name for name, key in self.keys.items() if key.required]
        return {**schema, "properties": properties, "additionalProperties": False} | (
            {"required": needed} if needed else {}
        )

    def classes(self, word: str, path: Path) -> list[type[Entry]]:
        """The classes that a word at a path may mean."""
        return [cls for catalogue in dict.fromkeys(self.entries.values()) for cls in catalogue.find(word)]


def unknown_keys(data: Mapping[str, Any], known: Collection[str], path: Path) -> list[Problem]:
    """A problem for every key that a section does not have."""
    problems = []
    for key in data:
        if key not in known:
            hint = meant(str(path[-1]), key) or did_you_mean(key, known) or f"It has: {', '.join(known)}."
            problems.append(Problem("unknown-key", f"{path[-1]} has no {key!r}", At((*path, key), on_key=True), hint))
    return problems


def read_entries(
    value: Any, path: Path, catalogue: Catalogue[E_], lookup: Lookup
) -> tuple[list[tuple[E_, Places]], list[Problem]]:
    """One entry or a list of them, each with where its arguments stand, and what is wrong with the others."""
    entries: list[tuple[E_, Places]] = []
    problems: list[Problem] = []
    for item, where in [(v, (*path, i)) for i, v in enumerate(value)] if isinstance(value, list) else [(value, path)]:
        try:
            entry, given = read_entry(item, where, catalogue, lookup, several=True)
            entries.append((entry, dict([(None, At(where)), *given.places.items()])))
        except Refused as refused:
            problems += refused.problems
    return entries, problems


def entry_schema(catalogue: Catalogue[Any], sentence: str) -> dict[str, Any]:
    """The JSON Schema of one entry: a row, or the long form with its arguments by name."""
    classes = {word: cls for cls in catalogue.classes() for word in (*cls.words, cls.__name__.lower(), cls.__name__)}
    sentences = {word: (cls.__doc__ or "").split("\n\n")[0] for word, cls in classes.items()}
    long = {
        "type": "object",
        "properties": {
            word: {"description": sentences[word], "anyOf": [{"type": ["string", "number", "null"]}, cls.json_schema()]}
            for word, cls in classes.items()
        },
        "additionalProperties": False,
        "maxProperties": 1,
        "minProperties": 1,
    }
    examples = [cls.example for cls in catalogue.classes()]
    return {"description": sentence, "anyOf": [{"type": "string", "examples": examples}, long]}


def entries_schema(catalogue: Catalogue[Any], sentence: str) -> dict[str, Any]:
    """The JSON Schema of one entry or a list of them."""
    one = entry_schema(catalogue, sentence)
    return {
        "description": sentence,
        "anyOf": [*one["anyOf"], {"type": "array", "items": {"anyOf": one["anyOf"]}}, NOTHING],
    }
