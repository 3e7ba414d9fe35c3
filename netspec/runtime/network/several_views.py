"""The mean of a network's scores over several views of each image: itself, its mirror image, both moved by a point."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.nn import functional

from netspec.errors import UsageError


def averaged(forward: Callable[..., Any], views: str | None) -> Callable[..., Any]:
    """`forward` over all views of its images (N, C, H, W), where a spec's `train.evaluate` names some.

    Inputs of other forms stay as they are. Raises UsageError where what it gives are not scores (N, C).
    """
    if views is None:
        return forward

    def mean(*inputs: torch.Tensor) -> torch.Tensor:
        total: torch.Tensor | None = None
        for share, seen in _views(inputs, views):
            scores = forward(*seen)
            if not isinstance(scores, torch.Tensor) or scores.dim() != 2:
                text = f"train.evaluate.views is {views}, and the network gives other than scores of each image"
                raise UsageError(f"{text}. Write train.evaluate.views=null.")
            total = scores * share if total is None else total + scores * share
        assert total is not None
        return total

    return mean


def _views(inputs: Sequence[torch.Tensor], views: str) -> Iterator[tuple[float, list[torch.Tensor]]]:
    """The inputs in each view, and its share in the mean."""
    moved: list[list[torch.Tensor]] = [list(inputs)]
    shares = [1.0]
    if views == "flip_shift":
        moved += [[_shifted(x, by) if x.dim() == 4 else x for x in inputs] for by in (-1, 1)]
        shares = [0.5, 0.25, 0.25]
    for share, seen in zip(shares, moved, strict=True):
        yield share / 2, seen
        yield share / 2, [x.flip(3) if x.dim() == 4 else x for x in seen]


def _shifted(x: torch.Tensor, by: int) -> torch.Tensor:
    """Images moved by so many points down and right, with their own reflection at the border."""
    height, width = x.shape[2:]
    reach = abs(by)
    padded = functional.pad(x, (reach,) * 4, "reflect")
    return padded[:, :, reach - by : reach - by + height, reach - by : reach - by + width]
