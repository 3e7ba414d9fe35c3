"""Transforms that change where the points of an image are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from netspec.dims import Size, known, product
from netspec.fields import Bool, Checked, Choice, Numbers, refuse
from netspec.layers.base import Misfit, Tensor, show
from netspec.transforms.base import Transform, need_floats, need_image, pair

if TYPE_CHECKING:
    import torch


SIZES: Final = {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1}


def _sizes(value: Any) -> tuple[int, ...]:
    sizes = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not sizes or not all(isinstance(s, int) and not isinstance(s, bool) and s > 0 for s in sizes):
        raise refuse("sizes of at least 1, as in 1x28x28")
    return sizes


class Resize(Transform):
    """Brings images to exactly this height and width."""

    example = "resize 32"
    before_augment = True

    size = Numbers("height and width; one number is both", axes=2, ge=1)
    mode = Choice("how points in between are found", ("bilinear", "bicubic", "area", "nearest"), "bilinear")
    antialias = Bool("average over the points that fall together, when bilinear or bicubic shrink", True)

    def shape(self, x: Tensor) -> Tensor:
        need_image(x)
        need_floats(x)
        return x.with_shape(*x.shape[:2], *pair(self.size))

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import interpolate

        if self.mode in ("bilinear", "bicubic"):
            return interpolate(x, pair(self.size), mode=self.mode, align_corners=False, antialias=self.antialias)
        return interpolate(x, pair(self.size), mode="nearest-exact" if self.mode == "nearest" else self.mode)


class Pad(Transform):
    """Adds a black frame to images."""

    example = "pad 2"
    takes_bytes, before_augment = True, True

    padding = Numbers("points added on each side; two numbers are height and width", axes=2)

    def shape(self, x: Tensor) -> Tensor:
        height, width = need_image(x)
        top, left = pair(self.padding)
        return x.with_shape(*x.shape[:2], height + 2 * top, width + 2 * left)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import pad

        top, left = pair(self.padding)
        return pad(x, (left, left, top, top))


class Crop(Transform):
    """Cuts out the middle of images, after the augmentation `crop` has cut at random in training."""

    example = "crop 28"
    takes_bytes = True

    size = Numbers("height and width; one number is both", axes=2, ge=1)

    def shape(self, x: Tensor) -> Tensor:
        found, wanted = need_image(x), pair(self.size)
        if wanted[0] > found[0] or wanted[1] > found[1]:
            raise Misfit(f"cuts {show(wanted)} out of images of only {show(found)}", field="size")
        return x.with_shape(*x.shape[:2], *wanted)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        height, width = pair(self.size)
        top, left = (x.shape[-2] - height) // 2, (x.shape[-1] - width) // 2
        return x[..., top : top + height, left : left + width]


class Reshape(Transform):
    """Gives each sample another shape with as many values: 784 to 1x28x28."""

    example = "reshape 1x8x8"
    takes_bytes, before_augment = True, True

    sizes = Checked("the shape of a sample, without the batch", _sizes, SIZES, rest=True)

    def shape(self, x: Tensor) -> Tensor:
        before: tuple[Size, ...] = x.shape[1:]
        if known(product(before)) and product(before) != product(self.sizes):
            text = f"makes {show(self.sizes)} = {product(self.sizes)} of {show(before)} = {product(before)} values"
            raise Misfit(text, field="sizes")
        return x.with_shape(x.shape[0], *self.sizes)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(len(x), *self.sizes)


class ChannelsFirst(Transform):
    """Brings the last axis to the front: height x width x channels becomes channels x height x width."""

    words = ("channels_first",)
    example = "channels_first"
    takes_bytes, before_augment = True, True

    def shape(self, x: Tensor) -> Tensor:
        return x.with_shape(x.shape[0], *x.shape[-1:], *x.shape[1:-1])

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        return x.movedim(-1, 1)
