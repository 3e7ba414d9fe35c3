"""Augmentations that move, turn or blacken the points of images."""

from __future__ import annotations

from math import log, radians
from typing import TYPE_CHECKING

from netspec.records import Bool, Choice, Float, Numbers
from netspec.tensors import Misfit, Tensor, show
from netspec.transforms.base import Augmentation, Chance, MaskFill, Moving, need_floats, need_image, pair

if TYPE_CHECKING:
    import torch


class Crop(Moving, Augmentation):
    """Cuts out a window at random, from the image with `pad` points around it: black ones, or its mirror image."""

    example = "crop 8 pad=1"
    takes_bytes = True

    size = Numbers("height and width of the window; one number is both", axes=2, ge=1)
    pad = Numbers("points added on each side first", 0, axes=2)
    mask_fill = MaskFill()
    reflect = Bool("whether the frame mirrors what is within, instead of being black", False, keyword=True)

    @property
    def frames(self) -> bool:
        return any(pair(self.pad)) and not self.reflect

    def shape(self, x: Tensor) -> Tensor:
        (height, width), (top, left), wanted = need_image(x), pair(self.pad), pair(self.size)
        framed = (height + 2 * top, width + 2 * left)
        if wanted[0] > framed[0] or wanted[1] > framed[1]:
            text = f"cuts {show(wanted)} out of images of only {show(framed)}, frame included"
            raise Misfit(text, "Cut less, or give a larger pad.", field="size")
        if self.reflect and (top >= height or left >= width):
            text = f"mirrors {show((top, left))} points of images of only {show((height, width))}"
            raise Misfit(text, "Give a smaller pad.", field="pad")
        return x.with_shape(*x.shape[:2], *wanted)

    def apply(self, x: torch.Tensor, chance: Chance) -> torch.Tensor:
        return self.apply_map(x, 0, chance)

    def apply_map(self, x: torch.Tensor, fill: int, *chance: Chance) -> torch.Tensor:
        import torch
        from torch.nn.functional import pad

        (height, width), (top, left), (drawn,) = pair(self.size), pair(self.pad), chance
        if self.reflect:
            across, down = (_mirrored(x.shape[axis], added) for axis, added in ((3, left), (2, top)))
            framed = x.index_select(2, down.to(x.device)).index_select(3, across.to(x.device)).contiguous()
        else:
            framed = pad(x, (left, left, top, top), value=fill).contiguous()
        count, channels, rows, columns = framed.shape

        def steps(length: int) -> torch.Tensor:
            return torch.arange(length, device=x.device)

        # A row of a window is a stretch of memory, so the windows are one lookup of stretches by where they begin:
        # a third of the time of indexing rows and columns.
        tops = steps(count) * channels * rows + drawn.below(rows - height + 1)
        corners = tops * columns + drawn.below(columns - width + 1)
        within = ((steps(channels) * rows)[:, None] + steps(height)) * columns
        stretches = framed.view(-1).as_strided((framed.numel() - width + 1, width), (1, 1))
        starts = corners[:, None] + within.view(-1)
        return stretches.index_select(0, starts.view(-1)).view(count, channels, height, width)


def _mirrored(length: int, added: int) -> torch.Tensor:
    """Which point of an axis each point comes from, where so many are added on both sides; the ends stand once."""
    import torch

    places = torch.arange(-added, length + added).abs()
    return places.where(places < length, 2 * (length - 1) - places)


class Flip(Moving, Augmentation):
    """Mirrors each image with a given probability, or in every other epoch; left to right unless told otherwise."""

    example = "flip"
    takes_bytes = True

    direction = Choice("which way images are mirrored", ("horizontal", "vertical"), "horizontal")
    p = Float("share of the images that are mirrored", 0.5, ge=0, le=1)
    alternate = Bool(
        "whether each image is mirrored in every other epoch, half of them in the first, and chance has no part in it",
        False,
        keyword=True,
    )

    def shape(self, x: Tensor) -> Tensor:
        need_image(x)
        if self.alternate and self.p != 0.5:
            raise Misfit("mirrors half of the images where it alternates, whatever p is", "Leave p out.", field="p")
        return x

    def apply(self, x: torch.Tensor, chance: Chance) -> torch.Tensor:
        import torch

        chosen = chance.alternating() if self.alternate else chance.uniform() < self.p
        mirrored = x.flip(-1 if self.direction == "horizontal" else -2)
        both = torch.stack((x, mirrored), 1).flatten(0, 1)
        return both.index_select(0, 2 * torch.arange(len(x), device=x.device) + chosen)


