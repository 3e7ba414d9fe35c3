"""A preview of data that is quickly read, to tell before training what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from netspec.datasets.base import Arrays, Gives
from netspec.datasets.fit import unfit
from netspec.errors import DataError
from netspec.lint import Facts, rules
from netspec.runtime.data.classes import as_amounts, described, ordered
from netspec.runtime.data.holdout import split
from netspec.tensors import Misfit
from netspec.tensors import Tensor as Described
from netspec.text.report import SpecError
from netspec.words import one_line

if TYPE_CHECKING:
    from netspec.sections.data import DataSection
    from netspec.spec import Spec


OF_TRAINING: Final = ("loss_target", "class_count")
"""Rules that hold the target against the network and its loss."""


def look(spec: Spec, section: DataSection, arrays: Arrays) -> tuple[str, ...]:
    """What was made of a source that was quickly read, line by line. Imports no torch.

    Raises DataError where it is not what the network takes, and SpecError where its target is not what the loss takes.
    """
    wanted = spec.graph.inputs
    source = section.source.beside(section.split.columns)
    arrays = source.fitted(split(arrays, section.split, source.default_val), {})
    told = tuple(map(one_line, arrays.told))
    ordered(arrays, section.aim.positive, None)
    given = [described(x) for x in arrays.train.inputs]
    target = described(arrays.train.target)
    check_steps(section, arrays, given, target)
    use = section.ways(given, target, arrays.names).use
    faults = unfit(use.inputs, wanted)
    if faults:
        raise DataError("\n".join([*(f"{message}. {hint}".rstrip() for message, hint in faults), *told]))
    gives = Gives(tuple(use.inputs), use.target, len(arrays.classes) if arrays.classes else None)
    facts = Facts(spec.graph, spec.experiment, looked=gives)
    problems = [p for rule in rules(OF_TRAINING) for p in rule.check(facts) if p.severity == "error"]
    if problems:
        raise SpecError([as_amounts(p, arrays.classes or ()) for p in problems], spec.document.source)
    return told


def check_steps(
    section: DataSection,
    arrays: Arrays,
    inputs: Sequence[Described],
    target: Described,
    others: Mapping[str, Described] | None = None,
) -> None:
    """Hold the steps against what was read: a source may not know its shapes before. Raises DataError."""
    try:
        faults = [
            (step, misfit.message, misfit.hint)
            for step, misfit in section.misfits(inputs, target, arrays.names, others)
        ]
    except Misfit as misfit:
        raise DataError(f"a step {misfit.message}. {misfit.hint}".rstrip()) from None
    for mixing in section.mixing:
        try:
            mixing.mixed_target(target, len(arrays.classes or ()))
        except Misfit as misfit:
            faults.append((mixing, misfit.message, misfit.hint))
    if faults:
        lines = (f"{type(step).__name__.lower()} {message}. {hint}".rstrip() for step, message, hint in faults)
        raise DataError("\n".join(lines))
