"""Reads `groups` of the train section: for some parameters other options of the optimizer, or another optimizer, and a
schedule of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from netspec.errors import At, Path, Problem
from netspec.language.calls import (
    Arguments,
    Lookup,
    arguments,
    bare_call,
    construct,
    long_arguments,
    raise_all,
    read_entry,
)
from netspec.language.refusals import Refused
from netspec.optimizers.base import Optimizer
from netspec.schedulers.base import Scheduler
from netspec.schedulers.plateau import ReduceLROnPlateau
from netspec.vocabulary import OPTIMIZERS, SCHEDULERS

WHOLE: Final = ("foreach", "fused")
"""Options that say how all parameters are updated, whatever their group."""
OTHER: Final = "optimizer"
"""The option of a group that is updated by an optimizer of its own."""
SCHEDULE: Final = "scheduler"
"""The option of a group whose learning rate moves by a schedule of its own."""
EXAMPLE: Final = 'For example: {norm: weight_decay=0, "backbone.*": lr=3e-5}'


@dataclass(frozen=True, slots=True)
class Group:
    """One line of `groups`: a kind of layer or a pattern of names, and the options of what it matches.

    Each option of a parameter is taken from the first line that matches it and gives that option; another optimizer
    is one of them.
    """

    key: str
    """The kind of layer, or the pattern."""
    options: Mapping[str, Any]
    """Options of the optimizer by name, such as lr and weight_decay, or another one; and a schedule."""
    path: Path
    parameters: frozenset[str] = frozenset()
    """The names of the network's parameters that it matches, once the network is known."""

    @property
    def schedule(self) -> Scheduler | None:
        """The schedule of its own; None where it moves with the others."""
        found: Scheduler | None = self.options.get(SCHEDULE)
        return found


def read_groups(value: Any, path: Path, optimizer: Optimizer, lookup: Lookup) -> tuple[Group, ...]:
    """The lines of the section, in order. Raises Refused with every problem."""
    if not isinstance(value, dict):
        raise Refused(Problem("bad-value", "groups is a mapping of kinds of layer or patterns", At(path), EXAMPLE))
    if value and not optimizer.takes_groups:
        text = f"{optimizer.said} has one set of options for all parameters"
        hint = "Leave groups out, or take another optimizer, such as adamw."
        raise Refused(Problem("contradiction", text, At(path, on_key=True), hint))
    groups: list[Group] = []
    refusals: list[Refused] = []
    for key, given in value.items():
        try:
            groups.append(Group(key, _options(given, (*path, key), optimizer, lookup), (*path, key)))
        except Refused as refused:
            refusals.append(refused)
    raise_all(refusals)
    return tuple(groups)


def _options(value: Any, path: Path, optimizer: Optimizer, lookup: Lookup) -> dict[str, Any]:
    """The options of one line, checked with the others of the optimizer, or another optimizer. Raises Refused."""
    if isinstance(value, dict) and value.get(SCHEDULE) is not None:
        own = {SCHEDULE: _schedule(value[SCHEDULE], (*path, SCHEDULE), lookup)}
        rest = {key: each for key, each in value.items() if key != SCHEDULE}
        if not rest:
            return own
        if rest.keys() == {OTHER}:
            return _options(rest[OTHER], (*path, OTHER), optimizer, lookup) | own
        return _options(rest, path, optimizer, lookup) | own
    cls, at = type(optimizer), At(path)
    if _names_one(value):
        other, _ = read_entry(value, path, OPTIMIZERS, lookup)
        for field, text in other.problems():
            raise Refused(Problem("contradiction", f"{other.said}: {field} {text}", at))
        if not other.takes_groups:
            text = f"{other.said} updates all parameters, and so none of a group"
            raise Refused(Problem("contradiction", text, at, "Take another optimizer here, such as adamw."))
        return {OTHER: other}
    if isinstance(value, str):
        given = arguments(bare_call(value, path), cls, lookup, path)
    elif isinstance(value, dict):
        given = long_arguments(value, cls, lookup, path)
    else:
        raise Refused(Problem("bad-value", f"expected options of {cls.called()}", at, EXAMPLE))
    if not given.values:
        raise Refused(Problem("bad-value", f"a group without options of {cls.called()}", at, EXAMPLE))
    for name in set(WHOLE) & set(given.values):
        text = f"{name} holds for all parameters"
        raise Refused(Problem("bad-argument", text, given.places[name], "Write it with the optimizer."))
    made = construct(cls, Arguments({**optimizer.__dict__, **given.values}, given.places), at)
    for field, text in made.problems():
        hint = f"{field}: {cls.fields[field].sentence}."
        problem = Problem("contradiction", f"{cls.called()}: {field} {text}", given.places.get(field, at), hint)
        raise Refused(problem)
    return {name: getattr(made, name) for name in given.values}


def _schedule(value: Any, path: Path, lookup: Lookup) -> Scheduler:
    """A schedule of a group's own, which follows no measured value. Raises Refused."""
    entry, given = read_entry(value, path, SCHEDULERS, lookup)
    at = At(path)
    if isinstance(entry, ReduceLROnPlateau):
        text = f"{entry.said} follows what is measured, and a group's own schedule the steps or the epochs"
        raise Refused(Problem("contradiction", text, at, "Write it as train.scheduler, or take another, as cosine."))
    for field, text in entry.problems():
        raise Refused(Problem("contradiction", f"{entry.said}: {field} {text}", given.places.get(field, at)))
    return entry


def _names_one(value: Any) -> bool:
    """Whether a line says an optimizer, and no options of the one there is."""
    word = value.partition(" ")[0] if isinstance(value, str) else next(iter(value), "") if _is_single(value) else ""
    return isinstance(word, str) and bool(OPTIMIZERS.find(word))


def _is_single(value: Any) -> bool:
    """Whether a value is a mapping of one key."""
    return isinstance(value, dict) and len(value) == 1


def options_of(name: str, groups: Sequence[Group]) -> dict[str, Any]:
    """What the groups say of the parameter with this name: of each option, what the first match says."""
    found: dict[str, Any] = {}
    for group in groups:
        if name in group.parameters:
            found = {**group.options, **found}
    return found
