"""Distances and similarities between two tensors."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any, Self

from netspec.layers.base import Layer
from netspec.records import Bool, Float, Int
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Shape, Tensor, axis_size, need_float


def broadcast(left: Tensor, right: Tensor) -> Shape:
    """The shape that two tensors stretch to, as torch broadcasts. Raises Misfit where they do not fit."""
    sizes = []
    for a, b in zip_longest(reversed(left.shape), reversed(right.shape), fillvalue=1):
        if a != b and 1 not in (a, b):
            raise Misfit(f"compares tensors that fit, its inputs are {left} and {right}, batch first")
        sizes.append(b if a == 1 else a)
    return tuple(reversed(sizes))


class Comparison(Layer):
    """What both share: two inputs of floats."""

    functional = True

    inputs = (2, 2)
    takes = ("x1", "x2")

    def fitted(self, *inputs: Tensor) -> Self:
        for x in inputs:
            need_float(x)
        return self


class CosineSimilarity(Comparison):
    """Takes the cosine of the angle between two vectors, which lie along one axis."""

    rule = "The axis dim goes away; the others broadcast."
    words = ("cosine_similarity",)
    example, example_input = "cosine_similarity(a b)", "{a: 64, b: 64}"

    dim = Int("axis along which the vectors lie", 1)
    eps = Float("smallest product of lengths that is divided by", 1e-8, ge=0)

    def shape(self, *inputs: Tensor) -> Tensor:
        both = Tensor(broadcast(*inputs))
        axis_size(both, self.dim)
        axis = self.dim % len(both.shape)
        return both.with_shape(*both.shape[:axis], *both.shape[axis + 1 :])

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Both vectors, their lengths, and themselves divided by these."""
        shape = broadcast(*(x.tensor for x in inputs))
        one, other = (tape.normalized(x.expand(shape), self.dim) for x in inputs)
        return tape.new(self.shape(*(x.tensor for x in inputs)).shape, [tape.mul(one, other)])


class PairwiseDistance(Comparison):
    """Takes the p-norm of the difference of two vectors, which lie along the last axis."""

    rule = "The last axis goes away, or becomes 1 with keepdim; the others broadcast."
    words = ("pairwise_distance",)
    example, example_input = "pairwise_distance(a b)", "{a: 64, b: 64}"

    p = Float("the power: 2 is the Euclidean distance, 1 sums magnitudes", 2.0)
    eps = Float("added to the difference, so that nothing is divided by 0", 1e-6)
    keepdim = Bool("keep the last axis, with size 1", False)

    def shape(self, *inputs: Tensor) -> Tensor:
        shape = broadcast(*inputs)
        return Tensor((*shape[:-1], 1) if self.keepdim else shape[:-1])

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The difference and its norm."""
        difference = tape.each(tape.add(*inputs))
        made = tape.new(self.shape(*(x.tensor for x in inputs)).shape, [difference])
        tape.keep(*((difference, made) if made.grad else ()))
        return made
