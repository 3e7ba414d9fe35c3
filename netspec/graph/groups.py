"""Which parameters the groups of an optimizer mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from netspec.errors import At, Problem, did_you_mean, offered
from netspec.graph.members import base_word
from netspec.graph.model import Graph, Step
from netspec.graph.report import too_many
from netspec.graph.weights import means
from netspec.language.groups import Group
from netspec.layers import KINDS
from netspec.vocabulary import OPERATIONS, kind_of_layer


@dataclass(slots=True)
class Tensor:
    """A parameter: its names, the first of which is the one that `named_parameters` gives, and its owners."""

    names: list[str]
    owners: list[Step]


def assigned(graph: Graph, groups: Sequence[Group], at: At) -> tuple[tuple[Group, ...], list[Problem]]:
    """The groups with the names of the parameters that they match, and a problem for each that matches none."""
    known = list(tensors(graph))
    if problem := too_many(len(groups), len(known), at):
        return tuple(groups), [problem]
    found = tuple(replace(group, parameters=frozenset(_matched(group.key, known))) for group in groups)
    return found, [_unmatched(group, known) for group in found if not group.parameters]


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
    """What a group may be called."""
    names = [name for tensor in known for name in tensor.names]
    levels = {".".join(name.split(".")[:i]) + ".*" for name in names for i in range(1, name.count(".") + 1)}
    yield from (*names, *sorted(levels), *KINDS, *OPERATIONS.words())


def _unmatched(group: Group, known: Sequence[Tensor]) -> Problem:
    at = At(group.path, on_key=True)
    if kind_of_layer(group.key):
        kinds = sorted(
            {base_word(type(s.op), type(s.op).__name__) for t in known for s in t.owners if s.op is not None}
        )
        return Problem("unknown-name", f"no layer with parameters is a {group.key}", at, offered(group.key, kinds))
    hint = did_you_mean(group.key, _keys(known))
    hint = hint or "A group names a kind of layer, or a pattern of names as in *.bias."
    return Problem("unknown-name", f"{group.key!r} matches no layer and no parameter", at, hint)
