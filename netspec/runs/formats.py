"""How a network is exported, by what its spec says: the format, and what is put behind outputs. Needs no torch."""

from __future__ import annotations

from collections.abc import Container, Mapping
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np

from netspec.errors import UsageError
from netspec.exporters.base import Exporter
from netspec.graph.model import Graph
from netspec.losses.base import Loss
from netspec.runtime.export.emission import End
from netspec.sections.train import Train
from netspec.spec import Spec
from netspec.vocabulary import EXPORTERS


def exporter_of(spec: Spec, suffix: str = "") -> Exporter | None:
    """The format of files that end so, with the options that the spec gives it; None where there is none."""
    section = spec.experiment.export
    named = section.formats if section is not None else ()
    kinds: list[type[Exporter]] = list(dict.fromkeys([*(type(one) for one in named), *EXPORTERS.classes()]))
    cls = next((cls for cls in kinds if suffix.lower() in ("", cls.extension)), None)
    return next((exporter for exporter in named if type(exporter) is cls), cls() if cls is not None else None)


def need_exporter(spec: Spec, path: Path) -> Exporter:
    """The format that the ending of a path says. Raises UsageError for one that no format has."""
    exporter = exporter_of(spec, path.suffix)
    if exporter is None:
        known = " or ".join(cls.extension for cls in EXPORTERS.classes())
        raise UsageError(f"{path} is not called {known}, and no other format is written")
    return exporter


def output_names(graph: Graph) -> list[str]:
    """What the outputs of a file are called: a single one has a name that no input has."""
    return list(graph.outputs) if len(graph.outputs) > 1 else [_free("output", graph.inputs)]


def _free(name: str, taken: Container[str]) -> str:
    """`name`, with a number behind it where it is taken."""
    return next(n for n in chain([name], (f"{name}_{i}" for i in count(1))) if n not in taken)


def answered(train: Train, graph: Graph, learnt: Mapping[str, Any]) -> dict[str, tuple[Loss, Mapping[str, Any]]]:
    """The loss that each output was trained with, and what a run has learnt for it."""
    found: dict[str, tuple[Loss, Mapping[str, Any]]] = {}
    for name, term in train.answered(list(graph.outputs)).items():
        found[name] = term.loss, learnt.get("losses", {}).get(term.name, {}) if term.name else learnt
    return found


def ends_of(spec: Spec, exporter: Exporter, learnt: Mapping[str, Any]) -> dict[int, End]:
    """What is done to outputs of the network, by their places: their own units, and probabilities where asked."""
    outputs, train = spec.graph.outputs, spec.experiment.train
    wanted = exporter.output == "probabilities"
    if train is None:
        first = next(iter(outputs.values()))
        single = len(first.shape) < 2 or first.shape[1] == 1
        return {0: End(activation="sigmoid" if single else "softmax")} if wanted else {}
    found: dict[int, End] = {}
    for name, (loss, known) in answered(train, spec.graph, learnt).items():
        scale, activation = known.get("scale"), loss.activation if wanted else None
        if scale or activation:
            mean, deviation = (np.array(scale[key], np.float32) if scale else None for key in ("mean", "deviation"))
            axis = loss.class_axis(len(outputs[name].shape))
            found[list(outputs).index(name)] = End(mean, deviation, activation or "identity", axis)
    return found