class Rotate(Moving, Augmentation):
    """Turns each image around its middle by an angle drawn at random; what comes in at the corners is black."""

    example = "rotate 15"

    degrees = Float("the largest angle, to either side", gt=0, le=180)
    mask_fill = MaskFill()

    @property
    def frames(self) -> bool:
        return True

    def shape(self, x: Tensor) -> Tensor:
        need_image(x)
        need_floats(x)
        return x

    def apply(self, x: torch.Tensor, chance: Chance) -> torch.Tensor:
        return rotated(x, self._angles(chance))

    def apply_map(self, x: torch.Tensor, fill: int, *chance: Chance) -> torch.Tensor:
        return rotated_map(x, self._angles(*chance), fill)

    def _angles(self, chance: Chance) -> torch.Tensor:
        """An angle for each image, in radians."""
        return (2 * chance.uniform() - 1) * radians(self.degrees)


class Erase(Augmentation):
    """Blackens a rectangle of an image, drawn at random: random erasing, https://arxiv.org/abs/1708.04896.

    A mask keeps what the rectangle hides.
    """

    example = "erase p=0.25"
    takes_bytes, moves = True, False

    p = Float("share of the images that lose a rectangle", 0.5, ge=0, le=1)
    smallest = Float("the least share of an image's points that a rectangle takes", 0.02, gt=0, le=1)
    largest = Float("the largest share of them", 0.33, gt=0, le=1)
    ratio = Float("how many times as long as wide, or as wide as long, a rectangle may be", 3.3, ge=1)

    def shape(self, x: Tensor) -> Tensor:
        need_image(x)
        if self.smallest > self.largest:
            raise Misfit(f"has a smallest of {self.smallest} above its largest of {self.largest}", field="smallest")
        return x

    def apply(self, x: torch.Tensor, chance: Chance) -> torch.Tensor:
        import torch

        rows, columns = x.shape[-2:]
        area = (self.smallest + chance.uniform() * (self.largest - self.smallest)) * rows * columns
        slant = ((2 * chance.uniform() - 1) * log(self.ratio)).exp()

        def stretch(length: int, within: torch.Tensor) -> torch.Tensor:
            """Which of an axis's points lie within the rectangle of each image."""
            within = within.round().clamp(1, length)
            start = (chance.uniform() * (length - within + 1)).floor()
            points = torch.arange(length, device=x.device)
            return (points >= start[:, None]) & (points < (start + within)[:, None])

        down, across = stretch(rows, (area * slant).sqrt()), stretch(columns, (area / slant).sqrt())
        chosen = chance.uniform() < self.p
        return x.masked_fill((chosen[:, None, None] & down[:, :, None] & across[:, None, :])[:, None], 0)


def rotated(x: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    """Each image turned by its angle in radians, counter-clockwise; points in between are found bilinearly."""
    from torch.nn.functional import grid_sample

    return grid_sample(x, _turned(x, angles), mode="bilinear", padding_mode="zeros", align_corners=False)


def rotated_map(x: torch.Tensor, angles: torch.Tensor, fill: int) -> torch.Tensor:
    """The same for whole numbers: each point is the nearest one, and `fill` where there is none."""
    height, width = x.shape[-2:]
    from_x, from_y = _turned(x, angles).unbind(-1)
    across, down = (((from_x + 1) * width - 1) / 2).round().long(), (((from_y + 1) * height - 1) / 2).round().long()
    within = (across >= 0) & (across < width) & (down >= 0) & (down < height)
    places = (down.clamp(0, height - 1) * width + across.clamp(0, width - 1)).flatten(1)
    found = x.flatten(2).gather(2, places[:, None].expand(-1, x.shape[1], -1)).view_as(x)
    return found.masked_fill(~within[:, None], fill)


def _turned(x: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    """Where each point comes from, in coordinates that go from -1 to 1 along both axes, whatever their lengths."""
    import torch
    from torch.nn.functional import affine_grid

    height, width = x.shape[-2:]
    cos, sin, none = angles.cos(), angles.sin(), torch.zeros_like(angles)
    from_x = torch.stack((cos, -sin * height / width, none), 1)
    from_y = torch.stack((sin * width / height, cos, none), 1)
    return affine_grid(torch.stack((from_x, from_y), 1).float(), list(x.shape), align_corners=False)
