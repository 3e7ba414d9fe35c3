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
from netspec.datasets.rows import Rows, pieces
from netspec.datasets.values import Values
from netspec.dims import names
from netspec.errors import DataError
from netspec.lint import Facts, rules
from netspec.runs.learnt import LEARNT
from netspec.runs.run import Run
from netspec.runtime.data.handed import Handed, arrays_in, handed
from netspec.runtime.data.loading import steps_for
from netspec.runtime.data.prefetch import Reader
from netspec.runtime.data.ranges import on_scale
from netspec.runtime.data.split import Split, Steps, described
from netspec.runtime.data.streaming import Streamed
from netspec.runtime.device.allocator import kept_memory
from netspec.runtime.train.evaluate import batch_size
from netspec.runtime.train.loss import Criterion, Objective, predictions
from netspec.runtime.train.networks import Drawn, Inputs
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
class Answer:
    """What a network gives as one output, a row for each sample; the fields are those of a Prediction."""

    values: Array
    classes: tuple[str, ...] | None = None
    axis: int = 1
    labels: tuple[str, ...] = ()

    @property
    def shares(self) -> Array | None:
        """The probabilities with the classes on the last axis; None where nothing is chosen from classes."""
        if self.classes is None or self.values.ndim <= self.axis:
            return None
        return np.moveaxis(self.values, self.axis, -1)

    def places(self) -> Array | None:
        """The name of the likeliest class of each place of each sample; None where nothing is chosen from classes."""
        shares = self.shares
        return None if shares is None else np.array(self.classes, dtype=object)[shares.argmax(-1)]

    def best(self, count: int) -> list[list[tuple[str, float]]] | None:
        """For each sample its likeliest classes with their probabilities; None where a sample has no one class."""
        if self.classes is None or self.values.ndim != 2 or self.axis != 1:
            return None
        order = np.argsort(-self.values, axis=1, kind="stable")[:, :count]
        pairs = zip(self.values, order, strict=True)
        return [[(self.classes[i], float(row[i])) for i in places] for row, places in pairs]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a network gives for samples, by the names of its outputs, a row for each sample.

    The first output holds probabilities where the loss knows some, those of `classes` on its `axis`, of no and yes too;
    these are their names, None where nothing is chosen from classes. `labels` names the values of the first output that
    are no choice: the target's columns, or labels of which several may hold. `names` says what each sample is called,
    by column: its file, its ids; nothing where only its number tells it from others. `told` is what one should know.
    """

    outputs: dict[str, np.ndarray[Any, Any]]
    """Samples first; probabilities where the loss knows such."""
    classes: tuple[str, ...] | None
    """The names of the classes, in the order of the axis that holds them."""
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    axis: int = 1
    """The axis of the classes."""
    labels: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    """Lines for a person, about what was converted or looks odd."""
    answers: Mapping[str, Answer] = field(default_factory=dict)
    """What each output says, where several are trained by losses of their own; the first holds the fields above."""

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
        return self._answer.shares

    def places(self) -> np.ndarray[Any, Any] | None:
        """The name of the likeliest class of each place of each sample; None where nothing is chosen from classes."""
        return self._answer.places()

    def best(self, count: int) -> list[list[tuple[str, float]]] | None:
        """For each sample its likeliest classes with their probabilities; None where a sample has no one class."""
        return self._answer.best(count)

    @property
    def _answer(self) -> Answer:
        """What the first output says."""
        return Answer(self.first, self.classes, self.axis, self.labels)


@kept_memory()
def predict(run: Run, files: Sequence[Path], *, as_is: bool = False) -> Prediction:
    """What the best weights of a run make of samples like those that it was trained on, before any transform.

    `files` are one .npz with an array for each input of the network, a .npy for each, or files like those of the run's
    source, without a target: a table, texts, images and folders of images. The data that the run was trained on is not
    needed. Values are brought to the scale of training where that is sure, unless they are taken `as_is`.
    Raises DataError.
    """
    learnt, order = _of_network(run, run.learnt), _inputs_in(run)
    new, samples = _samples(run, files, learnt, as_is)
    module = run.module().eval()
    section = run.spec.experiment.train
    names = tuple(run.spec.graph.outputs)
    objective = Objective(section.loss, learnt=learnt, names=names) if section is not None else None
    if objective:
        objective.restore(run.weights)
    found, axes = [], dict[str, int]()
    with torch.inference_mode():
        for inputs, _ in samples.batches(batch_size(samples, 64)):
            given = module(*order.of_network(inputs))
            held = dict(zip(names, predictions(given), strict=True))
            for name, (criterion, taken) in _answered(objective, given, names).items():
                axes[name] = axis = criterion.loss.class_axis(taken[0].ndim)
                chances = criterion.loss.probabilities(criterion.scores(taken))
                held[name] = chances if axis == 1 else chances.movedim(1, axis)  # as the network has it
            found.append([*held.values()])
    tensors = run.spec.graph.outputs.items()
    outputs = {
        name: torch.cat([part.movedim(_batch_axis(tensor), 0) for part in parts]).numpy()
        for (name, tensor), parts in zip(tensors, zip(*found, strict=True), strict=True)
    }
    answered = _answered(objective, given, names)
    answers = {
        name: _answer(run, outputs[name], axes.get(name, 1), answered[name][0] if name in answered else None)
        for name in names
    }
    first = answers[names[0]]
    several = bool(objective and objective.several)
    held_in = {name: answer.values for name, answer in answers.items()}
    about: dict[str, Any] = {"names": new.names, "axis": first.axis, "labels": first.labels, "told": new.told}
    result = Prediction(held_in, first.classes, **about, answers=answers if several else {})
    _need_finite(result, ", ".join(map(show, files)))
    return result


def _answered(
    objective: Objective | None, given: Any, names: Sequence[str]
) -> dict[str, tuple[Criterion, Sequence[torch.Tensor]]]:
    """For each output that a loss compares first of all the loss, and the outputs that it takes."""
    found: dict[str, tuple[Criterion, Sequence[torch.Tensor]]] = {}
    for criterion, taken in objective.present(given) if objective is not None else ():
        found.setdefault(criterion.term.outputs[0] if criterion.term.outputs else names[0], (criterion, taken))
    return found


def _answer(run: Run, values: Array, axis: int, criterion: Criterion | None) -> Answer:
    """What the values of an output say, which a loss compared in training."""
    if criterion is None:
        return Answer(values)
    learnt, target = run.learnt, ""
    own, classes = learnt, learnt.get("classes")
    if criterion.term.name:
        own = learnt.get("losses", {}).get(criterion.term.name, {})
        known = learnt.get("targets", {"lead": "", "classes": {}})
        target = criterion.term.target_of((known["lead"],)) if known["lead"] else ""
        classes = known["classes"].get(target, classes if target in ("", known["lead"]) else None)
    answers = "positive" in own and criterion.loss.target_kind == "label"
    if answers:  # as of two classes, of which yes is the second
        yes, axis = values.reshape(-1), 1
        values = np.stack([1 - yes, yes], 1)
    chosen = answers or criterion.loss.target_kind == "class"
    count = values.shape[axis] if chosen and values.ndim > axis else 0
    named = tuple(classes or numbered(count))
    named += tuple(f"class {i}" for i in range(len(named), count))  # that no sample has, and the network tells apart
    labels = () if criterion.loss.target_kind == "class" else _labels(run, values, classes, target)
    return Answer(values, named if count else None, axis, labels)


def _labels(run: Run, values: Array, classes: Sequence[str] | None, target: str) -> tuple[str, ...]:
    """What the values of an output are called, where the run's data has a name for each."""
    section = run.spec.experiment.data
    if section is None or values.ndim != 2:
        return ()
    named = classes or section.source.columns_of(target)
    return tuple(named) if len(named) == values.shape[1] else ()


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
    if section is not None and section.draw:  # what was drawn is given now
        given = arrays_in(files, (*learnt["inputs"]["names"], *section.draw))
    else:
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


def _of_network(run: Run, learnt: dict[str, Any]) -> dict[str, Any]:
    """What was learnt of the inputs that the network takes; those behind them were for further passes of it."""
    if "inputs" not in learnt:
        return learnt
    section, known = run.spec.experiment.data, learnt["inputs"]
    count = len(run.spec.graph.inputs) - len(section.draw if section is not None else ())
    steps = zip(learnt.get("transform", ()), learnt["places"], strict=True) if "places" in learnt else ()
    found = {**learnt, "inputs": {**known, "names": known["names"][:count]}, "values": learnt.get("values", [])[:count]}
    return (
        {**found, "transform": [step for step, of in steps if any(place < count for place in of)]} if steps else found
    )


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
