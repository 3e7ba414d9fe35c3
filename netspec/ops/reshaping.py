"""The same elements in another shape or order."""

from __future__ import annotations

from typing import Any

from netspec.dims import Dim, Size, product
from netspec.layers.base import Op
from netspec.ops.axes import Axes, Axis, axes, axis, put
from netspec.saved import Held, Tape
from netspec.several import Dims
from netspec.tensors import Misfit, Tensor, show


class Reshape(Op):
    """Gives the elements, in their order, another shape. Sizes count the batch; one of them may be -1."""

    keeps_numbers = True
    rule = "The sizes that are written; their product is that of the input, and -1 is what is left."
    words = ("view",)
    example, example_input = "reshape B 4 -1", "8x6"

    sizes = Dims("sizes of the whole result, the batch included; -1 is what is left", rest=True)

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        total = product(x.shape)
        free = [at for at, size in enumerate(self.sizes) if size == -1]
        if len(free) > 1:
            raise Misfit("leaves more than one size open", "Write only one -1.", field="sizes", code="bad-argument")
        rest = product(size for size in self.sizes if size != -1)
        if not free:
            if rest != total:
                raise self._misfit(x, f"{show(self.sizes)} = {rest}", f"{x} = {total}", rest, total)
            return x.with_shape(*self.sizes)
        left = total // rest if rest != 0 else 0
        if left == 0 or left * rest != total:
            raise self._misfit(x, f"a multiple of {rest}", f"{x} = {total}", rest, total)
        return x.with_shape(*put(self.sizes, free[0], left))

    def _misfit(self, x: Tensor, wanted: str, found: str, rest: Size, total: Size) -> Misfit:
        """What is said of sizes that do not hold as many numbers as the input."""
        batch = isinstance(total, Dim) and "B" in total.names and not (isinstance(rest, Dim) and "B" in rest.names)
        hint = "Sizes count the batch: begin with B or -1." if batch and -1 not in self.sizes else ""
        code = "shape-mismatch" if isinstance(rest, int) and isinstance(total, int) else "unknown-size"
        return Misfit(f"takes {wanted} elements, its input has {found}", hint, field="sizes", code=code)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing; a copy is made where the numbers do not lie so."""
        return tape.reshape(inputs[0], self.shape(inputs[0].tensor).shape)


class Permute(Op):
    """Puts the axes into another order: `permute 0 2 3 1` moves the channels to the end."""

    keeps_numbers = True
    rule = "The axes in the order that is written."
    example, example_input = "permute 0 2 3 1", "16x8x8"

    dims = Axes("for each axis of the result, the axis of the input that it is")

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        if len(self.dims) != len(x.shape):
            text = f"orders {len(self.dims)} axes, its input has {len(x.shape)}: {x}"
            raise Misfit(text, "Name every axis, the batch (0) included.", field="dims", code="rank")
        return x.with_shape(*(x.shape[at] for at in axes(self.dims, x, "dims")))

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing: a view."""
        return inputs[0].permute(self.dims)


class Transpose(Op):
    """Exchanges two axes."""

    keeps_numbers = True
    rule = "Two axes exchanged."
    words = ("swapaxes",)
    example, example_input = "transpose 1 2", "32x10"

    dim0 = Axis("one axis")
    dim1 = Axis("the other axis")

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        first, second = axis(self.dim0, x, "dim0"), axis(self.dim1, x, "dim1")
        sizes = list(x.shape)
        sizes[first], sizes[second] = sizes[second], sizes[first]
        return x.with_shape(*sizes)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing: a view."""
        return inputs[0].transpose(self.dim0, self.dim1)


class MoveDim(Op):
    """Moves one axis to another place."""

    keeps_numbers = True
    rule = "One axis at another place; the others keep their order."
    words = ("moveaxis",)
    example, example_input = "movedim 1 -1", "16x8x8"

    source_dim = Axis("axis to move")
    destination = Axis("where it stands in the result")

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        at, to = axis(self.source_dim, x, "source_dim"), axis(self.destination, x, "destination")
        left = put(x.shape, at)
        return x.with_shape(*left[:to], x.shape[at], *left[to:])

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing: a view."""
        x = inputs[0]
        at, to = x.at(self.source_dim), x.at(self.destination)
        order = [d for d in range(len(x.shape)) if d != at]
        return x.permute([*order[:to], at, *order[to:]])


class Squeeze(Op):
    """Drops axes that have a size of 1."""

    keeps_numbers = True
    rule = "Without the axes named, which have a size of 1."
    example, example_input = "squeeze 2", "16x1x10"

    dim = Axes("axes to drop; each must have a size of 1")

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        dropped = axes(self.dim, x)
        for at in dropped:
            if x.shape[at] != 1:
                text = f"drops axis {at}, whose size is {x.shape[at]} and not 1: {x}"
                raise Misfit(text, field="dim", code="not-one")
        return x.with_shape(*(size for at, size in enumerate(x.shape) if at not in dropped))

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing: a view."""
        x = inputs[0]
        for at in sorted(map(x.at, self.dim or range(len(x.shape))), reverse=True):
            x = x.without(at) if x.shape[at] == 1 else x
        return x


class Unsqueeze(Op):
    """Inserts an axis of size 1."""

    keeps_numbers = True
    rule = "With a new axis of size 1."
    example, example_input = "unsqueeze 1", "10x32"

    dim = Axis("where the new axis stands in the result")

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        at = axis(self.dim, x, extra=1)
        return x.with_shape(*x.shape[:at], 1, *x.shape[at:])

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing: a view."""
        return inputs[0].unsqueeze(self.dim)
