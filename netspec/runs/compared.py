"""What the losses of a spec compare with its data. Needs no torch."""

from __future__ import annotations

from netspec.graph.signals import signals
from netspec.runtime.data.weighing import Compared
from netspec.spec import Spec
from netspec.tensors import Tensor


def given_in(spec: Spec) -> dict[str, Tensor]:
    """What losses may take in a step of training, by name: the outputs, those of further passes and of others."""
    if spec.experiment.train is None or not spec.experiment.train.composed:
        return spec.graph.trained_outputs
    found = signals(spec.graph, {name: each.graph for name, each in spec.beside.items()}, spec.experiment.train)
    return {name: value.tensor for name, value in found.items() if value.tensor is not None}


def compared_in(spec: Spec) -> tuple[Compared, ...]:
    """What each loss of a run compares, where the network has its outputs; nothing where nothing is trained."""
    train, data = spec.experiment.train, spec.experiment.data
    if train is None or data is None:
        return ()
    outputs, targets, found = given_in(spec), data.source.targets, []
    for term in train.all_terms:
        names = term.outputs or tuple(outputs)
        if all(name in outputs for name in names) and not term.within:
            given = tuple(outputs[name] for name in names)
            found.append(Compared(term.loss, given, term.name, term.target_of(targets)))
    return tuple(found)
