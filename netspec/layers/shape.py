"""Layers that only rearrange: flatten, unflatten, channel shuffle."""

from __future__ import annotations

from typing import Any, Self

from netspec.dims import Size, product
from netspec.layers.base import Layer
from netspec.records import Int
from netspec.saved import Held, Tape
from netspec.several import Dims
from netspec.tensors import Misfit, Tensor, axis_size, need_known, sample, show


class Flatten(Layer):
    """Makes one axis of several: all after the batch, if not told otherwise."""

    keeps_numbers = True
    rule = "The axes from start_dim to end_dim become one, as long as their product."
    functional = True
    bare = 2
    example, example_input = "flatten", "16x5x5"

    start_dim = Int("first axis to merge", 1)
    end_dim = Int("last axis to merge", -1)

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        for axis in (self.start_dim, self.end_dim):
            axis_size(x, axis)
        start, end = self.start_dim % len(x.shape), self.end_dim % len(x.shape)
        if start > end:
            text = f"merges axes {self.start_dim} to {self.end_dim}, which are in the wrong order for {show(x.shape)}"
            raise Misfit(text, field="start_dim", code="bad-argument")
        return x.with_shape(*x.shape[:start], product(x.shape[start : end + 1]), *x.shape[end + 1 :])

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing; a copy is made where the numbers do not lie so."""
        return tape.flatten(inputs[0], self.start_dim, self.end_dim)


class Unflatten(Layer):
    """Makes several axes of one."""

    keeps_numbers = True
    rule = "The axis dim becomes the axes of unflattened_size, whose product is its size."
    functional = True
    example, example_input = "unflatten 1 4x8", "32x10"

    dim = Int("axis to split")
    unflattened_size = Dims("sizes of the new axes; one of them may be -1, which is worked out", rest=True)

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        size = axis_size(x, self.dim)
        axis = self.dim % len(x.shape)
        return x.with_shape(*x.shape[:axis], *self._split(size), *x.shape[axis + 1 :])

    def _split(self, size: Size) -> tuple[Size, ...]:
        sizes = self.unflattened_size
        if not all(isinstance(s, int) for s in sizes):
            text = f"takes sizes that are known, {show(sizes)} are not"
            raise Misfit(text, "Write reshape, which takes any.", field="unflattened_size", code="unknown-size")
        free = [i for i, s in enumerate(sizes) if s == -1]
        rest = product(s for s in sizes if s != -1)
        if not sizes or len(free) > 1 or rest == 0 or any(isinstance(s, int) and s < -1 for s in sizes):
            text = "needs sizes of at least 1 for the new axes, one of which may be -1"
            raise Misfit(text, field="unflattened_size", code="bad-argument")
        count = size // rest if free else 1
        if isinstance(size, int) and isinstance(rest, int) and count * rest != size:
            raise Misfit(f"cannot make {show(sizes)} of a size of {size}", field="unflattened_size")
        if not free and size != rest:
            raise Misfit(
                f"makes {show(sizes)}, which need not be the {size} of its input",
                "Write -1 for one of the sizes.",
                field="unflattened_size",
                code="unknown-size",
            )
        return tuple(count if s == -1 else s for s in sizes)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing: a view."""
        return tape.reshape(inputs[0], self.shape(inputs[0].tensor).shape)


class ChannelShuffle(Layer):
    """Mixes the groups of channels: the first of each group, then the second of each."""

    keeps = ""
    rule = "The shape of the input stays."
    functional = True
    words = ("channel_shuffle",)
    example, example_input = "channel_shuffle 4", "16x8x8"

    groups = Int("groups that the channels come in", ge=1)

    def fitted(self, *inputs: Tensor) -> Self:
        x = inputs[0]
        if len(x.shape) < 3:
            raise Misfit(f"takes channels and axes of space, its input is {sample(x.shape)}", code="rank")
        channels = need_known(x.shape[1], 1)
        if channels % self.groups:
            raise Misfit(f"cannot split {channels} channels into {self.groups} groups", field="groups")
        return self

    def shape(self, *inputs: Tensor) -> Tensor:
        return inputs[0]
