"""Evaluation of a run: the loss and the metrics of its best weights on a part of its data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from netspec.errors import DataError, UsageError
from netspec.runs.data import data_of
from netspec.runs.networks import networks_of
from netspec.runs.run import Run
from netspec.runtime.data.compatibility import need_fit
from netspec.runtime.data.split import Split
from netspec.runtime.device.allocator import kept_memory
from netspec.runtime.train.evaluate import evaluate
from netspec.runtime.train.loss import Objective
from netspec.text.report import pointing_into


@kept_memory()
def evaluated(
    run: Run, part: Literal["train", "val", "test"], allow_outside: bool, tell: Callable[[str], None] | None
) -> dict[str, Any]:
    """The loss and the metrics on one part of the data; `tell` is told of doubts. Raises UsageError and DataError."""
    section = run.spec.experiment.train
    if section is None:
        raise UsageError(f"{run.folder} has no train section that says what to measure")
    data = data_of(run.spec, allow_outside, run.learnt, hold=False, doubt=run.doubt)
    split: Split | None = getattr(data, part)
    if split is None:
        raise DataError(f"the data of {run.spec.name} has no {part} part")
    need_fit(run.spec, data)
    if tell is not None:
        for line in data.doubts:
            tell(line)
    loss = section.all_terms if section.players else section.loss
    objective = Objective(loss, learnt=data.learnt, names=tuple(run.spec.graph.outputs))
    networks = networks_of(run.spec, data, undrawn=True)
    if networks is not None:
        objective.hold(networks.players)
    objective.restore(run.weights)
    about: dict[str, Any] = {"batch": section.batch, "networks": networks}
    with pointing_into(run.spec.document.source):
        found = evaluate(run.module(), split, objective, section.metrics, **about)
    if not found:
        raise UsageError("nothing of its losses is measured outside training, where there is no other pass")
    return found
