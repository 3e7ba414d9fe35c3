"""Transforms as a run has learnt them: those in place that were fitted to its training data. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from netspec.errors import DataError
from netspec.language.calls import read_entry
from netspec.language.refusals import Refused
from netspec.transforms.base import Transform
from netspec.transforms.route import Placed
from netspec.vocabulary import TRANSFORMS
from netspec.words import printable


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
