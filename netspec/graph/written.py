"""Calls as they stand in a spec: a piece of a row, or the long form of one. What follows knows no difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from netspec.errors import At, Path, Problem
from netspec.graph import wrapping
from netspec.graph.blocks import Block, bind_long
from netspec.graph.model import Guard
from netspec.graph.references import decide, rounds_of
from netspec.graph.rows import Short, calls_of_row, read_row
from netspec.graph.scope import Scope
from netspec.language.calls import Arguments, Lookup, long_arguments, long_value
from netspec.language.refusals import Refused
from netspec.language.rows import APART, AROUND, Expr, Input
from netspec.layers.base import Op
from netspec.records import Entry
from netspec.vocabulary import OPERATIONS
from netspec.wraps import OPTIONS, Wrap


class Written(Protocol):
    """A call whose words have not been looked up yet."""

    @property
    def op(self) -> str | Expr:
        """Its word, or the expression that gives it."""

    @property
    def path(self) -> Path:
        """Where its row or its mapping stands."""

    @property
    def at(self) -> At:
        """The whole call."""

    @property
    def op_at(self) -> At:
        """Its word."""

    @property
    def inputs(self) -> tuple[tuple[Input, At], ...] | None:
        """What it names in brackets; None where it names nothing."""

    @property
    def repeats(self) -> bool:
        """Whether it says how often it is run."""

    @property
    def certain(self) -> bool:
        """Whether it is run once, whatever the sizes are."""

    def times(self, scope: Scope) -> Any:
        """How often it is run, or a table of rounds. Raises Refused."""

    def rounds(self, scope: Scope) -> list[dict[str, Any]]:
        """The parameters of each round. Raises Refused."""

    def decide(self, scope: Scope) -> tuple[bool | str, Guard | None]:
        """Whether its `when` holds, and the guard that it makes. Raises Refused."""

    def arguments(self, cls: type[Entry], lookup: Lookup) -> Arguments:
        """Its arguments by the fields of `cls`. Raises Refused."""

    def bind(self, block: Block, lookup: Lookup) -> Arguments:
        """What it gives for a block's parameters. Raises Refused."""

    def wrap(self, cls: type[Op], lookup: Lookup) -> Wrap | Literal[""] | None:
        """The wrap that it asks for; empty for `none`, and None where it says nothing. Raises Refused."""

    def narrowed(self, at: At) -> At:
        """Of an argument written as an arrow, the part before it."""


@dataclass(frozen=True, slots=True)
class Long:
    """A mapping of one word to its arguments, `{Conv2d: {out_channels: 6}}`, perhaps with `when` or `repeat` beside."""

    op: str
    options: Mapping[str, Any]
    """The arguments by name, as plain data."""
    around: Mapping[str, Any]
    """What stands beside the word: `when`, `repeat`, `as`."""
    outer: Path
    """Where the mapping stands."""

    @property
    def path(self) -> Path:
        return (*self.outer, self.op)

    @property
    def at(self) -> At:
        return At(self.path, on_key=True)

    @property
    def op_at(self) -> At:
        return self.at

    @property
    def inputs(self) -> tuple[tuple[Input, At], ...] | None:
        if "inputs" not in self.options:
            return None
        given, path = self.options["inputs"], (*self.path, "inputs")
        if isinstance(given, dict):
            return tuple(_input(text, (*path, name), name) for name, text in given.items())
        named = given if isinstance(given, list) else [given]
        return tuple(_input(text, (*path, i) if isinstance(given, list) else path) for i, text in enumerate(named))

    @property
    def repeats(self) -> bool:
        return "repeat" in self.around

    @property
    def certain(self) -> bool:
        return not self.around.keys() & {"when", "repeat"}

    def times(self, scope: Scope) -> Any:
        return long_value(self.around["repeat"], scope.lookup, At(self.outer))

    def rounds(self, scope: Scope) -> list[dict[str, Any]]:
        return rounds_of(self.around, self.outer, scope)

    def decide(self, scope: Scope) -> tuple[bool | str, Guard | None]:
        return decide(self.around, self.outer, scope)

    def _given(self, *apart: str) -> dict[str, Any]:
        """Its arguments by name, without those `apart`."""
        return {name: value for name, value in self.options.items() if name not in apart}

    def arguments(self, cls: type[Entry], lookup: Lookup) -> Arguments:
        return long_arguments(self._given(*APART, *self._of_wrap(cls)), cls, lookup, self.path, self.op)

    def bind(self, block: Block, lookup: Lookup) -> Arguments:
        return bind_long(block, self._given("inputs"), lookup, self.path)

    def _of_wrap(self, cls: type[Entry]) -> dict[str, Any]:
        """Its options that are those of its wrap."""
        if "wrap" not in self.options or not issubclass(cls, Op):
            return {}
        return {name: value for name, value in self.options.items() if wrapping.is_option(name, cls)}

    def wrap(self, cls: type[Op], lookup: Lookup) -> Wrap | Literal[""] | None:
        if "wrap" not in self.options:
            return None
        return wrapping.read_long(self.options["wrap"], cls, self._of_wrap(cls), self.path, lookup) or ""

    def narrowed(self, at: At) -> At:
        return at

    def spread(self) -> Iterator[Written]:
        """A list of sizes as one call each: `{fc: {out_features: [120, 84], between: relu}}`. Raises Refused."""
        classes = OPERATIONS.find(self.op)
        first, name = (classes[0].arrow if classes else None) or ("", "")
        sizes = self.options.get(name)
        if not isinstance(sizes, list) or len(sizes) < 2:
            yield self
            return
        between = self.options.get("between")
        shared = {key: value for key, value in self.options.items() if key != "between"}
        later = {key: value for key, value in shared.items() if key not in ("inputs", first)}
        for i, size in enumerate(sizes):
            if i and between is not None:
                path = (*self.path, "between")
                if not isinstance(between, str):
                    raise Refused(Problem("between", "between names one operation", At(path), "For example: relu"))
                yield from (Short(call, path) for call in read_row(between, path))
            yield replace(self, options={**(later if i else shared), name: size})


