"""Evaluation of an exported file: what the loss and the metrics of its spec find in what it gives. Needs no torch.

The network runs in ONNX Runtime; losses and metrics are those of a run, computed on arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from netspec.datasets.files import MEMORY, Budget, Files
from netspec.errors import UsageError
from netspec.files import shown
from netspec.runs.compared import compared_in
from netspec.runs.formats import ends_of
from netspec.runs.onnx_model import OnnxModel
from netspec.runs.parts import Part, need_measures, need_some, part_of
from netspec.runs.predict_file import Steps, wanted_of
from netspec.runtime.arrays.data import ArrayData, ArrayPart, read_arrays
from netspec.runtime.arrays.losses import FORMS
from netspec.runtime.arrays.objective import ArrayObjective
from netspec.runtime.arrays.tensor import ArrayTensor
from netspec.runtime.export.emission import Array, End
from netspec.runtime.train.tally import Tally, batch_size, check_metrics
from netspec.sections.train_record import Train
from netspec.spec import Spec
from netspec.text.report import pointing_into

LEAST: Final = 1e-30
"""The least probability that has a logarithm here."""
WAY_OUT: Final = "measure the run, `netspec eval RUN`"


def evaluated(
    model: OnnxModel,
    overrides: Iterable[str],
    part: Part,
    allow_outside: bool,
    tell: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """The loss and the metrics of the network in a file, on one part of the data that its spec names.

    Paths of data start at the current folder. `tell` is told of doubts. Raises UsageError and DataError.
    """
    spec = model.spec.over(list(overrides)).at(Path.cwd())
    section = need_measures(spec, shown(model.path))
    _need_measurable(model, spec, section)
    data = _data(model, spec, allow_outside)
    split = part_of(spec, data, part, tell)
    objective = ArrayObjective(section.loss, model.measures, tuple(spec.graph.outputs))
    with pointing_into(spec.document.source), np.errstate(all="ignore"):  # as torch, which gives nan without a word
        return need_some(_measured(model, spec, data, split, objective))


def _need_measurable(model: OnnxModel, spec: Spec, section: Train) -> None:
    """Refuse what a file alone cannot be measured by. Raises UsageError."""
    if section.composed or model.memory:
        text = "is measured by passes and networks that it has not" if section.composed else "reads token by token"
        raise UsageError(f"{shown(model.path)} {text}: {WAY_OUT}")
    if spec.experiment.data is not None and spec.experiment.data.draw:
        text = f"is given {', '.join(spec.experiment.data.draw)}, which torch draws"
        raise UsageError(f"{shown(model.path)} {text}: {WAY_OUT}")
    for term in section.terms:
        if term.owns_parameters:
            text = "is weighed by what training learnt" if term.learned else "has weights of its own"
            raise UsageError(f"{term.loss.said} {text}, which a file has not: {WAY_OUT}")
        if type(term.loss).origin or type(term.loss).__name__ not in FORMS:
            raise UsageError(f"{term.loss.said} is only computed by torch: {WAY_OUT}")
    for metric in section.metrics:
        if type(getattr(metric, "metric", metric)).origin:
            raise UsageError(f"{metric.label} is only computed by torch: {WAY_OUT}")
    if model.exporter.output == "labels":
        raise UsageError(
            f"{shown(model.path)} gives classes, which no loss compares: {WAY_OUT}, or a file that gives scores"
        )


def _data(model: OnnxModel, spec: Spec, allow_outside: bool) -> ArrayData:
    """The data that the spec of a file names, seen as the file says. Raises UsageError where it names none."""
    section = spec.experiment.data
    if section is None:
        raise UsageError(f"{spec.name} has no data: its spec has no data section")
    files = Files(spec.root, allow_outside, "", Budget(max(MEMORY, section.reading.memory or 0)))
    return read_arrays(section, files, model.measures, compared_in(spec), shown(model.path))


def _measured(
    model: OnnxModel, spec: Spec, data: ArrayData, split: ArrayPart, objective: ArrayObjective
) -> dict[str, Any]:
    """The loss and the metrics, of one part of the data."""
    section = need_measures(spec, spec.name)
    names, tally = list(spec.graph.outputs), Tally(objective, section.metrics)
    ends = ends_of(spec, model.exporter, model.measures)
    placed = () if model.ahead else split.steps.placed
    steps = Steps(model, placed, data.peak, list(spec.graph.inputs), wanted_of(model, model.measures))
    size = section.batch if objective.compares_samples else batch_size(split, section.batch)

    def called(row: int) -> str:
        return split.origin.at(row, 0)

    for number, (columns, target) in enumerate(split.batches(size)):
        given = steps.given(columns, called, number * size)
        outputs = _named(names, [undone(ends.get(i), x) for i, x in enumerate(model.run(given))])
        if not number:
            objective.check(outputs, target, {"evaluated": split})
            check_metrics(section.metrics, objective, outputs)
        tally.add(outputs, target)
    return tally.values()


def _named(names: Sequence[str], found: Sequence[Array]) -> Any:
    """The outputs of a network as its training has them: by name where there are several."""
    results = {name: ArrayTensor.of(x) for name, x in zip(names, found, strict=True)}
    return results if len(results) > 1 else next(iter(results.values()))


def undone(end: End | None, x: Array) -> Array:
    """What a network gave before something was put behind it; scores but for a number that all classes share."""
    if end is None:
        return x.astype(np.float32) if x.dtype == np.float16 else x
    if end.activation == "softmax":
        x = np.log(np.maximum(x, LEAST))
    elif end.activation == "sigmoid":
        x = np.log(np.maximum(x, LEAST)) - np.log(np.maximum(1 - x, LEAST))
    elif end.activation == "exp":
        x = np.log(np.maximum(x, LEAST))
    if end.mean is not None and end.deviation is not None:
        x = (x - end.mean) / end.deviation
    return np.ascontiguousarray(x, np.float32)
