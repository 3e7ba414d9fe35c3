"""Inference: what the network of a run says of new samples, probabilities of classes, or values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from netspec.datasets.files import show
from netspec.datasets.fit import described, unfit
from netspec.datasets.rows import Rows
from netspec.errors import DataError
from netspec.runs.given import COUNTS, batch_axis, need_rows, of_network, rearranged, samples_in
from netspec.runs.prediction import Prediction, joined, told
from netspec.runs.run import Run
from netspec.runtime.data.handed import Handed
from netspec.runtime.data.loading import steps_for
from netspec.runtime.data.prefetch import Reader
from netspec.runtime.data.split import Split, Steps
from netspec.runtime.data.streaming import Streamed
from netspec.runtime.device.allocator import kept_memory
from netspec.runtime.network.several_views import averaged
from netspec.runtime.train.criterion import Criterion, predictions
from netspec.runtime.train.loss import Objective
from netspec.runtime.train.networks import Drawn, Inputs
from netspec.runtime.train.tally import batch_size
from netspec.sections.objective import Term

if TYPE_CHECKING:
    from netspec.datasets.base import Column

Array = np.ndarray[Any, Any]


@kept_memory()
def predict(run: Run, files: Sequence[Path], *, as_is: bool = False) -> Prediction:
    """What the best weights of a run make of samples like those that it was trained on, before any transform.

    `files` are one .npz with an array for each input of the network, a .npy for each, or files like those of the run's
    source, without a target: a table, texts, images and folders of images. The data that the run was trained on is not
    needed. Values are brought to the scale of training where that is sure, unless they are taken `as_is`.
    Raises DataError.
    """
    return joined(predicted(run, files, as_is=as_is))


def predicted(run: Run, files: Sequence[Path], *, as_is: bool = False) -> Iterator[Prediction]:
    """The same, a batch of samples after the other. Raises DataError."""
    learnt = run.learnt
    new, samples = _samples(run, files, of_network(run.spec, learnt), as_is)
    label = ", ".join(map(show, files))
    yield from told(run.spec, learnt, new, label, _batches(run, samples, of_network(run.spec, learnt)))


def _batches(
    run: Run, samples: Split, learnt: Mapping[str, Any]
) -> Iterator[tuple[dict[str, Array], dict[str, tuple[Term, int]]]]:
    """What the network gives for each batch, and what the losses know of that."""
    module, order = run.module().eval(), _inputs_in(run)
    section = run.spec.experiment.train
    forward = averaged(module, section.evaluate.views) if section is not None else module
    names = tuple(run.spec.graph.outputs)
    objective = Objective(section.loss, learnt=learnt, names=names) if section is not None else None
    if objective:
        objective.restore(run.weights)
    axes = {name: batch_axis(tensor) for name, tensor in run.spec.graph.outputs.items()}
    for inputs, _ in samples.batches(batch_size(samples, 64)):
        with torch.inference_mode():
            given = forward(*order.of_network(inputs))
            held = dict(zip(names, predictions(given), strict=True))
            known: dict[str, tuple[Term, int]] = {}
            for name, (criterion, taken) in _answered(objective, given, names).items():
                axis = criterion.loss.class_axis(taken[0].ndim)
                known[name] = criterion.term, axis
                chances = criterion.loss.probabilities(criterion.scores(taken))
                held[name] = chances if axis == 1 else chances.movedim(1, axis)  # as the network has it
            yield {name: values.movedim(axes[name], 0).numpy() for name, values in held.items()}, known


def _answered(
    objective: Objective | None, given: Any, names: Sequence[str]
) -> dict[str, tuple[Criterion, Sequence[torch.Tensor]]]:
    """For each output that a loss compares first of all the loss, and the outputs that it takes."""
    found: dict[str, tuple[Criterion, Sequence[torch.Tensor]]] = {}
    for criterion, taken in objective.present(given) if objective is not None else ():
        found.setdefault(criterion.term.outputs[0] if criterion.term.outputs else names[0], (criterion, taken))
    return found


def _samples(run: Run, files: Sequence[Path], learnt: Mapping[str, Any], as_is: bool) -> tuple[Handed, Split]:
    """The samples in files, held against what the network takes. Raises DataError."""
    given, label = samples_in(run.spec, files, learnt, as_is, str(run.folder)), ", ".join(map(show, files))
    try:
        samples = _prepared(run, given.inputs, learnt)
    except DataError as error:
        hint = rearranged(list(run.spec.graph.inputs), given.inputs, lambda x: _prepared(run, x, learnt)) or COUNTS
        raise DataError(f"{label}: {error}. {hint}") from None
    need_rows(run.spec, given, label)
    return given, samples


def _inputs_in(run: Run) -> Inputs:
    """The inputs of new samples: those of the data, then what was drawn in training."""
    section, network = run.spec.experiment.data, tuple(run.spec.graph.inputs)
    drawn = section.draw if section is not None else {}
    data = tuple(name for name in network if name not in drawn)
    return Inputs(network, data, {name: Drawn(way, ()) for name, way in drawn.items()})


def _prepared(run: Run, arrays: Sequence[Column], learnt: Mapping[str, Any]) -> Split:
    """The samples with what is done to them on their way to the network. Raises DataError where they do not fit it."""
    section, steps = run.spec.experiment.data, Steps()
    if section is not None:
        data = arrays[: len(arrays) - len(section.draw)]
        steps = steps_for(section, learnt, [described(torch.from_numpy(x[:1])) for x in data])
    samples = _split(arrays, steps)
    first, _ = next(samples.batches(1))
    taken = _inputs_in(run).of_network(first) if len(first) == len(run.spec.graph.inputs) else first
    for message, _ in unfit([described(x) for x in taken], run.spec.graph.inputs):
        raise DataError(message.replace("the data", "the file"))
    return samples


def _split(arrays: Sequence[Column], steps: Steps) -> Split:
    """The samples as a part of data; what stays in its files is read a batch at a time."""
    inputs: Any = tuple(x if isinstance(x, Rows) else torch.from_numpy(x) for x in arrays)
    rows = [x for x in arrays if isinstance(x, Rows)]
    target = torch.arange(len(arrays[0]))
    if not rows:
        return Split(inputs, target, steps)
    return Streamed(inputs=inputs, target=target, steps=steps, reader=Reader(rows), place=target.device)
