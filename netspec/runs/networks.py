"""The networks that a step of training has beside the one that is trained, built from a spec."""

from __future__ import annotations

from netspec.errors import DataError
from netspec.runtime.data.split import Data
from netspec.runtime.network.build import build
from netspec.runtime.train.networks import Drawn, Inputs, Networks
from netspec.sections.beside import TEACHER
from netspec.spec import Spec


def networks_of(spec: Spec, data: Data, *, undrawn: bool = False, teaching: bool = True) -> Networks | None:
    """The networks of a spec's step besides its own, and what is drawn; None where a step runs that alone.

    Those of players are `undrawn` where their weights are to come. The teacher is left out where nothing is `teaching`.
    Raises DataError.
    """
    train, section = spec.experiment.train, spec.experiment.data
    draws = section.draw if section is not None else {}
    if train is None or not (train.composed or draws or any(term.within for term in train.terms)):
        return None
    players = {player.name: build(spec.beside[player.name], undrawn=undrawn) for player in train.players if player.spec}
    teacher = None
    if TEACHER in spec.beside and teaching:
        other = spec.beside[TEACHER]
        if other.fitted() is None:
            text = "the teacher has no weights: what it was drawn with would be taught"
            raise DataError(f"{text}. Write teacher: {{spec: ..., weights: FILE}}.")
        teacher = build(other).eval().requires_grad_(False)
    given = {name: tuple(other.graph.trained_outputs) for name, other in spec.beside.items()}
    if TEACHER in given:
        given[TEACHER] = tuple(spec.beside[TEACHER].graph.outputs)
    return Networks(train, inputs_of(spec, data), tuple(spec.graph.trained_outputs), teacher, players, given)


def inputs_of(spec: Spec, data: Data) -> Inputs:
    """What a step is given: the inputs of the data, and what is drawn beside."""
    section = spec.experiment.data
    drawn = {
        name: Drawn(way, tuple(size for size in spec.graph.inputs[name].shape[1:] if isinstance(size, int)))
        for name, way in (section.draw if section is not None else {}).items()
    }
    return Inputs(tuple(spec.graph.inputs), data.names, drawn)
