"""Batch norms behind convolutions and linear maps, taken into their weights.

In use a batch norm is scale * x + shift for each channel, and so is the product before it for each of its outputs: both
together are one product with weights scale * weight and bias scale * bias + shift. These are computed in float64 and
rounded once, so that the file is no further from the network than with the norm as a step of its own.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from netspec.emit.c.writer import Call, Product, Storage


def folded(calls: list[Call], given: Collection[Storage]) -> list[Call]:
    """The calls without the scales of channels that only a product before them reads; `given` are the outputs."""
    readers: dict[Storage, int] = {}
    for call in calls:
        for wire in call.inputs:
            readers[wire.storage] = readers.get(wire.storage, 0) + 1
    makers = {call.outputs[0].storage: call for call in calls if call.product is not None}
    kept: list[Call] = []
    for call in calls:
        source = call.inputs[0].storage if call.scales is not None else None
        maker = makers.get(source) if source is not None else None
        if maker is None or source is None or readers[source] != 1 or source in given or not _fits(maker, call):
            kept.append(call)
            continue
        assert maker.product is not None
        assert call.scales is not None
        scale, shift = (each.astype(np.float64) for each in call.scales)
        product = maker.product
        weight = product.weight * scale.reshape(-1, *[1] * (product.weight.ndim - 1))
        bias = product.bias * scale + shift
        maker.product = replace(product, weight=weight.astype(np.float32), bias=bias.astype(np.float32))
        maker.outputs = call.outputs
        makers[call.outputs[0].storage] = maker
    return kept


def _fits(maker: Call, call: Call) -> bool:
    """Whether what a call scales are the outputs of a product, one by one."""
    product: Product | None = maker.product
    assert product is not None
    assert call.scales is not None
    channels = call.inputs[0].shape[1]
    rows = 1 if product.weight.ndim > 2 else call.inputs[0].size // channels
    return len(product.weight) == channels == len(call.scales[0]) and rows == 1
