"""Whether data fits a network: the same comparison before anything is read and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, Final

from netspec.dims import BATCH, Dim, Size
from netspec.layers.windows import CHANNELS
from netspec.tensors import Dtype, Tensor, show

WORDS: Final[Mapping[Dtype, str]] = {"float32": "", "int64": "int ", "bool": "bool "}
"""What a declaration of an input begins with."""


def described(x: Any, *, open_batch: bool = True) -> Tensor:
    """An array, a tensor or rows in files, samples first, as the graph describes it: bytes are the floats they become.

    An `open_batch` is any number of samples, B, whatever is held.
    """
    dtype = str(x.dtype).removeprefix("torch.")
    kind: Dtype = "bool" if dtype == "bool" else "float32" if dtype == "uint8" or "float" in dtype else "int64"
    return Tensor((BATCH, *x.shape[1:]) if open_batch else tuple(x.shape), kind)


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
            way_out = _way_out(x, y, name if len(wanted) > 1 else "")
            faults.append((f"the data gives {found}, {name} takes {taken}", way_out))
    return faults


def _agree(x: Tensor, y: Tensor) -> bool:
    """Whether the shapes can be the same: a size that only the run decides agrees with any."""
    if len(x.shape) != len(y.shape):
        return False
    return all(_meet(a, b) for a, b in zip(x.shape, y.shape, strict=True))


def _meet(a: Size, b: Size) -> bool:
    """Whether two sizes can be the same; one of `16*H` is a multiple of 16."""
    if isinstance(a, int) and isinstance(b, int):
        return a == b
    size, factor = (a, b.factor) if isinstance(b, Dim) else (b, a.factor if isinstance(a, Dim) else 1)
    return not isinstance(size, int) or size % factor == 0


def _kind(x: Tensor, y: Tensor) -> str:
    """The dtype of `x`, told where it is another than that of `y`."""
    return f" of {x.dtype}" if x.dtype != y.dtype else ""


def _way_out(x: Tensor, y: Tensor, name: str) -> str:
    """The transforms that would make `x` fit `y`, for the input of that name if there are several; else what to do."""
    given, wanted = _sizes(x), _sizes(y)
    if y.dtype != "float32" and x.dtype != y.dtype:
        return ""
    if given is None or wanted is None:
        return _written(["scale 1"], name) if x.dtype != y.dtype else ""
    steps = ["scale 1"] if x.dtype != y.dtype else []
    if given == wanted:
        plain = _written(steps, name)
        if len(given) != 1 or x.dtype != "int64":
            return plain
        declared = f"Declare {name or 'input'}: int {_x(given)}, where numbers stand for something, and embed them"
        return f"{declared}; {plain[0].lower()}{plain[1:]}, where they are amounts."
    if len(given) == len(wanted) == 3:
        if (found := _as_image(given, wanted)) is not None:
            return _written([*steps, *found], name)
        if (given[1], given[2], given[0]) == wanted:
            last = _written([*steps, "channels_last"], name)
            declared = f"Declare {name or 'input'}: {_x(given)}, as layers take images"
            return f"{declared}; where the network itself moves the channels, {last[0].lower()}{last[1:]}"
    if _regroups(given, wanted):
        if len(given) == 1 and len(wanted) == 3 and wanted[0] > 1:
            split = _written([*steps, f"reshape {_x(wanted)}"], name)
            if _channels_last(wanted):
                first = _written([*steps, f"reshape {_x((wanted[2], *wanted[:2]))}", "channels_last"], name)
                return f"{split}, if a point's channels stand together; {first[0].lower()}{first[1:]}, if they do not."
            channels, height, width = wanted
            last = _written([*steps, f"reshape {height}x{width}x{channels}", "channels_first"], name)
            return f"{split}, if all of a channel comes before the next; {last[0].lower()}{last[1:]}, if it comes last."
        return _written([*steps, f"reshape {_x(wanted)}"], name)
    if len(given) == 2 and len(wanted) == 3 and (given == wanted[1:] or wanted[0] in CHANNELS):
        grey = _written([*steps, f"reshape 1x{_x(given)}"], name)
        return f"{grey}, and declare {name or 'input'}: 1x{_x(given)}, for images in grey, or take other data."
    if _channels_last(given):
        first = _written([*steps, "channels_first"], name)
        return f"{first}, and declare {name or 'input'}: {_x((given[2], *given[:2]))}, or take other data."
    return f"Declare {name or 'input'}: {WORDS[x.dtype]}{_x(given)}, or take other data."


def _sizes(x: Tensor) -> tuple[int, ...] | None:
    """The shape of a sample; None where a size of it is not known."""
    sizes = x.shape[1:]
    return tuple(s for s in sizes if isinstance(s, int)) if all(isinstance(s, int) for s in sizes) else None


def _as_image(given: tuple[int, ...], wanted: tuple[int, ...]) -> list[str] | None:
    """The steps that bring images to a shape by moving their channels to the front, or by another size."""
    height, width = wanted[1:]
    resize = f"resize {height if height == width else f'{height}x{width}'}"
    if _channels_last(given):
        if wanted[0] != given[2]:
            return None
        return ["channels_first"] + [resize] * (given[:2] != wanted[1:])
    return [resize] if wanted[0] == given[0] in CHANNELS else None


def _regroups(given: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether a reshape only takes axes together, or only parts them, so that no two values change their order."""
    if prod(given) != prod(wanted):
        return False
    one, other = ({prod(sizes[: i + 1]) for i in range(len(sizes))} | {1} for sizes in (given, wanted))
    return one <= other or other <= one


def _channels_last(sizes: tuple[int, ...]) -> bool:
    """Whether the shape of a sample looks like height x width x channels."""
    return len(sizes) == 3 and sizes[2] in CHANNELS and sizes[0] not in CHANNELS


def _x(sizes: Sequence[int]) -> str:
    """Sizes as a spec has them."""
    return "x".join(map(str, sizes))


def _written(steps: Sequence[str], name: str) -> str:
    """The `transform` that a hint proposes, for the input of this name."""
    rows = steps[0] if len(steps) == 1 else f"[{', '.join(steps)}]"
    return f"Write transform: {{{name}: {rows}}}" if name else f"Write transform: {rows}"


def _count(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number} {noun}" + "s" * (number != 1)
