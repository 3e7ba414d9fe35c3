"""The steps that new samples take on their way to a network, as a run has learnt them. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from netspec.errors import DataError
from netspec.language.calls import read_entry
from netspec.language.refusals import Refused
from netspec.sections.data import DataSection
from netspec.tensors import Misfit, Tensor
from netspec.transforms.base import Transform
from netspec.transforms.route import Chain, Placed
from netspec.vocabulary import TRANSFORMS
from netspec.words import printable


def chain_for(section: DataSection, learnt: Mapping[str, Any], inputs: Sequence[Tensor]) -> Chain:
    """The steps for samples with these inputs; no data is read. Raises DataError."""
    names = learnt["inputs"]["names"]
    written, taught = section.placed(inputs, names), learnt.get("transform", ())
    if len(taught) != len(written):
        text = f"the run has learnt of {len(taught)} transforms, its spec names {len(written)}"
        raise DataError(f"{text}. Name those that it was trained with.")
    try:
        ways = section.ways(inputs, None, names, known_steps(written, taught))
    except Misfit as misfit:
        raise DataError(f"a transform {misfit.message}") from None
    for step, fault in ways.use.faults:
        raise DataError(f"{step.said} {fault.message}")
    return ways.in_use


def known_steps(written: Sequence[Placed], learnt: Sequence[Any]) -> list[Placed]:
    """The steps with those in place that a run has learnt, in long form by their places."""
    done = list(written)
    for i, known in enumerate(learnt[: len(written)]):
        if known:
            done[i] = replace(written[i], step=_as_taught(known, i))
    return done


def _as_taught(known: Any, place: int) -> Transform:
    """A step as a run has learnt it. Raises DataError for what is none."""
    try:
        return read_entry(known, ("transform", place), TRANSFORMS)[0]
    except Refused as refused:
        reason = printable(refused.problems[0].message)
        raise DataError(f"what the run has learnt for transform {place} is none: {reason}") from None
