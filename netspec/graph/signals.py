"""Everything that losses may name in a step of training: outputs of the network, of passes, of others beside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from netspec.graph.model import Graph, Value
from netspec.sections.beside import OWN, TEACHER, Pass, called

if TYPE_CHECKING:
    from netspec.sections.train_record import Train


def signals(graph: Graph, beside: Mapping[str, Graph], train: Train | None) -> dict[str, Value]:
    """The values by their names. Of a network beside that could not be read there are none."""
    found = dict(graph.results)
    found |= {f"{OWN}.{name}": value for name, value in graph.results.items()}
    if train is None or not train.composed:
        return found
    found |= _named(train.passes, "", graph.results, plain=False)
    if train.teacher is not None:
        other = graph if train.teacher.averaged else beside.get(TEACHER)
        if other is not None:
            given = {name: value for name, value in other.results.items() if name in other.outputs}
            found |= _named(train.passes, TEACHER, given, plain=True)
    for player in train.players:
        if player.name in beside:
            found |= _named(player.passes, player.name, beside[player.name].results, plain=False)
    return found


def _named(passes: Iterable[Pass], prefix: str, given: Mapping[str, Value], *, plain: bool) -> dict[str, Value]:
    """The values of a network by what losses call them."""
    return {name: given[own] for name, _, own in called(passes, prefix, given, plain)}
