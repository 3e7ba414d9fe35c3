"""Number by number, and place by place: arithmetic that broadcasts, copies in another order, padding, joining."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from netspec.emit.c.code import TYPES, Code, contiguous, index, number
from netspec.emit.c.writer import Array, Names, Unwritable, Wire, Writer
from netspec.tensors import Dtype

OPERANDS: Final = ("a", "b", "c")


def elementwise(w: Writer, kind: str, x: Sequence[Wire], expression: str, dtype: Dtype = "float32") -> Wire:
    """A number of each place of all inputs, which broadcast. The expression calls them `v`, or `a`, `b` and `c`."""
    shape = np.broadcast_shapes(*(each.shape for each in x))
    operands = ("v",) if len(x) == 1 else OPERANDS

    def body(code: Code, names: Names) -> None:
        strides = [_broadcast(each.shape, shape) for each in x]
        with code.nest(shape, contiguous(shape), *strides) as (to, *places):
            for operand, wire, name, place in zip(operands, x, names.x, places, strict=False):
                code.add(f"const {TYPES[wire.dtype]} {operand} = {name}[{place}];")
            code.add(f"{names.y[0]}[{to}] = {expression};")

    same = [at for at, each in enumerate(x) if each.shape == shape and each.dtype == dtype]
    shared = len({each.storage.actual for each in x}) < len(x) and len(same) < len(x)
    return w.call(kind, x, shape, body, dtype=dtype, overwrites=() if shared else same)


def _broadcast(shape: Sequence[int], wanted: Sequence[int]) -> tuple[int, ...]:
    """Strides of a tensor over the shape that it stretches to."""
    missing = len(wanted) - len(shape)
    steps = zip(shape, contiguous(shape), wanted[missing:], strict=True)
    return (*[0] * missing, *(0 if size == 1 and n != 1 else step for size, step, n in steps))


def copied(w: Writer, kind: str, x: Wire, view: Callable[[Array], Array]) -> Wire:
    """The numbers at the places that a view of numpy takes; the same memory where these are all, in their order."""
    places = np.arange(x.size, dtype=np.int64).reshape(x.shape)
    found = view(places)
    if 0 in found.shape:
        raise Unwritable("gives nothing: one of its sizes is 0")
    if found.size == x.size and (found.ravel() == places.ravel()).all():
        return x.viewed(*found.shape)
    strides = [step // places.itemsize for step in found.strides]
    offset = int(found.ravel()[0])

    def body(code: Code, names: Names) -> None:
        source = names.x[0] if not offset else f"({names.x[0]} + {offset})"
        with code.nest(found.shape, contiguous(found.shape), strides) as (to, place):
            code.add(f"{names.y[0]}[{to}] = {source}[{place}];")

    return w.call(kind, [x], found.shape, body, dtype=x.dtype)


def picked(w: Writer, kind: str, x: Wire, places: Sequence[Sequence[int]]) -> Wire:
    """Along each axis the places that are named, in that order."""
    shape = tuple(map(len, places))
    tables = {at: rows for at, rows in enumerate(places) if list(rows) != list(range(x.shape[at]))}
    if not tables:
        return x
    strides = contiguous(x.shape)
    constants = {f"axis{at}": (np.array(rows, np.int32), "int64") for at, rows in tables.items()}

    def body(code: Code, names: Names) -> None:
        counters = [f"i{at}" for at in range(x.rank)]

        def deeper(at: int) -> None:
            if at == x.rank:
                spots = [f"{names[f'axis{k}']}[{c}]" if k in tables else c for k, c in enumerate(counters)]
                to = index(list(zip(counters, contiguous(shape), strict=True)))
                code.add(f"{names.y[0]}[{to}] = {names.x[0]}[{index(list(zip(spots, strides, strict=True)))}];")
                return
            with code.loop(counters[at], shape[at]):
                deeper(at + 1)

        deeper(0)

    return w.call(kind, [x], shape, body, dtype=x.dtype, constants=constants)


def joined(w: Writer, kind: str, x: Sequence[Wire], axis: int) -> Wire:
    """Tensors one behind the other along an axis."""
    sizes = [each.shape[axis] for each in x]
    shape = (*x[0].shape[:axis], sum(sizes), *x[0].shape[axis + 1 :])

    def body(code: Code, names: Names) -> None:
        begin = 0
        for each, name, size in zip(x, names.x, sizes, strict=True):
            offset = begin * contiguous(shape)[axis]
            to = f"({names.y[0]} + {offset})" if offset else names.y[0]
            with code.nest(each.shape, contiguous(shape), contiguous(each.shape)) as (place, source):
                code.add(f"{to}[{place}] = {name}[{source}];")
            begin += size

    return x[0] if len(x) == 1 else w.call(kind, x, shape, body, dtype=x[0].dtype)


def padded(
    w: Writer, x: Wire, before: Sequence[int], after: Sequence[int], value: float = 0.0, apart: Sequence[int] = ()
) -> Wire:
    """A tensor with so many numbers of one value around it; negative ones crop.

    `apart` says for each axis how far its places come to lie from each other, with the value between them.
    """
    crops = [slice(max(-b, 0), size - max(-a, 0)) for size, b, a in zip(x.shape, before, after, strict=True)]
    x = copied(w, "crop", x, lambda places: places[tuple(crops)])
    before, after = [max(b, 0) for b in before], [max(a, 0) for a in after]
    step = list(apart) or [1] * x.rank
    if not any(before) and not any(after) and set(step) == {1}:
        return x
    spread = [(size - 1) * s + 1 for size, s in zip(x.shape, step, strict=True)]
    shape = [b + n + a for b, n, a in zip(before, spread, after, strict=True)]
    strides = contiguous(shape)
    offset = sum(b * s for b, s in zip(before, strides, strict=True))

    def body(code: Code, names: Names) -> None:
        (y,) = names.y
        with code.loop("i", int(np.prod(shape))):
            code.add(f"{y}[i] = {number(value, x.dtype)};")
        wide = [n * s for n, s in zip(strides, step, strict=True)]
        with code.nest(x.shape, wide, contiguous(x.shape)) as (to, place):
            code.add(f"{f'({y} + {offset})' if offset else y}[{to}] = {names.x[0]}[{place}];")

    return w.call("pad", [x], shape, body, dtype=x.dtype)


def mirrored(w: Writer, x: Wire, before: Sequence[int], after: Sequence[int], mode: str) -> Wire:
    """A tensor padded by its own numbers: reflect, replicate or circular."""
    places = []
    for size, b, a in zip(x.shape, before, after, strict=True):
        if b < 0 or a < 0:
            raise Unwritable("crops where it copies from the input")
        how = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode]
        places.append([int(i) for i in np.pad(np.arange(size), (b, a), how)])  # type: ignore[call-overload]
    return picked(w, "pad", x, places)


def filled(w: Writer, values: Array, dtype: Dtype) -> Wire:
    """Numbers that are known."""
    return w.constant(values, dtype)
