"""A preview of data that is quickly read, to tell before training what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from netspec.datasets.base import Arrays, Gives
from netspec.datasets.fit import described, unfit
from netspec.errors import DataError
from netspec.lint import Facts, rules
from netspec.lint.base import taken, undrawn
from netspec.losses.forms import as_taken
from netspec.runtime.data.classes import as_meant, ordered
from netspec.runtime.data.holdout import split
from netspec.tensors import Misfit
from netspec.tensors import Tensor as Described
from netspec.text.report import SpecError
from netspec.words import one_line

if TYPE_CHECKING:
    from netspec.datasets.base import Column
    from netspec.sections.data import DataSection
    from netspec.spec import Spec


OF_TRAINING: Final = ("loss_target", "class_count", "step_networks")
"""Rules that hold the target against the network and its loss."""


def look(spec: Spec, section: DataSection, arrays: Arrays) -> tuple[str, ...]:
    """What was made of a source that was quickly read, line by line. Imports no torch.

    Raises DataError where it is not what the network takes, and SpecError where its target is not what the loss takes.
    """
    source = section.source.beside(section.split.columns)
    arrays = source.fitted(split(arrays, section.split, source.default_val), {})
    told = tuple(map(one_line, arrays.told))
    ordered(arrays, section.aim.positive, None)
    classes = arrays.classes
    inputs = tuple(described(x) for x in arrays.train.inputs)
    others = {name: _gives(inputs, column, arrays.classes_of.get(name)) for name, column in arrays.train.others.items()}
    gives = replace(_gives(inputs, arrays.train.target, classes), others=others)
    fit(spec, section, gives, arrays.names, classes or (), told)
    return told


def _gives(inputs: tuple[Described, ...], target: Column, classes: Sequence[str] | None) -> Gives:
    """What a source gives with a target, which may hold these classes."""
    return Gives(inputs, described(target), len(classes) if classes else None)


def fit(
    spec: Spec,
    section: DataSection,
    raw: Gives,
    names: Sequence[str] = (),
    classes: Sequence[str] = (),
    told: Sequence[str] = (),
) -> None:
    """Hold what a source gives before any transform against the steps, the network and its loss.

    `names` are its inputs', `told` is what was made of it. Raises DataError, and SpecError where the target is not
    what the loss takes.
    """
    assert raw.inputs is not None
    assert raw.target is not None
    target, training, given = raw.target, spec.experiment.train, tuple(spec.graph.outputs.values())
    if training is not None and len(training.terms) == 1 and raw.classes is None:  # classes with names are no numbers
        accepts = partial(training.terms[0].loss.accepts, given)
        target = as_taken(target, partial(takes, accepts, section, raw.inputs, names))
    check_steps(section, raw.inputs, target, names, raw.classes or 0)
    use = section.ways(raw.inputs, target, names).use
    faults = unfit(*taken(use.inputs, spec.graph.inputs, section.draw, training))
    if faults:
        noise = undrawn(spec.graph.inputs, section.draw, training)
        raise DataError("\n".join([*(f"{message}. {hint}".rstrip() for message, hint in faults), *noise, *told]))
    beside = {name: each.graph for name, each in spec.beside.items()}
    seen = replace(raw, inputs=use.inputs, target=use.target)
    facts = Facts(spec.graph, spec.experiment, looked=seen, beside=beside, names=tuple(names))
    problems = [p for rule in rules(OF_TRAINING) for p in rule.check(facts) if p.severity == "error"]
    if problems:
        raise SpecError([as_meant(p, classes) for p in problems], spec.document.source)


def takes(
    accepts: Callable[[Described], bool],
    section: DataSection,
    inputs: Sequence[Described],
    names: Sequence[str],
    target: Described,
) -> bool:
    """Whether the loss `accepts` such a target of the source, once the transforms that move it have done so."""
    try:
        use = section.ways(inputs, target, names).use
    except Misfit:  # told where the steps are held against the data
        return False
    return use.target is not None and not use.faults and accepts(use.target)


def check_steps(
    section: DataSection,
    inputs: Sequence[Described],
    target: Described,
    names: Sequence[str],
    classes: int,
    others: Mapping[str, Described] | None = None,
) -> None:
    """Hold the steps against what was read: a source may not know its shapes before. Raises DataError."""
    try:
        faults = [
            (step, misfit.message, misfit.hint) for step, misfit in section.misfits(inputs, target, names, others)
        ]
    except Misfit as misfit:
        raise DataError(f"a step {misfit.message}. {misfit.hint}".rstrip()) from None
    for mixing in section.mixing:
        try:
            mixing.mixed_target(target, classes)
        except Misfit as misfit:
            faults.append((mixing, misfit.message, misfit.hint))
    if faults:
        lines = (f"{step.said} {message}. {hint}".rstrip() for step, message, hint in faults)
        raise DataError("\n".join(lines))
