"""A preview of data that is quickly read, to tell before training what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from netspec.datasets.base import Gives
from netspec.datasets.files import Files
from netspec.datasets.fit import unfit
from netspec.dims import BATCH
from netspec.errors import DataError
from netspec.lint import Facts, rules
from netspec.runtime.data.classes import as_amounts, ordered
from netspec.runtime.data.holdout import split
from netspec.tensors import Dtype, Misfit, Tensor
from netspec.text.report import SpecError
from netspec.words import one_line

if TYPE_CHECKING:
    import numpy as np

    from netspec.sections.data import DataSection
    from netspec.spec import Spec


OF_TRAINING: Final = ("loss_target", "class_count")
"""Rules that hold the target against the network and its loss."""


def look(spec: Spec, section: DataSection, allow_outside: bool) -> tuple[str, ...]:
    """What was made of a source, line by line; nothing where it is not quickly read. Imports no torch.

    Raises DataError where the source cannot be read, or is not what the network takes, and SpecError where its target
    is not what the loss takes.
    """
    root, wanted = spec.root, spec.graph.inputs
    source = section.source.beside(section.split.columns)
    arrays = source.glance(Files(root, allow_outside))
    if arrays is None:
        return ()
    arrays = source.fitted(split(arrays, section.split, source.default_val), {})
    told = tuple(map(one_line, arrays.told))
    ordered(arrays, section.aim.positive, None)
    given = [described(x) for x in arrays.train.inputs]
    try:
        use = section.ways(given, described(arrays.train.target), arrays.names).use
    except Misfit:  # training tells it at its step
        return told
    faults = unfit(use.inputs, wanted) if not use.faults else []
    if faults:
        raise DataError("\n".join([*(f"{message}. {hint}".rstrip() for message, hint in faults), *told]))
    gives = Gives(tuple(use.inputs), use.target, len(arrays.classes) if arrays.classes else None)
    facts = Facts(spec.graph, spec.experiment, looked=gives)
    problems = [p for rule in rules(OF_TRAINING) for p in rule.check(facts) if p.severity == "error"]
    if problems:
        raise SpecError([as_amounts(p, arrays.classes or ()) for p in problems], spec.document.source)
    return told


def described(x: np.ndarray[Any, Any] | Any) -> Tensor:
    """An array as the graph describes tensors, its batch left open."""
    kinds: dict[str, Dtype] = {"b": "bool", "i": "int64"}
    return Tensor((BATCH, *x.shape[1:]), kinds.get(x.dtype.kind, "float32"))
