"""How ONNX computes activations: a function of each number, and softmax along an axis."""

from __future__ import annotations

from typing import Any

from netspec.emit.onnx.parts import (
    Made,
    Results,
    Rule,
    Wires,
    gelu,
)
from netspec.emit.onnx.writer import AXES_READ, Writer


def prelu(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`PRelu`, its slopes laid along axis 1."""
    slope = w.own("weight")
    if op.num_parameters > 1 and x[0].rank > 2:
        slope = w.node("Reshape", slope, w.ints(-1, *[1] * (x[0].rank - 2)))
    return w.node("PRelu", x[0], slope)


def rrelu(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`LeakyRelu` with the mean of both slopes, which is what counts in use."""
    return w.node("LeakyRelu", x[0], alpha=(op.lower + op.upper) / 2)


def clipped(low: str | float, high: str | float) -> Rule:
    """`Clip` between two bounds, each a number or the field that holds it."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        bounds = [getattr(op, b) if isinstance(b, str) else b for b in (low, high)]
        return w.node("Clip", x[0], *(w.number(float(b), "float32") for b in bounds))

    return write


def gelu_of(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Gelu`, exact or by its tanh."""
    return gelu(w, x[0], op.approximate)


def silu(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """x sigmoid(x)."""
    return w.node("Mul", x[0], w.node("Sigmoid", x[0]))


def log_sigmoid(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """-softplus(-x)."""
    return w.node("Neg", w.node("Softplus", w.node("Neg", x[0])))


def hardsigmoid(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`HardSigmoid` with torch's slope of 1/6."""
    return w.node("HardSigmoid", x[0], alpha=1 / 6, beta=0.5)


def tanhshrink(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """x - tanh(x)."""
    return w.node("Sub", x[0], w.node("Tanh", x[0]))


def softplus(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """softplus(beta x) / beta, and x itself above the threshold."""
    if op.beta == 1:
        soft = w.node("Softplus", x[0])
        sharp = x[0].name
    else:
        beta = w.number(op.beta, "float32")
        sharp = w.node("Mul", x[0], beta)
        soft = w.node("Div", w.node("Softplus", sharp), beta)
    return w.node("Where", w.node("Greater", sharp, w.number(op.threshold, "float32")), x[0], soft)


def shrunk(bias: bool) -> Rule:
    """`Shrink`, which pulls numbers by lambd too where `bias` is true."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        return w.node("Shrink", x[0], lambd=op.lambd, bias=op.lambd if bias else 0.0)

    return write


def threshold(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """What is above the threshold, and the value for all else."""
    above = w.node("Greater", x[0], w.number(op.threshold, "float32"))
    return w.node("Where", above, x[0], w.number(op.value, "float32"))


def along(kind: str, negative: bool = False) -> Rule:
    """A softmax, or one of what is negated."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        dim = getattr(op, "dim", 1)
        at = x[0].axis((0 if x[0].rank in (0, 1, 3) else 1) if dim is None else dim)
        return w.node(kind, w.node("Neg", x[0]) if negative else x[0], axis=at)

    return write


def glu(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """One half of an axis times the sigmoid of the other."""
    value, gate = w.split(x[0], 2, axis=x[0].axis(op.dim))
    return w.node("Mul", value, w.node("Sigmoid", gate))


def mish(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Mish`, x tanh(softplus(x)), which old opsets lack."""
    if w.opset >= AXES_READ:
        return w.node("Mish", x[0])
    return w.node("Mul", x[0], w.node("Tanh", w.node("Softplus", x[0])))
