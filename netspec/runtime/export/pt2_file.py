"""Writes a network as an archive of torch.export, and loads it again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from netspec.errors import ExportFailed, ExportMismatch
from netspec.json_text import json_text
from netspec.runtime.export.emission import Array, Run
from netspec.runtime.export.onnx_attention import FourAxes
from netspec.runtime.export.onnx_emitted import writing
from netspec.runtime.export.onnx_graph import dynamic, quiet
from netspec.runtime.export.report import Written
from netspec.runtime.export.scan_loops import as_scans
from netspec.runtime.export.seals import ABOUT
from netspec.runtime.export.subject import Probabilities, Subject, described, held, tensors
from netspec.runtime.network.remove_parametrizations import unwrapped

_FIXED: Final = re.compile(r"Constraints violated \((.*?)\)")


class _Ended(nn.Module):
    """A network one level down, whose outputs, flattened, have what is put behind them."""

    def __init__(self, network: nn.Module, ends: Mapping[int, Probabilities]) -> None:
        super().__init__()
        self.network = network
        self.ends = dict(ends)

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = tensors(self.network(*inputs))
        return tuple(self.ends[i](x) if i in self.ends else x for i, x in enumerate(found))


def write(subject: Subject, file: Path) -> Written:
    """Write the archive. Raises ExportFailed for a network that torch cannot trace, and UsageError."""
    network = _Ended(unwrapped(subject.network), subject.ends)
    try:
        with quiet(), FourAxes(), as_scans(subject.network):
            shapes = dynamic(subject.inputs)
            program = torch.export.export(network, subject.example, dynamic_shapes=shapes, strict=False)
    except Exception as error:  # torch has types of its own for each reason
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__).strip()
        if found := _FIXED.match(reason):
            reason = f"it takes {found[1]} for fixed: give it a number in `input`"
        raise ExportFailed(f"torch.export cannot trace this network: {reason}") from error
    with writing(file), quiet():
        torch.export.save(program, file, extra_files={ABOUT: json_text(dict(subject.metadata))})
    nodes = sum(1 for node in program.graph.nodes if node.op == "call_function")
    return Written(*described(subject), {"nodes": nodes})


def opened(file: Path) -> Run:
    """What runs an archive. Raises ExportFailed where it does not load, running it ExportMismatch."""
    try:
        with quiet():
            module = torch.export.load(file).module()
    except Exception as error:  # whatever torch raises for it
        raise ExportFailed(f"torch.export does not load the file: {str(error).splitlines()[0]}") from error

    def run(inputs: Sequence[Any]) -> list[Array]:
        try:
            with torch.no_grad():
                return [x.numpy() for x in tensors(module(*map(held, inputs)))]
        except Exception as error:  # guards of torch.export are of several types
            sizes = " and ".join(" x ".join(map(str, x.shape)) for x in inputs)
            raise ExportMismatch(f"the file does not run on {sizes}: {str(error).splitlines()[0][:300]}") from error

    return run
