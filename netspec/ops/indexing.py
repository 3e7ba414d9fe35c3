"""Parts of a tensor: a place, a stretch, chosen places."""

from __future__ import annotations

from typing import Any

from netspec.dims import Dim, Size
from netspec.layers.base import Op
from netspec.ops.axes import Axis, Extent, axis, differ, need_some, put
from netspec.records import Int
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor


class Select(Op):
    """Takes one place on an axis, and drops the axis: `select 1 0` is x[:, 0]."""

    rule = "The axis goes away."
    example, example_input = "select 1 0", "10x32"

    dim = Axis("axis to take a place on")
    index = Extent("which place; negative ones count from the end")

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        at = axis(self.dim, x)
        size = x.shape[at]
        if isinstance(size, int) and isinstance(self.index, int) and not -size <= self.index < size:
            hint = f"Places go from 0 to {size - 1}."
            raise Misfit(f"takes place {self.index} of {size} on axis {at}", hint, field="index")
        return x.with_shape(*put(x.shape, at))

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing: a view, which holds the whole input."""
        return inputs[0].without(self.dim)


class Slice(Op):
    """Takes a stretch of an axis: `slice 1 -1` from the last on, `slice 2 0 -3` all but the last three."""

    rule = "The axis becomes as long as the stretch; all others stay."
    example, example_input = "slice 2 0 -3", "16x100"

    dim = Axis("axis to take a stretch of")
    start = Extent("first place; negative ones count from the end", 0)
    stop = Extent("place to stop before; without it, the end", None)
    step = Int("distance between the places taken", 1, ge=1)

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        at = axis(self.dim, x)
        size = stretch(x.shape[at], self.start, self.stop, self.step)
        reach = "the end" if self.stop is None else self.stop
        need_some(size, f"takes places {self.start} to {reach} of {x.shape[at]}, which is nothing", "start")
        return x.with_shape(*put(x.shape, at, size))

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing: a view, which holds the whole input."""
        x = inputs[0]
        return x.narrow(self.dim, self.shape(x.tensor).shape[x.at(self.dim)], self.step)


