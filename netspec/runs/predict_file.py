"""Inference by an exported file: what it says of new samples, in ONNX Runtime. Needs no torch.

What a run does with samples is done here on arrays: the same scale, the same steps, the same answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from netspec.datasets.files import show
from netspec.datasets.fit import unfit
from netspec.dims import BATCH
from netspec.errors import DataError, UsageError
from netspec.files import shown
from netspec.runs.formats import ends_of
from netspec.runs.given import COUNTS, batch_axis, need_rows, of_network, rearranged, samples_in
from netspec.runs.onnx_model import OnnxModel
from netspec.runs.prediction import Prediction, told
from netspec.runtime.data.in_use import chain_for
from netspec.sections.objective import Term
from netspec.tensors import Dtype, Tensor
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
    label = ", ".join(map(show, files))
    new = samples_in(spec, files, learnt, as_is, shown(model.path))
    steps = Steps.of(model, learnt, new.inputs)
    try:
        steps.need_fit(new.inputs)
    except DataError as error:
        hint = rearranged(list(spec.graph.inputs), new.inputs, steps.need_fit) or COUNTS
        raise DataError(f"{label}: {error}. {hint}") from None
    need_rows(spec, new, label)
    yield from told(spec, model.learnt, new, label, _batches(model, steps, new.inputs))


def _batches(
    model: OnnxModel, steps: Steps, columns: Sequence[Column]
) -> Iterator[tuple[dict[str, Array], dict[str, tuple[Term, int]]]]:
    """What the file gives for each batch, and what the losses know of that."""
    graph, train = model.spec.graph, model.spec.experiment.train
    names = list(graph.outputs)
    answered = train.answered(names) if train is not None else {}
    likely = model.exporter.replace(output="probabilities")
    ends = {} if model.exporter.output == "probabilities" else ends_of(model.spec, likely, {})
    if len(model.outputs) != len(names):
        raise DataError(f"{shown(model.path)} does not give what the spec in it says: {', '.join(names)}")
    known: dict[str, tuple[Term, int]] = {}
    for name, term in answered.items():
        if type(term.loss).scores.__module__.endswith(".heads"):
            raise UsageError(f"{name} is what {term.loss.said} makes scores of by weights of its own. {OWN_WEIGHTS}")
        known[name] = term, term.loss.class_axis(len(graph.outputs[name].shape))
    for start in range(0, len(columns[0]), BATCH_SIZE):
        found = model.run(steps.given([column[start : start + BATCH_SIZE] for column in columns]))
        held = dict(zip(names, found, strict=True))
        if train is not None:
            held |= {name: ends[i](held[name]) for i, name in enumerate(names) if i in ends}
        yield {n: np.moveaxis(x, batch_axis(graph.outputs[n]), 0) for n, x in held.items()}, known


class Steps:
    """What is done to the samples of a batch before a file is given them."""

    def __init__(self, model: OnnxModel, placed: Sequence[Placed], peak: int, data: Sequence[str]) -> None:
        """The steps with the inputs that they are for; `data` names the inputs of the data, before what is drawn."""
        self.model, self.placed, self.peak = model, placed, peak
        self.names = list(data)

    @classmethod
    def of(cls, model: OnnxModel, learnt: Mapping[str, Any], columns: Sequence[Column]) -> Steps:
        """The steps for samples in these columns. Raises DataError."""
        section, inputs = model.spec.experiment.data, tuple(model.spec.graph.inputs)
        if {*model.inputs} != {*inputs}:
            raise DataError(f"{shown(model.path)} does not take what the spec in it says: {', '.join(inputs)}")
        if section is None:
            return cls(model, (), 255, inputs)
        drawn = [name for name in inputs if name in section.draw]
        data = [name for name in inputs if name not in section.draw]
        taken = columns[: len(columns) - len(drawn)]
        before, _, after = chain_for(section, learnt, [described(x[:1]) for x in taken])
        return cls(model, (*before, *after), learnt["inputs"]["peak"], [*data, *drawn])

    def given(self, columns: Sequence[Array]) -> dict[str, Array]:
        """What the file is given for these samples, by name."""
        wanted = self.model.spec.graph.inputs
        moved = {name: np.moveaxis(x, 0, batch_axis(wanted[name])) for name, x in self.done(columns).items()}
        return {name: np.ascontiguousarray(x, self.model.dtype(name)) for name, x in moved.items()}

    def done(self, columns: Sequence[Array]) -> dict[str, Array]:
        """These samples behind all steps, by the names of the inputs."""
        inputs = list(columns)
        for each in self.placed:
            for place in each.inputs:
                x = inputs[place] if each.step.takes_bytes else self._floats(inputs[place])
                inputs[place] = each.step.apply_array(x)
        return dict(zip(self.names, map(self._floats, inputs), strict=True))

    def need_fit(self, columns: Sequence[Any]) -> None:
        """Refuse samples that do not fit the network. Raises DataError."""
        if len(columns) != len(self.names):
            inputs = ", ".join(self.names)
            raise DataError(f"the file has {len(columns)} inputs, the network takes {len(self.names)}: {inputs}")
        steps = Steps.of(self.model, of_network(self.model.spec, self.model.learnt), columns)
        first, wanted = steps.done([column[:1] for column in columns]), self.model.spec.graph.inputs
        made = [described(first[name]) for name in wanted]
        for message, _ in unfit(made, wanted):
            raise DataError(message.replace("the data", "the file"))

    def _floats(self, x: Array) -> Array:
        """Bytes as numbers from 0.0 to 1.0; anything else as it is."""
        return x.astype(np.float32) / np.float32(self.peak) if x.dtype == np.uint8 else x


def described(x: Array) -> Tensor:
    """Samples as the graph describes them: bytes are the floats that they become, and any number of them is B."""
    kind: Dtype = "bool" if x.dtype == np.bool_ else "int64" if x.dtype == np.int64 else "float32"
    return Tensor((BATCH, *x.shape[1:]), kind)
