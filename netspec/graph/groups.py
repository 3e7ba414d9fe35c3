"""Which parameters the groups of an optimizer mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from netspec.errors import At, Path, Problem
from netspec.graph.members import base_word
from netspec.graph.model import Graph, Step
from netspec.graph.report import too_many
from netspec.layers import KINDS
from netspec.sections.param_groups import OTHER, SCHEDULE
from netspec.text.source import Source
from netspec.vocabulary import OPERATIONS, kind_of_layer
from netspec.weights.patterns import keys, means
from netspec.words import did_you_mean, listed, offered

if TYPE_CHECKING:
    from netspec.sections.param_groups import Group
    from netspec.sections.penalties_of import Penalised


@dataclass(slots=True)
class Tensor:
    """A parameter: its names, the first of which is the one that `named_parameters` gives, and its owners."""

    names: list[str]
    """Several for one that is tied, or registered twice."""
    owners: list[Step]


def assigned(
    graph: Graph, groups: Sequence[Group], source: Source
) -> tuple[tuple[Group, ...], list[Problem], list[Path]]:
    """The groups with the names of the parameters that they match, a problem for each that says nothing, and the idle.

    A group is idle, and none of its own, where those of a spec that extends another take the place of the other's.
    """
    known = list(tensors(graph))
    if problem := too_many(len(groups), len(known), At(("train", "groups"), on_key=True)):
        return tuple(groups), [problem], []
    found: list[Group] = []
    problems: list[Problem] = []
    idle: list[Path] = []
    taken: dict[tuple[str, str], Path] = {}  # which group gives an option to a parameter
    for group in (replace(group, parameters=frozenset(_matched(group.key, known))) for group in groups):
        if not group.parameters and source.inherited(group.path) and kind_of_layer(group.key):
            idle.append(group.path)
        elif not group.parameters:
            problems.append(_unmatched(group, known))
        for option in group.options if group.parameters else ():
            winners = {taken.setdefault((option, name), group.path) for name in group.parameters}
            if group.path in winners:
                continue
            takers = [other for other in found if other.path in winners]
            if all(source.file_of(taker.path) == source.file_of(group.path) for taker in takers):
                problems.append(_never_holds(group, option, takers, source))
            elif len(group.options) == 1:
                idle.append(group.path)
        found.append(group)
    problems += _both(found)
    return tuple(group for group in found if group.path not in idle), problems, idle


def _both(groups: Sequence[Group]) -> Iterator[Problem]:
    """A problem for each line of options whose parameters another line has given to an optimizer of their own."""
    for group in groups:
        for other in groups if group.options.keys() - {SCHEDULE} and OTHER not in group.options else ():
            if OTHER in other.options and (shared := sorted(group.parameters & other.parameters)):
                text = f"{group.key} gives options of the optimizer to {shared[0]}, which {other.key} gives to another"
                hint = "Say the options with that optimizer, or let the two match other parameters."
                yield Problem("groups", text, At(group.path, on_key=True), hint)
                break


def penalised(graph: Graph, lines: Sequence[Penalised]) -> tuple[tuple[Penalised, ...], list[Problem]]:
    """The lines of penalties with the names of the parameters that they match, and a problem for each without any."""
    known = list(tensors(graph))
    if problem := too_many(len(lines), len(known), At(("train", "penalties"), on_key=True)):
        return tuple(lines), [problem]
    found = [replace(line, parameters=frozenset(_matched(line.key, known))) for line in lines]
    problems = [_unmatched(line, known) for line in found if not line.parameters]
    for line in found:
        if line.parameters and all(map(graph.weights.frozen, line.parameters)):
            text = f"the penalty on {line.key} changes nothing: all that it matches is frozen"
            hint = "Leave it out, or unfreeze some."
            problems.append(Problem("penalties", text, At(line.path, on_key=True), hint, "warning"))
    return tuple(found), problems


def _never_holds(group: Group, option: str, takers: Sequence[Group], source: Source) -> Problem:
    """The problem with an option that earlier groups give to all parameters that this one matches."""
    at = At((*group.path, option) if (*group.path, option) in source.marks else group.path, on_key=True)
    verb = "gives" if len(takers) == 1 else "give"
    text = f"the {option} of {group.key} never holds: {listed(g.key for g in takers)} above it {verb} one to all"
    hint = "The first group that matches wins. Write this one above, or leave it out."
    return Problem("groups", f"{text} that it matches", at, hint)


def tensors(graph: Graph) -> Iterator[Tensor]:
    """Every parameter once, however many names it has."""
    named = [
        (f"{path}.{part}" if part else path, step, part)
        for path, step in graph.root.owners()
        for part in step.parameters()
    ]
    shared = {name: (id(step), part) for name, step, part in named}
    found: dict[tuple[int, str], Tensor] = {}
    for name, step, _ in named:
        tensor = found.setdefault(shared[graph.ties.get(name, name)], Tensor([], []))
        tensor.names.append(name)
        tensor.owners.append(step)
    return iter(found.values())


def _matched(key: str, known: Sequence[Tensor]) -> Iterator[str]:
    """The names of the parameters that a kind of layer or a pattern means."""
    classes = kind_of_layer(key)
    for tensor in known:
        if classes:
            matches = any(isinstance(step.op, classes) for step in tensor.owners)
        else:
            matches = any(means(key, name) for name in tensor.names)
        if matches:
            yield tensor.names[0]


def _keys(known: Sequence[Tensor]) -> Iterator[str]:
    """What a group may be called: parameters, levels around them, and the kinds of layer that have some."""
    names = [name for tensor in known for name in tensor.names]
    met = {type(step.op) for tensor in known for step in tensor.owners}
    words = (word for word in (*KINDS, *OPERATIONS.words()) if any(issubclass(op, kind_of_layer(word)) for op in met))
    yield from (*keys(names), *words)


def _unmatched(group: Group | Penalised, known: Sequence[Tensor]) -> Problem:
    """The problem of a group that no parameter belongs to."""
    at = At(group.path, on_key=True)
    if kind_of_layer(group.key):
        kinds = sorted(
            {base_word(type(s.op), type(s.op).__name__) for t in known for s in t.owners if s.op is not None}
        )
        return Problem("unknown-name", f"no layer with parameters is a {group.key}", at, offered(group.key, kinds))
    hint = did_you_mean(group.key, _keys(known))
    hint = hint or "A group names a kind of layer, or a pattern of names as in *.bias."
    return Problem("unknown-name", f"{group.key!r} matches no layer and no parameter", at, hint)
