"""How stored weights fit a network: what is loaded, resized, begins fresh and is left over, and what does not fit."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from netspec.errors import At, DataError, Problem
from netspec.files import shown
from netspec.json_text import json_text
from netspec.tensors import show
from netspec.weights.freezing import ADAPTER
from netspec.weights.header import Entry
from netspec.weights.kinds import FLOATS, holds
from netspec.weights.load import FILE, Load
from netspec.weights.renaming import renamed
from netspec.weights.resizing import grid, misfit, shapes
from netspec.weights.stored import Held, stored
from netspec.words import offered, one_line

COUNT: Final = "num_batches_tracked"
"""A norm's count of batches, which files of before its time lack; it begins at 0 then."""
BASE: Final = "base"
"""Under this name the metadata of adapters has the checksum of the weights that they stand beside."""
TOLD: Final = 5
"""Tensors that a message names."""
TRIED: Final = 20
"""Levels that a file is tried to be for, where its names are none of the network's."""
OTHER_SIZE: Final = 'Give such a tensor a way in resize, as in {fc.weight: slice}, or begin fresh: skip: ["fc.*"]'
MAX_WORK: Final = 50_000_000
"""Characters of names that are compared with characters of patterns."""


class Wanted(NamedTuple):
    """A tensor of the network."""

    names: tuple[str, ...]
    shape: tuple[int, ...]
    kind: str
    """Of number, by torch's name; empty where only the network itself knows."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A tensor of the network that a file's becomes."""

    name: str
    """Its name in the network."""
    source: str
    """Its name in the file."""
    file: Path
    entry: Entry
    """Its dtype, shape and bytes in the file."""
    shape: tuple[int, ...]
    """In the network."""
    resize: str = ""
    """How it gets there from the file's shape; empty where that is the same."""

    @property
    def how(self) -> str:
        """What is done to it; empty for one that is taken as it is."""
        axes = [i for i, (a, b) in enumerate(zip(self.entry.shape, self.shape, strict=True)) if a != b]
        if self.resize != "interpolate" or len(axes) != 1:
            return self.resize
        others, side, other = grid(self.entry.shape[axes[0]], self.shape[axes[0]]) or (0, 0, 0)
        kept = f", the first {others} kept" if others else ""
        return f"{self.resize} {side} x {side} to {other} x {other}{kept}"


@dataclass(slots=True)
class Fit:
    """What becomes of every tensor of the network and of the files."""

    loads: tuple[Load, ...]
    taken: list[Taken] = field(default_factory=list)
    """In the order of the network's names."""
    fresh: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Tensors of the network that begin as the network is initialised."""
    left: list[tuple[Load, str, Held]] = field(default_factory=list)
    """Tensors of the files that `skip` leaves out."""
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What a person should know though nothing is wrong."""

    @property
    def resized(self) -> list[Taken]:
        """The tensors that take another shape on their way."""
        return [each for each in self.taken if each.resize]


