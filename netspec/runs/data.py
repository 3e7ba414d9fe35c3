"""Data of a run: what its spec names, seen as the run has learnt to see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from netspec.errors import UsageError
from netspec.graph.signals import signals
from netspec.runtime.data.loading import load_data
from netspec.runtime.data.split import Data
from netspec.runtime.data.weighing import Compared
from netspec.sections.train import Train
from netspec.spec import Spec
from netspec.tensors import Tensor


def data_of(
    spec: Spec,
    allow_outside: bool,
    learnt: Mapping[str, Any] | None = None,
    *,
    device: torch.device | str = "cpu",
    hold: bool = True,
    ahead: bool = True,
    doubt: str = "",
) -> Data:
    """The data that a spec names. Raises UsageError where it names none, DataError.

    With a `doubt` about its folder no file there is opened, unless that is allowed.
    """
    section = spec.experiment.data
    if section is None:
        raise UsageError(f"{spec.name} has no data: its spec has no data section")
    training = spec.experiment.train
    compared = _compared(training, given_in(spec), section.source.targets) if training is not None else ()
    known: dict[str, Any] = {"device": device, "learnt": learnt, "hold": hold, "ahead": ahead, "compared": compared}
    return load_data(section, spec.root, allow_outside=allow_outside, doubt=doubt, **known)


def given_in(spec: Spec) -> dict[str, Tensor]:
    """What losses may take in a step of training, by name: the outputs, those of further passes and of others."""
    if spec.experiment.train is None or not spec.experiment.train.composed:
        return spec.graph.trained_outputs
    found = signals(spec.graph, {name: each.graph for name, each in spec.beside.items()}, spec.experiment.train)
    return {name: value.tensor for name, value in found.items() if value.tensor is not None}


def _compared(train: Train, outputs: Mapping[str, Tensor], targets: tuple[str, ...]) -> tuple[Compared, ...]:
    """What each loss of a run compares, where the network has its outputs."""
    found = []
    for term in train.all_terms:
        names = term.outputs or tuple(outputs)
        if all(name in outputs for name in names) and not term.within:
            given = tuple(outputs[name] for name in names)
            found.append(Compared(term.loss, given, term.name, term.target_of(targets)))
    return tuple(found)
