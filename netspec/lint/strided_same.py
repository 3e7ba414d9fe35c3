"""Even padding under a stride, with weights that are loaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from netspec.errors import Problem, Severity
from netspec.graph.model import Step
from netspec.layers.convolution import DirectConvolution
from netspec.lint.base import Facts, Rule

KERAS: Final = 1e-3
"""The eps of batch norms in TensorFlow and Keras, where torch's is 1e-5."""


class StridedSame(Rule):
    """Loaded weights were trained with the padding that the network has.

    `same` pads evenly, as torch's networks do. TensorFlow's SAME pads more at the end under a stride, so that weights
    from there see every map shifted by a point: they load, and the results are slightly wrong. It is a warning where
    the norms have the eps of Keras, and a note elsewhere.
    """

    code = "strided-same"
    severity = "info"
    about = ("kernel_size",)
    example = """\
input: 3x32x32
layers: [conv 8 k3 s2 same nobias, relu, gap, fc 10]
weights: {load: ported.safetensors}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        if not facts.graph.weights.loads:
            return
        norms = (step.op for step in facts.flow.steps if step.op is not None and step.op.normalises == "batch")
        ported = any(getattr(norm, "eps", 0) == KERAS for norm in norms)
        severity: Severity = "warning" if ported else "info"
        for step in facts.flow.steps:
            if pads := _uneven(step):
                shown = " and ".join(f"{before} before and {behind} behind" for before, behind in dict.fromkeys(pads))
                text = f"{step.told} pads evenly under a stride, where TensorFlow's SAME pads {shown}"
                sides = "x".join(f"{before}x{behind}" for before, behind in reversed(pads))
                hint = f"For weights from there write zeropad{len(pads)}d {sides} before it, and no padding in it."
                yield Problem(self.code, text, step.at, hint, severity)


def _uneven(step: Step) -> list[tuple[int, int]]:
    """What TensorFlow pads before and behind along each axis; nothing where it pads as is written."""
    op = step.op
    if not isinstance(op, DirectConvolution) or isinstance(op.padding, str) or step.inputs[0].tensor is None:
        return []
    tensor = step.inputs[0].tensor
    pads, differs = [], False
    windows = zip(tensor.shape[2:], *op.per_axis("kernel_size", "stride", "dilation", "padding"), strict=True)
    for size, kernel, stride, dilation, padding in windows:
        reach = dilation * (kernel - 1)
        if not isinstance(size, int) or 2 * padding != reach:
            return []
        total = max(0, (-(-size // stride) - 1) * stride + reach + 1 - size)
        pads.append((total // 2, total - total // 2))
        differs |= stride > 1 and pads[-1] != (padding, padding)
    return pads if differs else []
