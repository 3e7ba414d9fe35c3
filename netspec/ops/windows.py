"""Tables for attention inside windows (Swin, MaxViT), which a level owns as buffers."""

from __future__ import annotations

from math import prod
from typing import Any

from netspec.ops.state import Buffer
from netspec.records import MAX_INT, REQUIRED, Bool, Checked, Field, refuse
from netspec.tensors import Dtype, Misfit, Tensor


def Pair(sentence: str, default: Any = REQUIRED, *, low: int = 1) -> Field[tuple[int, int]]:
    """A height and a width; one number stands for both."""

    def check(value: Any) -> tuple[int, ...]:
        items = tuple(value) if isinstance(value, list | tuple) else (value, value)
        if len(items) != 2 or not all(type(item) is int and low <= item <= MAX_INT for item in items):
            raise refuse(f"one whole number or two of at least {low}, such as 7 or 7x7")
        return items

    return Checked(sentence, check, {"type": ["integer", "array"]}, default)


class RelativeIndex(Buffer):
    """Tells for each two places of a window which row of a table of biases they share."""

    rule = "places x places, the places of the window being counted row by row."
    words = ("relative_index",)
    example = "relative_index 7"

    window = Pair("height and width of the window")
    flat = Bool("one long row in place of a square", False, keyword=True)

    @classmethod
    def ordered(cls, fields: dict[str, Field[Any]]) -> dict[str, Field[Any]]:
        return {name: fields[name] for name in ("window", "flat", "persistent")}

    def sizes(self) -> tuple[int, ...]:
        places = prod(self.window)
        return (places * places,) if self.flat else (places, places)

    def result(self) -> Dtype:
        return "int64"

    def shape(self, *inputs: Tensor) -> Tensor:
        return Tensor(self.sizes(), self.result())


class ShiftMask(Buffer):
    """Hides from each other the places that a roll brought into one window from different sides of the map.

    It is windows x places x places: -100 where two places were no neighbours before the roll, else 0.
    """

    rule = "windows x places x places."
    words = ("shift_mask",)
    example = "shift_mask 56x56 7 3"

    map = Pair("height and width of the map, which the window divides")
    window = Pair("height and width of the window")
    shift = Pair("how far the map was rolled, up and to the left", low=0)
    persistent = Bool("whether it is saved with the network", False, keyword=True)

    @classmethod
    def ordered(cls, fields: dict[str, Field[Any]]) -> dict[str, Field[Any]]:
        return {name: fields[name] for name in ("map", "window", "shift", "persistent")}

    def sizes(self) -> tuple[int, ...]:
        places = prod(self.window)
        return (prod(self.map) // places, places, places)

    def result(self) -> Dtype:
        return "float32"

    def shape(self, *inputs: Tensor) -> Tensor:
        for size, window, shift in zip(self.map, self.window, self.shift, strict=True):
            if size % window:
                raise Misfit(f"cuts {size} into windows of {window}", "Pad the map before.", field="window")
            if shift >= window:
                raise Misfit(
                    f"rolls by {shift}, which a window of {window} does not allow", field="shift", code="undefined"
                )
        return Tensor(self.sizes())
