"""Products with weights: linear maps and convolutions, and products of two tensors.

Of every loop the innermost goes over outputs that lie behind each other in memory, and adds up to eight products to
each at once: compilers make vectors of that without being allowed to change the order of sums. So weights are laid with
the outputs last, and are read from the first to the last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from math import prod
from typing import Final

import numpy as np

from netspec.emit.c.code import TYPES, Code, index
from netspec.emit.c.elements import copied
from netspec.emit.c.writer import Array, Body, Call, Names, Product, Wire, Writer

AT_ONCE: Final = 8
"""Products that are added in one statement."""
BLOCK: Final = 64
"""Outputs whose sums are kept at once: so many numbers of stack."""
FEW: Final = 4
"""Outputs of a group below which a convolution goes along its rows."""


def linear(w: Writer, x: Wire, weight: Array, bias: Array | None, path: str = "", kind: str = "linear") -> Wire:
    """x W^T + b over the last axis; `weight` is outputs x inputs, as torch keeps it."""
    outputs, inputs = weight.shape
    rows = x.size // inputs

    def written(dtype: str) -> Body:
        def body(code: Code, names: Names) -> None:
            with code.nest([rows], [inputs], [outputs], names="r") as (source, to):
                _summed(
                    code,
                    names,
                    outputs=outputs,
                    around=(),
                    along=("i", inputs, 1),
                    source=lambda i: index([(i, 1)]) if source == "0" else f"{source} + {i}",
                    to=lambda o: o if to == "0" else f"{to} + {o}",
                    dtype=dtype,
                )

        return body

    return _product(w, kind, x, (*x.shape[:-1], outputs), weight, bias, lambda m: m.T, written, path)


def _product(
    w: Writer,
    kind: str,
    x: Wire,
    shape: Sequence[int],
    weight: Array,
    bias: Array | None,
    packed: Callable[[Array], Array],
    written: Callable[[str], Body],
    path: str,
) -> Wire:
    """A call that multiplies by weights of its own."""
    outputs = len(weight)
    made = w.made(shape)
    shift = np.zeros(outputs, np.float32) if bias is None else bias
    product = Product(weight, shift, packed, written, path or w.scope)
    w.calls.append(Call(w.step, kind, [x], [made], written("float32"), product=product))
    return made


def _summed(
    code: Code,
    names: Names,
    *,
    outputs: int,
    around: Sequence[tuple[str, int]],
    along: tuple[str, int, int],
    source: Callable[[str], str],
    to: Callable[[str], str],
    dtype: str,
    first: str = "",
) -> None:
    """Sums for `outputs` numbers: loops `around`, and within them products `along` an axis, some at once.

    `source` and `to` say where an input lies for a place of that axis, and an output for its number. The weights of one
    input lie behind each other, those of the next behind these. `first` is where the weights of the group begin.
    """
    whole = outputs <= BLOCK
    count = str(outputs if whole else BLOCK)
    sums = "float" if dtype == "float32" else "int32_t"
    name, length, step = along
    width = min(length, AT_ONCE)

    def block(begin: str, outputs_here: str) -> None:
        out = "o" if begin == "0" else f"{begin} + o"
        start = "0.0f" if dtype != "float32" else f"{names['bias']}[{_sum(first and f'{first} * {outputs}', out)}]"
        code.add(f"{sums} sum[{count}];")
        with code.loop("o", outputs_here):
            code.add(f"sum[o] = {start if dtype == 'float32' else '0'};")
        _within(list(around), 0, begin, outputs_here)
        with code.loop("o", outputs_here):
            found = "sum[o]"
            if dtype != "float32":
                at = _sum(first and f"{first} * {outputs}", out)
                found = f"(float)sum[o] * {names['scale']}[{at}] + {names['bias']}[{at}]"
            code.add(f"{names.y[0]}[{to(out)}] = {found};")

    def _within(loops: list[tuple[str, int]], depth: int, begin: str, outputs_here: str) -> None:
        if depth < len(loops):
            with code.loop(*loops[depth]):
                _within(loops, depth + 1, begin, outputs_here)
            return
        main, rest = divmod(length, width)
        if main > 1:
            with code.loop(name, main * width, width):
                statement(name, width, begin, outputs_here)
        else:
            with code.block() if rest or not loops else nullcontext():
                statement("0", width, begin, outputs_here)
        if rest:
            with code.block():
                statement(str(main * width), rest, begin, outputs_here)

    def statement(at: str, many: int, begin: str, outputs_here: str) -> None:
        row = _row([(first, prod((n for _, n in around)) * length)] if first else [], around, length)
        base = row if at == "0" else f"{row} + {at}" if row else at
        at_weight = f"({base}) * {outputs}" if base and "+" in base else f"{base} * {outputs}" if base else ""
        where = _sum(names["weight"], at_weight, "" if begin == "0" else begin)
        kind = "float" if dtype == "float32" else "int8_t"
        code.add(f"const {kind} *in = {names.x[0]} + {source(at)};")
        code.add(f"const {kind} *row = {where};")
        terms = [f"in[{v * step}] * row[{v * outputs} + o]" if v else "in[0] * row[o]" for v in range(many)]
        with code.loop("o", outputs_here):
            lines = _wrapped(terms)
            code.add(f"sum[o] += {lines[0]}" + ("" if len(lines) > 1 else ";"))
            for i, line in enumerate(lines[1:], 2):
                code.add(f"    + {line}" + (";" if i == len(lines) else ""))

    if whole:
        block("0", count)
    else:
        with code.loop("b", outputs, BLOCK):
            code.add(f"const int n = b + {BLOCK} < {outputs} ? {BLOCK} : {outputs} - b;")
            block("b", "n")


def _wrapped(terms: Sequence[str]) -> list[str]:
    """Terms of a sum, four on a line."""
    return [" + ".join(terms[i : i + 4]) for i in range(0, len(terms), 4)]


def _sum(*parts: str) -> str:
    """What is not empty, added up."""
    return " + ".join(part for part in parts if part) or "0"


def _row(front: list[tuple[str, int]], around: Sequence[tuple[str, int]], length: int) -> str:
    """The number of a row of weights: the counters of the loops around, each over all places of those within."""
    terms, inner = [], length
    for name, count in reversed(around):
        terms.append((name, inner))
        inner *= count
    return "" if not front and not terms else index([*front, *reversed(terms)])


def convolution(
    w: Writer,
    x: Wire,
    weight: Array,
    bias: Array | None,
    stride: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    kind: str = "conv",
) -> Wire:
    """A convolution over rows and columns of what is padded already: samples x channels x height x width.

    `weight` is outputs x inputs of a group x kernel, as torch keeps it.
    """
    outputs, each, tall, wide = weight.shape
    samples, channels, height, width = x.shape
    rows = (height - dilation[0] * (tall - 1) - 1) // stride[0] + 1
    columns = (width - dilation[1] * (wide - 1) - 1) // stride[1] + 1
    here = outputs // groups

    def place(i: str, u: str, v: str) -> str:
        plane = f"g * {each} + {i}" if groups > 1 and each > 1 else "g" if groups > 1 else i
        channel = f"({plane})" if "+" in plane else plane
        down, across = _scaled("r", stride[0], u, dilation[0]), _scaled("c", stride[1], v, dilation[1])
        return _sum(
            f"n * {channels * height * width}" if samples > 1 else "",
            "" if channel == "0" else f"{channel} * {height * width}",
            f"({down}) * {width}" if "+" in down else f"{down} * {width}",
            across,
        )

    kernel = [("u", tall), ("v", wide)]
    loops = [axis for axis in [("i", each), *kernel] if axis[1] > 1] or [("i", 1)]
    steps = {"i": height * width, "u": dilation[0] * width, "v": dilation[1]}
    name, length = loops[-1]
    around = loops[:-1]

    def source(at: str) -> str:
        counters = {axis: axis if axis in dict(around) else "0" for axis in "iuv"} | {name: at}
        return place(counters["i"], counters["u"], counters["v"])

    def to(o: str) -> str:
        channel = f"g * {here} + {o}" if groups > 1 else o
        places = [(f"({channel})" if "+" in channel else channel, rows * columns), ("r", columns), ("c", 1)]
        return index([("n", outputs * rows * columns), *places] if samples > 1 else places)

    def written(dtype: str) -> Body:
        def body(code: Code, names: Names) -> None:
            outer = [axis for axis in [("n", samples), ("g", groups)] if axis[1] > 1]
            with code.nested([*outer, ("r", rows), ("c", columns)]):
                _summed(
                    code,
                    names,
                    outputs=here,
                    around=around,
                    along=(name, length, steps[name]),
                    source=source,
                    to=to,
                    dtype=dtype,
                    first="g" if groups > 1 else "",
                )

        return body

    def packed(m: Array) -> Array:
        return m.reshape(groups, here, each, tall, wide).transpose(0, 2, 3, 4, 1)

    if here < FEW and stride[1] == 1 and columns > here:
        return _along_rows(w, x, weight, bias, stride, dilation, groups, (rows, columns), kind)
    return _product(w, kind, x, (samples, outputs, rows, columns), weight, bias, packed, written, "")


def _scaled(counter: str, step: int, offset: str, by: int) -> str:
    """`r * 2 + u * 3`."""
    if offset.isdigit():
        return index([(counter, step)], int(offset) * by)
    return index([(counter, step), (offset, by)])


def _along_rows(
    w: Writer,
    x: Wire,
    weight: Array,
    bias: Array | None,
    stride: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    size: tuple[int, int],
    kind: str,
) -> Wire:
    """A convolution of few outputs for each group, whose innermost loop goes along the columns of a row."""
    outputs, each, tall, wide = weight.shape
    samples, channels, height, width = x.shape
    rows, columns = size
    here = outputs // groups

    def written(dtype: str) -> Body:
        kind_of, sums = ("float", "float") if dtype == "float32" else ("int8_t", "int32_t")

        def body(code: Code, names: Names) -> None:
            with code.nested(
                [*([("n", samples)] if samples > 1 else []), ("o", outputs), ("r", rows), ("b", columns, BLOCK)]
            ):
                code.add(f"{sums} sum[{min(columns, BLOCK)}];")
                code.add(f"const int n = b + {BLOCK} < {columns} ? {BLOCK} : {columns} - b;")
                with code.loop("c", "n"):
                    code.add(f"sum[c] = {names['bias'] + '[o]' if dtype == 'float32' else '0'};")
                with code.nested([axis for axis in (("i", each), ("u", tall)) if axis[1] > 1]):
                    group = "o" if here == 1 else f"o / {here}"
                    plane = f"({group} * {each} + i)" if each > 1 else group if groups > 1 else "0"
                    down = _scaled("r", stride[0], "u" if tall > 1 else "0", dilation[0])
                    begin_at = f"n * {channels * height * width} + " if samples > 1 else ""
                    where = f"{begin_at}({plane} * {height} + {down}) * {width} + b"
                    code.add(f"const {kind_of} *in = {names.x[0]} + {where};")
                    at = index([("o", each * tall * wide), *_places(each, tall, wide)])
                    code.add(f"const {kind_of} *k = {names['weight']} + {at};")
                    for begin in range(0, wide, AT_ONCE):
                        terms = [
                            f"k[{v}] * in[{index([('c', 1)], v * dilation[1])}]"
                            for v in range(begin, min(begin + AT_ONCE, wide))
                        ]
                        with code.loop("c", "n"):
                            code.add(f"sum[c] += {' + '.join(terms)};")
                with code.loop("c", "n"):
                    found = "sum[c]"
                    if dtype != "float32":
                        found = f"(float)sum[c] * {names['scale']}[o] + {names['bias']}[o]"
                    plane = f"(n * {outputs} + o)" if samples > 1 else "o"
                    code.add(f"{names.y[0]}[({plane} * {rows} + r) * {columns} + b + c] = {found};")

        return body

    return _product(w, kind, x, (samples, outputs, rows, columns), weight, bias, lambda m: m, written, "")


def _places(each: int, tall: int, wide: int) -> list[tuple[str, int]]:
    """Where the kernel of an input and a row begins within that of an output."""
    return [*([("i", tall * wide)] if each > 1 else []), *([("u", wide)] if tall > 1 else [])]


def multiplied(w: Writer, a: Wire, b: Wire, kind: str = "matmul") -> Wire:
    """The matrix product over the last two axes, as torch.matmul has it for tensors and vectors."""
    left = a.viewed(1, *a.shape) if a.rank == 1 else a
    right = b.viewed(*b.shape, 1) if b.rank == 1 else b
    rows, inner = left.shape[-2:]
    columns = right.shape[-1]
    front = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    left = copied(w, "expand", left, lambda p: np.broadcast_to(p, (*front, *left.shape[-2:])))
    right = copied(w, "expand", right, lambda p: np.broadcast_to(p, (*front, *right.shape[-2:])))
    batch, type_ = prod(front), TYPES[a.dtype]

    def body(code: Code, names: Names) -> None:
        x, z = names.x
        (y,) = names.y
        with code.nested([("g", batch)] if batch > 1 else []), code.loop("r", rows):
            base = index([("g", rows), ("r", 1)]) if batch > 1 else "r"
            code.add(f"{type_} *row = {y} + ({base}) * {columns};")
            with code.loop("o", columns):
                code.add("row[o] = 0;")
            with code.loop("i", inner):
                code.add(f"const {type_} v = {x}[({base}) * {inner} + i];")
                at = f"(g * {inner} + i)" if batch > 1 else "i"
                code.add(f"const {type_} *other = {z} + {at} * {columns};")
                with code.loop("o", columns):
                    code.add("row[o] += v * other[o];")

    shape = [*front, *([rows] if a.rank > 1 else []), *([columns] if b.rank > 1 else [])]
    return w.call(kind, [left, right], shape, body, dtype=a.dtype)
