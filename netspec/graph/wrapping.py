"""Reparametrised weights: `wrap=weight_norm` and its kin, and the names that they give to tensors."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Final

from netspec.errors import At, Problem
from netspec.language.refusals import Refused
from netspec.layers.base import Layer, Op
from netspec.words import did_you_mean

Shapes = dict[str, tuple[int, ...]]

WRAPS: Final = {
    "weight_norm": "Learns the length and the direction of each output's weights apart.",
    "weight_norm_hook": "The same by torch's older function, whose tensors are weight_g and weight_v.",
    "spectral_norm": "Divides the weight by its largest singular value.",
    "spectral_norm_hook": "The same by torch's older function, whose tensor is weight_orig.",
    "orthogonal": "Keeps the weight an orthogonal matrix.",
}
"""What wraps a module's weight, and does; `_hook` is the older form, whose tensor names old checkpoints have."""


def parameters(wrap: str, shapes: Shapes) -> Shapes:
    """The parameters of a wrapped module, in torch's order: the weight's parts come last."""
    if not wrap:
        return shapes
    weight = shapes["weight"]
    size = (weight[0], *(1 for _ in weight[1:]))
    made: dict[str, Callable[[], Shapes]] = {
        "weight_norm": lambda: {"parametrizations.weight.original0": size, "parametrizations.weight.original1": weight},
        "weight_norm_hook": lambda: {"weight_g": size, "weight_v": weight},
        "spectral_norm": lambda: {"parametrizations.weight.original": weight},
        "spectral_norm_hook": lambda: {"weight_orig": weight},
        "orthogonal": lambda: {"parametrizations.weight.original": weight},
    }
    return {name: shape for name, shape in shapes.items() if name != "weight"} | made[wrap]()


def buffers(wrap: str, shapes: Shapes, weight: tuple[int, ...], transposed: bool) -> Shapes:
    """The buffers of a wrapped module: what spectral_norm and orthogonal keep between steps.

    A transposed convolution has its outputs on axis 1 of the weight, and its spectrum is taken there.
    """
    rows = weight[1] if transposed else weight[0]
    columns = prod(weight) // rows
    side = max(weight[-2:])
    kept: dict[str, Shapes] = {
        "spectral_norm": {"parametrizations.weight.0._u": (rows,), "parametrizations.weight.0._v": (columns,)},
        "spectral_norm_hook": {"weight_u": (rows,), "weight_v": (columns,)},
        "orthogonal": {"parametrizations.weight.0.base": (*weight[:-2], side, side)},
    }
    return shapes | kept.get(wrap, {})


def read(word: object, at: At, cls: type[Op]) -> str:
    """The wrap that a spec names for a class of operations; empty for `none`. Raises Refused."""
    if word in ("none", None):
        return ""
    if not isinstance(word, str) or word not in WRAPS:
        hint = did_you_mean(str(word), WRAPS) or f"There are: {', '.join(WRAPS)}."
        raise Refused(Problem("bad-argument", f"there is no wrap {word!r}", at, hint))
    if not issubclass(cls, Layer) or cls.parameters is Layer.parameters:
        raise Refused(
            Problem(
                "bad-argument",
                "only an operation with a weight can be wrapped",
                at,
                "As in: conv 8 k3 wrap=weight_norm",
            )
        )
    return word


def need_no_zero_row(wrap: str, op: Op, at: At) -> None:
    """Raises Refused for a wrap that cannot keep the row of `padding_idx` at zero: one that divides by its length."""
    if getattr(op, "padding_idx", None) is None or not wrap.startswith(("weight_norm", "orthogonal")):
        return
    why = "keeps no row at zero" if wrap == "orthogonal" else "divides by the length of each row"
    text = f"{wrap} {why}, and the row of padding_idx is zero"
    raise Refused(Problem("bad-argument", text, at, "Leave out padding_idx, or the wrap; spectral_norm goes with it."))
