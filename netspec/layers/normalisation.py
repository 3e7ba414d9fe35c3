"""Normalisation: activations brought to mean 0 and variance 1, over the batch or within a sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from netspec.dims import product
from netspec.fields import Bool, Checked, Float, Int, Maybe, refuse
from netspec.layers.base import (
    Layer,
    Misfit,
    Tensor,
    axis_size,
    literal,
    need_float,
    need_known,
    need_rank,
    show,
)
from netspec.layers.windows import AXES, Spatial


class ChannelNorm(Layer):
    """What norms with a number for each channel share: parameters and running statistics."""

    flags = {"nobias": ("bias", False)}

    num_features = Int("channels of the input", None, ge=1, axis=1)
    eps = Float("added to the variance, so that nothing is divided by 0", 1e-5, gt=0)
    momentum = Maybe(Float("weight of the newest batch in the running statistics; null takes their plain mean", 0.1))
    affine = Bool("learn a scale and a shift for each channel", True)
    track_running_stats = Bool("keep running statistics in training, and use them afterwards", True)
    bias = Bool("learn the shift too, where there is a scale", True, keyword=True)

    def fitted(self, *inputs: Tensor) -> Self:
        need_float(inputs[0])
        return super().fitted(*inputs)

    def shape(self, *inputs: Tensor) -> Tensor:
        return inputs[0]

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return affine_parameters((self.num_features,), self.affine, self.bias)

    def buffers(self) -> dict[str, tuple[int, ...]]:
        if not self.track_running_stats:
            return {}
        each = (self.num_features,)
        return {"running_mean": each, "running_var": each, "num_batches_tracked": ()}


def affine_parameters(shape: tuple[int, ...], affine: bool, bias: bool) -> dict[str, tuple[int, ...]]:
    """A learned scale called weight, and the shift called bias."""
    return ({"weight": shape} | ({"bias": shape} if bias else {})) if affine else {}


class BatchNorm1d(ChannelNorm):
    """Normalises each channel over the batch and, if there is one, the length."""

    rank = (2, 3)
    general = ("bn", "batchnorm", "batch_norm")
    example, example_input = "batchnorm1d", "16x100"

    def fitted(self, *inputs: Tensor) -> Self:
        need_rank(inputs[0], 2, 3, what="channels, or channels x length")
        return super().fitted(*inputs)


class BatchNorm2d(ChannelNorm, Spatial):
    """Normalises each channel over the batch and the map."""

    dims, rank = 2, 4
    general = ("bn", "batchnorm", "batch_norm")
    example, example_input = "batchnorm2d", "16x32x32"


class BatchNorm3d(ChannelNorm, Spatial):
    """Normalises each channel over the batch and the volume."""

    dims, rank = 3, 5
    general = ("bn", "batchnorm", "batch_norm")
    example, example_input = "batchnorm3d", "16x8x8x8"


class SyncBatchNorm(ChannelNorm):
    """Normalises each channel over the batches of all processes that train together."""

    words = ("sync_batchnorm", "sync_batch_norm")
    example, example_input = "sync_batchnorm", "16x32x32"


class InstanceNorm(ChannelNorm, Spatial):
    """InstanceNorm1d, 2d and 3d."""

    general = ("instancenorm", "instance_norm")

    affine = Bool("learn a scale and a shift for each channel", False)
    track_running_stats = Bool("keep running statistics in training, and use them afterwards", False)

    def fitted(self, *inputs: Tensor) -> Self:
        fitted = super().fitted(*inputs)
        if product(inputs[0].shape[2:]) == 1:
            text = "normalises over space, of which its input has a single place"
            raise Misfit(text, "Use layernorm or groupnorm, or less downsampling before.")
        return fitted

    def call(self, inputs: Sequence[str]) -> str | None:
        if self.affine or self.track_running_stats:
            return None
        return f"F.instance_norm({inputs[0]}{named_eps(self.eps, 1e-5)})"


def named_eps(eps: Any, default: Any) -> str:
    return "" if eps == default else f", eps={literal(eps)}"


class InstanceNorm1d(InstanceNorm):
    """Normalises each channel of each sample over its length."""

    dims, rank = 1, 3
    example, example_input = "instancenorm1d", "16x100"


class InstanceNorm2d(InstanceNorm):
    """Normalises each channel of each sample over its map."""

    dims, rank = 2, 4
    example, example_input = "instancenorm2d", "16x32x32"


class InstanceNorm3d(InstanceNorm):
    """Normalises each channel of each sample over its volume."""

    dims, rank = 3, 5
    example, example_input = "instancenorm3d", "16x8x8x8"


class GroupNorm(Layer):
    """Normalises each sample over groups of channels and all of space."""

    words = ("group_norm",)
    flags = {"nobias": ("bias", False)}
    example, example_input = "groupnorm 4", "16x32x32"

    num_groups = Int("groups that the channels are split into", ge=1)
    num_channels = Int("channels of the input", None, ge=1, axis=1)
    eps = Float("added to the variance, so that nothing is divided by 0", 1e-5, gt=0)
    affine = Bool("learn a scale and a shift for each channel", True)
    bias = Bool("learn the shift too, where there is a scale", True, keyword=True)

    def fitted(self, *inputs: Tensor) -> Self:
        need_float(inputs[0])
        fitted = super().fitted(*inputs)
        if fitted.num_channels % self.num_groups:
            text = f"cannot split {fitted.num_channels} channels into {self.num_groups} groups"
            raise Misfit(text, field="num_groups")
        return fitted

    def shape(self, *inputs: Tensor) -> Tensor:
        return inputs[0]

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return affine_parameters((self.num_channels,), self.affine, self.bias)

    def call(self, inputs: Sequence[str]) -> str | None:
        groups = literal(self.num_groups)
        return None if self.affine else f"F.group_norm({inputs[0]}, {groups}{named_eps(self.eps, 1e-5)})"


def Trailing(sentence: str) -> Any:
    """The sizes of the last axes: one number or several. Inferred from the last axis where not written."""
    expected = "the size of the last axis, or of several last axes"

    def check(value: Any) -> int | tuple[int, ...]:
        sizes = value if isinstance(value, list | tuple) else [value]
        if not sizes or any(isinstance(s, bool) or not isinstance(s, int) or s < 1 for s in sizes):
            raise refuse(expected)
        return tuple(value) if isinstance(value, list | tuple) else int(value)

    item = {"type": "integer", "minimum": 1}
    json = {"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]}
    return Checked(sentence, check, json, None, axis=-1)


class TrailingNorm(Layer):
    """What LayerNorm and RMSNorm share: they normalise over the last axes, `normalized_shape`."""

    normalized_shape = Trailing("sizes of the last axes, over which each sample is normalised")

    def fitted(self, *inputs: Tensor) -> Self:
        x = inputs[0]
        need_float(x)
        if self.normalized_shape is None:
            return self.replace(normalized_shape=need_known(axis_size(x, -1), -1))
        written = self._sizes()
        axis_size(x, -len(written))
        trailing = x.shape[-len(written) :]
        for axis, size in enumerate(trailing):
            need_known(size, axis - len(written))
        if trailing != written:
            hint = f"{{source}} gives {show(x.shape[1:])}. Leave it out to normalise over the last axis."
            text = f"normalises over {show(written)}, its input ends in {show(trailing)}"
            raise Misfit(text, hint, field="normalized_shape")
        return self

    def _sizes(self) -> tuple[int, ...]:
        shape = self.normalized_shape
        return shape if isinstance(shape, tuple) else (shape,)

    def shape(self, *inputs: Tensor) -> Tensor:
        return inputs[0]


class LayerNorm(TrailingNorm):
    """Normalises each sample over its last axis, or its last axes."""

    words = ("layer_norm",)
    flags = {"nobias": ("bias", False)}
    example, example_input = "layernorm", "10x32"

    eps = Float("added to the variance, so that nothing is divided by 0", 1e-5, gt=0)
    elementwise_affine = Bool("learn a scale and a shift for each number", True)
    bias = Bool("learn the shift too, where there is a scale", True)

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return affine_parameters(self._sizes(), self.elementwise_affine, self.bias)

    def call(self, inputs: Sequence[str]) -> str | None:
        if self.elementwise_affine:
            return None
        return f"F.layer_norm({inputs[0]}, {literal(self._sizes())}{named_eps(self.eps, 1e-5)})"


class RMSNorm(TrailingNorm):
    """Divides each sample by the root of its mean square over the last axis, or the last axes."""

    words = ("rms_norm",)
    example, example_input = "rmsnorm", "10x32"

    eps = Float("added to the mean square; by default the smallest step of the dtype", None, gt=0)
    elementwise_affine = Bool("learn a scale for each number", True)

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return affine_parameters(self._sizes(), self.elementwise_affine, bias=False)

    def call(self, inputs: Sequence[str]) -> str | None:
        if self.elementwise_affine:
            return None
        return f"F.rms_norm({inputs[0]}, {literal(self._sizes())}{named_eps(self.eps, None)})"


class ResponseNorm(Layer):
    """What the two local response norms share."""

    size = Int("how many channels are summed", ge=1)
    alpha = Float("what the sum of squares is multiplied by", 1e-4)
    beta = Float("the power that it is raised to", 0.75)
    k = Float("what is added before", 1.0)

    def shape(self, *inputs: Tensor) -> Tensor:
        return inputs[0]


class LocalResponseNorm(ResponseNorm):
    """Divides each number by a power of the sum of squares over neighbouring channels."""

    words = ("local_response_norm",)
    function = "F.local_response_norm"
    example, example_input = "local_response_norm 5", "16x32x32"

    def fitted(self, *inputs: Tensor) -> Self:
        need_float(inputs[0])
        if len(inputs[0].shape) < 3:
            raise Misfit(f"takes channels and axes of space, its input is {show(inputs[0].shape[1:])}", code="rank")
        return self


class CrossMapLRN2d(ResponseNorm):
    """Divides each number by a power of the sum of squares over neighbouring channels, as Caffe does."""

    example, example_input = "crossmaplrn2d 5", "16x32x32"

    k = Float("what is added before", 1)

    def fitted(self, *inputs: Tensor) -> Self:
        need_rank(inputs[0], 4, what=AXES[2])
        need_float(inputs[0])
        return self
