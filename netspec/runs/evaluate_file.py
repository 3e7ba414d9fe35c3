"""Evaluation of an exported file: what the loss and the metrics of its spec find in what it gives.

The network runs in ONNX Runtime; losses and metrics are torch's, as in a run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from netspec.errors import UsageError
from netspec.files import shown
from netspec.runs.data import data_of
from netspec.runs.evaluating import Part, measured, need_measures, part_of
from netspec.runs.formats import ends_of
from netspec.runs.onnx_model import OnnxModel
from netspec.runtime.data.mixing import Batch
from netspec.runtime.data.split import Split, Steps
from netspec.runtime.export.emission import Array, End
from netspec.runtime.train.loss import Objective
from netspec.spec import Spec
from netspec.transforms.base import Chance

LEAST: Final = 1e-30
"""The least probability that has a logarithm here."""


def evaluated(
    model: OnnxModel,
    overrides: Iterable[str],
    part: Part,
    allow_outside: bool,
    tell: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """The loss and the metrics of the network in a file, on one part of the data that its spec names.

    Paths of data start at the current folder. `tell` is told of doubts. Raises UsageError and DataError.
    """
    spec = model.spec.over(list(overrides)).at(Path.cwd())
    section = need_measures(spec, shown(model.path))
    if section.composed or model.memory:
        text = "is measured by passes and networks that it has not" if section.composed else "reads token by token"
        raise UsageError(f"{shown(model.path)} {text}: measure the run, `netspec eval RUN`")
    for term in section.terms:
        if type(term.loss).scores.__module__.endswith(".heads"):
            raise UsageError(f"{term.loss.said} has weights of its own, which a file has not: measure the run")
    if model.exporter.output == "labels":
        text = "gives classes, which no loss compares: measure the run, `netspec eval RUN`, or a file that gives scores"
        raise UsageError(f"{shown(model.path)} {text}")
    whole = bool(model.ahead)
    data = data_of(spec, allow_outside, model.measures, hold=False, ahead=not whole)
    split = part_of(spec, data, part, tell)
    if whole:
        split = untouched(split)
    objective = Objective(section.loss, learnt=data.learnt, names=tuple(spec.graph.outputs))
    return measured(spec, Session(model, spec, data.learnt), split, objective)


def untouched(part: Split) -> Split:
    """The same samples as the data's source has them, with what becomes of their targets."""
    return replace(part, steps=Targets(*(getattr(part.steps, each.name) for each in fields(Steps))))


class Targets(Steps):
    """What becomes of targets alone: what is done to samples is done in a file."""

    def __call__(self, batch: Batch, chance: Chance | None = None) -> Batch:
        """The samples as they are, and the target as it goes along with them."""
        return batch[0], super().__call__(batch, chance)[1]


class Session(nn.Module):
    """A file as a module, which gives what the network does, without what the file has behind it."""

    def __init__(self, model: OnnxModel, spec: Spec, learnt: Mapping[str, Any]) -> None:
        """The file, and what is behind its outputs as its spec and what was learnt say."""
        super().__init__()
        self.model, self.names = model, list(spec.graph.outputs)
        self.inputs = list(spec.graph.inputs)
        self.ends, self.peak = ends_of(spec, model.exporter, learnt), learnt["inputs"]["peak"]

    def forward(self, *inputs: torch.Tensor) -> Any:
        """The outputs for a batch, by name where there are several."""
        named = dict(zip(self.inputs, inputs, strict=True))
        given = {name: self.model.taken(name, x.cpu().numpy(), self.peak) for name, x in named.items()}
        found = [undone(self.ends.get(i), x) for i, x in enumerate(self.model.run(given))]
        results = {name: torch.from_numpy(x) for name, x in zip(self.names, found, strict=True)}
        return results if len(results) > 1 else next(iter(results.values()))


def undone(end: End | None, x: Array) -> Array:
    """What a network gave before something was put behind it; scores but for a number that all classes share."""
    if end is None:
        return x.astype(np.float32) if x.dtype == np.float16 else x
    if end.activation == "softmax":
        x = np.log(np.maximum(x, LEAST))
    elif end.activation == "sigmoid":
        x = np.log(np.maximum(x, LEAST)) - np.log(np.maximum(1 - x, LEAST))
    elif end.activation == "exp":
        x = np.log(np.maximum(x, LEAST))
    if end.mean is not None and end.deviation is not None:
        x = (x - end.mean) / end.deviation
    return np.ascontiguousarray(x, np.float32)
