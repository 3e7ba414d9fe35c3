"""Mixup and CutMix: two samples of a batch are put together, and their targets with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netspec.dims import Size
from netspec.records import Float
from netspec.tensors import Misfit, Tensor, show
from netspec.transforms.base import Mixing, need_image, partner

if TYPE_CHECKING:
    import torch
    from numpy.random import RandomState


class Mixup(Mixing):
    """Adds to each sample a share of another one, and to its target the same share of the other's.

    The share is drawn for each batch, from the distribution Beta(alpha, alpha). Class numbers become a probability for
    each class, which cross_entropy takes; train.loss is measured against these, validation against the classes
    themselves. Of several mixings in a spec each batch meets one. See https://arxiv.org/abs/1710.09412.
    """

    example = "mixup 0.2"

    alpha = Float("small: mostly one of the two; 1: any share as likely; large: half of each", 0.2, gt=0)

    def fit(self, inputs: Sequence[Tensor]) -> None:
        for x in inputs:
            if x.dtype != "float32":
                raise Misfit(f"adds up inputs of floats, the data has {x.dtype}")

    def mix(self, inputs: Sequence[torch.Tensor], draw: RandomState) -> tuple[tuple[torch.Tensor, ...], float]:
        import torch

        share = draw.beta(self.alpha, self.alpha)
        return tuple(torch.lerp(partner(x), x, share) for x in inputs), share


class CutMix(Mixing):
    """Puts into each image a rectangle of another one, and into its target a share as large as the rectangle.

    The share is drawn for each batch, from the distribution Beta(alpha, alpha); targets are mixed as by mixup. See
    https://arxiv.org/abs/1905.04899.
    """

    example = "cutmix"

    alpha = Float("small: mostly one of the two; 1: any share as likely; large: half of each", 1.0, gt=0)

    def fit(self, inputs: Sequence[Tensor]) -> None:
        if len(inputs) != 1:
            raise Misfit(f"takes one input of images, the data has {len(inputs)} inputs")
        need_image(inputs[0])

    def mixed_target(self, target: Tensor, classes: Size) -> Tensor:
        if len(target.shape) > 2:
            text = f"gives a sample a share of another's target, the target is a map of {show(target.shape[1:])}"
            raise Misfit(text, "Mixup mixes maps of numbers point by point.")
        return super().mixed_target(target, classes)

    def mix(self, inputs: Sequence[torch.Tensor], draw: RandomState) -> tuple[tuple[torch.Tensor, ...], float]:
        (x,) = inputs
        height, width = x.shape[-2:]
        side = (1 - draw.beta(self.alpha, self.alpha)) ** 0.5
        (top, bottom), (left, right) = _stretch(height, side, draw), _stretch(width, side, draw)
        mixed = x.clone()
        mixed[..., top:bottom, left:right] = partner(x)[..., top:bottom, left:right]
        return (mixed,), 1 - (bottom - top) * (right - left) / (height * width)


def _stretch(length: int, share: float, draw: RandomState) -> tuple[int, int]:
    """Where a share of an axis begins and ends around a middle drawn at random, cut at the ends of the axis."""
    middle, half = draw.randint(length), round(length * share) // 2
    return max(0, middle - half), min(length, middle + half)


def blend(target: torch.Tensor, share: float, classes: int) -> torch.Tensor:
    """A target mixed with its partner's, of which it keeps `share`."""
    import torch

    other = partner(target)
    if target.is_floating_point():
        return torch.lerp(other, target, share)
    chances = torch.zeros(len(target), classes, device=target.device)
    chances.scatter_(1, target[:, None], share)
    return chances.scatter_add_(1, other[:, None], torch.full_like(chances, 1 - share))
