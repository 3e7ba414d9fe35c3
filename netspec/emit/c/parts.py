"""What several operations are computed with: other shapes, padding, resizing; and what a rule is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import floor
from typing import Any

import numpy as np

from netspec.dims import Dim, Size, substitute
from netspec.emit.c.code import Code
from netspec.emit.c.elements import mirrored, padded, picked
from netspec.emit.c.volumes import adapted
from netspec.emit.c.writer import Names, Unwritable, Wire, Writer
from netspec.tensors import Tensor

Made = Wire | list[Wire]
"""What was made; a single one where there is one result."""
Wires = Sequence[Wire]
Results = Sequence[Tensor]
Rule = Callable[[Writer, Any, Wires, Results], Made]
"""Writes the functions of an operation for its inputs, and is told what its results are like, for one sample."""


def fixed(size: Size | None) -> int:
    """A size for one sample. Raises Unwritable for one that is open even so."""
    found = substitute(size, {"B": 1}) if isinstance(size, Dim) else size
    if not isinstance(found, int):
        raise Unwritable(f"has a size that only the run knows, {found}")
    return found


def same(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """What changes nothing in use."""
    return x[0]


def reshaped(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """The numbers of the input in another shape."""
    return x[0].viewed(*map(fixed, out[0].shape))


def at_the_end(w: Writer, x: Wire, sides: Sequence[Any], mode: str, value: float = 0.0) -> Wire:
    """Padding as torch says it: two sizes for each axis, the last axis first."""
    before, after = [0] * x.rank, [0] * x.rank
    for at in range(len(sides) // 2):
        before[-1 - at], after[-1 - at] = fixed(sides[2 * at]), fixed(sides[2 * at + 1])
    return padded(w, x, before, after, value) if mode == "constant" else mirrored(w, x, before, after, mode)


def resized(
    w: Writer,
    x: Wire,
    shape: tuple[int, ...],
    *,
    mode: str,
    align_corners: bool | None,
    factors: Any = None,
    antialias: bool = False,
) -> Wire:
    """A map of another size, by `factors` or to the sizes of `shape`, as torch does it.

    Raises Unwritable for the modes that mix more than neighbours.
    """
    given = factors if isinstance(factors, tuple) else (factors,) * (x.rank - 2)
    ratios = [
        1 / factor if factor is not None and not align_corners else size / wanted
        for size, wanted, factor in zip(x.shape[2:], shape[2:], given, strict=True)
    ]
    if mode.startswith("nearest"):
        half = 0.5 if mode == "nearest-exact" else 0.0
        places = [
            [min(floor(np.float32((i + half) * ratio)), size - 1) for i in range(wanted)]
            for size, wanted, ratio in zip(x.shape[2:], shape[2:], ratios, strict=True)
        ]
        return picked(w, "upsample", x, [*([*range(n)] for n in x.shape[:2]), *places])
    if mode == "area":
        flat = x if x.rank > 3 else x.viewed(*x.shape[:2], 1, x.shape[2])
        return adapted(w, flat, shape[2:] if x.rank > 3 else (1, shape[2]), "avg").viewed(*shape)
    if mode not in ("linear", "bilinear", "trilinear") or antialias:
        raise Unwritable(f"resizes by {'antialias' if antialias else mode}")
    ratios = [
        1.0 if axis == wanted else ratio for axis, wanted, ratio in zip(x.shape[2:], shape[2:], ratios, strict=True)
    ]
    resize = _trilinear if mode == "trilinear" else _bilinear
    return resize(w, x, shape, ratios, bool(align_corners))


def _trilinear(w: Writer, x: Wire, shape: tuple[int, ...], ratios: Sequence[float], align_corners: bool) -> Wire:
    """The same of a volume: each of its planes, and then along depth, where the places of a plane are columns."""
    samples, channels, depth = x.shape[:3]
    planes = x.viewed(samples, channels * depth, *x.shape[3:])
    flat = _bilinear(w, planes, (*planes.shape[:2], *shape[3:]), ratios[1:], align_corners)
    places = shape[3] * shape[4]
    deep = flat.viewed(samples, channels, depth, places)
    return _bilinear(w, deep, (samples, channels, shape[2], places), (ratios[0], 1.0), align_corners).viewed(*shape)


def _bilinear(w: Writer, x: Wire, shape: tuple[int, ...], ratios: Sequence[float], align_corners: bool) -> Wire:
    """Each place from its neighbours, by how near they are."""
    sizes, wanted = [1, *x.shape[2:]][-2:], [1, *shape[2:]][-2:]
    constants: dict[str, Any] = {}
    for name, size, count, ratio in zip(("row", "column"), sizes, wanted, [1.0, *ratios][-2:], strict=True):
        if align_corners:
            at = np.arange(count) * ((size - 1) / (count - 1) if count > 1 else 0.0)
        else:
            at = np.maximum((np.arange(count) + 0.5) * ratio - 0.5, 0)
        low = np.minimum(np.floor(at).astype(np.int64), size - 1)
        constants |= {
            name: (low, "int64"),
            f"{name}_next": (np.minimum(low + 1, size - 1), "int64"),
            f"{name}_share": ((at - low).astype(np.float32), "float32"),
        }

    def body(code: Code, names: Names) -> None:
        planes = x.size // (sizes[0] * sizes[1])
        with code.nested([("p", planes), ("r", wanted[0]), ("c", wanted[1])]):
            code.add(f"const float *in = {names.x[0]} + p * {sizes[0] * sizes[1]};")
            code.add(f"const float *above = in + {names['row']}[r] * {sizes[1]};")
            code.add(f"const float *below = in + {names['row_next']}[r] * {sizes[1]};")
            code.add(f"const int left = {names['column']}[c], right = {names['column_next']}[c];")
            code.add(f"const float down = {names['row_share']}[r], across = {names['column_share']}[c];")
            code.add("const float upper = above[left] + across * (above[right] - above[left]);")
            code.add("const float lower = below[left] + across * (below[right] - below[left]);")
            code.add(f"{names.y[0]}[(p * {wanted[0]} + r) * {wanted[1]} + c] = upper + down * (lower - upper);")

    return w.call("upsample", [x], shape, body, constants=constants)
