"""Export of a run or a spec: its network, compared on the data of its spec."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from netspec.errors import ExportFailed, MissingData, UsageError
from netspec.exporters.base import Exporter, NeedsTorch
from netspec.json_text import json_text
from netspec.losses.base import Activation, Loss
from netspec.ops.sources import Noise
from netspec.runs.data import data_of
from netspec.runs.direct import write
from netspec.runs.formats import answered, need_exporter, one_view, output_names
from netspec.runs.generate import with_memory
from netspec.runs.language_model import language_model
from netspec.runs.onnx_model import CACHE
from netspec.runs.proving import proof_now
from netspec.runs.taken import taken
from netspec.runs.validation import batches, part_of, validation
from netspec.runtime.data.scale import InOwnUnits
from netspec.runtime.data.split import Data
from netspec.runtime.data.units import Scale
from netspec.runtime.export.emission import Emission
from netspec.runtime.export.export import FIRST, export_network
from netspec.runtime.export.manifest import Origin
from netspec.runtime.export.metadata import metadata
from netspec.runtime.export.proof import digest
from netspec.runtime.export.report import Report
from netspec.runtime.export.subject import Measure, Probabilities
from netspec.runtime.network.build import build
from netspec.runtime.network.folding import folded
from netspec.runtime.network.remove_parametrizations import copied, unwrapped
from netspec.runtime.train.evaluate import evaluate
from netspec.runtime.train.loss import Objective
from netspec.spec import Spec
from netspec.version import __version__
from netspec.views.cached import Uncacheable

WORK: Final = 10**15
"""Multiply-accumulates of a comparison that is asked for, at most."""
CALIBRATING: Final = 8
"""Batches of training data that a format which rounds looks at."""


def export(
    spec: Spec,
    module: nn.Module,
    path: Path,
    allow_outside: bool = False,
    learnt: Mapping[str, Any] | None = None,
    doubt: str = "",
    *,
    proven: bool = True,
    weights: str = "",
    without: bool = False,
) -> Report:
    """Write a network to a file that agrees with it, also on the validation data where there is some.

    The ending of `path` says which format it is; without one it is the first that the spec names, else ONNX. The data
    is seen as a run has `learnt` to see it, if one is given; what is known so is done `without` data that is not there,
    where that is allowed. Not `proven`, the file is compared with nothing. `weights` is the checksum of the file that
    they are of.

    Raises UsageError for an ending that no format has, and ExportFailed or ExportMismatch where no file can be made
    that agrees.
    """
    exporter, training = need_exporter(spec, path), spec.experiment.train
    if exporter.remembers:
        return _with_memory(spec, module, path, exporter, learnt or {}, proven)
    data, gone = _data(spec, exporter, allow_outside, learnt, doubt, without)
    learnt = data.learnt if data else learnt or {}
    gone = "; ".join(filter(None, (gone, one_view(spec))))
    if exporter.whole:
        report = _whole(spec, module, path, data, learnt, proven=proven, weights=weights)
        return replace(report, note="; ".join(filter(None, (report.note, gone))))
    losses = answered(training, spec.graph, learnt) if training is not None else {}
    scales = {
        name: scale for name, (_, known) in losses.items() if (scale := Scale.of(known, torch.tensor)) is not None
    }
    report = export_network(
        InOwnUnits(module, scales, list(spec.graph.outputs)) if scales else module,
        spec.graph.inputs,
        path,
        exporter,
        outputs=output_names(spec.graph),
        validation=validation(spec, data),
        real=part_of(data),
        name=spec.name,
        metadata=metadata(__version__, spec.name, spec.text, learnt),
        probabilities=FIRST if training is None else _ends(losses, list(spec.graph.outputs)),
        draws=[step.path for step in spec.graph.root.walk() if isinstance(step.op, Noise) and not step.training],
        graph=spec.graph,
        proven=proven,
        training=partial(_training, spec, data),
        measure=_measure(spec, data),
        origin=Origin(digest(spec.graph), weights, data.fingerprint() if data else ""),
    )
    return replace(report, note="; ".join(filter(None, (report.note, gone))))


def export_with_torch(
    spec: Spec, module: nn.Module | None, path: Path, allow_outside: bool = False, *, proven: bool = True
) -> Report:
    """The same of a spec, with the weights of a module or those that the spec begins with.

    Where these are of a run that sees its data alike, samples are seen as it has learnt to see them, and its data need
    not be there.
    """
    if module is not None:
        return export(spec, module, path, allow_outside, proven=proven)
    learnt, said = taken(spec)
    report = export(spec, build(spec), path, allow_outside, learnt, proven=proven, without=True)
    return replace(report, note="; ".join(filter(None, (report.note, said))))


def _data(
    spec: Spec, exporter: Exporter, allow_outside: bool, learnt: Mapping[str, Any] | None, doubt: str, without: bool
) -> tuple[Data | None, str]:
    """The data of a spec, if it names some, or why it is done without.

    A network that has learnt nothing of its data is the same without, and for one that has it may be done `without`.
    Raises DataError where more than a comparison needs it.
    """
    section = spec.experiment.data
    if section is None:
        return None, ""
    try:
        whole = exporter.whole and exporter.calibrated  # which may look at samples before anything is done to them
        return data_of(spec, allow_outside, learnt, hold=False, ahead=not whole, doubt=doubt), ""
    except MissingData as missing:
        of_run = learnt is not None and not without
        unknown = learnt is None and section.aim.scale_target is not None
        if exporter.calibrated or exporter.whole or of_run or unknown:
            raise
        return None, f"compared on made-up samples alone, because the data is not there: {missing}"


def _training(spec: Spec, data: Data | None) -> Iterator[tuple[torch.Tensor, ...]]:
    """A few batches of the inputs that are trained on."""
    yield from batches(spec, data, data.train, CALIBRATING) if data is not None else ()


def _measure(spec: Spec, data: Data | None) -> Measure | None:
    """What measures a network on the validation data, where the spec has metrics of which more is better."""
    section = spec.experiment.train
    if data is None or section is None or section.players or spec.beside:
        return None
    metrics = [metric for metric in section.metrics if metric.goal == "max"]
    if not metrics:
        return None

    def measure(network: nn.Module) -> dict[str, float]:
        objective = Objective(section.loss, learnt=data.learnt, names=tuple(spec.graph.outputs))
        found = evaluate(network, data.val or data.train, objective, metrics, batch=section.batch) or {}
        return {metric.label: float(found[metric.label]) for metric in metrics}

    return measure


def _whole(
    spec: Spec,
    module: nn.Module,
    path: Path,
    data: Data | None,
    learnt: Mapping[str, Any],
    *,
    proven: bool,
    weights: str,
) -> Report:
    """Write a file that does more than the network, against what that gives now. Raises ExportFailed for no form."""
    still = copied(module).cpu().eval()
    plain = unwrapped(still)
    owned = chain(plain.named_parameters(remove_duplicate=False), plain.named_buffers(remove_duplicate=False))
    arrays = {name: tensor.detach().numpy() for name, tensor in owned}
    proof = proof_now(spec, still, data, weights, most=WORK) if proven else None
    compared = f"torch {torch.__version__}" if proven else ""
    finish: Callable[[Exporter, Emission, Path], str] | None = None
    if need_exporter(spec, path).calibrated:
        from netspec.runs.quantising import quantise

        finish = partial(quantise, spec, data)

    try:
        return write(spec, path, arrays, lambda: weights, learnt, proof, compared, finish)
    except NeedsTorch as reason:
        text = f"only the network itself can be exported, because {reason}"
        raise ExportFailed(f"{text}. Leave out preprocess, input, dtype and output: labels.") from None


def _with_memory(
    spec: Spec, module: nn.Module, path: Path, exporter: Exporter, learnt: Mapping[str, Any], proven: bool
) -> Report:
    """Write the network of a language model that reads its next tokens alone, with what it keeps of those before.

    Raises UsageError for another network, and ExportFailed where a step cannot go on from what was read.
    """
    if exporter.whole:
        text = "cache: true gives a file that takes and gives numbers of tokens, and computes in float32"
        raise UsageError(f"{text}. Leave out preprocess, input, dtype and output: labels, or leave out cache.")
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
