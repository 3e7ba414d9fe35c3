"""Export in int8: calibrated on training data, and kept only where validation says that it costs little.

Scales of the activations are those of the smallest and the largest number that calibration meets; weights have a scale
for each output channel. What that costs is measured on the validation data, by the accuracy where the loss tells
classes apart, and a file that costs more than `max_drop` is refused, with the layers that alone cost most. Where
transforms are in the file, it is calibrated and measured with samples as they are before these.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from netspec.errors import ExportMismatch, UsageError
from netspec.exporters.base import Exporter
from netspec.losses.base import Loss
from netspec.runs.networks import inputs_of
from netspec.runs.validation import untouched
from netspec.runtime.data.split import Data, Split
from netspec.runtime.export.emission import Array, Emission, End
from netspec.runtime.export.onnx_check import opened
from netspec.runtime.export.onnx_emitted import need_one_file
from netspec.runtime.export.onnx_int8 import away, costly, quantised, simplified
from netspec.runtime.export.proof import as_taken
from netspec.runtime.export.subject import TRAINING
from netspec.spec import Spec

BATCH: Final = 32
CALIBRATED: Final = 8
"""Batches of training data that scales are found on."""
MEASURED: Final = 10_000
"""Samples of validation data that accuracy is measured on, at most."""
NAMED: Final = 3
"""Layers that a refusal names."""


class Cost(NamedTuple):
    """What a network gives before it is quantised and after."""

    name: str
    """What is measured: accuracy, or how near the outputs stay where no class is told."""
    before: float
    after: float
    samples: int
    of: str = ""
    """Which samples these are, where not those of the validation part."""

    @property
    def told(self) -> str:
        """The same for a person."""
        return (
            f"{self.name} {self.before:.4f} in float32, {self.after:.4f} in int8, on {self.samples:,} samples{self.of}"
        )


def quantise(spec: Spec, data: Data | None, exporter: Exporter, of: Emission, file: Path) -> str:
    """Put a file in int8 into the place of one in float32; gives what that costs. Raises UsageError, ExportMismatch."""
    if data is None:
        raise UsageError(f"{spec.name} has no data, and int8 is calibrated on training data. Add a data section.")
    need_one_file(sum(array.nbytes for array in of.weights.values()), "int8")
    part = data.val or data.train
    with _quiet(), tempfile.TemporaryDirectory() as name:
        plain, small = Path(name, "plain.onnx"), Path(name, "int8.onnx")
        simplified(file, plain)
        batches = [inputs for inputs, _ in islice(_batches(spec, data, data.train, of), CALIBRATED)]
        quantised(plain, small, batches)
        cost = _cost(list(islice(_batches(spec, data, part, of), MEASURED // BATCH)), spec, of, file, small)
        cost = cost if data.val else cost._replace(of=f" of the {TRAINING}")
        allowed = exporter.max_drop  # type: ignore[attr-defined]
        if not cost.before - cost.after <= allowed:
            worst = [f"{layer} ({far:.2g} of its outputs)" for layer, far in costly(plain, batches[:2], opened)[:NAMED]]
            text = f"int8 costs more than max_drop, {allowed:g}: {cost.told}"
            raise ExportMismatch(
                f"{text}. The layers that change the outputs most: {', '.join(worst)}. No file is written. "
                "Keep dtype: float32 or float16, or allow more with max_drop under export.onnx."
            )
        file.write_bytes(small.read_bytes())
    return cost.told


@contextmanager
def _quiet() -> Iterator[None]:
    """Within it a quantiser that logs advice to the root of all loggers is not heard."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _batches(spec: Spec, data: Data, part: Split, of: Emission) -> Iterator[tuple[list[Array], Any]]:
    """Inputs of the file and targets, batch by batch."""
    given = inputs_of(spec, data)
    for number, (inputs, target) in enumerate((untouched(part) if of.ahead else part).batches(BATCH)):
        drawn = given.draw(len(inputs[0]), inputs[0].device, (number,), slice(None))
        yield as_taken([x.cpu().numpy() for x in given.of_network((*inputs, *drawn))], of), target


def _cost(batches: Sequence[tuple[list[Array], Any]], spec: Spec, of: Emission, before: Path, after: Path) -> Cost:
    """What both files give for the same samples."""
    results: list[list[list[Array]]] = []
    for file in (before, after):
        run = opened(file)
        results.append([list(run(inputs)) for inputs, _ in batches])
    samples = sum(len(inputs[0]) for inputs, _ in batches)
    targets = [target for _, target in batches]
    loss = _loss_of_first(spec)
    if all(isinstance(target, torch.Tensor) for target in targets):
        right = [[_right(outputs[0], target.cpu().numpy(), of.ends.get(0), loss)
                  for outputs, target in zip(each, targets, strict=True)] for each in results]  # fmt: skip
        if all(x is not None for each in right for x in each):
            shares = [float(np.concatenate([x.reshape(-1) for x in each if x is not None]).mean()) for each in right]
            return Cost("accuracy", shares[0], shares[1], samples)
    floats = [[x for outputs in each for x in outputs] for each in results]
    return Cost("nearness of outputs", 1.0, 1.0 - away(floats[1], floats[0]), samples)


def _loss_of_first(spec: Spec) -> Loss | None:
    """The loss that says what the network's first output means."""
    train, names = spec.experiment.train, list(spec.graph.outputs)
    term = train.answered(names).get(names[0]) if train is not None else None
    return term.loss if term is not None else None


def _right(output: Array, target: Array, end: End | None, loss: Loss | None) -> Array | None:
    """Whether the class is the right one, at each place that counts; None where the output tells no such classes."""
    found: Array
    kept = target != loss.ignored() if loss is not None else np.ones(target.shape, bool)
    if target.dtype != np.int64:  # yes or no
        yes = loss is not None and loss.activation == "sigmoid" and bool(np.isin(target, (0, 1)).all())
        if not yes or (end is not None and end.chooses):
            return None
        found = output > (0.5 if end is not None and end.activation == "sigmoid" else 0)
    elif end is not None and end.names:
        known = {name: number for number, name in enumerate(end.names)}
        found = np.array([known[x] for x in output.flat], np.int64).reshape(output.shape)
    elif output.dtype.kind == "f":
        axis = end.axis if end is not None else loss.class_axis(output.ndim) if loss is not None else 1
        if output.ndim != target.ndim + 1 or output.ndim < 2:
            return None
        found = output.argmax(axis)
    else:
        found = output
    return (found == target)[kept] if found.shape == target.shape else None
