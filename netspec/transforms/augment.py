"""Augmentations: random changes that make more of the training data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netspec.fields import Choice, Float, Numbers
from netspec.layers.base import Misfit, Tensor, show
from netspec.transforms.base import Augmentation, need_image, pair

if TYPE_CHECKING:
    import torch


class Crop(Augmentation):
    """Cuts out a window at random, from the image with a black frame of `pad` points around it."""

    example = "crop 8 pad=1"

    size = Numbers("height and width of the window; one number is both", axes=2, ge=1)
    pad = Numbers("black points added on each side first", 0, axes=2)

    def shape(self, x: Tensor) -> Tensor:
        (height, width), (top, left), wanted = need_image(x), pair(self.pad), pair(self.size)
        framed = (height + 2 * top, width + 2 * left)
        if wanted[0] > framed[0] or wanted[1] > framed[1]:
            text = f"cuts {show(wanted)} out of images of only {show(framed)}, frame included"
            raise Misfit(text, "Cut less, or give a larger pad.", field="size")
        return x.with_shape(*x.shape[:2], *wanted)

    def apply(self, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        import torch
        from torch.nn.functional import pad

        (height, width), (top, left) = pair(self.size), pair(self.pad)
        framed = pad(x, (left, left, top, top)).contiguous()
        count, channels, rows, columns = framed.shape

        def draw(positions: int) -> torch.Tensor:
            return torch.randint(positions, (count,), generator=generator, device=generator.device).to(x.device)

        def steps(length: int) -> torch.Tensor:
            return torch.arange(length, device=x.device)

        # A row of a window is a stretch of memory, so the windows are one lookup of stretches by where they begin:
        # a third of the time of indexing rows and columns.
        corners = (steps(count) * channels * rows + draw(rows - height + 1)) * columns + draw(columns - width + 1)
        within = ((steps(channels) * rows)[:, None] + steps(height)) * columns
        stretches = framed.view(-1).as_strided((framed.numel() - width + 1, width), (1, 1))
        starts = corners[:, None] + within.view(-1)
        return stretches.index_select(0, starts.view(-1)).view(count, channels, height, width)


class Flip(Augmentation):
    """Mirrors each image with a given probability, left to right unless told otherwise."""

    example = "flip"

    direction = Choice("which way images are mirrored", ("horizontal", "vertical"), "horizontal")
    p = Float("share of the images that are mirrored", 0.5, ge=0, le=1)

    def shape(self, x: Tensor) -> Tensor:
        need_image(x)
        return x

    def apply(self, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        import torch

        chosen = torch.rand(len(x), generator=generator, device=generator.device).to(x.device) < self.p
        mirrored = x.flip(-1 if self.direction == "horizontal" else -2)
        both = torch.stack((x, mirrored), 1).view(2 * len(x), -1)
        return both.index_select(0, 2 * torch.arange(len(x), device=x.device) + chosen).view_as(x)
