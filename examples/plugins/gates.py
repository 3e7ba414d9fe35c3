"""A plugin: a layer that is measured, a layer with a shape rule of its own, a loss, a metric and a source of data.

`netspec check examples/plugins/gated.yaml --plugin examples/plugins/gates.py`
"""

from typing import Any

import numpy as np
import torch
from torch import nn

from netspec.plugins import Arrays, Dataset, Int, Metric, Part, Tensor, register


@register(inferred={"channels": 1}, example="gate", example_input="8x4x4")
class Gate(nn.Module):
    """Multiplies each channel by a learned number between 0 and 1."""

    def __init__(self, channels: int, start: float = 0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), start))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight.sigmoid().view(-1, *[1] * (x.dim() - 2))


def _halved(layer: Any, x: Tensor) -> Tensor:
    return x.with_shape(*x.shape[:-1], x.shape[-1] // 2)


@register(shape=_halved, example="fold_last", example_input="10x32", words=("fold_last",))
class FoldLast(nn.Module):
    """Adds the second half of the last axis to the first."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second = x.chunk(2, dim=-1)
        return first + second


@register(loss=True, words=("log_cosh",))
class LogCosh(nn.Module):
    """The logarithm of the difference's hyperbolic cosine: square where it is small, straight where it is large."""

    def __init__(self, scale: float = 1.0):
        super().__init__()
        self.scale = scale

    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return ((prediction - target) * self.scale).cosh().log().mean()


@register
class Within(Metric):
    """The share of predictions that are nearer to the target than a number."""

    kinds = ("value",)
    example = "within 1"

    distance = Int("the largest difference that still counts", 1, ge=0)

    def count(self, scores: Any, target: Any, loss: Any) -> dict[str, Any]:
        near = (scores - target).abs() <= self.distance
        return {"near": near.sum().double(), "all": float(near.numel())}

    def value(self, counts: dict[str, Any]) -> float:
        return float(counts["near"] / counts["all"])


@register
class Waves(Dataset):
    """Sines of random frequency over 32 points; the target is the frequency."""

    example = "waves 200"

    count = Int("how many there are", ge=1)

    def read(self, files: Any) -> Arrays:
        draw = np.random.RandomState(0)
        frequency = draw.uniform(0.5, 3, (self.count, 1)).astype(np.float32)
        points = np.linspace(0, 2 * np.pi, 32, dtype=np.float32)
        return Arrays(Part((np.sin(frequency * points)[:, None],), frequency))
