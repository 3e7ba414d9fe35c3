"""Linear layers whose scores go into one cross entropy and nowhere else: a run need not have these whole."""

from __future__ import annotations

from typing import Final

from netspec.graph.model import Graph, Step
from netspec.layers.linear import FC, Linear
from netspec.lint.flow import Flow
from netspec.losses.classes import CrossEntropyLoss
from netspec.sections.train_record import Train

STRETCH: Final = {"cpu": 2**24, "elsewhere": 2**26}
"""The scores that are made at once where a run has more: so many that reading the weight once for each costs little."""


def last_layers(graph: Graph, train: Train) -> tuple[str, ...]:
    """The paths of the modules, by the outputs that they give; none where a step runs more than the network once."""
    paths = {step: path for path, step in graph.root.owners()}
    return tuple(paths[step] for step in last_steps(graph, train) if step in paths)


def last_steps(graph: Graph, train: Train) -> tuple[Step, ...]:
    """The same as steps of the network."""
    if train.composed:
        return ()
    flow, results = Flow(graph), graph.results
    found = []
    for name, value in results.items():
        takers = [term for term in train.terms if name in (term.outputs or tuple(results))]
        if len(takers) != 1 or (not takers[0].outputs and len(results) > 1):
            continue
        (term,) = takers
        if type(term.loss) is not CrossEntropyLoss or not term.takes_data or term.constant is not None:
            continue
        makers = flow.makers(value)
        axes = len(value.tensor.shape) if value.tensor is not None else 0
        if len(makers) == 1 and _is_last(makers[0], flow) and term.loss.class_axis(axes) == axes - 1:
            found.append(makers[0])
    return tuple(found)


def _is_last(step: Step, flow: Flow) -> bool:
    """Whether a step is a linear layer over the last axis, and nothing beside it, that runs once and no step reads."""
    linear = type(step.op) is Linear or (type(step.op) is FC and not step.op.flattens)
    linear &= step.wrap is None or not step.wrap.beside
    return linear and not flow.users[step] and not flow.again.get(step) and not step.again and step.training is None
