"""Embeddings: learned vectors looked up by number."""

from __future__ import annotations

from typing import Any, Self

from netspec.layers.base import Layer
from netspec.records import Bool, Choice, Float, Int
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor

MODES = ("sum", "mean", "max")


class Lookup(Layer):
    """What both embeddings share: a table with a vector for each number."""

    family = "embedding"

    num_embeddings = Int("how many numbers there are: 0 to one less", ge=1)
    embedding_dim = Int("size of each vector", ge=1)

    def fitted(self, *inputs: Tensor) -> Self:
        for x in inputs:
            if x.dtype != "int64":
                hint = "Declare the input as `int`, for example `input: int T`."
                raise Misfit(f"looks up whole numbers, its input is {x.dtype}", hint, code="dtype")
        index = self.__dict__["padding_idx"]
        if index is not None and not -self.num_embeddings <= index < self.num_embeddings:
            text = f"has a padding_idx of {index}, outside of its {self.num_embeddings} numbers"
            raise Misfit(text, field="padding_idx", code="bad-argument")
        return self

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.num_embeddings, self.embedding_dim)}


class Embedding(Lookup):
    """Looks up a learned vector for each number."""

    gives_tokens = True
    rule = "Whole numbers of any shape get a last axis of embedding_dim."
    example, example_input = "embedding 1000 64", "int 10"

    padding_idx = Int("number whose vector stays 0 and is not learned", None)
    max_norm = Float("longest vector; longer ones are shortened", None, gt=0)
    norm_type = Float("the power of the norm for max_norm", 2.0)
    scale_grad_by_freq = Bool("divide gradients by how often each number occurs in the batch", False)
    sparse = Bool("give sparse gradients, for optimizers that take them", False)

    def shape(self, *inputs: Tensor) -> Tensor:
        return Tensor((*inputs[0].shape, self.embedding_dim))

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The numbers that are looked up."""
        weight = tape.own("weight")
        if weight.grad:
            tape.keep(inputs[0])
        return tape.new((*inputs[0].shape, self.embedding_dim), [weight])


class EmbeddingBag(Lookup):
    """Looks up the vectors of a bag of numbers and takes their sum, mean or maximum.

    One input holds a bag in each row; with two, the second says where each bag begins in the first.
    """

    rule = "Bags of whole numbers become one vector of embedding_dim each."
    inputs = (1, 2)
    takes = ("input", "offsets")
    words = ("embedding_bag",)
    example, example_input = "embedding_bag 1000 64", "int 10"

    max_norm = Float("longest vector; longer ones are shortened", None, gt=0)
    norm_type = Float("the power of the norm for max_norm", 2.0)
    scale_grad_by_freq = Bool("divide gradients by how often each number occurs in the batch", False)
    mode = Choice("what is taken of a bag: sum, mean or max", MODES, "mean")
    sparse = Bool("give sparse gradients, for optimizers that take them", False)
    include_last_offset = Bool("whether the offsets end with the length of the first input", False)
    padding_idx = Int("number that does not count", None)

    def fitted(self, *inputs: Tensor) -> Self:
        ranks = [len(x.shape) for x in inputs]
        if ranks not in ([2], [1, 1]):
            text = f"takes bags x numbers, or numbers and offsets, its input is {', '.join(map(str, inputs))}"
            raise Misfit(text, code="rank")
        if self.mode == "max" and (self.sparse or self.scale_grad_by_freq):
            name = "sparse" if self.sparse else "scale_grad_by_freq"
            raise Misfit(f"has {name}, which the mode max cannot do", field=name, code="bad-argument")
        return super().fitted(*inputs)

    def shape(self, *inputs: Tensor) -> Tensor:
        bags = inputs[-1].shape[0]
        if self.include_last_offset and len(inputs) == 2:
            bags = bags - 1
            if bags == 0:
                text = "has no bags: with include_last_offset the last offset only ends the one before"
                raise Misfit(text, field="include_last_offset")
        return Tensor((bags, self.embedding_dim))

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The numbers, where bags begin, and for each number its bag; of a maximum also what it is taken from."""
        x = tape.flatten(inputs[0], 0, 1) if len(inputs) == 1 else inputs[0]
        weight = tape.own("weight")
        made = tape.new(self.shape(*(each.tensor for each in inputs)).shape, [weight])
        if not weight.grad:
            return made
        bags, count = made.shape[0], x.shape[0]
        begins = inputs[1] if len(inputs) > 1 else tape.new((bags,), dtype="int64")
        found = [(bags,), made.shape if self.mode == "max" else (bags,)]
        found += [] if self.mode == "sum" else [(count + 1,)]
        tape.keep(x, begins, *(tape.new(shape, dtype="int64") for shape in found))
        return made
