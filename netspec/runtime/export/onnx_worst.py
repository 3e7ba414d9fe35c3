"""Names the step at which an ONNX file and its network begin to differ, by what both compute on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from netspec.errors import NetspecError
from netspec.runtime.data.scale import InOwnUnits
from netspec.runtime.export.emission import Array
from netspec.runtime.export.onnx_check import opened
from netspec.runtime.export.subject import Inputs, Subject
from netspec.runtime.export.tolerance import difference


def worst_step(subject: Subject, file: Path) -> str:
    """Where they begin to differ, as a sentence; empty where no module tells."""
    inputs = subject.example
    try:
        given = _given(subject, inputs)
        wires = _wires(file, given)
        between = file.with_name("between.onnx")
        _with_outputs(file, between, list(wires.values()))
        found = opened(between)(inputs)
        between.unlink()
    except (NetspecError, OSError):  # a file that does not run tells nothing
        return ""
    for (path, kind), array in zip(((path, given[path][0]) for path in wires), found, strict=True):
        known = given[path][1]
        if array.shape == known.shape and not difference(path, array, known, subject.atol, subject.rtol).agrees:
            apart = np.abs(array.astype(np.float64) - known).max()
            return f"They begin to differ at {path} ({kind}), by {apart:.3g}."
    return ""


def _given(subject: Subject, inputs: Inputs) -> dict[str, tuple[str, Array]]:
    """What each module gives that runs once, in the order of running: its kind, and its tensor."""
    network = subject.network.network if isinstance(subject.network, InOwnUnits) else subject.network
    found: dict[str, tuple[str, Array]] = {}
    again: set[str] = set()

    def note(path: str, module: nn.Module, result: Any) -> None:
        if isinstance(result, torch.Tensor):
            again.update({path} & found.keys())
            found[path] = type(module).__name__, result.detach().numpy()

    hooks = [
        module.register_forward_hook(lambda module, _, result, path=path: note(path, module, result))
        for path, module in network.named_modules()
        if path and not any(module.children())
    ]
    try:
        with torch.no_grad():
            subject.network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return {path: each for path, each in found.items() if path not in again}


def _wires(file: Path, given: dict[str, tuple[str, Array]]) -> dict[str, str]:
    """The name in the file of what each module gives: that of the last node that was written for it."""
    import onnx

    last = {}
    for node in onnx.load(file, load_external_data=False).graph.node:
        path = node.name.rpartition("/")[0]
        if path in given:
            last[path] = node.output[0]
    return {path: last[path] for path in given if path in last}


def _with_outputs(source: Path, target: Path, names: list[str]) -> None:
    """Write a model that gives values of these names, and nothing else."""
    import onnx

    model = onnx.load(source, load_external_data=False)
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    onnx.save(model, target)
