"""Inference: what the network of a run says of new samples, probabilities of classes, or values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from netspec.datasets.base import Gives, numbered
from netspec.datasets.files import show
from netspec.datasets.fit import unfit
from netspec.datasets.images import Images
from netspec.datasets.rows import Rows, pieces
from netspec.datasets.table import Tabular
from netspec.datasets.values import Values
from netspec.dims import names
from netspec.errors import DataError
from netspec.lint import Facts, rules
from netspec.runs.data import LEARNT
from netspec.runs.run import Run
from netspec.runtime.data.handed import Handed, handed
from netspec.runtime.data.loading import steps_for
from netspec.runtime.data.prefetch import Reader
from netspec.runtime.data.ranges import on_scale
from netspec.runtime.data.split import Split, Steps, described
from netspec.runtime.data.streaming import Streamed
from netspec.runtime.device.allocator import kept_memory
from netspec.runtime.train.evaluate import batch_size
from netspec.runtime.train.loss import Objective, predictions
from netspec.tensors import Tensor
from netspec.words import printable

if TYPE_CHECKING:
    from netspec.datasets.base import Column

Array = np.ndarray[Any, Any]

COUNTS: Final = "The first axis of a file's array counts the samples."

REARRANGED: Final[Mapping[str, Callable[[Array], Array]]] = {
    "x.transpose(0, 3, 1, 2)": lambda x: x.transpose(0, 3, 1, 2),
    "x.transpose(0, 2, 3, 1)": lambda x: x.transpose(0, 2, 3, 1),
    "x[:, None]": lambda x: x[:, None],
    "x[..., None]": lambda x: x[..., None],
    "x[None]": lambda x: x[None],
    "x.transpose(2, 0, 1)[None]": lambda x: x.transpose(2, 0, 1)[None],
    "x[None, None]": lambda x: x[None, None],
    "x.squeeze(1)": lambda x: x.squeeze(1),
    "x.squeeze(-1)": lambda x: x.squeeze(-1),
}
"""What people save in another order of axes, or without the axis of samples or channels."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a network gives for samples, by the names of its outputs, a row for each sample.

    The first output holds probabilities where the loss knows some, those of `classes` on its `axis`, of no and yes too;
    these are their names, None where nothing is chosen from classes. `labels` names the values of the first output that
    are no choice: the target's columns, or labels of which several may hold. `names` says what each sample is called,
    by column: its file, its ids; nothing where only its number tells it from others. `told` is what one should know.
    """

    outputs: dict[str, np.ndarray[Any, Any]]
    classes: tuple[str, ...] | None
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    axis: int = 1
    labels: tuple[str, ...] = ()
    told: tuple[str, ...] = ()

    @property
    def first(self) -> np.ndarray[Any, Any]:
        """The first output, samples first."""
        return next(iter(self.outputs.values()))

    @property
    def files(self) -> tuple[str, ...] | None:
        """The samples' own files, where each has one."""
        return tuple(self.names["file"]) if "file" in self.names else None

    @property
    def shares(self) -> np.ndarray[Any, Any] | None:
        """The probabilities with the classes on the last axis; None where nothing is chosen from classes."""
        if self.classes is None or self.first.ndim <= self.axis:
            return None
        return np.moveaxis(self.first, self.axis, -1)

    def places(self) -> np.ndarray[Any, Any] | None:
        """The name of the likeliest class of each place of each sample; None where nothing is chosen from classes."""
        shares = self.shares
        return None if shares is None else np.array(self.classes, dtype=object)[shares.argmax(-1)]

    def best(self, count: int) -> list[list[tuple[str, float]]] | None:
        """For each sample its likeliest classes with their probabilities; None where a sample has no one class."""
        if self.classes is None or self.first.ndim != 2 or self.axis != 1:
            return None
        order = np.argsort(-self.first, axis=1, kind="stable")[:, :count]
        return [
            [(self.classes[i], float(row[i])) for i in places] for row, places in zip(self.first, order, strict=True)
        ]