def stretch(size: Size, start: Size, stop: Size | None, step: int) -> Size:
    """How many places a slice takes, as Python counts them.

    Where a size is known only at run time, it is taken to reach at least as far as the slice does.
    """
    if isinstance(size, int) and isinstance(start, int) and not isinstance(stop, Dim):
        low, high = _within(size, start), size if stop is None else _within(size, stop)
        return 0 if high <= low else high - low if step == 1 else -((low - high) // step)
    first = size + start if negative(start) else start
    last = size if stop is None else size + stop if negative(stop) else stop
    return -((first - last) // step)


def _within(size: int, place: int) -> int:
    """A place counted from the first one, and none beyond the ends."""
    found = size + place if place < 0 else place
    return 0 if found < 0 else min(found, size)


def negative(place: Size) -> bool:
    """Whether a place counts from the end; one that is known only at run time does if it is less some sizes: 1 - T."""
    return place < 0 if isinstance(place, int) else all(factor < 0 for sizes, factor in place.terms.items() if sizes)


class Narrow(Op):
    """Takes a stretch of an axis by its first place and its length; it must lie within the axis."""

    rule = "The axis becomes as long as the stretch; all others stay."
    example, example_input = "narrow 1 0 16", "32x8"

    dim = Axis("axis to take a stretch of")
    start = Extent("first place; negative ones count from the end")
    length = Extent("how many places", low=1)

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        at = axis(self.dim, x)
        size, start, length = x.shape[at], self.start, self.length
        if isinstance(size, int) and isinstance(start, int) and isinstance(length, int):
            first = start + size if start < 0 else start
            if not 0 <= first <= first + length <= size:
                raise Misfit(f"takes {length} places from {start} on, axis {at} has {size}", field="length")
        return x.with_shape(*put(x.shape, at, length))

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing: a view, which holds the whole input."""
        return inputs[0].narrow(self.dim, self.length)


class IndexSelect(Op):
    """Takes the places on an axis that the second input lists."""

    keeps = "second"
    rule = "The axis becomes as long as the list; all others stay."
    inputs = (2, 2)
    takes = ("input", "index")
    words = ("index_select",)
    example, example_input = "index_select(table index) 0", "{table: parameter 169x4, index: buffer 2401 init=arange}"

    dim = Axis("axis to take places on")

    def shape(self, *inputs: Tensor) -> Tensor:
        x, places = inputs
        at = axis(self.dim, x)
        need_index(places)
        if len(places.shape) > 1:
            hint = "Flatten it first with `reshape -1`, or use gather or lookup."
            raise Misfit(f"takes a list of places, its second input is {places}", hint, code="rank")
        return x.with_shape(*put(x.shape, at, places.shape[0] if places.shape else 1))


class Gather(Op):
    """Takes places on an axis, chosen anew for every place on the other axes by the second input."""

    keeps = "inputs"
    rule = "The shape of the second input."
    inputs = (2, 2)
    takes = ("input", "index")
    example, example_input = "gather(x index) 1", "{x: 10x32, index: int 4x32}"

    dim = Axis("axis to take places on")

    def shape(self, *inputs: Tensor) -> Tensor:
        x, places = inputs
        at = axis(self.dim, x)
        need_index(places)
        if len(x.shape) != len(places.shape):
            raise Misfit(f"takes {len(x.shape)} axes of places, its second input is {places}", code="rank")
        for i, (size, taken) in enumerate(zip(x.shape, places.shape, strict=True)):
            if i != at and size != taken and not (isinstance(size, int) and isinstance(taken, int) and taken < size):
                text = f"takes {places} places from {x}: {taken} and {size} on axis {i}"
                raise Misfit(text, "Only the axis that is gathered along may be longer.", code=differ(size, taken))
        return x.with_shape(*places.shape)


class Scattering(Op):
    """What scatter and scatter_add share."""

    keeps = "second"
    rule = "The shape of the first input stays."
    inputs = (3, 3)
    takes = ("input", "index", "src")

    dim = Axis("axis that the places stand on")

    def shape(self, *inputs: Tensor) -> Tensor:
        x, places, source = inputs
        at = axis(self.dim, x)
        need_index(places)
        need_alike(x, source)
        if len({len(each.shape) for each in inputs}) > 1:
            raise Misfit(f"takes inputs of as many axes, they are {x}, {places} and {source}", code="rank")
        for i, (size, taken, given) in enumerate(zip(x.shape, places.shape, source.shape, strict=True)):
            need_within(taken, given, f"puts {places} places from {source}", i)
            if i != at:
                need_within(taken, size, f"puts {places} places into {x}", i)
        return x


class Scatter(Scattering):
    """Puts values of the third input into the first, at the places on an axis that the second tells for each."""

    example, example_input = "scatter(x index y) 1", "{x: 10x32, index: int 4x32, y: 4x32}"


class ScatterAdd(Scattering):
    """Adds values of the third input to the first, at the places on an axis that the second tells for each."""

    words = ("scatter_add",)
    example, example_input = "scatter_add(x index y) 1", "{x: 10x32, index: int 4x32, y: 4x32}"

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The places, for the gradient of what is added."""
        return tape.plain(self, inputs, "second" if inputs[2].grad else "")


class IndexAdd(Op):
    """Adds the third input to the first, at the places on an axis that the second lists."""

    rule = "The shape of the first input stays."
    inputs = (3, 3)
    takes = ("input", "index", "source")
    words = ("index_add",)
    example = "index_add(table index rows) 0"
    example_input = "{table: parameter 10x32, index: buffer 4 init=arange, rows: parameter 4x32}"

    dim = Axis("axis that the places stand on")

    def shape(self, *inputs: Tensor) -> Tensor:
        x, places, source = inputs
        at = axis(self.dim, x)
        need_index(places)
        need_alike(x, source)
        if len(places.shape) != 1:
            raise Misfit(f"takes a list of places, its second input is {places}", code="rank")
        wanted = put(x.shape, at, places.shape[0])
        if len(source.shape) != len(wanted):
            raise Misfit(f"adds {Tensor(wanted, x.dtype)}, its third input is {source}", code="rank")
        for i, (size, given) in enumerate(zip(wanted, source.shape, strict=True)):
            if size != given:
                text = f"adds {Tensor(wanted, x.dtype)}, its third input is {source}: {size} and {given} on axis {i}"
                raise Misfit(text, code=differ(size, given))
        return x

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The places and what is added, for its gradient."""
        return tape.plain(self, inputs, "second third" if inputs[2].grad else "")


def need_within(part: Size, whole: Size, doing: str, at: int) -> None:
    """Refuse a size that is larger than another one, or not known to be as small."""
    if part != whole and not (isinstance(part, int) and isinstance(whole, int) and part < whole):
        raise Misfit(f"{doing}: {part} and {whole} on axis {at}", code=differ(part, whole))


def need_alike(x: Tensor, other: Tensor) -> None:
    """Refuse values of another dtype than those that they are put among."""
    if x.dtype != other.dtype:
        hint = "Turn one of them into the other's by `to`."
        raise Misfit(f"puts {other.dtype} among {x.dtype}", hint, code="dtype")


def need_index(x: Tensor) -> None:
    """Refuse places that are no whole numbers."""
    if x.dtype != "int64":
        hint = "Turn them into whole numbers with `to int64`."
        raise Misfit(f"takes places as whole numbers, they are {x.dtype}", hint, code="dtype")
