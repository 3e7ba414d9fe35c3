"""Several tensors into one, and one into several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netspec.dims import Size
from netspec.layers.base import Op
from netspec.ops.axes import MANY, Axis, Extents, axis, differ, need_parts, put
from netspec.ops.broadcasting import promoted
from netspec.records import Int
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor, show


class Concat(Op):
    """Joins inputs one after the other along an axis; without another word, along the channels."""

    keeps = ""
    joins = True
    rule = "The sizes along dim add up; all other axes agree and stay."
    inputs = (1, MANY)
    words = ("cat",)
    bare = 1
    example, example_input = "concat(x skip)", "{x: 16x8x8, skip: 32x8x8}"

    dim = Axis("axis to join along", 1, torch_default=0)

    def shape(self, *inputs: Tensor) -> Tensor:
        first, *others = inputs
        at = axis(self.dim, first)
        total = first.shape[at]
        for x in others:
            need_alike(first, x, at, f"joins {first} with {x} along axis {at}")
            total = total + x.shape[at]
        return Tensor(put(first.shape, at, total), promoted(x.dtype for x in inputs))


class Stack(Op):
    """Puts inputs of one shape side by side along a new axis."""

    keeps = ""
    rule = "All inputs have one shape; a new axis at dim counts them."
    inputs = (1, MANY)
    bare = 1
    example, example_input = "stack(a b)", "16x8"

    dim = Axis("where the new axis stands in the result", 1, torch_default=0)

    def shape(self, *inputs: Tensor) -> Tensor:
        first, *others = inputs
        at = axis(self.dim, first, extra=1)
        for x in others:
            need_alike(first, x, None, f"stacks {first} and {x}")
        shape = (*first.shape[:at], len(inputs), *first.shape[at:])
        return Tensor(shape, promoted(x.dtype for x in inputs))


def need_alike(first: Tensor, other: Tensor, free: int | None, doing: str) -> None:
    """Refuse shapes that differ, apart from the axis `free`."""
    if len(first.shape) != len(other.shape):
        hint = "Unsqueeze or flatten one of them."
        raise Misfit(f"{doing}: {len(first.shape)} and {len(other.shape)} axes", hint, code="rank")
    for at, (a, b) in enumerate(zip(first.shape, other.shape, strict=True)):
        if at != free and a != b:
            code = differ(a, b)
            what = "differ" if code == "shape-mismatch" else "are not known to be equal"
            hint = "Pad, crop or resize one of them; the other axes must agree."
            raise Misfit(f"{doing}: {a} and {b} on axis {at} {what}", hint, code=code)


class Cut(Op):
    """What split and chunk share: parts of an axis, one after the other."""

    dim: int

    def shape(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        x = inputs[0]
        at = axis(self.dim, x)
        return tuple(x.with_shape(*put(x.shape, at, part)) for part in self.parts(x.shape[at]))

    def parts(self, size: Size) -> Sequence[Size]:
        """The sizes of the parts of an axis of this size. Raises Misfit."""
        raise NotImplementedError(type(self).__name__)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing: views, which hold the whole input."""
        x = inputs[0]
        return tuple(x.narrow(self.dim, size) for size in self.parts(x.shape[x.at(self.dim)]))


class Split(Cut):
    """Cuts an axis into parts of a size, or of several sizes: `split 16x48`. The parts are .0, .1, .2."""

    rule = "Several parts, each as the input but for its own size along dim."
    example, example_input = "split 16x48", "64x8x8"

    split_size: Any = Extents("size of each part, or one size for every part", low=1)
    dim = Axis("axis to cut", 1, torch_default=0)

    def parts(self, size: Size) -> Sequence[Size]:
        if isinstance(self.split_size, tuple):
            total = sum(self.split_size)
            if total != size:
                text = f"cuts {size} into {show(self.split_size).replace(' x ', ' + ')} = {total}"
                raise Misfit(text, field="split_size", code=differ(total, size))
            return self.split_size
        if not isinstance(size, int) or not isinstance(self.split_size, int):
            hint = "Write a size for each part, or cut into a number of parts with chunk."
            text = f"cannot tell how many parts of {self.split_size} a size of {size} gives"
            raise Misfit(text, hint, code="unknown-size")
        return pieces(size, self.split_size)


class Chunk(Cut):
    """Cuts an axis into a number of equal parts, the last one perhaps smaller. The parts are .0, .1, .2."""

    rule = "Several parts, each as the input but for its own size along dim."
    example, example_input = "chunk 3 -1", "10x96"

    chunks = Int("number of parts", ge=1)
    dim = Axis("axis to cut", 1, torch_default=0)

    def parts(self, size: Size) -> Sequence[Size]:
        if isinstance(size, int):
            return pieces(size, -(-size // self.chunks))
        each = size // self.chunks
        if each * self.chunks != size:
            text = f"cannot tell before the run whether {size} gives {self.chunks} equal parts"
            raise Misfit(text, code="unknown-size")
        return [each] * need_parts(self.chunks)


class Unbind(Op):
    """Takes an axis apart: one part, without the axis, for each place on it. The parts are .0, .1, .2."""

    rule = "As many parts as the axis is long, each without that axis."
    example, example_input = "unbind 1", "3x10"

    dim = Axis("axis to take apart", torch_default=0)

    def shape(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        x = inputs[0]
        at = axis(self.dim, x)
        size = x.shape[at]
        if not isinstance(size, int):
            raise Misfit(f"must know the size of axis {at}, which is {size}", field="dim", code="unknown-size")
        return (x.with_shape(*put(x.shape, at)),) * need_parts(size)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing: views, which hold the whole input."""
        x = inputs[0]
        return (x.without(self.dim),) * len(self.shape(x.tensor))


def pieces(size: int, each: int) -> list[int]:
    """The sizes that an axis is cut into, `each` long and the last one perhaps shorter."""
    whole, rest = divmod(size, each)
    need_parts(whole + bool(rest))
    return [each] * whole + ([rest] if rest else [])
