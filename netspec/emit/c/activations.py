"""How C computes each activation of a number, by the name of its class, as an expression in `v`.

They are written so that nan stays nan, and so that large numbers do not overflow on the way, as in torch's kernels,
which the file is held against. Constants have the fewest digits that give the same float again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from netspec.emit.c.code import number


def sigmoid(v: str) -> str:
    """1 / (1 + exp(-v))."""
    return f"1.0f / (1.0f + expf(-{v}))"


SOFTPLUS: Final = "(v > 0.0f ? v : 0.0f) + log1pf(expf(-fabsf(v)))"
TANH_GELU: Final = f"0.5f * v * (1.0f + tanhf({number((2 / np.pi) ** 0.5)} * (v + 0.044715f * v * v * v)))"
ERF_GELU: Final = f"0.5f * v * (1.0f + erff(v * {number(0.5**0.5)}))"


def gelu(approximate: str) -> str:
    """x times the probability that a standard normal number is below it, or the approximation of that by tanh."""
    return ERF_GELU if approximate == "none" else TANH_GELU


def clipped(low: float, high: float) -> str:
    """A number between two bounds; nan stays nan."""
    return f"v < {number(low)} ? {number(low)} : v > {number(high)} ? {number(high)} : v"


def _elu(op: Any) -> str:
    """alpha * (exp(v) - 1) below 0 (Clevert, Unterthiner and Hochreiter 2015)."""
    return f"v > 0.0f ? v : {number(op.alpha)} * expm1f(v)"


def _celu(op: Any) -> str:
    """alpha * (exp(v / alpha) - 1) below 0, whose slope is continuous (Barron 2017)."""
    return f"v > 0.0f ? v : {number(op.alpha)} * expm1f(v / {number(op.alpha)})"


def _softplus(op: Any) -> str:
    """log(1 + exp(beta * v)) / beta, and v itself where that is beyond the threshold, as torch has it.

    Written as the larger of 0 and beta * v with what is left, so that no exponential overflows.
    """
    beta = number(op.beta)
    soft = SOFTPLUS.replace("fabsf(v)", f"fabsf(v * {beta})").replace("? v :", f"? v * {beta} :")
    return f"v * {beta} > {number(op.threshold)} ? v : ({soft}) / {beta}"


def _leaky(slope: float) -> str:
    """A slope of its own below 0 (Maas, Hannun and Ng 2013); nan stays nan."""
    return f"v < 0.0f ? v * {number(slope)} : v"


ACTIVATIONS: Final[dict[str, str | Callable[[Any], str]]] = {
    "ReLU": "v < 0.0f ? 0.0f : v",
    "ReLU6": clipped(0.0, 6.0),
    "LeakyReLU": lambda op: _leaky(op.negative_slope),
    "RReLU": lambda op: _leaky((op.lower + op.upper) / 2),
    "ELU": _elu,
    "CELU": _celu,
    "SELU": "1.0507009873554805f * (v > 0.0f ? v : 1.6732632423543772f * expm1f(v))",
    "GELU": lambda op: gelu(op.approximate),
    "SiLU": "v / (1.0f + expf(-v))",
    "Mish": f"v * tanhf({SOFTPLUS})",
    "Hardswish": f"v * ({clipped(0.0, 6.0).replace('v', '(v + 3.0f)')}) / 6.0f",
    "Sigmoid": sigmoid("v"),
    "LogSigmoid": "(v < 0.0f ? v : 0.0f) - log1pf(expf(-fabsf(v)))",
    "Hardsigmoid": f"({clipped(0.0, 6.0).replace('v', '(v + 3.0f)')}) / 6.0f",
    "Tanh": "tanhf(v)",
    "Hardtanh": lambda op: clipped(op.min_val, op.max_val),
    "Tanhshrink": "v - tanhf(v)",
    "Softplus": _softplus,
    "Softsign": "v / (1.0f + fabsf(v))",
    "Softshrink": lambda op: (
        f"v > {number(op.lambd)} ? v - {number(op.lambd)} : v < {number(-op.lambd)} ? v + {number(op.lambd)} : v * 0.0f"
    ),
    "Hardshrink": lambda op: f"v >= {number(-op.lambd)} && v <= {number(op.lambd)} ? 0.0f : v",
    "Threshold": lambda op: f"v <= {number(op.threshold)} ? {number(op.value)} : v",
}
"""Each activation of one number as an expression in `v`, in float32, or what makes it of the layer's arguments.

SELU's constants are those of Klambauer et al. 2017, in the digits that torch has.
"""
