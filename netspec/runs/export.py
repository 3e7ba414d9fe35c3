"""Export of a run or a spec: its network, compared on the data of its spec."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from netspec.errors import ExportFailed
from netspec.exporters.base import Exporter
from netspec.json_text import json_text
from netspec.losses.base import Activation, Loss
from netspec.ops.sources import Noise
from netspec.runs.data import data_of
from netspec.runs.formats import answered, need_exporter, output_names
from netspec.runs.generate import with_memory
from netspec.runs.language_model import language_model
from netspec.runs.networks import inputs_of
from netspec.runs.onnx_model import CACHE
from netspec.runtime.data.scale import InOwnUnits, Scale
from netspec.runtime.data.split import Data
from netspec.runtime.export.export import FIRST, export_network
from netspec.runtime.export.metadata import metadata
from netspec.runtime.export.report import Report
from netspec.runtime.export.subject import Probabilities
from netspec.runtime.network.folding import folded
from netspec.runtime.train.evaluate import batch_size
from netspec.spec import Spec
from netspec.version import __version__
from netspec.views.cached import Uncacheable

COMPARED: Final = 4
"""Batches of validation data that an exported file is compared on."""


def export(
    spec: Spec,
    module: nn.Module,
    path: Path,
    allow_outside: bool = False,
    learnt: Mapping[str, Any] | None = None,
    doubt: str = "",
    *,
    proven: bool = True,
) -> Report:
    """Write a network to a file that agrees with it, also on the validation data where there is some.

    The ending of `path` says which format it is; without one it is the first that the spec names, else ONNX. The data
    is seen as a run has `learnt` to see it, if one is given. Not `proven`, the file is compared with nothing. Raises
    UsageError for an ending that no format has, and ExportFailed or ExportMismatch where no file can be made that
    agrees.
    """
    exporter, training = need_exporter(spec, path), spec.experiment.train
    if getattr(exporter, "cache", False):
        return _with_memory(spec, module, path, exporter, learnt or {}, proven)
    data = data_of(spec, allow_outside, learnt, hold=False, doubt=doubt) if spec.experiment.data is not None else None
    learnt = data.learnt if data else {}
    losses = answered(training, spec.graph, learnt) if training is not None else {}
    scales = {name: scale for name, (_, known) in losses.items() if (scale := Scale.of(known)) is not None}
    return export_network(
        InOwnUnits(module, scales, list(spec.graph.outputs)) if scales else module,
        spec.graph.inputs,
        path,
        exporter,
        outputs=output_names(spec.graph),
        validation=validation(spec, data),
        name=spec.name,
        metadata=metadata(__version__, spec.name, spec.text, learnt),
        probabilities=FIRST if training is None else _ends(losses, list(spec.graph.outputs)),
        draws=[step.path for step in spec.graph.root.walk() if isinstance(step.op, Noise) and not step.training],
        graph=spec.graph,
        proven=proven,
    )


def _with_memory(
    spec: Spec, module: nn.Module, path: Path, exporter: Exporter, learnt: Mapping[str, Any], proven: bool
) -> Report:
    """Write the network of a language model that reads its next tokens alone, with what it keeps of those before.

    Raises UsageError for another network, and ExportFailed where a step cannot go on from what was read.
    """
    model = language_model(spec)
    try:
        own, network, found = with_memory(spec, folded(module), model.output)
    except Uncacheable as error:
        raise ExportFailed(f"no file with a memory can be made of {spec.name}: {error}. Write cache: false.") from None
    kept = {CACHE: json_text({memory.past: memory.present for memory in found.memory})}
    return export_network(
        network,
        own.graph.inputs,
        path,
        exporter,
        outputs=list(own.graph.outputs),
        name=spec.name,
        metadata={**metadata(__version__, spec.name, spec.text, learnt), **kept},
        probabilities={0: lambda scores: Probabilities("softmax", scores.ndim + model.classes % -scores.ndim)},
        graph=own.graph,
        proven=proven,
    )


def _ends(
    losses: Mapping[str, tuple[Loss, Any]], outputs: Sequence[str]
) -> dict[int, Callable[[torch.Tensor], Probabilities]]:
    """What makes probabilities, as `predict` gives them, of each output whose loss knows some, by their places."""
    return {
        outputs.index(name): partial(_probabilities, loss, loss.activation)
        for name, (loss, _) in losses.items()
        if loss.activation is not None
    }


def _probabilities(loss: Loss, activation: Activation, scores: torch.Tensor) -> Probabilities:
    """What makes probabilities of scores that were trained with `loss`."""
    return Probabilities(activation, loss.class_axis(scores.ndim))


def validation(spec: Spec, data: Data | None) -> Iterator[tuple[torch.Tensor, ...]]:
    """A few batches of real inputs, of the validation part where there is one; what is drawn is drawn."""
    if data is not None:
        part, given = data.val or data.train, inputs_of(spec, data)
        for number, (inputs, _) in enumerate(islice(part.batches(batch_size(part, 64)), COMPARED)):
            drawn = given.draw(len(inputs[0]), inputs[0].device, (number,), slice(None))
            yield given.of_network((*inputs, *drawn))
