"""Layers that multiply whole numbers of 8 bits.

The rule: a weight is w = s q with q in -127 to 127, and one s for each output, the largest |w| of that output over 127.
The input of a layer is x = t p in the same way, with one t for the whole tensor, the largest |x| that was seen of the
training data over 127; what is beyond is cut off. Both are rounded to the nearest, halves away from 0. Products are
summed in 32 bits, which is exact, and sum s t plus the bias is a float again. All else computes with floats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from netspec.emit.c.code import Code, number
from netspec.emit.c.writer import Array, Body, Call, Names, Storage, Wire

LARGEST: Final = 127
LONGEST: Final = 2**31 // LARGEST**2
"""Products of which the sum is sure to fit into 32 bits."""


def quantised(calls: Sequence[Call], scales: Mapping[str, float]) -> list[Call]:
    """The calls with the layers that have a scale for their input computing in 8 bits; each has its weights by now."""
    found: list[Call] = []
    for call in calls:
        product = call.product
        if product is None:
            found.append(call)
            continue
        scale = scales.get(product.path, 0.0)
        if not scale or product.weight[0].size >= LONGEST:
            call.constants = {
                "weight": (product.packed(product.weight), "float32"),
                "bias": (product.bias, "float32"),
            }
            found.append(call)
            continue
        weight, steps = rounded(product.weight)
        (x,) = call.inputs
        whole = Wire(Storage(x.size, "int8"), x.shape)
        found.append(Call(call.step, "round", [x], [whole], _rounding(x.size, 1 / scale)))
        call.inputs = [whole]
        call.body = product.body("int8")
        call.constants = {
            "weight": (product.packed(weight), "int8"),
            "scale": ((steps * scale).astype(np.float32), "float32"),
            "bias": (product.bias, "float32"),
        }
        found.append(call)
    return found


def rounded(weight: Array) -> tuple[Array, Array]:
    """Whole numbers for the weights of each output, and what one step of them is."""
    largest = np.abs(weight.reshape(len(weight), -1)).max(1).astype(np.float64)
    steps = np.where(largest > 0, largest / LARGEST, 1.0)
    parts = weight / steps.reshape(-1, *[1] * (weight.ndim - 1))
    whole = np.sign(parts) * np.floor(np.abs(parts) + 0.5)
    return whole.astype(np.int8), steps


def _rounding(size: int, by: float) -> Body:
    """Floats to whole numbers between -127 and 127; nan becomes the lowest."""

    def body(code: Code, names: Names) -> None:
        with code.loop("i", size):
            code.add(f"const float v = {names.x[0]}[i] * {number(by)};")
            code.add(f"const float cut = v > -{LARGEST}.0f ? (v < {LARGEST}.0f ? v : {LARGEST}.0f) : -{LARGEST}.0f;")
            code.add(f"{names.y[0]}[i] = (int8_t)(cut < 0.0f ? cut - 0.5f : cut + 0.5f);")

    return body
