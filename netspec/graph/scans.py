"""Scans: levels that run once for each place along an axis, and hand states from one place to the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from netspec.dims import Size
from netspec.errors import At, Path, Problem
from netspec.faults import shown
from netspec.graph.by_parts import Scan
from netspec.graph.draft import Level, Step, Value
from netspec.graph.names import check_member_name
from netspec.graph.references import reference
from netspec.graph.results import mirror
from netspec.graph.scope import Flow, Scope
from netspec.language.calls import long_value
from netspec.language.refusals import Refused
from netspec.tensors import Tensor
from netspec.words import offered

KEYS: Final = ("over", "carry", "axis", "reverse")
OWN: Final = ("in", "prev")
"""Names of values that no step may take, and that stand for one place inside."""
EXAMPLE: Final = "scan: {over: x, carry: {h: start}, axis: 1}"


@dataclass(frozen=True, slots=True)
class Way:
    """A scan as it is written: what it goes along, and what it carries."""

    path: Path
    """Where it stands."""
    over: tuple[str, ...]
    """What the body calls one place of each value that it goes along."""
    carry: Mapping[str, str]
    """For each state, what the body calls what the next place is given."""
    given: tuple[Value, ...]
    """The values that it goes along, and those that the states begin as."""
    axis: int
    length: Size | None
    """The places on the axis; None where they are unknown."""
    reverse: bool

    @property
    def entry(self) -> Value:
        """The first value that it goes along: what goes on where the level does not run."""
        return self.given[0]

    def opened(self, level: Level, scope: Scope) -> Scope:
        """What the body sees: one place of each value, the states, and all that is around."""
        count = len(self.over)
        inner = {
            name: Value(name, self._one(value) if i < count else value.tensor, level)
            for i, (name, value) in enumerate(zip((*self.over, *self.carry), self.given, strict=True))
        }
        level.inputs = inner
        level.scan = Scan(self.axis, self.length or 1, self.reverse, count)
        first = inner[self.over[0]]
        return Scope(level, inner.get("in", scope.block_input), Flow(first, "names"), scope, names=dict(inner))

    def _one(self, value: Value) -> Tensor | None:
        """One place of a value."""
        if value.tensor is None or self.length is None:
            return None
        shape = value.tensor.shape
        return value.tensor.with_shape(*shape[: self.axis], *shape[self.axis + 1 :])

    def closed(self, step: Step, inner: Scope) -> Iterator[Problem]:
        """Give the level's step the values of all places, and its states behind the last as parts by their names."""
        level = step.body
        assert level is not None
        assert level.scan is not None
        nexts: list[Value] = []
        carry = (*self.path, "carry")
        for outer, one in level.exports.items():
            assert isinstance(outer, Value)
            outer.tensor = None
            if one.tensor is not None and len(one.tensor.shape) < self.axis:
                text = f"{outer.name} gives {one.tensor} at each place, which has no axis before {self.axis}"
                yield Problem("rank", text, step.at, "Let each place give as many axes as it is given.")
            elif one.tensor is not None and self.length is not None:
                shape = one.tensor.shape
                outer.tensor = one.tensor.with_shape(*shape[: self.axis], self.length, *shape[self.axis :])
        last = set()
        for name, after in self.carry.items():
            value, at = level.inputs[name], At((*carry, name), on_key=True)
            try:
                found = reference(after, (*carry, name), inner)
            except Refused as refused:
                yield from refused.problems
                found = Value(name, None, level)
            if found is value:
                hint = f"Call the step {name} that gives it, or name another behind an arrow: {name}: start -> step"
                yield Problem("scan", f"nothing in the body gives {name} anew", at, hint)
            elif found.tensor is not None and value.tensor is not None and found.tensor != value.tensor:
                text = f"{name} begins as {value.tensor} and is {found.tensor} after a place"
                hint = "A state keeps its shape from place to place; begin with one of the shape that each place gives."
                yield Problem("shape-mismatch", text, at, hint)
            nexts.append(found)
            if isinstance(level.outputs, dict) and name in level.outputs:
                text = f"{name} is an output and a state, whose last is {step.name}.{name}"
                yield Problem("duplicate-name", text, at, "Give the output another name.")
            outer = mirror(step, name, found, {})
            outer.tensor = value.tensor
            step.value.parts[name] = outer
            last.add(outer)
        length = self.length if self.length is not None else 1
        level.scan = Scan(self.axis, length, self.reverse, len(self.over), tuple(nexts), frozenset(last))


