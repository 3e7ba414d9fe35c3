"""What the network of a run says of new samples: probabilities of classes, or values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from netspec.datasets.base import ARRAYS
from netspec.datasets.files import show
from netspec.datasets.fit import unfit
from netspec.datasets.npy import read_file
from netspec.datasets.npz import opened
from netspec.datasets.pictures import Pictures
from netspec.datasets.rows import Rows
from netspec.dims import names
from netspec.errors import DataError
from netspec.layers.base import Tensor
from netspec.runtime.allocator import kept_memory
from netspec.runtime.data import Split, Steps, described
from netspec.runtime.evaluate import batch_size
from netspec.runtime.experiment import LEARNT, Run
from netspec.runtime.loading import steps_for
from netspec.runtime.objective import Objective, predictions
from netspec.runtime.reading import Reader
from netspec.runtime.streamed import Streamed

if TYPE_CHECKING:
    from netspec.datasets.base import Column

COUNTS: Final = "The first axis of a file's array counts the samples."


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a network gives for samples, by the names of its outputs, a row for each sample.

    The first output holds probabilities where the loss knows some, those of classes on axis 1; `classes` are their
    names, None where nothing is chosen from classes. `files` are the samples' own, where each has one.
    """

    outputs: dict[str, np.ndarray[Any, Any]]
    classes: tuple[str, ...] | None
    files: tuple[str, ...] | None = None

    @property
    def first(self) -> np.ndarray[Any, Any]:
        return next(iter(self.outputs.values()))

    def best(self, count: int) -> list[list[tuple[str, float]]] | None:
        """For each sample its likeliest classes with their probabilities; None where a sample has no one class."""
        if self.classes is None or self.first.ndim != 2:
            return None
        order = np.argsort(-self.first, axis=1, kind="stable")[:, :count]
        return [
            [(self.classes[i], float(row[i])) for i in places] for row, places in zip(self.first, order, strict=True)
        ]


@kept_memory()
def predict(run: Run, files: Sequence[Path]) -> Prediction:
    """What the best weights of a run make of samples like those that it was trained on, before any transform.

    `files` are one .npz with an array for each input of the network, a .npy for each, or files like those of the run's
    source, without a target: a table, images, folders of images. The data that the run was trained on is not needed.
    Raises DataError.
    """
    learnt = run.learnt
    samples = _samples(run, files, learnt)
    module = run.module().eval()
    section = run.spec.experiment.train
    objective = Objective(section.loss) if section is not None else None
    if objective:
        objective.restore(run.weights)
    found = []
    with torch.inference_mode():
        for inputs, _ in samples.batches(batch_size(samples, 64)):
            given = module(*inputs)
            first, *rest = predictions(given)
            if objective:
                first = objective.loss.probabilities(objective.scores(given))
            found.append((first, *rest))
    outputs = {
        name: torch.cat([part.movedim(_batch_axis(tensor), 0) for part in parts]).numpy()
        for (name, tensor), parts in zip(run.spec.graph.outputs.items(), zip(*found, strict=True), strict=True)
    }
    chosen = objective is not None and objective.loss.target_kind == "class"
    known, scores = learnt.get("classes") if chosen else None, next(iter(outputs.values()))
    if known and scores.ndim > 1 and scores.shape[1] > len(known):
        text = f"{show(run.folder / LEARNT)} names {len(known)} classes, the network gives {scores.shape[1]}"
        raise DataError(f"{text}: it is another run's")
    own = tuple(samples.inputs[0].paths) if isinstance(samples.inputs[0], Pictures) else None
    return Prediction(outputs, tuple(known) if known else None, own)


def _batch_axis(tensor: Tensor) -> int:
    return next((axis for axis, size in enumerate(tensor.shape) if "B" in names(size)), 0)


def _samples(run: Run, files: Sequence[Path], learnt: Mapping[str, Any]) -> Split:
    """The samples in files, held against what the network takes. Raises DataError."""
    wanted, section = run.spec.graph.inputs, run.spec.experiment.data
    if section is not None and "inputs" not in learnt:
        raise DataError(f"{run.folder} does not keep how its data is seen: {LEARNT} is missing or of an older version")
    like_the_source = section is not None and any(file.suffix not in ARRAYS for file in files)
    arrays: Sequence[Column]
    if section is not None and like_the_source and all(file.exists() for file in files):
        arrays = section.source.samples(files, learnt)
    else:
        arrays = _read(files, learnt["inputs"]["names"] if section else tuple(wanted))
    label = ", ".join(map(show, files))
    counts = {len(array) for array in arrays}
    if len(counts) > 1 or 0 in counts:
        text = " and ".join(f"{len(array):,}" for array in arrays)
        raise DataError(f"{label}: the inputs hold {text} samples, expected the same number of each, at least 1")
    steps = Steps()
    if section is not None:
        try:
            steps = steps_for(section, learnt, [described(torch.from_numpy(x[:1])) for x in arrays])
        except DataError as error:
            raise DataError(f"{label}: {error}. {COUNTS}") from None
    samples = _split(arrays, steps)
    first, _ = next(samples.batches(1))
    for message, _ in unfit([described(x) for x in first], wanted):
        raise DataError(f"{label}: {message.replace('the data', 'the file')}. {COUNTS}")
    return samples


def _split(arrays: Sequence[Column], steps: Steps) -> Split:
    """The samples as a part of data; what stays in its files is read a batch at a time."""
    inputs: Any = tuple(x if isinstance(x, Rows) else torch.from_numpy(x) for x in arrays)
    rows = [x for x in arrays if isinstance(x, Rows)]
    target = torch.arange(len(arrays[0]))
    if not rows:
        return Split(inputs, target, steps)
    return Streamed(inputs=inputs, target=target, steps=steps, reader=Reader(rows), place=target.device)


def _read(files: Sequence[Path], inputs: Sequence[str]) -> list[np.ndarray[Any, Any]]:
    for file in files:
        if not file.is_file():
            raise DataError(f"{show(file)} is not a file")
        if file.suffix not in ARRAYS:
            raise DataError(f"{show(file)} is neither .npy nor .npz")
    if files[0].suffix == ".npz" and len(files) == 1:
        with opened(files[0]) as archive:
            alone = len(inputs) == 1 == len(archive.names)
            return [archive.read(name)[:] for name in (archive.names if alone else inputs)]
    if len(files) != len(inputs) or any(file.suffix == ".npz" for file in files):
        text = f"the network takes {len(inputs)} input{'s' * (len(inputs) != 1)}, {', '.join(inputs)}"
        raise DataError(f"{text}: name one .npz file with an array for each, or a .npy file for each")
    return [read_file(file)[:] for file in files]