@kept_memory()
def predict(run: Run, files: Sequence[Path], *, as_is: bool = False) -> Prediction:
    """What the best weights of a run make of samples like those that it was trained on, before any transform.

    `files` are one .npz with an array for each input of the network, a .npy for each, or files like those of the run's
    source, without a target: a table, texts, images and folders of images. The data that the run was trained on is not
    needed. Values are brought to the scale of training where that is sure, unless they are taken `as_is`.
    Raises DataError.
    """
    learnt = run.learnt
    new, samples = _samples(run, files, learnt, as_is)
    module = run.module().eval()
    section = run.spec.experiment.train
    objective = Objective(section.loss, learnt=learnt) if section is not None else None
    if objective:
        objective.restore(run.weights)
    found, axis = [], 1
    with torch.inference_mode():
        for inputs, _ in samples.batches(batch_size(samples, 64)):
            given = module(*inputs)
            first, *rest = predictions(given)
            if objective:
                axis = objective.loss.class_axis(first.ndim)
                first = objective.loss.probabilities(objective.scores(given))
                first = first if axis == 1 else first.movedim(1, axis)  # as the network has it
            found.append((first, *rest))
    outputs = {
        name: torch.cat([part.movedim(_batch_axis(tensor), 0) for part in parts]).numpy()
        for (name, tensor), parts in zip(run.spec.graph.outputs.items(), zip(*found, strict=True), strict=True)
    }
    answers = "positive" in learnt and objective is not None and objective.loss.target_kind == "label"
    if answers:  # as of two classes, of which yes is the second
        name, axis = next(iter(outputs)), 1
        yes = outputs[name].reshape(-1)
        outputs[name] = np.stack([1 - yes, yes], 1)
    chosen = answers or (objective is not None and objective.loss.target_kind == "class")
    scores = next(iter(outputs.values()))
    count = scores.shape[axis] if chosen and scores.ndim > axis else 0
    known = tuple(learnt.get("classes") or numbered(count))
    known += tuple(f"class {i}" for i in range(len(known), count))  # that no sample has, and the network tells apart
    labels = _labels(run, objective, learnt)
    result = Prediction(outputs, known if count else None, new.names, axis, labels, new.told)
    _need_finite(result, ", ".join(map(show, files)))
    return result


def _labels(run: Run, objective: Objective | None, learnt: Mapping[str, Any]) -> tuple[str, ...]:
    """What the values of the first output are called, where the run's data has a name for each."""
    section, shape = run.spec.experiment.data, next(iter(run.spec.graph.outputs.values())).shape
    if objective is None or section is None or objective.loss.target_kind == "class" or len(shape) != 2:
        return ()
    source, target = section.source, tuple[str, ...]()
    if isinstance(source, Tabular):
        ahead = range(1, source.horizon + 1) if source.window is not None and source.horizon > 1 else ()
        target = tuple(f"{name} +{row}" for name in source.target for row in ahead) or source.target
    elif isinstance(source, Images) and source.regression and source.masks is None:
        target = (source.labels,)
    named = learnt.get("classes") or target
    return tuple(named) if len(named) == shape[1] else ()


def _need_finite(found: Prediction, label: str) -> None:
    """Refuse to give what is no number. Raises DataError."""
    for name, values in found.outputs.items():
        wrong = ~np.isfinite(values).reshape(len(values), -1).all(1)
        if wrong.any():
            row = int(wrong.argmax())
            called = printable(", ".join(str(column[row]) for column in found.names.values())) or f"row {row}"
            text = f"{label}: {name} is not finite for {called}, one of {int(wrong.sum()):,} such samples"
            raise DataError(f"{text}. Are their values far from those of training?")


def _batch_axis(tensor: Tensor) -> int:
    """The axis of a tensor that counts samples."""
    return next((axis for axis, size in enumerate(tensor.shape) if "B" in names(size)), 0)


def _samples(run: Run, files: Sequence[Path], learnt: Mapping[str, Any], as_is: bool) -> tuple[Handed, Split]:
    """The samples in files, held against what the network takes. Raises DataError."""
    wanted, section = run.spec.graph.inputs, run.spec.experiment.data
    if section is not None and "inputs" not in learnt:
        raise DataError(f"{run.folder} does not keep how its data is seen: {LEARNT} is missing or of an older version")
    source = section.source if section is not None else None
    given = handed(source, files, learnt, {name: x.shape for name, x in wanted.items()})
    label = ", ".join(map(show, files))
    if given.judged and not as_is:
        given = _on_scale(given, learnt, label)
    arrays = given.inputs
    counts = {len(array) for array in arrays}
    if len(counts) > 1 or 0 in counts:
        text = " and ".join(f"{len(array):,}" for array in arrays)
        raise DataError(f"{label}: the inputs hold {text} samples, expected the same number of each, at least 1")
    try:
        samples = _prepared(run, arrays, learnt)
    except DataError as error:
        raise DataError(f"{label}: {error}. {_rearranged(run, arrays, learnt) or COUNTS}") from None
    _need_rows(run, given, label)
    return given, samples


