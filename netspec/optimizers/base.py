"""What every optimizer is: fields, by torch's own names and in torch's own order."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any, ClassVar

from netspec.records import Bool, Checked, Entry, Field, Float, refuse


class Optimizer(Entry):
    """An optimizer of torch.optim."""

    needs_closure: ClassVar[bool] = False
    """Whether a step computes the loss anew, several times."""
    sparse: ClassVar[bool] = False
    """Whether it takes only the sparse gradients of an embedding."""
    takes_groups: ClassVar[bool] = True
    """Whether some parameters may have other options than the rest."""
    foreach_is_exact: ClassVar[bool] = True
    """Whether torch's update of all tensors together (foreach) gives the same bits as one tensor after the other."""
    fused_on: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    """The kinds of device for which torch has one kernel for the whole update, if it has any."""
    shardable: ClassVar[bool] = True
    """Whether torch updates parts of a parameter in several processes as it would update the whole of it."""
    ranks: ClassVar[tuple[int, ...]] = ()
    """The numbers of axes that a parameter may have; empty where any will do."""

    counters: ClassVar[int] = 1
    """How many single numbers it holds of each parameter beside tensors as large as that."""

    def problems(self) -> list[tuple[str, str]]:
        """Arguments that contradict each other: the field and what is wrong."""
        both = getattr(self, "foreach", None) and getattr(self, "fused", None)
        return [("fused", "and foreach exclude each other")] if both else []

    def copies(self) -> int | None:
        """How many tensors as large as each parameter it holds between steps; None where that depends on more."""
        return None

    @property
    def has_momentum(self) -> bool:
        """Whether a schedule may move its momentum, which for Adam's kin is the first beta."""
        return "betas" in self.fields or "momentum" in self.fields

    def keywords(self) -> dict[str, Any]:
        """The arguments of torch's class that differ from torch's defaults, by name."""
        return self.given_to_torch


def Rate(default: float) -> Field[float]:
    """The learning rate; 0 stands still, and infinity, which torch takes, is refused."""
    return Float("learning rate: the length of a step", default, ge=0)


def WeightDecay(default: float = 0) -> Field[float]:
    """How strongly weights are pulled towards zero."""
    return Float("how strongly weights are pulled towards 0", default, ge=0)


def Eps(default: float) -> Field[float]:
    """A small number that keeps a division finite."""
    return Float("added to a divisor to keep it from 0", default, ge=0)


def Maximize() -> Field[bool]:
    """Whether the loss is driven up instead of down."""
    return Bool("whether the loss is driven up instead of down", False)


def Foreach() -> Field[bool]:
    """Whether all tensors are updated together."""
    return Bool("whether all tensors are updated together; null lets netspec choose", None)


def Fused() -> Field[bool]:
    """Whether one kernel does the whole update."""
    return Bool("whether one kernel does the whole update; null lets netspec choose", None)


def Numbers(
    sentence: str,
    default: tuple[float | None, ...],
    *,
    ge: float = 0,
    lt: float | None = None,
    nulls: Sequence[int] = (),
) -> Field[Any]:
    """As many numbers as the default has; the places in `nulls` may be null."""
    bounds = f"at least {ge}" + (f" and below {lt}" if lt is not None else "")
    expected = f"{len(default)} numbers of {bounds}"

    def check(value: Any) -> tuple[float | None, ...]:
        if not isinstance(value, list | tuple) or len(value) != len(default):
            raise refuse(expected)
        for place, item in enumerate(value):
            if item is None and place in nulls:
                continue
            if isinstance(item, bool) or not isinstance(item, int | float) or not isfinite(item):
                raise refuse(expected)
            if item < ge or (lt is not None and item >= lt):
                raise refuse(expected)
        return tuple(value)

    item = {"type": ["number", "null"] if nulls else "number"}
    json = {"type": "array", "items": item, "minItems": len(default), "maxItems": len(default)}
    return Checked(sentence, check, json, default)


def Betas() -> Field[Any]:
    """Adam's two memories."""
    sentence = "how much is remembered of the gradients' mean and of their squares' mean"
    return Numbers(sentence, (0.9, 0.999), lt=1)
