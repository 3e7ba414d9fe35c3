"""How a network is exported, by what its spec says: the format, and what is put behind outputs. Needs no torch."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from itertools import chain, count
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netspec.errors import UsageError
from netspec.exporters.base import Exporter
from netspec.runtime.export.emission import Ahead, End
from netspec.spec import Spec
from netspec.vocabulary import EXPORTERS

if TYPE_CHECKING:
    from netspec.graph.model import Graph
    from netspec.losses.base import Loss
    from netspec.sections.objective import Term
    from netspec.sections.train_record import Train
    from netspec.tensors import Tensor


def exporter_of(spec: Spec, suffix: str = "") -> Exporter | None:
    """The format of files that end so, with the options that the spec gives it; None where there is none."""
    section = spec.experiment.export
    named = section.formats if section is not None else ()
    kinds: list[type[Exporter]] = list(dict.fromkeys([*(type(one) for one in named), *EXPORTERS.classes()]))
    cls = next((cls for cls in kinds if suffix.lower() in ("", cls.extension)), None)
    return next((exporter for exporter in named if type(exporter) is cls), cls() if cls is not None else None)


def one_view(spec: Spec) -> str:
    """What a person should know of a file whose network is measured over several views of each image."""
    train = spec.experiment.train
    if train is None or train.evaluate.views is None:
        return ""
    return f"the file sees each image once, not in the views {train.evaluate.views} that eval and predict average"


def need_exporter(spec: Spec, path: Path) -> Exporter:
    """The format that the ending of a path says. Raises UsageError for one that no format has."""
    exporter = exporter_of(spec, path.suffix)
    if exporter is None:
        known = " or ".join(cls.extension for cls in EXPORTERS.classes())
        raise UsageError(f"{path} is not called {known}, and no other format is written")
    return exporter.judged()


def output_names(graph: Graph) -> list[str]:
    """What the outputs of a file are called: a single one `output`, others as in the spec, none as an input."""
    names = list(graph.outputs) if len(graph.outputs) > 1 else ["output"]
    taken = {*graph.inputs, *names}
    return [_free(name, taken) if name in graph.inputs else name for name in names]


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
    """What is done to outputs of the network, by their places: their own units, and probabilities or classes if asked.

    Raises UsageError where classes are asked of a network that chooses none.
    """
    outputs, train = spec.graph.outputs, spec.experiment.train
    if train is None:
        return without_loss(spec, exporter.output)
    found: dict[int, End] = {}
    terms = train.answered(list(outputs))
    for name, (loss, known) in answered(train, spec.graph, learnt).items():
        scale = known.get("scale")
        mean, deviation = (np.array(scale[key], np.float32) if scale else None for key in ("mean", "deviation"))
        end = End(mean, deviation, axis=loss.class_axis(len(outputs[name].shape)))
        if exporter.output == "probabilities" and loss.activation:
            end = replace(end, activation=loss.activation)
        elif exporter.output == "labels":
            end = replace(end, over=loss.yes_over)
            how = "sigmoid" if loss.wants == "probabilities" else loss.activation
            how = "softmax" if loss.target_kind == "class" else how
            end = _choosing(end, how, outputs[name], _classes(learnt, terms[name]))
        if not end.nothing:
            found[list(outputs).index(name)] = end
    if exporter.output == "labels" and not any(end.chooses for end in found.values()):
        text = f"output: labels gives classes, and no loss of {spec.name} tells one class of each sample"
        raise UsageError(f"{text}. Write output: logits or probabilities.")
    return found


def without_loss(spec: Spec, output: str) -> dict[int, End]:
    """The same where no loss says what the first output means: what it ends with does, else it is taken for scores.

    A single one says yes where it makes that likelier than no.
    """
    if output == "logits":
        return {}
    first = next(iter(spec.graph.outputs.values()))
    single, made = len(first.shape) < 2 or first.shape[1] == 1, _made(spec)
    if output == "labels":
        over = {"probabilities": 0.5, "log probabilities": log(0.5)}.get(made, 0.0)
        return {0: _choosing(End(over=over), "sigmoid" if single else "softmax", first, ())}
    if made:
        return {} if made == "probabilities" else {0: End(activation="exp")}
    return {0: End(activation="sigmoid" if single else "softmax")}


def _made(spec: Spec) -> str:
    """What the first output is already, of the step that gives it: probabilities, their logarithms, or nothing."""
    from netspec.lint import Facts  # which most files do without

    value = next(iter(spec.graph.results.values()))
    flow = Facts(spec.graph, spec.experiment).flow_of(value)
    steps = [flow.through(maker) for maker in flow.makers(value)]
    found: set[str] = {step.op.makes if step is not None and step.op is not None else "" for step in steps}
    return found.pop() if len(found) == 1 else ""


def _choosing(end: End, activation: str | None, scores: Tensor, names: Sequence[str]) -> End:
    """An end that gives a class in place of scores, by its name or its number; the same where none is chosen."""
    if activation == "softmax":
        size = scores.shape[end.axis]
        return replace(end, chooses="one", names=tuple(names) if len(names) == size else ())
    if activation == "sigmoid" and (len(scores.shape) == 1 or scores.shape[-1] == 1):
        return replace(end, chooses="yes", names=tuple(names) if len(names) == 2 else ())
    return end


def _classes(learnt: Mapping[str, Any], term: Term) -> Sequence[str]:
    """What the classes are called that a loss tells apart; nothing where they have numbers alone."""
    of = learnt.get("targets", {}).get("classes", {})
    return of.get(term.target_of(tuple(of))) or learnt.get("classes") or () if of else learnt.get("classes") or ()


def ahead_of(spec: Spec, exporter: Exporter, learnt: Mapping[str, Any]) -> tuple[dict[str, Ahead], str]:
    """What is taken in place of inputs, by their names, and what of the way of the data the file does not have.

    Raises UsageError where the file is to take what the data does not have, NeedsTorch where it was not looked at.
    """
    whole, given = getattr(exporter, "preprocess", False), getattr(exporter, "input", None)
    if not whole and given != "uint8":
        return {}, ""
    from netspec.runs.raw import taken_raw  # with what reads data, which other files do without

    return taken_raw(spec, whole, given, learnt)
