"""Fourier transforms as products with matrices of sines and cosines, since not every runtime has operators for them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from netspec.emit.onnx.parts import Made, Results, Wires
from netspec.emit.onnx.writer import Array, Unwritable, Wire, Writer
from netspec.tensors import Tensor

LONGEST: Final = 2048
"""The longest axis that is transformed so: the work grows with its square, where halving needs n log n."""


def _factor(norm: str, length: int, back: bool) -> float:
    """What a transform of a length is multiplied by; the way there and the way back make 1 / length together."""
    if norm == "ortho":
        return float(length**-0.5)
    return 1 / length if back == (norm == "backward") else 1.0


def _length(x: Tensor, axis: int) -> int:
    """The size of an axis. Raises Unwritable where that is open or too long."""
    size = x.shape[axis]
    if not isinstance(size, int) or size > LONGEST:
        raise Unwritable(f"transforms an axis of {size} places, and is written for at most {LONGEST} that are known")
    return size


def _angles(rows: int, columns: int, length: int) -> Array:
    """2 pi j k / length for each row j and column k; the product is taken modulo the length first, which is exact."""
    return 2 * np.pi / length * (np.arange(rows)[:, None] * np.arange(columns) % length)


def _product(w: Writer, x: str, matrix: Array, axis: int, rank: int) -> str:
    """A tensor with one of its axes multiplied by a matrix."""
    last = list(range(rank))
    last[axis], last[-1] = last[-1], last[axis]
    return w.swapped(w.node("MatMul", w.swapped(x, *last), w.constant(matrix.astype(np.float32))), *last)


def _parts(w: Writer, x: Wires, whole: Tensor) -> list[str]:
    """The real and perhaps the imaginary part, as floats of one shape."""
    found = [Wire(w.cast(each, "float32"), each.tensor) for each in x]
    return [e.name if e.shape == whole.shape else w.node("Expand", e, w.sizes(whole.shape)) for e in found]


def _transformed(w: Writer, op: Any, x: Wires, out: Results, back: bool) -> Made:
    """sum x e^(-2 pi i j k / n) along each axis, or e^(2 pi i j k / n) on the way back."""
    real, *rest = _parts(w, x, out[0])
    imag = rest[0] if rest else ""
    rank, sign = len(out[0].shape), 1.0 if back else -1.0
    for dim in op.dim if isinstance(op.dim, tuple) else (op.dim,):
        axis = dim % rank
        n = _length(out[0], axis)
        angles, factor = _angles(n, n, n), _factor(op.norm, n, back)
        cos, sin = factor * np.cos(angles), sign * factor * np.sin(angles)
        parts = [_product(w, real, cos, axis, rank), _product(w, real, sin, axis, rank)]
        if imag:
            parts[0] = w.node("Sub", parts[0], _product(w, imag, sin, axis, rank))
            parts[1] = w.node("Add", parts[1], _product(w, imag, cos, axis, rank))
        real, imag = parts
    return [real, imag]


def fft(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`fft`."""
    return _transformed(w, op, x, out, back=False)


def ifft(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`ifft`."""
    return _transformed(w, op, x, out, back=True)


def rfft(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`rfft`: the first n // 2 + 1 frequencies, which tell the others of real numbers."""
    axis = x[0].axis(op.dim)
    n = _length(x[0].tensor, axis)
    angles, factor = _angles(n, n // 2 + 1, n), _factor(op.norm, n, back=False)
    source = w.cast(x[0], "float32")
    return [_product(w, source, factor * wave, axis, x[0].rank) for wave in (np.cos(angles), -np.sin(angles))]


def irfft(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`irfft`: each frequency counts twice, but for 0 and for the one in the middle of an even length."""
    rank = len(out[0].shape)
    axis = op.dim % rank
    n = _length(out[0], axis)
    counts = [each.shape[axis - rank] for each in x if each.rank >= rank - axis]
    if not all(isinstance(count, int) for count in counts):
        raise Unwritable("goes back from frequencies whose number only the run knows")
    given = max(count for count in counts if isinstance(count, int))
    used = min(given, n // 2 + 1)
    twice = np.array([1 if k == 0 or 2 * k == n else 2 for k in range(used)])[:, None]
    angles, factor = _angles(used, n, n), _factor(op.norm, n, back=True)
    shape = (*out[0].shape[:axis], given, *out[0].shape[axis + 1 :])
    real, imag = (w.sliced(part, axis, 0, used) for part in _parts(w, x, Tensor(shape)))
    there = _product(w, real, factor * twice * np.cos(angles), axis, rank)
    return w.node("Sub", there, _product(w, imag, factor * twice * np.sin(angles), axis, rank))
