"""Evaluation of a run: the loss and the metrics of its best weights on a part of its data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from netspec.runs.data import data_of
from netspec.runs.networks import networks_of
from netspec.runs.parts import Part, need_measures, need_some, part_of
from netspec.runs.run import Run
from netspec.runtime.data.split import Split
from netspec.runtime.device.allocator import kept_memory
from netspec.runtime.network.several_views import averaged
from netspec.runtime.network.stretches import holding_back
from netspec.runtime.train.evaluate import evaluate
from netspec.runtime.train.loss import Objective
from netspec.runtime.train.networks import Networks
from netspec.spec import Spec
from netspec.text.report import pointing_into
from netspec.views.last_layers import last_layers


@kept_memory()
def evaluated(run: Run, part: Part, allow_outside: bool, tell: Callable[[str], None] | None) -> dict[str, Any]:
    """The loss and the metrics on one part of the data; `tell` is told of doubts. Raises UsageError and DataError."""
    section = need_measures(run.spec, str(run.folder))
    data = data_of(run.spec, allow_outside, run.learnt, hold=False, doubt=run.doubt)
    split = part_of(run.spec, data, part, tell)
    loss = section.all_terms if section.players else section.loss
    objective = Objective(loss, learnt=data.learnt, names=tuple(run.spec.graph.outputs))
    networks = networks_of(run.spec, data, undrawn=True)
    if networks is not None:
        objective.hold(networks.players)
    objective.restore(run.weights)
    return measured(run.spec, run.module(), split, objective, networks)


def measured(
    spec: Spec, module: nn.Module, split: Split, objective: Objective, networks: Networks | None
) -> dict[str, Any]:
    """The loss and the metrics of a network on samples. Raises UsageError where nothing is measured."""
    section = need_measures(spec, spec.name)
    views = section.evaluate.views
    chunked = section.chunked_loss and views is None
    last = [module.get_submodule(path) for path in last_layers(spec.graph, section)] if chunked else []
    forward = averaged(holding_back(module, last), views)
    about: dict[str, Any] = {"batch": section.batch, "networks": networks, "forward": forward}
    with pointing_into(spec.document.source):
        found = evaluate(module, split, objective, section.metrics, **about)
    return need_some(found)
