"""How ONNX computes each operation that forward calls as a function.

ONNX promotes no dtypes, so that inputs which meet are cast first to what torch makes of them: floats win over whole
numbers, and these over booleans. Shapes are broadcast by both in the same way. Axes are counted from the front here.

A class that is not in the table is written as those above it.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from netspec.dims import Dim, Size, product
from netspec.emit.onnx.attention import sdpa
from netspec.emit.onnx.fourier import fft, ifft, irfft, rfft
from netspec.emit.onnx.parts import (
    Made,
    Results,
    Rule,
    Wires,
    at_the_end,
    group_norm,
    layer_norm,
    norm,
    reshaped,
    resized,
    rms_norm,
    same,
)
from netspec.emit.onnx.writer import KINDS, Unwritable, Wire, Writer
from netspec.emit.table import Table
from netspec.layers.windows import spread
from netspec.tensors import Dtype

BACKWARDS: Final = -(2**63) + 1
"""The end of a slice that goes backwards to the beginning of its axis."""


def promoted(w: Writer, op: Any, x: Wires, dtype: Dtype) -> list[str]:
    """The inputs in one dtype, and the number that may stand in place of the second."""
    number = getattr(op, "other", None)
    found = [w.cast(each, dtype) for each in x]
    return [*found, w.number(number, dtype)] if number is not None else found


def _met(x: Wires, number: Any) -> Dtype:
    """The dtype in which inputs meet, as torch promotes them."""
    kinds = {each.dtype for each in x}
    if "float32" in kinds or isinstance(number, float):
        return "float32"
    whole = "int64" in kinds or (isinstance(number, int) and not isinstance(number, bool))
    return "int64" if whole else "bool"


def _operator(kind: str, reverse: bool = False) -> Rule:
    """An infix operator, from left to right over all inputs."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        first, *others = promoted(w, op, x, out[0].dtype)[:: -1 if reverse else 1]
        for other in others:
            first = w.node(kind, first, other)
        return first

    return write


def _logical(kind: str, bools: str) -> Rule:
    """A sum or product, which of booleans is an `or` or an `and`."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        return _operator(bools if out[0].dtype == "bool" else kind)(w, op, x, out)

    return write


def _power(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Pow`, and a product for a square."""
    if type(op).__name__ != "RPow" and op.other == 2:
        return _square(w, op, x, out)
    return _operator("Pow", reverse=type(op).__name__ == "RPow")(w, op, x, out)


def _unary(kind: str) -> Rule:
    """A function of each number, in the dtype of its result."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        return w.node(kind, w.cast(x[0], out[0].dtype))

    return write


def _rounding(kind: str, *dtypes: Dtype) -> Rule:
    """What leaves the numbers of all other dtypes as they are."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        return w.node(kind, x[0]) if x[0].dtype in (dtypes or ("float32",)) else x[0].name

    return write