def _input(text: Any, path: Path, keyword: str | None = None) -> tuple[Input, At]:
    """One input of a long call, and where it stands. Raises Refused."""
    if not isinstance(text, str):
        hint = "As in: inputs: [prev, skip]"
        raise Refused(Problem("inputs", "the name of an earlier step is expected here", At(path), hint))
    return Input(tuple(text.split(".")), keyword, (0, len(text))), At(path)


def is_chain(body: Any) -> bool:
    """Whether a mapping is the long form of a row, `{chain: [conv 6 k5, relu]}`."""
    return isinstance(body, dict) and body.keys() == {"chain"} and isinstance(body["chain"], list)


def long_call(item: dict[str, Any], path: Path, blocks: Mapping[str, Block]) -> Long | None:
    """The long call that a mapping is; None where it is something else, such as steps by name."""
    words = [key for key in item if key not in AROUND]
    if len(words) != 1 or not isinstance(item[words[0]], dict):
        return None
    word, options = words[0], item[words[0]]
    known = _arguments(word, blocks)
    if known is None and not _is_misspelt(word, options, blocks):
        return None
    numbers = any(isinstance(value, int | float) for value in options.values())
    if known is not None and options and not known & options.keys() and not numbers and not _is_class(word, blocks):
        return None
    return Long(word, options, {key: item[key] for key in AROUND & item.keys()}, path)


def _arguments(word: str, blocks: Mapping[str, Block]) -> set[str] | None:
    """What a call of a word may name; None for a word that is no operation and no block."""
    if word in blocks:
        return {*blocks[word].params, *APART}
    classes = OPERATIONS.find(word)
    return {*(name for cls in classes for name in cls.fields), *APART, *OPTIONS} if classes else None


def _is_class(word: str, blocks: Mapping[str, Block]) -> bool:
    """Whether a word is a class of torch by its own name, and no block."""
    return word not in blocks and word == OPERATIONS.find(word)[0].__name__


def _is_misspelt(word: str, options: Mapping[str, Any], blocks: Mapping[str, Block]) -> bool:
    """Whether a mapping under an unknown word is no level, which would hold steps, but a call that was meant."""
    if not any(isinstance(value, int | float) for value in options.values()):
        return False
    known = _arguments(OPERATIONS.nearest(word, blocks), blocks) or set()
    return (
        bool(OPERATIONS.meant(word))
        or bool(known & options.keys())
        or not any(isinstance(value, str | list | dict) for value in options.values())
    )


def calls_of(body: Any, path: Path, blocks: Mapping[str, Block]) -> list[Written] | None:
    """The calls that a row or the long form of one consists of; None where `body` is neither. Raises Refused."""
    if isinstance(body, str):
        return [*calls_of_row(body, path)]
    if not isinstance(body, dict):
        return None
    if is_chain(body):
        return [call for i, item in enumerate(body["chain"]) for call in _piece(item, (*path, "chain", i), blocks)]
    long = long_call(body, path, blocks)
    return None if long is None else list(long.spread())


def _piece(item: Any, path: Path, blocks: Mapping[str, Block]) -> list[Written]:
    """The calls of one item of a chain. Raises Refused for what is no call."""
    found = None if is_chain(item) else calls_of(item, path, blocks)
    if found is None:
        raise Refused(not_a_call(path))
    return found


def not_a_call(path: Path) -> Problem:
    """The problem with a part of a chain that is no call."""
    return Problem("row", "a chain consists of calls, short or long", At(path), "For example: conv 6 k5")
