"""How the arguments of one word are written short: which without their names, which as letters and flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from netspec.graph.blocks import Block
from netspec.language import rows
from netspec.language.rows import Arg, RowError, Word
from netspec.records import Entry

_SWITCHES: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Style:
    """The style of one word."""

    positional: tuple[str, ...]
    """The fields that bare values fill."""
    textual: frozenset[str] = frozenset()
    """Those of them that take words."""
    rest: str = ""
    """The field that takes all further bare values."""
    letters: Mapping[str, str] = field(default_factory=dict)
    """One letter by field."""
    flags: Mapping[tuple[str, Any], str] = field(default_factory=dict)
    arrow: tuple[str, str] = ("", "")

    def bare(self, name: str, value: Any) -> bool:
        """Whether a value can stand without its name."""
        if name in self.letters and name not in self.positional[:1]:
            return False
        if isinstance(value, tuple):
            return True
        kind = _read_as(value) if isinstance(value, str) else ""
        return kind == "positional" or (kind == "word" and name in self.textual and value not in self.flags.values())

    def flag(self, name: str, value: Any) -> str:
        """The bare word that says it all; empty where there is none."""
        meant = _SWITCHES.get(value, value) if isinstance(value, str) else value
        return "" if isinstance(meant, tuple) else self.flags.get((name, meant), "")

    def named(self, name: str, text: str) -> str:
        """What is written before a value: its letter, or its name."""
        letter = self.letters.get(name)
        return letter if letter and _read_as(f"{letter}{text}") == "letter" else f"{name}="


def is_size(value: Any) -> bool:
    """Whether a value reads as a size: a number, a dimension, or what is computed."""
    return isinstance(value, str) and _read_as(value) == "positional"


def _read_as(text: str) -> str:
    """The kind of argument that a row reads a text as; empty where it is not one argument."""
    try:
        (call,) = rows.parse(f"op {text}")
        (arg,) = call.args
    except (RowError, ValueError):
        return ""
    return arg.kind if call.times is None and call.when is None else ""


def style_of(known: type[Entry] | Block) -> Style:
    """How calls of an entry or a block are written."""
    return _of_block(known) if isinstance(known, Block) else _of_entry(known)


def _of_entry(cls: type[Entry]) -> Style:
    """The style of an entry: its own example shows how many values are written without a name."""
    short = not cls.example.startswith("{")
    shown = sum(_is_bare(arg, cls) for arg in rows.parse(cls.example)[-1].args) if short else 0
    bare = shown if cls.bare is None else cls.bare
    names = cls.positional()
    rest = next((name for name in names[:bare] if cls.fields[name].rest), "")
    switches = {(name, True): name for name, f in cls.fields.items() if f.default is False}
    return Style(
        tuple(names[: names.index(rest)] if rest else names[:bare]),
        frozenset(name for name in names if cls.fields[name].textual),
        rest,
        {name: letter for letter, name in cls.letters.items()},
        switches | {pair: word for word, pair in cls.flags.items()},
        cls.arrow or ("", ""),
    )


def _is_bare(arg: Arg, cls: type[Entry]) -> bool:
    """Whether an argument of a row stands without a name, and is no flag."""
    if arg.kind == "word":
        assert isinstance(arg.value, Word)
        return arg.value.text not in cls.flags and arg.value.text not in cls.fields
    return arg.kind == "positional"


def _of_block(block: Block) -> Style:
    """The style of a block: what has no default is written without its name."""
    needed = tuple(name for name, default in block.params.items() if default is ...)
    leading = needed if tuple(block.params)[: len(needed)] == needed else ()
    switches = {(name, True): name for name, default in block.params.items() if default == Word("false")}
    letters = {name: name for name in block.params if len(name) == 1 and name not in leading}
    return Style(leading, frozenset(leading), "", letters, switches)
