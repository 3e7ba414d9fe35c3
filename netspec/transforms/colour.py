"""Colour augmentations: brightness, contrast and the like of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netspec.records import Float
from netspec.tensors import Misfit, Tensor, show
from netspec.transforms.base import Augmentation, Chance, need_floats, need_image

if TYPE_CHECKING:
    import torch

LUMA: Final = (0.299, 0.587, 0.114)
"""How much red, green and blue add to the brightness that is seen, after ITU-R BT.601."""


class Jitter(Augmentation):
    """Changes brightness, then contrast, then saturation of each image by factors drawn at random.

    A strength of 0.4 draws factors from 0.6 to 1.4. Values are not cut off at 0.0 and 1.0.
    """

    example = "jitter 0.4 0.4 0.2"
    moves = False

    brightness = Float("how far the factor of the brightness may be from 1", ge=0, le=1)
    contrast = Float("how far that of the distance from an image's mean grey may be", 0, ge=0, le=1)
    saturation = Float("how far that of the distance from each point's own grey may be", 0, ge=0, le=1)

    def shape(self, x: Tensor) -> Tensor:
        need_image(x)
        need_floats(x)
        if self.saturation and x.shape[1] != len(LUMA):
            text = f"changes the saturation of red, green and blue, the data is {show(x.shape[1:])}"
            raise Misfit(text, field="saturation")
        return x

    def apply(self, x: torch.Tensor, chance: Chance) -> torch.Tensor:
        import torch

        def stretched(middle: torch.Tensor | float, strength: float) -> torch.Tensor:
            """`x` with its distance from `middle` times a factor for each image."""
            factor = 1 + strength * (2 * chance.uniform() - 1)
            return torch.lerp(torch.as_tensor(middle, dtype=x.dtype, device=x.device), x, factor[:, None, None, None])

        x = stretched(0.0, self.brightness)
        if self.contrast:
            x = stretched(grey(x).mean((1, 2, 3), keepdim=True), self.contrast)
        return stretched(grey(x), self.saturation) if self.saturation else x


def grey(x: torch.Tensor) -> torch.Tensor:
    """Images with one channel: how bright each point is."""
    if x.shape[1] != len(LUMA):
        return x.mean(1, keepdim=True)
    return (x * x.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
