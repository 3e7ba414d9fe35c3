"""How ONNX computes each operation that forward calls as a function.

ONNX promotes no dtypes, so that inputs which meet are cast first to what torch makes of them: floats win over whole
numbers, and these over booleans. Shapes are broadcast by both in the same way. Axes are counted from the front here.

A class that is not in the table is written as those above it.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from netspec.dims import Size
from netspec.emit.onnx.attention import sdpa
from netspec.emit.onnx.elements import (
    chosen,
    clamp,
    compared,
    converted,
    lerp,
    log1p,
    logical,
    operator,
    power,
    rounding,
    rsqrt,
    square,
    unary,
    where,
)
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
from netspec.emit.onnx.places import (
    concat,
    cut,
    gather,
    index_add,
    index_select,
    narrow,
    ordered,
    scattered,
    select,
    slicing,
    stack,
    topk,
    unbind,
)
from netspec.emit.onnx.reductions import cumsum, extreme, place, reduction, std, variance, vector_norm
from netspec.emit.onnx.shapes import (
    expand,
    flip,
    movedim,
    permute,
    repeat_interleave,
    roll,
    squeeze,
    tiled,
    transpose,
    unsqueeze,
)
from netspec.emit.onnx.writer import Unwritable, Writer
from netspec.emit.table import Table
from netspec.layers.windows import spread

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
    return chosen(w, x[1], w.number(value, x[0].dtype), x[0].name, x[0].dtype)


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
    "Add": logical("Add", "Or"),
    "Sub": operator("Sub"),
    "RSub": operator("Sub", reverse=True),
    "Mul": logical("Mul", "And"),
    "Div": operator("Div"),
    "Power": power,
    "Maximum": operator("Max"),
    "Minimum": operator("Min"),
    "Lerp": lerp,
    # elementwise
    "Neg": unary("Neg"),
    "Abs": unary("Abs"),
    "Sign": rounding("Sign", "float32", "int64"),
    "Square": square,
    "Floor": rounding("Floor"),
    "Ceil": rounding("Ceil"),
    "Round": rounding("Round"),
    "Sqrt": unary("Sqrt"),
    "RSqrt": rsqrt,
    "Reciprocal": unary("Reciprocal"),
    "Exp": unary("Exp"),
    "Log": unary("Log"),
    "Log1p": log1p,
    "Sin": unary("Sin"),
    "Cos": unary("Cos"),
    "Erf": unary("Erf"),
    "Clamp": clamp,
    "To": converted,
    # comparing
    "Eq": compared("Equal"),
    "Ne": compared("Equal", negated=True),
    "Lt": compared("Less"),
    "Le": compared("LessOrEqual"),
    "Gt": compared("Greater"),
    "Ge": compared("GreaterOrEqual"),
    "LogicalNot": unary("Not"),
    "LogicalAnd": operator("And"),
    "LogicalOr": operator("Or"),
    "Where": where,
    # joining, indexing, sorting
    "Concat": concat,
    "Stack": stack,
    "Cut": cut,
    "Unbind": unbind,
    "Select": select,
    "Slice": slicing,
    "Narrow": narrow,
    "IndexSelect": index_select,
    "Gather": gather,
    "Scatter": scattered("none"),
    "ScatterAdd": scattered("add"),
    "IndexAdd": index_add,
    "TopK": topk,
    "Sort": ordered,
    "ArgSort": ordered,
    # gradients, which nothing in use asks for
    "Detach": same,
    "StraightThrough": _straight_through,
    # reshaping, repeating
    "Reshape": reshaped,
    "Permute": permute,
    "Transpose": transpose,
    "MoveDim": movedim,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Expand": expand,
    "Tile": tiled,
    "RepeatInterleave": repeat_interleave,
    "Roll": roll,
    "Flip": flip,
    # spatial
    "Pad": _pad,
    "Interpolate": _interpolate,
    "GridSample": _grid_sample,
    "AffineGrid": _affine_grid,
    # reducing
    "Mean": reduction("ReduceMean"),
    "Sum": reduction("ReduceSum"),
    "AMax": reduction("ReduceMax"),
    "AMin": reduction("ReduceMin"),
    "LogSumExp": reduction("ReduceLogSumExp"),
    "Var": variance,
    "Std": std,
    "VectorNorm": vector_norm,
    "Max": extreme("Max"),
    "Min": extreme("Min"),
    "ArgMax": place("ArgMax"),
    "ArgMin": place("ArgMin"),
    "Prod": reduction("ReduceProd"),
    "CumSum": cumsum,
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
