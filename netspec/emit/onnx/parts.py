"""What several operations are computed with: linear maps, norms, pools, padding, resizing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor
from typing import Any, Final

import numpy as np

from netspec.emit.onnx.writer import Unwritable, Wire, Writer
from netspec.tensors import Tensor

Made = str | list[str]
"""The names of what was made; a single one where there is one result."""
Wires = Sequence[Wire]
Results = Sequence[Tensor]
Rule = Callable[[Writer, Any, Wires, Results], Made]
"""Writes the nodes of an operation for its inputs, and is told what its results are like."""


def same(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """What changes nothing in use."""
    return x[0].name


def linear(w: Writer, x: Wire | str, rank: int, weight: str, bias: str) -> str:
    """x W^T + b over the last axis of a tensor of so many axes.

    `weight` is out_features x in_features, as torch keeps it. Over batch and features that is one `Gemm`; over more
    axes a `MatMul`, for which the weight is turned, once for all that use it.
    """
    if rank == 2:
        return w.node("Gemm", x, weight, bias, transB=1)
    product = w.node("MatMul", x, w.turned(weight))
    return w.node("Add", product, bias) if bias else product


EXACT_GELU: Final = 20
"""The first opset that has GELU as an operator."""


def gelu(w: Writer, x: Wire | str, approximate: str = "none") -> str:
    """x times the probability that a standard normal number is below it, or the approximation of that by tanh."""
    if w.opset >= EXACT_GELU:
        return w.node("Gelu", x, approximate=approximate)
    if approximate == "none":
        inner = w.node("Erf", w.node("Mul", x, w.number(0.5**0.5, "float32")))
    else:
        cube = w.node("Mul", w.node("Pow", x, w.number(3.0, "float32")), w.number(0.044715, "float32"))
        inner = w.node("Tanh", w.node("Mul", w.node("Add", x, cube), w.number((2 / np.pi) ** 0.5, "float32")))
    return w.node("Mul", w.node("Mul", x, w.number(0.5, "float32")), w.node("Add", inner, w.number(1.0, "float32")))


def norm(w: Writer, x: Wire | str, p: float, axes: Sequence[int], keep: bool) -> str:
    """The p-norm along axes, as torch.linalg.vector_norm defines it: (sum |x|^p)^(1/p).

    Infinity is the largest magnitude, minus infinity the smallest, and 0 counts what is not 0.
    """
    if p in (1, 2):
        return w.reduced(f"ReduceL{int(p)}", x, axes, keep)
    size = w.node("Abs", x)
    if p == float("inf"):
        return w.reduced("ReduceMax", size, axes, keep)
    if p == float("-inf"):
        return w.reduced("ReduceMin", size, axes, keep)
    if p == 0:
        counted = w.node("Cast", w.node("Greater", size, w.number(0.0, "float32")), to=1)
        return w.reduced("ReduceSum", counted, axes, keep)
    total = w.reduced("ReduceSum", w.node("Pow", size, w.number(p, "float32")), axes, keep)
    return w.node("Pow", total, w.number(1 / p, "float32"))


def padded(
    w: Writer,
    x: Wire | str,
    before: Sequence[Any],
    after: Sequence[Any],
    mode: str = "constant",
    value: float = 0.0,
    dtype: str = "float32",
) -> str:
    """A tensor with so many elements added at the two ends of each of its axes; negative ones crop.

    `mode` is ONNX's word: constant, reflect, edge, or wrap, which older opsets lack and slices do. Numbers may be sizes
    that only the run knows, but for wrap.
    """
    if mode == "wrap":
        for at, (left, right) in enumerate(zip(before, after, strict=True)):
            if left or right:
                parts = [w.sliced(x, at, -left, None)] if left else []
                parts += [x.name if isinstance(x, Wire) else x]
                parts += [w.sliced(x, at, 0, right)] if right else []
                x = w.node("Concat", *parts, axis=at)
        return x.name if isinstance(x, Wire) else x
    filling = [w.number(value, dtype)] if mode == "constant" else []
    return w.node("Pad", x, w.sizes([*before, *after]), *filling, mode=mode)


def at_the_end(w: Writer, x: Wire, sides: Sequence[Any], mode: str, value: float = 0.0, dtype: str = "float32") -> str:
    """Padding as torch says it: two sizes for each axis, the last axis first."""
    before, after = [0] * x.rank, [0] * x.rank
    for at in range(len(sides) // 2):
        before[-1 - at], after[-1 - at] = sides[2 * at], sides[2 * at + 1]
    if mode in ("reflect", "edge") and any(isinstance(n, int) and n < 0 for n in (*before, *after)):
        raise Unwritable("crops where it copies from the input")
    if mode == "wrap" and any(not isinstance(n, int) or n < 0 for n in (*before, *after)):
        raise Unwritable("goes round by a size that only the run knows, or crops")
    return padded(w, x, before, after, mode, value, dtype)


def pooled(w: Writer, x: Wire, out: Tensor, kind: str) -> str:
    """Windows as large as the wanted sizes ask for: `avg` or `max`.

    Window i of n goes from floor(i size / n) to ceil((i + 1) size / n), as torch's adaptive pools have it. Where n
    divides the size these are equal, and it is an ordinary pool. Else each axis is done by itself, since the mean of
    means over equal counts, and the largest of the largest, are those of the whole. Raises Unwritable where a size
    that only the run knows would have to be cut.
    """
    sizes = list(zip(x.shape[2:], out.shape[2:], strict=True))
    if all(wanted == 1 for _, wanted in sizes):
        return w.node("GlobalAveragePool" if kind == "avg" else "GlobalMaxPool", x)
    for size, wanted in sizes:
        if size != wanted and wanted != 1 and not (isinstance(size, int) and isinstance(wanted, int)):
            raise Unwritable("cuts a size that only the run knows into windows")
    numbers = [(size, wanted) for size, wanted in sizes if isinstance(size, int) and isinstance(wanted, int)]
    if len(numbers) == len(sizes) and all(size % wanted == 0 for size, wanted in numbers):
        kernel = [size // wanted for size, wanted in numbers]
        return w.node("AveragePool" if kind == "avg" else "MaxPool", x, kernel_shape=kernel, strides=kernel)
    found: Wire | str = x
    for at, (size, wanted) in enumerate(sizes, 2):
        if size == wanted:
            continue
        if wanted == 1:
            found = w.reduced("ReduceMean" if kind == "avg" else "ReduceMax", found, [at], keep=True)
            continue
        assert isinstance(size, int)
        assert isinstance(wanted, int)
        ends = [(floor(i * size / wanted), ceil((i + 1) * size / wanted)) for i in range(wanted)]
        if kind == "avg":
            found = _averaged(w, found, at, x.rank, size, ends)
        else:
            parts = [w.reduced("ReduceMax", w.sliced(found, at, a, b), [at], keep=True) for a, b in ends]
            found = w.node("Concat", *parts, axis=at)
    return found.name if isinstance(found, Wire) else found


def _averaged(w: Writer, x: Wire | str, at: int, rank: int, size: int, ends: Sequence[tuple[int, int]]) -> str:
    """Means over stretches of an axis, as a product with a matrix."""
    matrix = np.zeros((size, len(ends)), np.float32)
    for column, (start, stop) in enumerate(ends):
        matrix[start:stop, column] = 1 / (stop - start)
    last = list(range(rank))
    last[at], last[-1] = last[-1], last[at]
    product = w.node("MatMul", w.swapped(x, *last), w.constant(matrix))
    return w.swapped(product, *last)


def scaled(w: Writer, x: str, rank: int, scale: str, shift: str) -> str:
    """A tensor with its channels, on axis 1, multiplied by a scale and moved by a shift."""
    column = w.ints(-1, *[1] * (rank - 2))
    for kind, each in (("Mul", scale), ("Add", shift)):
        if each:
            x = w.node(kind, x, w.node("Reshape", each, column) if rank > 2 else each)
    return x


def group_norm(w: Writer, x: Wire, groups: int, eps: float, scale: str, shift: str) -> str:
    """A norm over groups of channels (Wu and He, 2018): an instance norm of these, put behind each other.

    ONNX's own operator changed its meaning between opsets 18 and 21, from a scale for each group to one for each
    channel; this holds in all of them. `scale` and `shift` are names of rows of channels, or empty.
    """
    batch = x.shape[0]
    rows = w.shaped(x, (batch, groups, -1))
    ones, zeros = (w.constant(np.full(groups, n, np.float32)) for n in (1, 0))
    normal = w.node("InstanceNormalization", rows, ones, zeros, epsilon=eps)
    back = w.shaped(normal, x.shape, (batch, groups, -1))
    return scaled(w, back, x.rank, scale, shift)


def layer_norm(w: Writer, x: Wire | str, axes: int, eps: float, scale: str, shift: str) -> str:
    """A norm over so many of the last axes."""
    return w.node("LayerNormalization", x, scale, shift, axis=-axes, epsilon=eps)


def rms_norm(w: Writer, x: Wire, axes: int, eps: float | None, scale: str) -> str:
    """The root mean square norm over so many of the last axes (Zhang and Sennrich, 2019)."""
    last = [x.rank - 1 - i for i in reversed(range(axes))]
    square = w.reduced("ReduceMean", w.node("Mul", x, x), last, keep=True)
    small = float(np.finfo(np.float32).eps) if eps is None else eps
    found = w.node("Div", x, w.node("Sqrt", w.node("Add", square, w.number(small, "float32"))))
    return w.node("Mul", found, scale) if scale else found


def reshaped(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """The numbers of the input in another shape."""
    return x[0].name if x[0].shape == out[0].shape else w.shaped(x[0], out[0].shape)


def resized(
    w: Writer,
    x: Wire,
    out: Tensor,
    *,
    mode: str,
    align_corners: bool | None,
    factors: Any = None,
    antialias: bool = False,
) -> str:
    """A map of another size, by `factors` or to the size of `out`.

    Where corners are aligned, places are counted between the centres of the corners; else the factor that was given
    counts, not the ratio of the sizes, which is another where these are rounded: as torch does it, which leaves an axis
    that keeps its size as it is, but under the cubic kernel. That has a = -0.75, or -0.5 where it smooths.
    """
    if mode == "area":
        return pooled(w, x, out, "avg")
    how: dict[str, Any] = {
        "mode": {"nearest": "nearest", "nearest-exact": "nearest", "bicubic": "cubic"}.get(mode, "linear")
    }
    if mode == "nearest":
        how |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    elif mode == "nearest-exact":
        how |= {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"}
    else:
        how["coordinate_transformation_mode"] = "align_corners" if align_corners else "half_pixel"
    if mode == "bicubic":
        how["cubic_coeff_a"] = -0.75
    if antialias:
        how |= {"antialias": 1, "exclude_outside": 1, **({"cubic_coeff_a": -0.5} if mode == "bicubic" else {})}
    if factors is not None and not align_corners:
        each = factors if isinstance(factors, tuple) else (factors,) * (x.rank - 2)
        if mode.endswith("linear") or antialias:
            sizes = zip(x.shape[2:], out.shape[2:], each, strict=True)
            each = tuple(1.0 if size == wanted else factor for size, wanted, factor in sizes)
        return w.node("Resize", x, "", w.constant(np.array([1, 1, *each], np.float32)), **how)
    return w.node("Resize", x, "", "", w.sizes(out.shape), **how)
