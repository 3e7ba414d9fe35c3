"""Runs an ONNX file beside the network that it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from netspec.errors import ExportFailed, ExportMismatch
from netspec.exporters import ONNX
from netspec.runtime.export.example_inputs import Examples
from netspec.runtime.export.onnx_graph import Probabilities, tensors
from netspec.runtime.export.tolerance import Difference, difference
from netspec.tensors import show

BATCHES: Final = (1, 2, 5)
"""The batch sizes that a file is compared at."""

Inputs = tuple[torch.Tensor, ...]


class Check:
    """Compares what a file gives in ONNX Runtime with what the network gives, with `end` behind it."""

    def __init__(self, file: Path, network: nn.Module, end: Probabilities | None, options: ONNX) -> None:
        self.network, self.end, self.options = network, end, options
        self._session = _session(file)
        self._names = [x.name for x in self._session.get_inputs()]

    def made_up(self, examples: Examples, sizes: Sequence[Mapping[str, int]]) -> Iterator[Difference]:
        """The differences on random inputs of every batch size, and of every choice of the other free sizes."""
        for batch in BATCHES:
            yield self.apart(f"batch {batch}", examples.draw(batch, sizes[0], seed=batch))
        for other in sizes[1:]:
            text = ", ".join(f"{name} {size}" for name, size in other.items())
            yield self.apart(f"batch 2, {text}", examples.draw(2, other, seed=len(BATCHES)))

    def real(self, batches: Iterable[Inputs]) -> Iterator[Difference]:
        """The difference over all batches of real data, if there are any."""
        total: Difference | None = None
        for inputs in batches:
            part = self.apart("validation data", tuple(x.cpu() for x in inputs))
            total = total.joined(part, total.samples + part.samples) if total else part
        if total:
            yield total

    def apart(self, what: str, inputs: Inputs) -> Difference:
        """The largest difference over all outputs for these inputs."""
        expected = tensors(self.network(*inputs))
        if self.end:
            expected[0] = self.end(expected[0])
        worst: Difference | None = None
        for a, b in zip(self._run(inputs), expected, strict=True):
            if a.shape != tuple(b.shape):
                found, wanted = show(a.shape), show(b.shape)
                text = f"for {what} the file gives {found}, the network {wanted}"
                raise ExportMismatch(f"{text}: the exporter took a size for fixed. Give that size a number in `input`.")
            one = difference(what, a, b.numpy(), self.options.atol, self.options.rtol)
            worst = worst.joined(one, one.samples) if worst else one
        assert worst is not None
        return replace(worst, samples=len(inputs[0]))

    def _run(self, inputs: Inputs) -> list[Any]:
        named = {name: x.numpy() for name, x in zip(self._names, inputs, strict=True)}
        try:
            return list(self._session.run(None, named))
        except Exception as error:  # the runtime has types of its own for each reason
            sizes = " and ".join(" x ".join(map(str, x.shape)) for x in inputs)
            raise ExportMismatch(f"the file does not run on {sizes}: {str(error).splitlines()[0][:300]}") from error


ROUNDING: Final = 0.01
"""The largest relative difference that may come of adding in another order."""


def need_agreement(differences: Sequence[Difference], options: ONNX) -> None:
    """Refuse differences beyond the tolerance, with all of them in the message. Raises ExportMismatch."""
    bad = [d for d in differences if not d.agrees]
    if bad:
        found = [f"  {d.what}: {d.absolute:.3g} absolute, {d.relative:.3g} relative, {d.samples} samples" for d in bad]
        tolerance = f"{options.atol:g} + {options.rtol:g} * the largest value"
        text = f"the exported file does not compute what the network does, within {tolerance}:"
        hint = "No file is written. If that is near enough, raise atol or rtol under export.onnx."
        if max(d.relative for d in bad) > ROUNDING:
            hint = (
                "No file is written. That is no rounding: the file computes something else. Another opset, as in "
                "export: onnx opset=18, may be written rightly; else leave out steps to find the one that is not."
            )
        raise ExportMismatch("\n".join([text, *found, hint]))


def _session(file: Path) -> Any:
    import onnxruntime as ort

    settings = ort.SessionOptions()
    settings.log_severity_level = 4
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(file), settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime has types of its own for each reason
        raise ExportFailed(f"ONNX Runtime does not take the file: {str(error).splitlines()[0]}") from error
