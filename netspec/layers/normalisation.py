"""Normalisation of channels: over the batch, over space, or in groups."""

from __future__ import annotations

from typing import Any, Self

from netspec.dims import product
from netspec.layers.base import Layer, Spatial
from netspec.layers.layernorm import affine_parameters
from netspec.records import Bool, Float, Int, Maybe
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor, need_float, need_rank


class ChannelNorm(Layer):
    """What norms with a number for each channel share: parameters and running statistics."""

    family = "normalisation"
    reads_channels = True
    rule = "The shape of the input stays."
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

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input, and mean and deviation of each channel."""
        return tape.batch_norm(inputs[0], *(tape.own(name) for name in self.parameters()))


class BatchNorm1d(ChannelNorm):
    """Normalises each channel over the batch and, if there is one, the length."""

    normalises = "batch"
    rank = (2, 3)
    general = ("bn", "batchnorm", "batch_norm")
    example, example_input = "batchnorm1d", "16x100"

    def fitted(self, *inputs: Tensor) -> Self:
        need_rank(inputs[0], 2, 3, what="channels, or channels x length")
        return super().fitted(*inputs)


class BatchNorm2d(ChannelNorm, Spatial):
    """Normalises each channel over the batch and the map."""

    normalises = "batch"
    dims, rank = 2, 4
    general = ("bn", "batchnorm", "batch_norm")
    example, example_input = "batchnorm2d", "16x32x32"


class BatchNorm3d(ChannelNorm, Spatial):
    """Normalises each channel over the batch and the volume."""

    normalises = "batch"
    dims, rank = 3, 5
    general = ("bn", "batchnorm", "batch_norm")
    example, example_input = "batchnorm3d", "16x8x8x8"


class SyncBatchNorm(ChannelNorm):
    """Normalises each channel over the batches of all processes that train together."""

    normalises = "batch"
    words = ("sync_batchnorm", "sync_batch_norm")
    example, example_input = "sync_batchnorm", "16x32x32"

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input, and mean and deviation of each channel."""
        return tape.batch_norm(inputs[0], *(tape.own(name) for name in self.parameters()))


class InstanceNorm(ChannelNorm, Spatial):
    """InstanceNorm1d, 2d and 3d."""

    normalises = "instance"
    general = ("instancenorm", "instance_norm")

    affine = Bool("learn a scale and a shift for each channel", False)
    track_running_stats = Bool("keep running statistics in training, and use them afterwards", False)

    def fitted(self, *inputs: Tensor) -> Self:
        fitted = super().fitted(*inputs)
        if product(inputs[0].shape[2:]) == 1:
            text = "normalises over space, of which its input has a single place"
            raise Misfit(text, "Use layernorm or groupnorm, or less downsampling before.")
        return fitted

    def needs_module(self) -> bool:
        return self.affine or self.track_running_stats

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input, and for each channel of each sample mean, deviation, scale and running statistics."""
        x = tape.contiguous(inputs[0])
        weights = [tape.own(name) for name in self.parameters()]
        made = tape.new(x.shape, [x, *weights], x.dtype)
        if made.grad:
            count = 2 + ("weight" in self.parameters()) + 2 * bool(self.track_running_stats)
            dtype = "float32" if weights else x.dtype
            tape.keep(x, *(tape.new((x.shape[0] * x.shape[1],), dtype=dtype) for _ in range(count)))
        return made


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

    family, normalises = "normalisation", "group"
    rule = "The shape of the input stays."
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

    def needs_module(self) -> bool:
        return self.affine

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input, and mean and deviation of each group."""
        x = tape.mapped(inputs[0])
        weights = (tape.own(name) for name in self.parameters())
        return tape.norm(x, *weights, groups=(x.shape[0], self.num_groups), mapped=True)
