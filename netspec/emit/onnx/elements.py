"""How ONNX computes what is done to each number by itself: arithmetic, functions, comparisons, choices."""

from __future__ import annotations

from typing import Any

from netspec.emit.onnx.parts import (
    Made,
    Results,
    Rule,
    Wires,
)
from netspec.emit.onnx.writer import Wire, Writer
from netspec.tensors import Dtype


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


def operator(kind: str, reverse: bool = False) -> Rule:
    """An infix operator, from left to right over all inputs."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        first, *others = promoted(w, op, x, out[0].dtype)[:: -1 if reverse else 1]
        for other in others:
            first = w.node(kind, first, other)
        return first

    return write


def logical(kind: str, bools: str) -> Rule:
    """A sum or product, which of booleans is an `or` or an `and`."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        return operator(bools if out[0].dtype == "bool" else kind)(w, op, x, out)

    return write


def power(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Pow`, and a product for a square."""
    if type(op).__name__ != "RPow" and op.other == 2:
        return square(w, op, x, out)
    return operator("Pow", reverse=type(op).__name__ == "RPow")(w, op, x, out)


def unary(kind: str) -> Rule:
    """A function of each number, in the dtype of its result."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        return w.node(kind, w.cast(x[0], out[0].dtype))

    return write


def rounding(kind: str, *dtypes: Dtype) -> Rule:
    """What leaves the numbers of all other dtypes as they are."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        return w.node(kind, x[0]) if x[0].dtype in (dtypes or ("float32",)) else x[0].name

    return write


def square(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """x x."""
    source = w.cast(x[0], out[0].dtype)
    return w.node("Mul", source, source)


def rsqrt(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """1 / sqrt(x)."""
    return w.node("Reciprocal", w.node("Sqrt", w.cast(x[0], "float32")))


def log1p(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """log(1 + x)."""
    return w.node("Log", w.node("Add", w.cast(x[0], "float32"), w.number(1.0, "float32")))


def clamp(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Clip`, a missing bound being none."""
    dtype = out[0].dtype
    bounds = ["" if bound is None else w.number(bound, dtype) for bound in (op.min, op.max)]
    return w.node("Clip", w.cast(x[0], dtype), *bounds)


def converted(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Cast`."""
    return w.cast(x[0], out[0].dtype)


def lerp(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """a + weight (b - a)."""
    part = x[2].name if len(x) > 2 else w.number(op.weight, "float32")
    return w.node("Add", x[0], w.node("Mul", part, w.node("Sub", x[1], x[0])))


def compared(kind: str, negated: bool = False) -> Rule:
    """A comparison, in the dtype in which its sides meet."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        number = getattr(op, "other", None)
        dtype = _met(x, number)
        dtype = "int64" if dtype == "bool" and kind != "Equal" else dtype
        found = w.node(kind, *promoted(w, op, x, dtype))
        return w.node("Not", found) if negated else found

    return write


def where(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Where`, a number standing for the second choice."""
    one, other = promoted(w, op, x[1:], out[0].dtype)
    return chosen(w, x[0], one, other, out[0].dtype)


def chosen(w: Writer, mask: Wire, one: str, other: str, dtype: Dtype) -> str:
    """`Where`; booleans are chosen as whole numbers, since not every runtime chooses among them."""
    if dtype != "bool":
        return w.node("Where", mask, one, other)
    found = w.node("Where", mask, w.cast(one, "int64", "bool"), w.cast(other, "int64", "bool"))
    return w.cast(found, "bool", "int64")
