"""Penalties on parameters: what is added to the loss for large weights."""

from __future__ import annotations

from netspec.records import Entry, Float


class Penalty(Entry):
    """What is added to the loss of a step for the parameters that a pattern means."""

    weight = Float("what the sum over all numbers of the parameters is multiplied by", gt=0)


class L1(Penalty):
    """The sum of absolute values, which draws small weights to 0."""

    example = "l1 1e-5"


class L2(Penalty):
    """The sum of squares, which keeps weights small."""

    example = "l2 1e-4"