def read_scan(given: Any, path: Path, scope: Scope, instead: Sequence[Value] = ()) -> Way:
    """What stands behind `scan` beside the layers of a level, perhaps with other values in place of those it names.

    Raises Refused.
    """
    options = given if isinstance(given, dict) else {"over": given}
    for key in options:
        if key not in KEYS:
            text = f"scan has no {key!r}"
            raise Refused(Problem("unknown-key", text, At((*path, key), on_key=True), offered(key, KEYS)))
    if "over" not in options:
        text = "scan wants the value that it goes along"
        raise Refused(Problem("scan", text, At(path, on_key=True), f"Name it: {EXAMPLE}"))
    where = (*path, "over") if isinstance(given, dict) else path
    over = dict(_over(options["over"], where, scope))
    reverse = options.get("reverse", False)
    if not isinstance(reverse, bool):
        text = f"reverse is true or false, not {shown(reverse)}"
        raise Refused(Problem("bad-value", text, At((*path, "reverse")), "Left out it is false."))
    carry, begins = _carry(options.get("carry", {}), (*path, "carry"), scope)
    if twice := next((name for name in carry if name in over), ""):
        text = f"{twice} is gone along and carried"
        hint = f"Give one of them another name: over: {{places: {twice}}}"
        raise Refused(Problem("duplicate-name", text, At((*path, "carry", twice), on_key=True), hint))
    if instead:
        over, begins = dict(zip(over, instead, strict=False)), list(instead[len(over) :])
    axis, length = _axis(options.get("axis", 1), over, path, scope)
    return Way(path, tuple(over), carry, (*over.values(), *begins), axis, length, reverse)


def _over(given: Any, path: Path, scope: Scope) -> Iterator[tuple[str, Value]]:
    """What a scan goes along, with the names inside. Raises Refused."""
    if isinstance(given, dict):
        named: Iterable[tuple[str, Any, Path]] = [(name, text, (*path, name)) for name, text in given.items()]
    elif isinstance(given, list):
        named = [(str(text), text, (*path, i)) for i, text in enumerate(given)]
    else:
        named = [(str(given), given, path)]
    seen: set[str] = set()
    for name, text, place in named:
        value = reference(text, place, scope)
        if "." in name:
            hint = f"Give it a name inside: over: {{{name.partition('.')[0]}: {name}}}"
            raise Refused(Problem("scan", f"{name} is no name that steps of the body can take", At(place), hint))
        if name in seen:
            raise Refused(Problem("twice", f"{name} is gone along twice", At(place), "Keep one of them."))
        if name not in OWN and (problem := check_member_name(name, At(place))):
            raise Refused(problem)
        seen.add(name)
        yield "in" if name == "prev" else name, value
    if not seen:
        raise Refused(Problem("scan", "scan wants the value that it goes along", At(path), f"Name it: {EXAMPLE}"))


def _carry(given: Any, path: Path, scope: Scope) -> tuple[dict[str, str], list[Value]]:
    """For each state the step that gives the next, and the values that they begin as. Raises Refused."""
    if not isinstance(given, dict):
        text = "carry names each state, with the value that it begins as"
        raise Refused(Problem("scan", text, At(path), f"As in: {EXAMPLE}"))
    nexts, begins = {}, []
    for name, text in given.items():
        if problem := check_member_name(name, At((*path, name), on_key=True)):
            raise Refused(problem)
        begin, arrow, after = (part.strip() for part in str(text).partition("->"))
        if not isinstance(text, str) or " " in begin:
            hint = f"Let a step before give it, as in {name}0: zeros Bx64, and name that: carry: {{{name}: {name}0}}"
            raise Refused(Problem("scan", f"{name} begins as a value that has a name", At((*path, name)), hint))
        begins.append(reference(begin, (*path, name), scope))
        nexts[name] = after if arrow else name
    return nexts, begins


def _axis(given: Any, over: Mapping[str, Value], path: Path, scope: Scope) -> tuple[int, Size | None]:
    """The axis from the front, and how many places it has; None where that is unknown. Raises Refused."""
    at = At((*path, "axis"))
    axis = long_value(given, scope.lookup, at)
    if isinstance(axis, bool) or not isinstance(axis, int):
        text = f"axis is the number of an axis, not {shown(axis)}"
        raise Refused(Problem("bad-value", text, at, "Counted from the batch, which is 0; left out it is 1."))
    lengths: dict[str, Size] = {}
    for name, value in over.items():
        if value.tensor is None:
            continue
        rank = len(value.tensor.shape)
        if not -rank <= axis < rank:
            place = at if given != 1 else At(path, on_key=True)
            hint = f"Axes go from 0, the batch, to {rank - 1}." if rank else "It is a single number."
            raise Refused(Problem("rank", f"the scan goes along axis {axis}, {name} is {value.tensor}", place, hint))
        axis %= rank
        lengths[name] = value.tensor.shape[axis]
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {size}" for name, size in lengths.items())
        hint = "Only what changes from place to place stands in `over`; the body sees all else as it is."
        text = f"the values have other sizes on axis {axis}: {told}"
        raise Refused(Problem("shape-mismatch", text, At(path, on_key=True), hint))
    known = len(lengths) == len(over)
    return int(axis), next(iter(lengths.values())) if known else None
