"""How C computes each operation that forward calls as a function.

C promotes as torch does here: whole numbers that meet floats become floats. Whole numbers have 32 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from netspec.emit.c.activations import sigmoid
from netspec.emit.c.attention import causal, sdpa
from netspec.emit.c.code import number
from netspec.emit.c.elements import copied, elementwise, joined, picked
from netspec.emit.c.parts import Made, Results, Rule, Wires, at_the_end, fixed, reshaped, resized, same
from netspec.emit.c.products import multiplied
from netspec.emit.c.reductions import (
    extreme,
    log_sum_exp,
    mean_of,
    normalize,
    place_of,
    reduction,
    std,
    variance,
    vector_norm,
)
from netspec.emit.c.rows import LARGER, SMALLER, normalised, rows_of
from netspec.emit.c.writer import Array, Unwritable, Wire, Writer
from netspec.emit.table import Table
from netspec.tensors import Dtype

MAXIMUM: Final = "a > b || a != a ? a : b"
MINIMUM: Final = "a < b || a != a ? a : b"


def _literal(value: Any) -> str:
    """A number of the spec."""
    if isinstance(value, int):
        return str(int(value)) if value >= 0 else f"({int(value)})"
    text = number(float(value))
    return f"({text})" if text.startswith("-") else text


def _met(x: Wires, value: Any, dtype: Dtype | None = None) -> bool:
    """Whether inputs meet as floats."""
    return dtype == "float32" or any(each.dtype == "float32" for each in x) or isinstance(value, float)


def two(expression: str, floats: str = "", bools: str = "", reverse: bool = False) -> Rule:
    """An operator of `a` and `b`, from left to right over all inputs; a number may stand for the second."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        dtype, kind = out[0].dtype, type(op).__name__.lower()
        value = getattr(op, "other", None)
        text = (bools if dtype == "bool" and bools else "") or (floats if _met(x, value, dtype) else "") or expression
        if value is not None:
            left, right = ("b", "a") if reverse else ("a", "b")
            named = {left: "v", right: _literal(float(value) if _met(x, value, dtype) else value)}
            return elementwise(w, kind, x, "".join(named.get(c, c) for c in _spaced(text)), dtype)
        first, *others = x[::-1] if reverse else x
        for other in others:
            first = elementwise(w, kind, [first, other], text, dtype)
        if not others:
            first = elementwise(w, kind, [first], "v", dtype) if first.dtype != dtype else first
        return first

    return write


def _spaced(text: str) -> list[str]:
    """An expression in words and what stands between them."""
    words, word = [], ""
    for c in text:
        if c.isalnum() or c == "_" or c == ".":
            word += c
            continue
        words += [word, c]
        word = ""
    return [*words, word]


def one(expression: str, floats_only: bool = False) -> Rule:
    """A function of each number, in the dtype of its result; `floats_only` leaves whole numbers as they are."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        if floats_only and x[0].dtype != "float32":
            return x[0]
        return elementwise(w, type(op).__name__.lower(), x, expression, out[0].dtype)

    return write


def _abs(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """|x|."""
    return elementwise(w, "abs", x, "fabsf(v)" if x[0].dtype == "float32" else "v < 0 ? -v : v", out[0].dtype)


def _power(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """A power, and a product for a square."""
    if out[0].dtype != "float32":
        if type(op).__name__ != "RPow" and op.other == 2:
            return elementwise(w, "square", x, "v * v", out[0].dtype)
        raise Unwritable("raises whole numbers to a power")
    if type(op).__name__ != "RPow" and op.other == 2:
        return elementwise(w, "square", x, "(float)v * (float)v")
    return two("powf((float)a, (float)b)", reverse=type(op).__name__ == "RPow")(w, op, x, out)


def _clamp(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """A number between two bounds, a missing one being none."""
    text = "v"
    if op.max is not None:
        text = f"v > {_bound(op.max, out[0].dtype)} ? {_bound(op.max, out[0].dtype)} : {text}"
    if op.min is not None and op.max is not None and op.min > op.max:
        text = _bound(op.max, out[0].dtype)
    elif op.min is not None:
        text = f"v < {_bound(op.min, out[0].dtype)} ? {_bound(op.min, out[0].dtype)} : {text}"
    return elementwise(w, "clamp", x, text, out[0].dtype)


def _bound(value: Any, dtype: Dtype) -> str:
    """A bound of clamp in the dtype of what is clamped."""
    return _literal(float(value) if dtype == "float32" else int(value))


def _to(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """A number in another dtype."""
    dtype = out[0].dtype
    if x[0].dtype == dtype:
        return x[0]
    return elementwise(w, "to", x, {"bool": "v != 0", "int64": "(int32_t)v", "float32": "(float)v"}[dtype], dtype)


def _lerp(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """a + weight (b - a)."""
    part = "c" if len(x) > 2 else _literal(float(op.weight))
    return elementwise(w, "lerp", x, f"a + {part} * (b - a)")


def _where(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """One of two where a mask is true, and the other elsewhere."""
    other = "c" if len(x) > 2 else _literal(op.other)
    return elementwise(w, "where", x, f"a ? b : {other}", out[0].dtype)


def _masked_fill(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """A number where the mask is true."""
    value = "-INFINITY" if op.value is None else _literal(op.value)
    return elementwise(w, "masked_fill", x, f"b ? {value} : a", out[0].dtype)


# Joining and cutting, places and shapes.


def _concat(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """One behind the other."""
    each = [a if a.dtype == out[0].dtype else elementwise(w, "to", [a], "v", out[0].dtype) for a in x]
    return joined(w, "concat", each, x[0].axis(op.dim))


def _stack(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """One behind the other along a new axis."""
    at = op.dim % (x[0].rank + 1)
    each = [a if a.dtype == out[0].dtype else elementwise(w, "to", [a], "v", out[0].dtype) for a in x]
    return joined(w, "stack", [a.viewed(*a.shape[:at], 1, *a.shape[at:]) for a in each], at)


def _cut(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Parts of the sizes that the results have."""
    at = x[0].axis(op.dim)
    ends = np.cumsum([fixed(part.shape[at]) for part in out])[:-1]
    return [
        copied(w, "part", x[0], lambda p, i=i: np.split(p, ends, at)[i])  # type: ignore[misc]
        for i in range(len(out))
    ]