def _prepared(run: Run, arrays: Sequence[Column], learnt: Mapping[str, Any]) -> Split:
    """The samples with what is done to them on their way to the network. Raises DataError where they do not fit it."""
    section, steps = run.spec.experiment.data, Steps()
    if section is not None:
        steps = steps_for(section, learnt, [described(torch.from_numpy(x[:1])) for x in arrays])
    samples = _split(arrays, steps)
    first, _ = next(samples.batches(1))
    for message, _ in unfit([described(x) for x in first], run.spec.graph.inputs):
        raise DataError(message.replace("the data", "the file"))
    return samples


def _rearranged(run: Run, arrays: Sequence[Column], learnt: Mapping[str, Any]) -> str:
    """What to save in place of an array that only has its axes in another order, or lacks one; nothing of others."""
    for place, array in enumerate(arrays):
        for text, change in REARRANGED.items():
            others = [np.zeros((1, *x.shape[1:]), x.dtype) for x in arrays]
            try:
                others[place] = change(np.broadcast_to(np.zeros((), array.dtype), array.shape))[:1].copy()
                _prepared(run, others, learnt)
            except (DataError, ValueError, IndexError):  # of another number of axes, or no better
                continue
            name = f"{[*run.spec.graph.inputs][place]} as " if len(arrays) > 1 else ""
            return f"Save {name}{text}, which fits."
    return ""


def _on_scale(given: Handed, learnt: Mapping[str, Any], label: str) -> Handed:
    """The same on the scale that the run was trained on, with what is told of it. Raises DataError."""
    kept, names, peak = (
        learnt.get("values"),
        learnt.get("inputs", {}).get("names"),
        learnt.get("inputs", {}).get("peak"),
    )
    if kept is None or len(kept) != len(given.inputs) or not all(map(len, given.inputs)):
        return given
    heads = [f"{label}, {name}" for name in names] if len(names) > 1 else [label]
    pairs = zip(given.inputs, kept, heads, strict=True)
    found = [on_scale(x, Values.of(values), peak, head, given.photos) for x, values, head in pairs]
    return replace(given, inputs=[x for x, _ in found], told=(*given.told, *(said for _, said in found if said)))


def _need_rows(run: Run, given: Handed, label: str) -> None:
    """Refuse whole numbers that an embedding has no vector for. Raises DataError."""
    bounds = tuple(_bounds(x) if x.dtype == np.int64 else None for x in given.inputs)
    facts = Facts(run.spec.graph, run.spec.experiment, Gives(numbers=bounds))
    for problem in (p for rule in rules(("embedding_rows",)) for p in rule.check(facts)):
        tokens = [x[:] for x in given.inputs if x.dtype == np.int64]
        beyond = [x < 0 if x.min() < 0 else x == x.max() for x in tokens]
        where = f", first in row {beyond[0].reshape(len(beyond[0]), -1).any(1).argmax()}" if len(tokens) == 1 else ""
        raise DataError(f"{label}: {problem.message.replace('the data', 'the file')}{where}")


def _bounds(numbers: Column) -> tuple[int, int]:
    """The smallest and the largest of whole numbers."""
    ends = [(int(piece.min()), int(piece.max())) for _, piece in pieces(numbers)]
    return min(low for low, _ in ends), max(high for _, high in ends)


def _split(arrays: Sequence[Column], steps: Steps) -> Split:
    """The samples as a part of data; what stays in its files is read a batch at a time."""
    inputs: Any = tuple(x if isinstance(x, Rows) else torch.from_numpy(x) for x in arrays)
    rows = [x for x in arrays if isinstance(x, Rows)]
    target = torch.arange(len(arrays[0]))
    if not rows:
        return Split(inputs, target, steps)
    return Streamed(inputs=inputs, target=target, steps=steps, reader=Reader(rows), place=target.device)
