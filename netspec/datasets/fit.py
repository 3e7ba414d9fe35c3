"""Whether data fits a network: the same comparison before anything is read and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from netspec.dims import Dim, Size
from netspec.layers.base import Tensor, show


def unfit(given: Sequence[Tensor], wanted: Mapping[str, Tensor]) -> list[tuple[str, str]]:
    """Every way in which inputs do not fit those of a network, by name: a message and a hint."""
    if len(given) != len(wanted):
        names = ", ".join(wanted)
        text = f"the data has {_count(len(given), 'input')}, the network takes {len(wanted)}: {names}"
        return [(text, "The source's arrays are the network's inputs, in the same order.")]
    faults = []
    for x, (name, y) in zip(given, wanted.items(), strict=True):
        if x.dtype != y.dtype or not _agree(x, y):
            found, taken = show(x.shape[1:]) + _kind(x, y), show(y.shape[1:]) + _kind(y, x)
            faults.append((f"the data gives {found}, {name} takes {taken}", _way_out(x, y)))
    return faults


def _agree(x: Tensor, y: Tensor) -> bool:
    """Whether the shapes can be the same: a size that only the run decides agrees with any."""
    if len(x.shape) != len(y.shape):
        return False
    return all(a == b or isinstance(a, Dim) or isinstance(b, Dim) for a, b in zip(x.shape, y.shape, strict=True))


def _kind(x: Tensor, y: Tensor) -> str:
    return f" of {x.dtype}" if x.dtype != y.dtype else ""


def _way_out(x: Tensor, y: Tensor) -> str:
    """The transform that would make `x` fit `y`, where there is a plain one."""
    given, wanted = x.shape[1:], y.shape[1:]
    sizes = [s for s in (*given, *wanted) if isinstance(s, int)]
    if x.dtype != y.dtype:
        return "Whole numbers become floats by scale 1." if y.dtype == "float32" else ""
    if len(sizes) < len(given) + len(wanted):
        return ""
    if len(given) == len(wanted) == 3 and given[0] == wanted[0]:
        height, width = wanted[1:]
        return f"Write transform: resize {height if height == width else f'{height}x{width}'}"
    if len(given) == 3 and wanted == (given[2], *given[:2]):
        return "Write transform: channels_first"
    same = prod(sizes[: len(given)]) == prod(sizes[len(given) :])
    if same and (1 in (len(given), len(wanted)) or _without_ones(given) == _without_ones(wanted)):
        return f"Write transform: reshape {'x'.join(map(str, wanted))}"
    if sorted(sizes[: len(given)]) == sorted(sizes[len(given) :]):
        size = "x".join(map(str, given))
        return f"Its axes are in another order, which reshape would scramble. Declare input: {size}"
    return f"Declare input: {'x'.join(map(str, given))}, or take other data."


def _without_ones(sizes: Sequence[Size]) -> list[Size]:
    return [size for size in sizes if size != 1]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + "s" * (number != 1)
