"""Linear maps: fully connected layers over the last axis or over everything."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar, Literal, Self

from netspec.dims import Size, product
from netspec.layers.base import Layer
from netspec.records import Bool, Int
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor, axis_size, need_float, need_known, sample, show


class Linear(Layer):
    """Multiplies the last axis by a learned matrix: y = x W^T + b."""

    family = "linear"
    multiplies: ClassVar[Literal["", "last axis", "all axes"]] = "last axis"
    keeps_axes = True
    rule = "The last axis becomes out_features; all others stay."
    flags = {"nobias": ("bias", False)}
    arrow = ("in_features", "out_features")
    example, example_input = "linear 64", "10x32"

    in_features = Int("size of the input's last axis", None, ge=1, axis=-1)
    out_features = Int("size of the output's last axis", ge=1)
    bias = Bool("whether a learned number is added to each output", True)

    def fitted(self, *inputs: Tensor) -> Self:
        need_float(inputs[0])
        return super().fitted(*inputs)

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        return x.with_shape(*x.shape[:-1], self.out_features)

    def parameters(self) -> dict[str, tuple[int, ...]]:
        weight = {"weight": (self.out_features, self.in_features)}
        return weight | ({"bias": (self.out_features,)} if self.bias else {})

    def macs(self, inputs: Sequence[Tensor], output: Tensor) -> Size:
        return product(output.shape) * self.in_features

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input, as rows of a matrix."""
        return tape.linear(inputs[0], tape.own("weight"), tape.own("bias") if self.bias else None)


class FC(Linear):
    """Flattens everything after the batch, then multiplies by a learned matrix."""

    multiplies = "all axes"
    keeps_axes = False
    rule = "Everything after the batch becomes one axis of out_features."
    words = ("fc",)
    example, example_input = "fc 10", "16x5x5"

    flattens = False

    def fitted(self, *inputs: Tensor) -> Self:
        x = inputs[0]
        need_float(x)
        if len(x.shape) < 2:
            raise Misfit("takes at least one axis next to the batch, its input has none", code="rank")
        sizes = [need_known(size, axis) for axis, size in enumerate(x.shape) if axis]
        total = prod(sizes)
        arithmetic = show(sizes) if len(sizes) < 2 else f"{show(sizes)} = {total}"
        return self.replace(in_features=self.agreed("in_features", total, arithmetic), flattens=len(sizes) != 1)

    def shape(self, *inputs: Tensor) -> Tensor:
        return inputs[0].with_shape(inputs[0].shape[0], self.out_features)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input, flattened: a copy where maps are stored pixel by pixel."""
        return super().kept(tape, tape.flatten(inputs[0], 1) if self.flattens else inputs[0])


class Bilinear(Layer):
    """Multiplies two inputs through a learned matrix for each output: y = x1^T W x2 + b."""

    family = "linear"
    rule = "The last axis becomes out_features; all others stay, and are the same in both inputs."
    inputs = (2, 2)
    takes = ("input1", "input2")
    flags = {"nobias": ("bias", False)}
    example, example_input = "bilinear(a b) 16", "{a: 32, b: 32}"

    in1_features = Int("size of the first input's last axis", None, ge=1, axis=-1)
    in2_features = Int("size of the second input's last axis", None, ge=1, axis=-1)
    out_features = Int("size of the output's last axis", ge=1)
    bias = Bool("whether a learned number is added to each output", True)

    def fitted(self, *inputs: Tensor) -> Self:
        found = {}
        for x, name in zip(inputs, ("in1_features", "in2_features"), strict=True):
            need_float(x)
            found[name] = self.agreed(name, need_known(axis_size(x, -1), -1), sample(x.shape))
        if inputs[0].shape[:-1] != inputs[1].shape[:-1]:
            text = f"takes two inputs that differ only in the last axis, they are {inputs[0]} and {inputs[1]}"
            raise Misfit(f"{text}, batch first")
        return self.replace(**found)

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        return x.with_shape(*x.shape[:-1], self.out_features)

    def parameters(self) -> dict[str, tuple[int, ...]]:
        weight = {"weight": (self.out_features, self.in1_features, self.in2_features)}
        return weight | ({"bias": (self.out_features,)} if self.bias else {})

    def macs(self, inputs: Sequence[Tensor], output: Tensor) -> Size:
        return product(output.shape) * self.in1_features * self.in2_features

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Each input, for the gradients of the other and of the weight."""
        one, two = (tape.flatten(x, 0, -2) if len(x.shape) > 2 else x for x in inputs)
        weights = [tape.own(name) for name in self.parameters()]
        weight = weights[0]
        tape.keep(one if two.grad or weight.grad else None, two if one.grad or weight.grad else None)
        return tape.new(self.shape(*(x.tensor for x in inputs)).shape, [one, two, *weights])


class Identity(Layer):
    """Gives back its input."""

    keeps_numbers = keeps_axes = True
    rule = "The shape of the input stays."
    functional = True
    example, example_input = "identity", "8"

    def shape(self, *inputs: Tensor) -> Tensor:
        return inputs[0]

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing: it gives its input."""
        return inputs[0]
