"""Static quantisation of an ONNX file by ONNX Runtime: weights and activations as whole numbers of 8 bits.

Weights take 7 of the 8 bits: processors with AVX2 and without VNNI add two products of 8 bits in 16, which overflow.
Norms are folded into the products before them first, which is where their scales are cheapest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from netspec.runtime.export.emission import Array
from netspec.views.onnx import around

LAYERS: Final = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""Operators that are quantised for their weights' sake: what surrounds them goes along."""
TRIED: Final = 32
"""Layers that are tried one by one to know which of them costs most, at most."""


class _Reader:
    """Gives a quantiser the inputs that it is calibrated on, as it wants them."""

    def __init__(self, names: Sequence[str], batches: Sequence[Sequence[Array]]) -> None:
        self.given: Iterator[dict[str, Array]] = (dict(zip(names, batch, strict=True)) for batch in batches)

    def get_next(self) -> dict[str, Array] | None:
        """The next inputs by name; None behind the last."""
        return next(self.given, None)


def simplified(source: Path, target: Path) -> None:
    """Write a model with norms folded into the convolutions before them, which are then quantised as one."""
    import onnx
    import onnxruntime as ort

    settings = ort.SessionOptions()
    settings.log_severity_level = 4
    settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    settings.optimized_model_filepath = str(target)
    ort.InferenceSession(str(source), settings, providers=["CPUExecutionProvider"])
    model, before = onnx.load(target), onnx.load(source, load_external_data=False)
    del model.metadata_props[:]
    model.metadata_props.extend(before.metadata_props)
    model.producer_name, model.producer_version = before.producer_name, before.producer_version
    onnx.save(model, target)


def quantised(source: Path, target: Path, batches: Sequence[Sequence[Array]], only: Sequence[str] = ()) -> None:
    """Write a model that computes in int8, with a scale for each channel of a weight; or `only` these nodes of it.

    What is done to samples before the network, and to answers behind it, stays in floats.

    Weights take 7 of the 8 bits. Processors that have AVX2 and no VNNI add two products of bytes in 16 bits, which 8
    would overflow: the file would then be another there than where it was measured.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    model = onnx.load(source, load_external_data=False)
    names = [x.name for x in model.graph.input]
    reader = type("Reader", (_Reader, CalibrationDataReader), {})(names, batches)
    quantize_static(
        source,
        target,
        reader,
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_quantize=list(only) or None,
        nodes_to_exclude=around(model),
        extra_options={"QuantizeBias": True},
    )


def layers(model: Path) -> list[str]:
    """The nodes of a model that have weights to quantise, by name."""
    import onnx

    loaded = onnx.load(model, load_external_data=False)
    graph, others = loaded.graph, around(loaded)
    owned = {tensor.name for tensor in graph.initializer}
    own = [node for node in graph.node if node.op_type in LAYERS and node.name not in others]
    return [node.name for node in own if any(x in owned for x in node.input)]


def away(found: Sequence[Array], known: Sequence[Array]) -> float:
    """How far outputs are from others: the root of their mean square difference, as a part of that of the known."""
    far = sum(float(np.square(a.astype(np.float64) - b).sum()) for a, b in zip(found, known, strict=True))
    size = sum(float(np.square(b.astype(np.float64)).sum()) for b in known)
    return float(np.sqrt(far / size)) if size else float(far > 0)


def costly(plain: Path, batches: Sequence[Sequence[Array]], opened: Any) -> list[tuple[str, float]]:
    """The layers of a model by what it costs to quantise each alone, the worst first; of many, some of them."""
    names = layers(plain)
    names = names[:: max(1, -(-len(names) // TRIED))]
    known = [x for batch in batches for x in opened(plain)(batch)]
    costs = []
    for name in names:
        target = plain.with_name("alone.onnx")
        quantised(plain, target, batches, [name])
        costs.append((name, away([x for batch in batches for x in opened(target)(batch)], known)))
        target.unlink()
    return sorted(costs, key=lambda pair: -pair[1])
