"""Transforms that change where the points of an image are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from netspec.dims import Size, known, product
from netspec.records import Bool, Choice, Numbers
from netspec.several import Several, whole
from netspec.tensors import Misfit, Tensor, show
from netspec.transforms.base import Chance, Maps, MaskFill, Moving, Transform, need_floats, need_image, pair

if TYPE_CHECKING:
    import numpy as np
    import torch


class Resize(Moving, Transform):
    """Brings images to exactly this height and width."""

    example = "resize 32"
    before_augment = True

    size = Numbers("height and width; one number is both", axes=2, ge=1)
    mode = Choice("how points in between are found", ("bilinear", "bicubic", "area", "nearest"), "bilinear")
    antialias = Bool("average over the points that fall together, when bilinear or bicubic shrink", True)

    def bounds(self, low: float, high: float) -> tuple[float, float] | None:
        return None if self.mode == "bicubic" else (low, high)

    def shape(self, x: Tensor) -> Tensor:
        need_image(x)
        need_floats(x)
        return x.with_shape(*x.shape[:2], *pair(self.size))

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import interpolate

        if self.mode in ("bilinear", "bicubic"):
            return interpolate(x, pair(self.size), mode=self.mode, align_corners=False, antialias=self.antialias)
        return interpolate(x, pair(self.size), mode="nearest-exact" if self.mode == "nearest" else self.mode)

    def apply_array(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        from netspec.transforms.resampling import resampled

        return resampled(x, pair(self.size), self.mode, self.antialias)

    def apply_map(self, x: torch.Tensor, fill: int, *chance: Chance) -> torch.Tensor:
        import torch

        def nearest(found: int, wanted: int) -> torch.Tensor:
            """For each point of an axis the one whose middle is nearest to its own."""
            return (2 * torch.arange(wanted, device=x.device) + 1) * found // (2 * wanted)

        down, across = map(nearest, x.shape[-2:], pair(self.size))
        return x[..., down[:, None], across]

    def map_array(self, x: np.ndarray[Any, Any], fill: int) -> np.ndarray[Any, Any]:
        import numpy as np

        size = pair(self.size)
        down, across = (
            (2 * np.arange(n) + 1) * x.shape[axis] // (2 * n) for axis, n in zip((-2, -1), size, strict=True)
        )
        return x[..., down[:, None], across]


class Pad(Moving, Transform):
    """Adds a black frame to images; one of `mask_fill` to a target of classes on their grid."""

    example = "pad 2"
    takes_bytes, before_augment = True, True

    padding = Numbers("points added on each side; two numbers are height and width", axes=2)
    mask_fill = MaskFill()

    @property
    def frames(self) -> bool:
        return any(pair(self.padding))

    def bounds(self, low: float, high: float) -> tuple[float, float] | None:
        return min(0, low), max(0, high)

    def shape(self, x: Tensor) -> Tensor:
        height, width = need_image(x)
        top, left = pair(self.padding)
        return x.with_shape(*x.shape[:2], height + 2 * top, width + 2 * left)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        return self.apply_map(x, 0)

    def apply_array(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return self.map_array(x, 0)

    def map_array(self, x: np.ndarray[Any, Any], fill: int) -> np.ndarray[Any, Any]:
        import numpy as np

        top, left = pair(self.padding)
        return np.pad(x, ((0, 0), (0, 0), (top, top), (left, left)), constant_values=fill)

    def apply_map(self, x: torch.Tensor, fill: int, *chance: Chance) -> torch.Tensor:
        from torch.nn.functional import pad

        top, left = pair(self.padding)
        return pad(x, (left, left, top, top), value=fill)


class Crop(Moving, Transform):
    """Cuts out the middle of images, after the augmentation `crop` has cut at random in training."""

    example = "crop 28"
    takes_bytes = True

    size = Numbers("height and width; one number is both", axes=2, ge=1)

    def bounds(self, low: float, high: float) -> tuple[float, float] | None:
        return low, high

    def shape(self, x: Tensor) -> Tensor:
        found, wanted = need_image(x), pair(self.size)
        if wanted[0] > found[0] or wanted[1] > found[1]:
            raise Misfit(f"cuts {show(wanted)} out of images of only {show(found)}", field="size")
        return x.with_shape(*x.shape[:2], *wanted)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        height, width = pair(self.size)
        top, left = (x.shape[-2] - height) // 2, (x.shape[-1] - width) // 2
        return x[..., top : top + height, left : left + width]

    def apply_array(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return self.apply(x)  # type: ignore[arg-type, return-value]  # cut alike


class Reshape(Transform):
    """Gives each sample another shape with as many values: 784 to 1x28x28."""

    example = "reshape 1x8x8"
    takes_bytes, before_augment, moves = True, True, False

    sizes = Several(
        "the shape of a sample, without the batch", whole(1), "sizes of at least 1, as in 1x28x28", rest=True
    )

    def bounds(self, low: float, high: float) -> tuple[float, float] | None:
        return low, high

    def shape(self, x: Tensor) -> Tensor:
        before: tuple[Size, ...] = x.shape[1:]
        if known(product(before)) and product(before) != product(self.sizes):
            text = f"makes {show(self.sizes)} = {product(self.sizes)} of {show(before)} = {product(before)} values"
            raise Misfit(text, field="sizes")
        return x.with_shape(x.shape[0], *self.sizes)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(len(x), *self.sizes)

    def apply_array(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return x.reshape(len(x), *self.sizes)


class Layout(Transform):
    """Puts the axis of the channels elsewhere, also that of a target of the same height, width and order."""

    takes_bytes, before_augment, moves = True, True, True
    axes: ClassVar[slice]
    """Where height and width are before."""
    whence: ClassVar[int]
    whither: ClassVar[int]

    def bounds(self, low: float, high: float) -> tuple[float, float] | None:
        return low, high

    def shape(self, x: Tensor) -> Tensor:
        sizes = list(x.shape)
        channels = sizes.pop(self.whence)
        sizes.insert(self.whither if self.whither > 0 else len(sizes), channels)
        return x.with_shape(*sizes)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        return x.movedim(self.whence, self.whither)

    def apply_array(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        import numpy as np

        return np.moveaxis(x, self.whence, self.whither)

    def reaches(self, x: Tensor, target: Tensor) -> bool:
        return len(x.shape) == len(target.shape) == 4 and x.shape[self.axes] == target.shape[self.axes]

    def carried(self, target: Tensor, maps: Maps) -> Tensor:
        """What `carry` makes of a target."""
        return self.shape(target)

    def carry(self, target: torch.Tensor, maps: Maps) -> torch.Tensor:
        """A target whose channels go where the image's go."""
        return self.apply(target)

    def carry_array(self, target: np.ndarray[Any, Any], maps: Maps) -> np.ndarray[Any, Any]:
        """The same of an array."""
        return self.apply_array(target)


class ChannelsFirst(Layout):
    """Brings the last axis to the front: height x width x channels becomes channels x height x width."""

    words = ("channels_first",)
    example = "channels_first"
    axes, whence, whither = slice(1, 3), -1, 1


class ChannelsLast(Layout):
    """Brings the first axis to the end: channels x height x width becomes height x width x channels."""

    words = ("channels_last",)
    example = "channels_last"
    axes, whence, whither = slice(2, 4), 1, -1
