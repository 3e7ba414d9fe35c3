"""Export in int8: calibrated on training data, and kept only where validation says that it costs little.

Scales of the activations are those of the smallest and the largest number that calibration meets; weights have a scale
for each output channel. What that costs each output is measured on the validation data, and a file that costs one of
them more than `max_drop` is refused, with the layers that alone cost most. Where transforms are in the file, it is
calibrated and measured with samples as they are before these.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

from netspec.errors import ExportMismatch, UsageError
from netspec.exporters.base import Exporter
from netspec.runs.int8_cost import costs, numbers
from netspec.runs.networks import inputs_of
from netspec.runs.validation import untouched
from netspec.runtime.data.split import Data, Split
from netspec.runtime.export.emission import Array, Emission, Run
from netspec.runtime.export.onnx_check import opened
from netspec.runtime.export.onnx_emitted import need_one_file
from netspec.runtime.export.onnx_int8 import costly, quantised, simplified
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
        samples = list(islice(_batches(spec, data, part, of), MEASURED // BATCH))
        runs = opened(file), opened(small)
        gives = [[run(inputs) for inputs, _ in samples] for run in runs]
        found = costs(spec, of.ends, [target for _, target in samples], *gives)
        count = sum(len(inputs[0]) for inputs, _ in samples)
        told = f"{'; '.join(cost.told for cost in found)}, on {count:,} samples"
        told += "" if data.val else f" of the {TRAINING}"
        allowed = exporter.max_drop  # type: ignore[attr-defined]
        if not all(cost.drop <= allowed for cost in found if cost.judged):
            ranked = costly(plain, batches[:2], partial(_numbers_of, of))
            worst = [f"{layer} ({far:.2g} of its outputs)" for layer, far in ranked[:NAMED]]
            text = f"int8 costs more than max_drop, {allowed:g}: {told}"
            raise ExportMismatch(
                f"{text}. The layers that change the outputs most: {', '.join(worst)}. No file is written. "
                "Keep dtype: float32 or float16, or allow more with max_drop under export.onnx."
            )
        file.write_bytes(small.read_bytes())
    return told


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


def _numbers_of(of: Emission, file: Path) -> Run:
    """What runs a file, and gives numbers for classes that have names."""
    run = opened(file)
    return lambda inputs: [numbers(x, of.ends.get(place)) for place, x in enumerate(run(inputs))]