def _unbind(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Each place of an axis by itself."""
    at = x[0].axis(op.dim)
    return [
        copied(w, "part", x[0], lambda p, i=i: np.moveaxis(p, at, 0)[i])  # type: ignore[misc]
        for i in range(len(out))
    ]


def view(look: Callable[[Any, Array], Array]) -> Rule:
    """What a view of numpy shows."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        found = copied(w, type(op).__name__.lower(), x[0], lambda places: look(op, places))
        return found.viewed(*map(fixed, out[0].shape))

    return write


def _at(op: Any, places: Array, start: Any, stop: Any, step: int = 1) -> Array:
    """A stretch of the axis `dim`."""
    moved = np.moveaxis(places, op.dim, 0)
    end = None if stop is None else fixed(stop)
    return np.moveaxis(moved[fixed(start) : end : step], 0, op.dim)


def _narrowed(op: Any, places: Array) -> Array:
    """The places of a stretch of an axis, counted from its end where it starts below 0."""
    start = fixed(op.start)
    start = start + places.shape[op.dim] if start < 0 else start
    return _at(op, places, start, start + fixed(op.length))


def _expanded(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Axes of one place, stretched."""
    shape = tuple(map(fixed, out[0].shape))
    return copied(w, "expand", x[0], lambda p: np.broadcast_to(p, shape))


def _tile(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """The whole several times along each axis."""
    more = len(op.dims) - x[0].rank
    source = x[0].viewed(*[1] * more, *x[0].shape)
    times = [fixed(n) for n in [*[1] * -more, *op.dims]]
    return picked(w, "tile", source, [[*range(n)] * t for n, t in zip(source.shape, times, strict=True)])


def _along(w: Writer, kind: str, x: Wire, axis: int, places: Sequence[int]) -> Wire:
    """Places of one axis."""
    whole: list[Sequence[int]] = [range(n) for n in x.shape]
    whole[axis] = list(map(int, places))
    return picked(w, kind, x, whole)


def _repeat_interleave(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Each place several times."""
    at = x[0].axis(op.dim)
    return _along(w, "repeat", x[0], at, np.repeat(np.arange(x[0].shape[at]), fixed(op.repeats)))  # type: ignore[arg-type]


def _roll(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """The end of an axis put before its beginning."""
    found = x[0]
    shifts = op.shifts if isinstance(op.shifts, tuple) else (op.shifts,)
    dims = op.dims if isinstance(op.dims, tuple) else (op.dims,)
    for shift, dim in zip(shifts, dims, strict=True):
        at = found.axis(dim)
        found = _along(w, "roll", found, at, np.roll(np.arange(found.shape[at]), fixed(shift)))  # type: ignore[arg-type]
    return found


def _pad(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Numbers added at the sides."""
    return at_the_end(w, x[0], op.pad, op.mode, op.value)


def _interpolate(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """A map of another size."""
    how: dict[str, Any] = {"mode": op.mode, "align_corners": op.align_corners, "antialias": op.antialias}
    return resized(w, x[0], tuple(map(fixed, out[0].shape)), factors=op.scale_factor, **how)


def _matmul(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """A matrix product."""
    return multiplied(w, x[0], x[1]).viewed(*map(fixed, out[0].shape))


# Sources.


def _number(value: float) -> Rule:
    """`zeros` and `ones`."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        return w.constant(np.full([fixed(n) for n in out[0].shape], value), out[0].dtype)

    return write


def _full(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """One number everywhere."""
    return w.constant(np.full([fixed(n) for n in out[0].shape], op.value), out[0].dtype)


def _eye(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Ones on the diagonal."""
    return w.constant(np.eye(fixed(out[0].shape[0]), fixed(out[0].shape[1])), "float32")


def _arange(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """The numbers from one to another."""
    return w.constant(np.arange(fixed(op.start), fixed(op.end), int(op.step)), "int64")


def _linspace(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Numbers at equal distances."""
    return w.constant(np.linspace(op.start, op.end, fixed(op.steps)), "float32")


def _causal(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Minus infinity above the diagonal."""
    return causal(w, fixed(op.size))


def _constant(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """The numbers that the spec has."""
    return w.constant(op.value, out[0].dtype)


def _state(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """A tensor that the network owns."""
    return w.constant(w.own(""), out[0].dtype)


def _random(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Refused, for a file is to give the same each time."""
    raise Unwritable("draws random numbers")


def _lookup(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Rows of a table that is a value."""
    return rows_of(w, "lookup", x[1], x[0])


def _functional_norm(centred: bool) -> Rule:
    """A norm over the last axes with weights that are values."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        eps = float(np.finfo(np.float32).eps) if op.eps is None else op.eps
        found = normalised(w, "norm", x[0], x[1].size, eps, None, None, centred=centred)
        found = elementwise(w, "scale", [found, x[1]], "a * b")
        return elementwise(w, "shift", [found, x[2]], "a + b") if len(x) > 2 else found

    return write


OPERATIONS: Final = Table[Rule]({
    # arithmetic
    "Add": two("a + b", bools="a || b"),
    "Sub": two("a - b"),
    "RSub": two("a - b", reverse=True),
    "Mul": two("a * b", bools="a && b"),
    "Div": two("(float)a / (float)b"),
    "Power": _power,
    "Maximum": two(MAXIMUM),
    "Minimum": two(MINIMUM),
    "Lerp": _lerp,
    # elementwise
    "Neg": one("-v"),
    "Abs": _abs,
    "Sign": one("(v > 0) - (v < 0)"),
    "Square": one("v * v"),
    "Floor": one("floorf(v)", floats_only=True),
    "Ceil": one("ceilf(v)", floats_only=True),
    "Round": one("rintf(v)", floats_only=True),
    "Sqrt": one("sqrtf((float)v)"),
    "RSqrt": one("1.0f / sqrtf((float)v)"),
    "Reciprocal": one("1.0f / (float)v"),
    "Exp": one("expf((float)v)"),
    "Log": one("logf((float)v)"),
    "Log1p": one("log1pf((float)v)"),
    "Sin": one("sinf((float)v)"),
    "Cos": one("cosf((float)v)"),
    "Erf": one("erff((float)v)"),
    "Sigmoid": one(sigmoid("(float)v")),
    "Clamp": _clamp,
    "To": _to,
    # comparing
    "Eq": two("a == b"),
    "Ne": two("a != b"),
    "Lt": two("a < b"),
    "Le": two("a <= b"),
    "Gt": two("a > b"),
    "Ge": two("a >= b"),
    "LogicalNot": one("!v"),
    "LogicalAnd": two("a && b"),
    "LogicalOr": two("a || b"),
    "Where": _where,
    # joining, indexing
    "Concat": _concat,
    "Stack": _stack,
    "Cut": _cut,
    "Unbind": _unbind,
    "Select": view(lambda op, p: np.moveaxis(p, op.dim, 0)[fixed(op.index)]),
    "Slice": view(lambda op, p: _at(op, p, op.start, op.stop, op.step)),
    "Narrow": view(_narrowed),
    # gradients, which nothing in use asks for
    "Detach": same,
    # reshaping, repeating
    "Reshape": reshaped,
    "Squeeze": reshaped,
    "Unsqueeze": reshaped,
    "Permute": view(lambda op, p: p.transpose(op.dims)),
    "Transpose": view(lambda op, p: p.swapaxes(op.dim0, op.dim1)),
    "MoveDim": view(lambda op, p: np.moveaxis(p, op.source_dim, op.destination)),
    "Flip": view(lambda op, p: np.flip(p, op.dims)),
    "Expand": _expanded,
    "Tile": _tile,
    "RepeatInterleave": _repeat_interleave,
    "Roll": _roll,
    # spatial
    "Pad": _pad,
    "Interpolate": _interpolate,
    # reducing
    "Mean": mean_of,
    "Sum": reduction("0.0f", "found + value", "0"),
    "AMax": reduction("-INFINITY", LARGER, "INT32_MIN"),
    "AMin": reduction("INFINITY", SMALLER, "INT32_MAX"),
    "Prod": reduction("1.0f", "found * value", "1"),
    "LogSumExp": log_sum_exp,
    "Var": variance,
    "Std": std,
    "VectorNorm": vector_norm,
    "Max": extreme(">"),
    "Min": extreme("<"),
    "ArgMax": place_of(">"),
    "ArgMin": place_of("<"),
    # norms, algebra, attention
    "Normalize": normalize,
    "LayerNormFunction": _functional_norm(centred=True),
    "RMSNormFunction": _functional_norm(centred=False),
    "MatMul": _matmul,
    "BMM": _matmul,
    "SDPA": sdpa,
    "MaskedFill": _masked_fill,
    # sources, state, lookup, random
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
    "ZerosLike": _number(0),
    "OnesLike": _number(1),
    "Noise": _random,
    "State": _state,
    "Lookup": _lookup,
    "DropPath": same,
})  # fmt: skip
"""The functions of forward by their classes."""