def _square(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """x x."""
    source = w.cast(x[0], out[0].dtype)
    return w.node("Mul", source, source)


def _rsqrt(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """1 / sqrt(x)."""
    return w.node("Reciprocal", w.node("Sqrt", w.cast(x[0], "float32")))


def _log1p(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """log(1 + x)."""
    return w.node("Log", w.node("Add", w.cast(x[0], "float32"), w.number(1.0, "float32")))


def _clamp(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Clip`, a missing bound being none."""
    dtype = out[0].dtype
    bounds = ["" if bound is None else w.number(bound, dtype) for bound in (op.min, op.max)]
    return w.node("Clip", w.cast(x[0], dtype), *bounds)


def _to(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Cast`."""
    return w.cast(x[0], out[0].dtype)


def _lerp(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """a + weight (b - a)."""
    part = x[2].name if len(x) > 2 else w.number(op.weight, "float32")
    return w.node("Add", x[0], w.node("Mul", part, w.node("Sub", x[1], x[0])))


def _compared(kind: str, negated: bool = False) -> Rule:
    """A comparison, in the dtype in which its sides meet."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        number = getattr(op, "other", None)
        dtype = _met(x, number)
        dtype = "int64" if dtype == "bool" and kind != "Equal" else dtype
        found = w.node(kind, *promoted(w, op, x, dtype))
        return w.node("Not", found) if negated else found

    return write


def _where(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Where`, a number standing for the second choice."""
    one, other = promoted(w, op, x[1:], out[0].dtype)
    return _chosen(w, x[0], one, other, out[0].dtype)


def _chosen(w: Writer, mask: Wire, one: str, other: str, dtype: Dtype) -> str:
    """`Where`; booleans are chosen as whole numbers, since not every runtime chooses among them."""
    if dtype != "bool":
        return w.node("Where", mask, one, other)
    found = w.node("Where", mask, w.cast(one, "int64", "bool"), w.cast(other, "int64", "bool"))
    return w.cast(found, "bool", "int64")


# Joining and cutting.


def _concat(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Concat`."""
    return w.node("Concat", *(w.cast(each, out[0].dtype) for each in x), axis=x[0].axis(op.dim))


def _stack(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Concat` along a new axis."""
    at = op.dim % (x[0].rank + 1)
    return w.node("Concat", *(w.node("Unsqueeze", w.cast(each, out[0].dtype), w.ints(at)) for each in x), axis=at)


def _cut(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Split` into parts of the sizes that the results have."""
    at = x[0].axis(op.dim)
    if len(out) == 1:
        return [x[0].name]
    return w.nodes_of("Split", x[0], w.sizes([part.shape[at] for part in out]), outputs=len(out), axis=at)


def _unbind(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Each place of an axis by itself."""
    at = x[0].axis(op.dim)
    return [w.node("Gather", x[0], w.constant(np.array(i, np.int64)), axis=at) for i in range(len(out))]


# Places.


def _select(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """One place of an axis."""
    return w.node("Gather", x[0], w.scalar(op.index), axis=x[0].axis(op.dim))


def _slice(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """A stretch of an axis."""
    return w.sliced(x[0], x[0].axis(op.dim), op.start, op.stop, op.step)


def _narrow(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """A stretch of a length."""
    at = x[0].axis(op.dim)
    start = op.start + x[0].shape[at] if isinstance(op.start, int) and op.start < 0 else op.start
    return w.sliced(x[0], at, start, start + op.length)


def _index_select(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Places of an axis in the order of an index."""
    index = x[1].name if x[1].rank else w.node("Reshape", x[1], w.ints(1))
    return w.node("Gather", x[0], index, axis=x[0].axis(op.dim))


def _gather(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`GatherElements`."""
    at = x[0].axis(op.dim)
    return w.node("GatherElements", _cropped(w, x[0], x[1], at), x[1], axis=at)


def _cropped(w: Writer, x: Wire, index: Wire, axis: int) -> str:
    """An input as large as the index that picks from it, but for the axis that it picks along."""
    found = x.name
    for at, (size, wanted) in enumerate(zip(x.shape, index.shape, strict=True)):
        if at != axis and size != wanted:
            found = w.sliced(found, at, 0, wanted)
    return found


def _scattered(reduction: str) -> Rule:
    """`ScatterElements`, which puts or adds."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        table, index, rows = x
        source = rows.name
        for at, (size, wanted) in enumerate(zip(rows.shape, index.shape, strict=True)):
            if size != wanted:
                source = w.sliced(source, at, 0, wanted)
        return w.node("ScatterElements", table, index, source, axis=table.axis(op.dim), reduction=reduction)

    return write


def _index_add(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Rows added at the places of an index, which is spread over them."""
    table, index, rows = x
    at = table.axis(op.dim)
    column = w.node("Reshape", index, w.ints(*[-1 if i == at else 1 for i in range(rows.rank)]))
    places = w.node("Expand", column, w.sizes(rows.shape))
    return w.node("ScatterElements", table, places, rows, axis=at, reduction="add")


# Order.


def _topk(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`TopK`."""
    at = x[0].axis(op.dim)
    dtype: Dtype = "int64" if x[0].dtype == "bool" else x[0].dtype
    how = {"axis": at, "largest": int(op.largest), "sorted": int(op.sorted)}
    values, places = w.nodes_of("TopK", w.cast(x[0], dtype), w.size(op.k), outputs=2, **how)
    return [w.cast(values, x[0].dtype, dtype), places]


def _sort(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`TopK` of all, its places alone for argsort."""
    at = x[0].axis(op.dim)
    dtype: Dtype = "int64" if x[0].dtype == "bool" else x[0].dtype
    how = {"axis": at, "largest": int(op.descending), "sorted": 1}
    values, places = w.nodes_of("TopK", w.cast(x[0], dtype), w.size(x[0].shape[at]), outputs=2, **how)
    return [w.cast(values, x[0].dtype, dtype), places] if len(out) == 2 else places


# Shapes.


def _permute(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Transpose`."""
    return w.swapped(x[0], *(x[0].axis(dim) for dim in op.dims))


def _transpose(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Transpose` of two axes."""
    order = list(range(x[0].rank))
    a, b = x[0].axis(op.dim0), x[0].axis(op.dim1)
    order[a], order[b] = order[b], order[a]
    return w.swapped(x[0], *order)


def _movedim(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Transpose` that moves one axis."""
    order = list(range(x[0].rank))
    order.insert(x[0].axis(op.destination), order.pop(x[0].axis(op.source_dim)))
    return w.swapped(x[0], *order)


def _squeeze(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Squeeze` of the axes that have a size of 1."""
    dims = op.dim if isinstance(op.dim, tuple) else (op.dim,)
    gone = [at for at in map(x[0].axis, dims) if x[0].shape[at] == 1]
    return w.node("Squeeze", x[0], w.ints(*gone)) if gone else x[0].name


def _unsqueeze(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Unsqueeze`."""
    return w.node("Unsqueeze", x[0], w.ints(op.dim % (x[0].rank + 1)))


def _expand(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Expand`."""
    return w.node("Expand", x[0], w.sizes(out[0].shape))


def _tile(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Tile`, with axes put before where more are named."""
    more = len(op.dims) - x[0].rank
    source = w.node("Unsqueeze", x[0], w.ints(*range(more))) if more > 0 else x[0].name
    return w.node("Tile", source, w.sizes([*[1] * -more, *op.dims]))


def _repeat_interleave(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Each place several times, by a new axis behind it."""
    at = x[0].axis(op.dim)
    shape = (*x[0].shape[: at + 1], op.repeats, *x[0].shape[at + 1 :])
    wide = w.node("Expand", w.node("Unsqueeze", x[0], w.ints(at + 1)), w.sizes(shape))
    return w.shaped(wide, out[0].shape, shape)


def _roll(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """The end of an axis put before its beginning."""
    found = x[0].name
    shifts = op.shifts if isinstance(op.shifts, tuple) else (op.shifts,)
    dims = op.dims if isinstance(op.dims, tuple) else (op.dims,)
    for shift, dim in zip(shifts, dims, strict=True):
        at = x[0].axis(dim)
        size = x[0].shape[at]
        if isinstance(shift, Dim) or not isinstance(size, int):
            raise Unwritable("rolls along an axis whose size only the run knows")
        if begin := -shift % size:
            parts = (w.sliced(found, at, begin, None), w.sliced(found, at, 0, begin))
            found = w.node("Concat", *parts, axis=at)
    return found


def _flip(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Slice` backwards."""
    axes = [x[0].axis(dim) for dim in op.dims]
    ones = [-1] * len(axes)
    return w.node("Slice", x[0], w.ints(*ones), w.ints(*[BACKWARDS] * len(axes)), w.ints(*axes), w.ints(*ones))


# Space.


def _pad(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Pad`."""
    mode = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}[op.mode]
    if x[0].dtype == "bool":
        raise Unwritable("pads booleans")
    return at_the_end(w, x[0], op.pad, mode, op.value, x[0].dtype)


def _interpolate(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Resize`."""
    how: dict[str, Any] = {"mode": op.mode, "align_corners": op.align_corners, "antialias": op.antialias}
    return resized(w, x[0], out[0], factors=op.scale_factor, **how)


def _grid_sample(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`GridSample`, whose modes have other names in later opsets."""
    words = {"bilinear": "bilinear", "bicubic": "bicubic"}
    if w.opset >= _SAMPLES_VOLUMES:
        words = {"bilinear": "linear", "bicubic": "cubic"}
    elif x[0].rank > 4:
        raise Unwritable(f"samples volumes, which opset {_SAMPLES_VOLUMES} can")
    mode = words.get(op.mode, op.mode)
    return w.node("GridSample", *x, mode=mode, padding_mode=op.padding_mode, align_corners=int(bool(op.align_corners)))


_SAMPLES_VOLUMES: Final = 20


def _affine_grid(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`AffineGrid`."""
    if w.opset < _SAMPLES_VOLUMES:
        raise Unwritable(f"makes a grid, which opset {_SAMPLES_VOLUMES} can")
    if op.align_corners and any(size == 1 for size in op.size[2:]):
        raise Unwritable("aligns the corners of an axis of one place, which ONNX lays elsewhere")
    return w.node("AffineGrid", x[0], w.sizes(op.size), align_corners=int(bool(op.align_corners)))


# Reductions.


def _axes(op: Any, x: Wire) -> list[int]:
    """The axes of a reduction from the front; all where none is named."""
    dims = op.dim if isinstance(op.dim, tuple) else (op.dim,)
    return [x.axis(dim) for dim in dims] or list(range(x.rank))


def _reduction(kind: str) -> Rule:
    """A reduction over axes, in the dtype of its result."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        dtype: Dtype = "int64" if out[0].dtype == "bool" else out[0].dtype
        if not x[0].rank:
            return w.cast(x[0], out[0].dtype)
        found = w.reduced(kind, w.cast(x[0], dtype), _axes(op, x[0]), op.keepdim)
        return w.cast(found, out[0].dtype, dtype)

    return write


def _variance(w: Writer, op: Any, x: Wires, out: Results) -> str:
    """The sum of squares around the mean, over the count less the correction."""
    axes = _axes(op, x[0])
    centred = w.node("Sub", x[0], w.reduced("ReduceMean", x[0], axes, keep=True))
    total = w.reduced("ReduceSum", w.node("Mul", centred, centred), axes, op.keepdim)
    count = product(x[0].shape[at] for at in axes) - op.correction
    if isinstance(count, int):
        return w.node("Div", total, w.number(float(count), "float32"))
    return w.node("Div", total, w.node("Cast", w.scalar(count), to=KINDS["float32"]))


def _std(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """The root of the variance."""
    return w.node("Sqrt", _variance(w, op, x, out))


def _vector_norm(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """The p-norm."""
    return norm(w, x[0], op.ord, _axes(op, x[0]), op.keepdim)


def _extreme(kind: str) -> Rule:
    """The largest or smallest on an axis, and its place."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        at = x[0].axis(op.dim)
        dtype: Dtype = "int64" if x[0].dtype == "bool" else x[0].dtype
        source = w.cast(x[0], dtype)
        values = w.cast(w.reduced(f"Reduce{kind}", source, [at], op.keepdim), x[0].dtype, dtype)
        return [values, w.node(f"Arg{kind}", source, axis=at, keepdims=int(op.keepdim))]

    return write


def _place(kind: str) -> Rule:
    """`ArgMax` or `ArgMin`."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        return w.node(kind, x[0], axis=x[0].axis(op.dim), keepdims=int(op.keepdim))

    return write


def _cumsum(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`CumSum`."""
    return w.node("CumSum", w.cast(x[0], out[0].dtype), w.constant(np.array(x[0].axis(op.dim), np.int64)))


# Norms with weights that are values.


def _normalize(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """x over its length, which is not below eps."""
    length = norm(w, x[0], op.p, [x[0].axis(op.dim)], keep=True)
    return w.node("Div", x[0], w.node("Max", length, w.number(op.eps, "float32")))


def _layer_norm(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """A layer norm with weights that are values."""
    return layer_norm(w, x[0], x[1].rank, op.eps, x[1].name, x[2].name if len(x) > 2 else "")


def _rms_norm(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """A root mean square norm with a weight that is a value."""
    return rms_norm(w, x[0], x[1].rank, op.eps, x[1].name)


def _group_norm(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """A group norm with weights that are values."""
    return group_norm(w, x[0], op.num_groups, op.eps, x[1].name, x[2].name if len(x) > 2 else "")


# Algebra, attention.


def _matmul(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`MatMul`."""
    return w.node("MatMul", *x)


def _cdist(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """The norm of all differences."""
    rows = w.node("Unsqueeze", x[0], w.ints(x[0].rank - 1))
    columns = w.node("Unsqueeze", x[1], w.ints(x[1].rank - 2))
    return norm(w, w.node("Sub", rows, columns), op.p, [max(each.rank for each in x)], keep=False)


def _einsum(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Einsum`; axes of dots that an input lacks are put in."""
    left, _, right = op.equation.partition("->")
    sides = left.split(",")
    more = [each.rank - len(side.replace(".", "")) for side, each in zip(sides, x, strict=True)]
    given = []
    for side, count, each in zip(sides, more, x, strict=True):
        at, missing = side.find("."), max(more) - count
        front = "." in side and missing
        given.append(w.node("Unsqueeze", each, w.ints(*range(at, at + missing))) if front else each.name)
    if "." in left and "." not in right:  # ONNX keeps the axes of dots
        whole = w.node("Einsum", *given, equation=f"{left}->...{right}")
        return w.reduced("ReduceSum", whole, range(max(more))) if max(more) else whole
    return w.node("Einsum", *given, equation=op.equation)


def _convolve(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Conv` with filters that are a value."""
    if op.whose == "each":
        raise Unwritable("has filters of its own for each sample")
    dims = x[0].rank - 2
    stride, padding, dilation = (spread(getattr(op, name), dims) for name in ("stride", "padding", "dilation"))
    how: dict[str, Any] = {"strides": stride, "dilations": dilation, "group": op.groups}
    return w.node("Conv", *x, pads=[*padding, *padding], **how)


def _masked_fill(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Where` the mask is true, the number."""
    value = float("-inf") if op.value is None else op.value
    return _chosen(w, x[1], w.number(value, x[0].dtype), x[0].name, x[0].dtype)


def _triangle(upper: bool) -> Rule:
    """`Trilu`."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        source = w.cast(x[0], "int64") if x[0].dtype == "bool" else x[0].name
        found = w.node("Trilu", source, w.constant(np.array(op.diagonal, np.int64)), upper=int(upper))
        return w.cast(found, x[0].dtype, "int64" if x[0].dtype == "bool" else x[0].dtype)

    return write


# Sources.


def _number(value: float) -> Rule:
    """`zeros` and `ones`."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        return w.filled(out[0].shape, value, out[0].dtype)

    return write


def _full(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """One number everywhere."""
    return w.filled(out[0].shape, op.value, out[0].dtype)


def _like(value: float) -> Rule:
    """`zeros_like` and `ones_like`."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        return w.filled_like(w.node("Shape", x[0]), value, x[0].dtype)

    return write


def _eye(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Ones on the diagonal."""
    if all(isinstance(size, int) for size in out[0].shape):
        return w.constant(np.eye(*map(_known, out[0].shape), dtype=np.float32))
    return w.node("EyeLike", w.filled(out[0].shape, 0.0, "float32"))


def _known(size: Size) -> int:
    """A size that is a number."""
    assert isinstance(size, int)
    return size


def _arange(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Range`, or its numbers where they are known."""
    if isinstance(op.start, int) and isinstance(op.end, int):
        return w.constant(np.arange(op.start, op.end, int(op.step), dtype=np.int64))
    return w.node("Range", w.scalar(op.start), w.scalar(op.end), w.scalar(op.step))


def _linspace(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Its numbers."""
    if not isinstance(op.steps, int):
        raise Unwritable("has a number of places that only the run knows")
    return w.constant(np.linspace(op.start, op.end, op.steps, dtype=np.float32))


def _causal(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Minus infinity above the diagonal."""
    return w.hidden(op.size)


def _constant(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """The numbers that the spec has."""
    return w.constant(op.value, out[0].dtype)


def _state(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """A tensor that the network owns."""
    return w.own("")


def _random(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Refused, for a file is to give the same each time."""
    raise Unwritable("draws random numbers")


def _one_hot(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`OneHot`."""
    numbers = x[0].name if x[0].rank else w.node("Reshape", x[0], w.ints(1))
    found = w.node("OneHot", numbers, w.constant(np.array(op.num_classes, np.int64)), w.ints(0, 1), axis=-1)
    return found if x[0].rank else w.node("Squeeze", found, w.ints(0))


def _straight_through(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """The first input, in the shape of both."""
    return x[0].name if x[0].shape == out[0].shape else w.node("Expand", x[0], w.sizes(out[0].shape))


def _lookup(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Rows of a table that is a value."""
    return w.node("Gather", x[1], x[0])


OPERATIONS: Final = Table[Rule]({
    # arithmetic
    "Add": _logical("Add", "Or"),
    "Sub": _operator("Sub"),
    "RSub": _operator("Sub", reverse=True),
    "Mul": _logical("Mul", "And"),
    "Div": _operator("Div"),
    "Power": _power,
    "Maximum": _operator("Max"),
    "Minimum": _operator("Min"),
    "Lerp": _lerp,
    # elementwise
    "Neg": _unary("Neg"),
    "Abs": _unary("Abs"),
    "Sign": _rounding("Sign", "float32", "int64"),
    "Square": _square,
    "Floor": _rounding("Floor"),
    "Ceil": _rounding("Ceil"),
    "Round": _rounding("Round"),
    "Sqrt": _unary("Sqrt"),
    "RSqrt": _rsqrt,
    "Reciprocal": _unary("Reciprocal"),
    "Exp": _unary("Exp"),
    "Log": _unary("Log"),
    "Log1p": _log1p,
    "Sin": _unary("Sin"),
    "Cos": _unary("Cos"),
    "Erf": _unary("Erf"),
    "Clamp": _clamp,
    "To": _to,
    # comparing
    "Eq": _compared("Equal"),
    "Ne": _compared("Equal", negated=True),
    "Lt": _compared("Less"),
    "Le": _compared("LessOrEqual"),
    "Gt": _compared("Greater"),
    "Ge": _compared("GreaterOrEqual"),
    "LogicalNot": _unary("Not"),
    "LogicalAnd": _operator("And"),
    "LogicalOr": _operator("Or"),
    "Where": _where,
    # joining, indexing, sorting
    "Concat": _concat,
    "Stack": _stack,
    "Cut": _cut,
    "Unbind": _unbind,
    "Select": _select,
    "Slice": _slice,
    "Narrow": _narrow,
    "IndexSelect": _index_select,
    "Gather": _gather,
    "Scatter": _scattered("none"),
    "ScatterAdd": _scattered("add"),
    "IndexAdd": _index_add,
    "TopK": _topk,
    "Sort": _sort,
    "ArgSort": _sort,
    # gradients, which nothing in use asks for
    "Detach": same,
    "StraightThrough": _straight_through,
    # reshaping, repeating
    "Reshape": reshaped,
    "Permute": _permute,
    "Transpose": _transpose,
    "MoveDim": _movedim,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Expand": _expand,
    "Tile": _tile,
    "RepeatInterleave": _repeat_interleave,
    "Roll": _roll,
    "Flip": _flip,
    # spatial
    "Pad": _pad,
    "Interpolate": _interpolate,
    "GridSample": _grid_sample,
    "AffineGrid": _affine_grid,
    # reducing
    "Mean": _reduction("ReduceMean"),
    "Sum": _reduction("ReduceSum"),
    "AMax": _reduction("ReduceMax"),
    "AMin": _reduction("ReduceMin"),
    "LogSumExp": _reduction("ReduceLogSumExp"),
    "Var": _variance,
    "Std": _std,
    "VectorNorm": _vector_norm,
    "Max": _extreme("Max"),
    "Min": _extreme("Min"),
    "ArgMax": _place("ArgMax"),
    "ArgMin": _place("ArgMin"),
    "Prod": _reduction("ReduceProd"),
    "CumSum": _cumsum,
    # norms, algebra, attention
    "Normalize": _normalize,
    "LayerNormFunction": _layer_norm,
    "RMSNormFunction": _rms_norm,
    "GroupNormFunction": _group_norm,
    "MatMul": _matmul,
    "BMM": _matmul,
    "CDist": _cdist,
    "Einsum": _einsum,
    "Convolve": _convolve,
    "FFT": fft,
    "IFFT": ifft,
    "RFFT": rfft,
    "IRFFT": irfft,
    "SDPA": sdpa,
    "MaskedFill": _masked_fill,
    "TriL": _triangle(upper=False),
    "TriU": _triangle(upper=True),
    # sources, state
    "Zeros": _number(0),
    "Ones": _number(1),
    "Randn": _random,
    "Rand": _random,
    "Full": _full,
    "Eye": _eye,
    "Arange": _arange,
    "Linspace": _linspace,
    "Causal": _causal,
    "Constant": _constant,
    "ZerosLike": _like(0),
    "OnesLike": _like(1),
    "Noise": _random,
    "State": _state,
    # lookup, random
    "OneHot": _one_hot,
    "Lookup": _lookup,
    "DropPath": same,
})  # fmt: skip
"""The functions of forward by their classes."""