class Reader:
    """Fits one file after the other into the same network."""

    def __init__(
        self, loads: Sequence[Load], wanted: Iterable[Wanted], root: Path, adapters: Set[str] = frozenset()
    ) -> None:
        """`wanted` are the tensors of the network, `root` is where paths of files start.

        Its `adapters`, small matrices beside weights, begin fresh where no file has any.
        """
        self.adapters = adapters
        self.alone: list[Load] = []
        """The places that have adapters and not the weights that they stand beside."""
        self.fit, self.root = Fit(tuple(loads)), root
        self.wanted = list(wanted)
        self.by_name = {name: each for each in self.wanted for name in each.names}
        self.takers: dict[str, Taken] = {}
        self.givers: dict[str, Load] = {}
        """The places that these come from."""
        self.lost = False
        """Whether a file cannot be read, so that what it lacks is unknown."""

    def read(self) -> Fit:
        """Hold every file against the network, and note what fits and all that does not."""
        skipped: set[str] = set()
        for load in self.fit.loads:
            if load.into and not any(load.covers(name) for name in self.by_name):
                hint = offered(load.into, _levels(self.by_name))
                self._problem(f"into names {load.into!r}, and no level of the network is called so", load.into_at, hint)
                self.lost = True
            elif (tensors := self._stored(load)) is not None:
                self._one(load, tensors)
                skipped |= {n for n in self.by_name if load.covers(n) and load.skips(n, load.short(n))}
        if not self.lost:
            self._missing(skipped)
        taken = {name for each in self.wanted if any(n in self.takers for n in each.names) for name in each.names}
        self.fit.taken = [self.takers[name] for name in self.by_name if name in self.takers]
        self.fit.fresh = {
            each.names[0]: each.shape
            for each in self.wanted
            if each.names[0] not in taken and not self._counts(each.names[0])
        }
        return self.fit

    def _stored(self, load: Load) -> Mapping[str, Held] | None:
        """The tensors in the files of one place; None where they cannot be read, or would take too long to name."""
        try:
            found = stored(self.root / load.file, self.root)
        except DataError as error:
            self._problem(str(error).replace(f"{shown(self.root)}{os.sep}", "").rstrip("."), load.at)
            self.lost = True
            return None
        self.fit.notes += [found.note] * bool(found.note)
        self.alone += [load] * (BASE in found.metadata)
        letters = sum(map(len, found.tensors)) + sum(map(len, self.by_name))
        patterns = sum(len(rule.expression.program) for rule in load.rename)
        patterns += sum(len(pattern) for pattern in (*dict(load.skip), *(pattern for pattern, *_ in load.resize)))
        if letters * patterns > MAX_WORK:
            text = f"the rules have {patterns:,} characters and steps, the names {letters:,}: that takes too long"
            self._problem(text, load.at, "Write fewer and shorter rules.")
            self.lost = True
            return None
        return found.tensors

    def _one(self, load: Load, tensors: Mapping[str, Held]) -> None:
        """Hold one file's tensors against the network's: renamed, skipped, resized."""
        used: set[At] = set()
        renamings: set[At] = set()
        unknown: list[tuple[str, str]] = []
        unfit: dict[str, list[str]] = {}
        twice: list[tuple[str, str]] = []
        for source, held in tensors.items():
            new, rules = renamed(source, load.rename)
            renamings |= {rule.at for rule in rules}
            name = f"{load.into}.{new}" if load.into else new
            way = load.resizes(source, new, name)
            used.update([way[1]] if way else [])
            if skips := load.skips(source, new, name):
                used.update(skips)
                self.fit.left.append((load, source, held))
            elif name not in self.by_name:
                unknown.append((source, name))
            elif name in self.takers:
                twice.append((source, name))
            else:
                self.givers[name] = load
                for hint, why in self._take(name, source, held, way[0] if way else ""):
                    unfit.setdefault(hint, []).append(why)
        for hint, reasons in unfit.items():
            self._problem(f"weights in {load.file} do not fit: {_few(reasons)}", load.at, hint)
        if twice:
            self._again(load, tensors, twice)
        if unknown:
            text = f"the network has no place for {_few(source for source, _ in unknown)} of {load.file}"
            sure = self._elsewhere(load, tensors, [name for _, name in unknown])
            skip = _around(unknown[0][0], tensors, {source for source, _ in unknown})
            if all(ADAPTER in name for _, name in unknown) and self.adapters.isdisjoint(n for _, n in unknown):
                sure = "They are small matrices of lora. Fold them first: netspec weights fold RUN FILE.safetensors"
            otherwise = f'Leave such a tensor out by name, skip: ["{skip}"], or rename it.'
            self._problem(text, load.at, sure or otherwise)
            if sure:  # what else does not fit follows from that
                self.lost = True
                return
        for name in self.by_name:
            used.update(load.skips(name, load.short(name)))
        known = [*tensors, *(load.short(name) for name in self.by_name if load.covers(name))]
        self._unused(load, used, known)
        for rule in load.rename:
            if rule.at not in renamings:
                self.fit.notes.append(f"rename {rule.pattern!r} matches no tensor of {load.file}")

    def _again(self, load: Load, tensors: Mapping[str, Held], twice: Sequence[tuple[str, str]]) -> None:
        """A problem for the tensors of a file that become what a file before it, or it itself, gives already."""
        others = {source: self.takers[name].source for source, name in twice}
        told = [s if s == others[s] == n else f"{s} and {others[s]} both become {n}" for s, n in twice]
        hint = "Let rename or into tell them apart, or skip one of them."
        first = self.givers[twice[0][1]]
        if first.file != load.file and all(source == other for source, other in others.items()):
            skip = json_text(list(dict.fromkeys(_around(source, tensors, {*others}) for source in others)))
            hint = f"Skip them in one of both, as in load: [{{load: {first.file}, skip: {skip}}}, {load.file}]"
        self._problem(f"{load.file} gives what is loaded already: {_few(told)}", load.at, hint)

    def _take(self, name: str, source: str, held: Held, way: str) -> Iterator[tuple[str, str]]:
        """Let a tensor become one of the network's; gives why it cannot, behind what to try."""
        wanted, entry = self.by_name[name], held.entry
        resize = way if entry.shape != wanted.shape else ""
        if wanted.kind and not holds(wanted.kind, entry.kind):
            hint = f'Save it as tensor.to(torch.{wanted.kind}), or begin fresh: skip: ["fc.*"]'
            yield hint, f"{source} holds {entry.kind}, {name} is {wanted.kind}"
        elif entry.shape != wanted.shape and not way:
            yield OTHER_SIZE, f"{_both(source, name)} is {shapes(entry.shape, wanted.shape)}"
        elif resize not in ("", "slice", "repeat") and entry.kind not in FLOATS:
            yield OTHER_SIZE, f"{_both(source, name)} holds {entry.kind}, which slice and repeat alone resize"
        elif resize and (why := misfit(resize, entry.shape, wanted.shape)):
            yield OTHER_SIZE, f"{_both(source, name)} is {shapes(entry.shape, wanted.shape)}: {why}"
        self.takers[name] = Taken(name, source, held.file, entry, wanted.shape, resize)

    def _unused(self, load: Load, used: set[At], known: Sequence[str]) -> None:
        """Note the rules that no tensor of the file came to."""
        for pattern, what, at in [
            *((pattern, "skip", at) for pattern, at in load.skip),
            *((pattern, "resize", at) for pattern, _, at in load.resize),
        ]:
            if at not in used:
                self._problem(f"{what}: {pattern!r} means no tensor, there or here", at, offered(pattern, known))

    def _missing(self, skipped: set[str]) -> None:
        """A problem for what no file gives, though one is for the level that it is in."""
        missing: dict[At, list[str]] = {}
        fresh = self.adapters if self.adapters.isdisjoint(self.takers) else frozenset()
        for each in self.wanted:
            if any(n in self.takers or n in skipped or n in fresh for n in each.names) or self._counts(each.names[0]):
                continue
            load = next((load for load in self.fit.loads if any(map(load.covers, each.names))), None)
            if load is not None:
                missing.setdefault(load.at, []).append(f"{each.names[0]} ({show(each.shape)})")
        for at, names in missing.items():
            lacking = [name.partition(" ")[0] for name in names]
            skip = _around(lacking[0], self.by_name, {*lacking})
            hint = f'What is to begin fresh is said: skip: ["{skip}"]. Or say which level the file is for: into'
            if self.alone and any(name.partition(" ")[0] not in self.adapters for name in names):
                file = self.alone[0].file
                hint = f"{file} holds what was trained beside a base alone. Name that too: load: [BASE, {file}]"
            self._problem(f"no file of weights has {_few(names)}", at, hint)

    def _counts(self, name: str) -> bool:
        """Whether a tensor only counts batches, as batch norms do."""
        return name.endswith(COUNT)

    def _elsewhere(self, load: Load, tensors: Mapping[str, Held], unknown: Sequence[str]) -> str:
        """What would bring more of a file's tensors to their places; empty where nothing would."""
        there = len(tensors) - len(unknown)
        firsts = Counter(name.partition(".")[0] for name in tensors if "." in name)
        first, count = firsts.most_common(1)[0] if firsts else ("", 0)
        around = f"{load.into}." if load.into else ""
        stripped = sum(f"{around}{n.partition('.')[2]}" in self.by_name for n in tensors if n.startswith(f"{first}."))
        if count and stripped > there:
            return f'Their names begin otherwise: rename: {{"{first}.": ""}}'
        ends = {n.removesuffix(f".{unknown[0]}") for n in self.by_name if n.endswith(f".{unknown[0]}")}
        for level in sorted(ends)[:TRIED] if not load.into else ():
            if sum(f"{level}.{name}" in self.by_name for name in tensors) > there:
                return f"The names are those of a level of the network: into: {level}"
        return ""

    def _problem(self, text: str, at: At, hint: str = "") -> None:
        """Note what does not fit, at its place in the spec."""
        self.fit.problems.append(Problem(FILE, text, at, hint))


def _both(source: str, name: str) -> str:
    """A tensor by its name, and that in its file where it is another."""
    return name if source == name else f"{name}, {source} in the file,"


def _few(words: Iterable[str]) -> str:
    """The first of some texts, and how many there are more."""
    listed = list(map(one_line, words))
    more = f", and {len(listed) - TOLD:,} more" if len(listed) > TOLD else ""
    return f"{'; '.join(listed[:TOLD])}{more}"


def _around(name: str, names: Iterable[str], these: Set[str]) -> str:
    """The level around one of these names where it holds no other names than these; else the name itself."""
    level = name.rpartition(".")[0]
    alone = level and all(each in these for each in names if each.startswith(f"{level}."))
    return level if alone else name


def _levels(names: Iterable[str]) -> Iterator[str]:
    """The levels that tensors of these names are in."""
    for name in names:
        parts = name.split(".")
        yield from (".".join(parts[:i]) for i in range(1, len(parts)))


def fit(loads: Sequence[Load], wanted: Iterable[Wanted], root: Path, adapters: Set[str] = frozenset()) -> Fit:
    """How the weights at some places fit a network, by the headers of their files. No tensor is read."""
    return Reader(loads, wanted, root, adapters).read()
