"""Inference by an exported file: what it says of new samples, in ONNX Runtime. Needs no torch.

What a run does with samples is done here on arrays: the same scale, the same steps, the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from netspec.datasets.files import show
from netspec.datasets.fit import described, unfit
from netspec.errors import DataError, UsageError
from netspec.files import shown
from netspec.runs.formats import ends_of
from netspec.runs.given import COUNTS, batch_axis, need_rows, of_network, rearranged, samples_in
from netspec.runs.onnx_model import NoBytes, OnnxModel
from netspec.runs.prediction import Prediction, called, told
from netspec.runs.raw import raw_inputs
from netspec.runtime.data.in_use import chain_for
from netspec.runtime.export.emission import End
from netspec.sections.objective import Term
from netspec.tensors import Tensor
from netspec.transforms.route import Placed

if TYPE_CHECKING:
    from netspec.datasets.base import Column

Array = np.ndarray[Any, Any]
BATCH_SIZE: Final = 64
OWN_WEIGHTS: Final = "A file has none of a loss: predict from the run."


def predicted(model: OnnxModel, files: Sequence[Path], *, as_is: bool = False) -> Iterator[Prediction]:
    """What the network in a file makes of the samples in `files`, a batch of them after the other.

    Probabilities where the loss knows some, whether the file gives them or scores. Raises DataError and UsageError.
    """
    spec, learnt = model.spec, of_network(model.spec, model.learnt)
    if model.memory:
        raise UsageError(f"{shown(model.path)} reads a text token by token: `netspec generate` goes on with one")
    if spec.experiment.data is not None and "inputs" not in learnt:
        text = (
            f"{shown(model.path)} was written of a spec alone, so it does not say how the data of its training was seen"
        )
        raise DataError(f"{text}. Export the run: netspec export RUN -o {shown(model.path)}")
    label = ", ".join(map(show, files))
    new = samples_in(spec, files, learnt, as_is, shown(model.path))
    steps = Steps.of(model, learnt, new.inputs)
    try:
        steps.need_fit(new.inputs)
    except DataError as error:
        hint = rearranged(list(spec.graph.inputs), new.inputs, steps.need_fit) or COUNTS
        raise DataError(f"{label}: {error}. {hint}") from None
    need_rows(spec, new, label)
    yield from told(spec, model.learnt, new, label, _batches(model, steps, new.inputs, partial(called, new, label)))


def _batches(
    model: OnnxModel, steps: Steps, columns: Sequence[Column], called: Callable[[int], str]
) -> Iterator[tuple[dict[str, Array], dict[str, tuple[Term, int]]]]:
    """What the file gives for each batch, and what the losses know of that; `called` names a sample."""
    graph, train = model.spec.graph, model.spec.experiment.train
    names = list(graph.outputs)
    answered = train.answered(names) if train is not None else {}
    ends = _left(model)
    if len(model.outputs) != len(names):
        raise DataError(f"{shown(model.path)} does not give what the spec in it says: {', '.join(names)}")
    known: dict[str, tuple[Term, int]] = {}
    for name, term in answered.items():
        if type(term.loss).scores.__module__.endswith(".heads"):
            raise UsageError(f"{name} is what {term.loss.said} makes scores of by weights of its own. {OWN_WEIGHTS}")
        known[name] = term, term.loss.class_axis(len(graph.outputs[name].shape))
    for start in range(0, len(columns[0]), BATCH_SIZE):
        rows = [column[start : start + BATCH_SIZE] for column in columns]
        found = model.run(steps.given(rows, called, start))
        held = {name: _said(ends.get(i), x, graph.outputs[name]) for i, (name, x) in
                enumerate(zip(names, found, strict=True))}  # fmt: skip
        yield held, known


def _left(model: OnnxModel) -> dict[int, End]:
    """What is still to be done to what a file gives, by the places of its outputs; a class that it chose says so."""
    spec, exporter = model.spec, model.exporter
    if exporter.output == "probabilities" or (exporter.output == "logits" and spec.experiment.train is None):
        return {}
    chosen = ends_of(spec, exporter, model.learnt) if exporter.output == "labels" else {}
    likely = ends_of(spec, exporter.replace(output="probabilities"), {}) if spec.experiment.train is not None else {}
    return {**likely, **{place: end for place, end in chosen.items() if end.chooses}}


def chosen_in(model: OnnxModel) -> set[str]:
    """The outputs of which a file gives the class that it has chosen, one of several, and no scores."""
    names = list(model.spec.graph.outputs)
    return {names[place] for place, end in _left(model).items() if end.chooses == "one"}


def _said(end: End | None, x: Array, scores: Tensor) -> Array:
    """What a file says of samples, these first: probabilities where a loss knows some, the words of chosen classes.

    `scores` is what the network gives in their place.
    """
    axis = batch_axis(scores)
    if end is None or not end.chooses:
        x = x.astype(np.float32) if x.dtype == np.float16 else x
        return np.moveaxis(x if end is None else end(x), axis, 0)
    if end.chooses == "one":
        axis -= end.axis % len(scores.shape) < axis
    elif x.ndim > 1 and x.shape[-1] == 1:
        x = x[..., 0]
    return np.moveaxis(x.astype(str), axis, 0)


class Steps:
    """What is done to the samples of a batch before a file is given them."""

    def __init__(
        self,
        model: OnnxModel,
        placed: Sequence[Placed],
        peak: int,
        data: Sequence[str],
        wanted: Mapping[str, Tensor] | None = None,
    ) -> None:
        """The steps with the inputs that they are for; `data` names the inputs of the data, before what is drawn.

        `wanted` is what they have to make, as the network takes it where nothing is said.
        """
        self.model, self.placed, self.peak = model, placed, peak
        self.names, self.wanted = list(data), wanted if wanted is not None else model.spec.graph.inputs

    @classmethod
    def of(cls, model: OnnxModel, learnt: Mapping[str, Any], columns: Sequence[Column]) -> Steps:
        """The steps for samples in these columns. Raises DataError."""
        section, inputs = model.spec.experiment.data, tuple(model.spec.graph.inputs)
        if {*model.inputs} != {*inputs}:
            raise DataError(f"{shown(model.path)} does not take what the spec in it says: {', '.join(inputs)}")
        if section is None:
            return cls(model, (), 255, inputs)
        if model.ahead:
            return cls(model, (), learnt["inputs"]["peak"], inputs, wanted_of(model, learnt))
        drawn = [name for name in inputs if name in section.draw]
        data = [name for name in inputs if name not in section.draw]
        taken = columns[: len(columns) - len(drawn)]
        before, _, after = chain_for(section, learnt, [described(x[:1]) for x in taken])
        return cls(model, (*before, *after), learnt["inputs"]["peak"], [*data, *drawn])

    def given(self, columns: Sequence[Array], called: Callable[[int], str], begin: int = 0) -> dict[str, Array]:
        """What the file is given for these samples, by name. Raises DataError.

        `called` names a sample by its number; that of the first of these is `begin`.
        """
        return {name: self._given(name, x, lambda row: called(begin + row)) for name, x in self.done(columns).items()}

    def _given(self, name: str, x: Array, called: Callable[[int], str]) -> Array:
        """The same for one input."""
        axis = batch_axis(self.wanted[name])
        try:
            return self.model.taken(name, np.moveaxis(x, 0, axis), self.peak)
        except NoBytes as error:
            wrong = np.moveaxis(error.wrong, axis, 0).reshape(len(x), -1).any(1)
            raise DataError(f"{called(int(wrong.argmax()))}: {error}") from None

    def done(self, columns: Sequence[Array]) -> dict[str, Array]:
        """These samples behind all steps, by the names of the inputs."""
        inputs = list(columns)
        for each in self.placed:
            for place in each.inputs:
                x = inputs[place] if each.step.takes_bytes else self._floats(inputs[place])
                inputs[place] = each.step.apply_array(x)
        return dict(zip(self.names, inputs, strict=True))

    def need_fit(self, columns: Sequence[Any]) -> None:
        """Refuse samples that do not fit the network. Raises DataError."""
        if len(columns) != len(self.names):
            inputs = ", ".join(self.names)
            raise DataError(f"the file has {len(columns)} inputs, the network takes {len(self.names)}: {inputs}")
        steps = Steps.of(self.model, of_network(self.model.spec, self.model.learnt), columns)
        first = steps.done([column[:1] for column in columns])
        made = [described(first[name]) for name in steps.wanted]
        for message, _ in unfit(made, steps.wanted):
            raise DataError(message.replace("the data", "the file"))

    def _floats(self, x: Array) -> Array:
        """Bytes as numbers from 0.0 to 1.0; anything else as it is."""
        return x.astype(np.float32) / np.float32(self.peak) if x.dtype == np.uint8 else x


def wanted_of(model: OnnxModel, learnt: Mapping[str, Any]) -> dict[str, Tensor]:
    """What samples have to be for a file, by name: as the network takes them, or as they are before the steps in it."""
    inputs = model.spec.graph.inputs
    if not model.ahead:
        return dict(inputs)
    raw = zip(inputs, raw_inputs(learnt), strict=True)
    return {name: replace(x, shape=model.ahead[name].tensor.shape) for name, x in raw}
