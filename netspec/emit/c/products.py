"""Products with weights: linear maps and convolutions, and products of two tensors.

Of every loop the innermost goes over outputs that lie behind each other in memory, and adds up to eight products to
each at once: compilers make vectors of that without being allowed to change the order of sums. So weights are laid with
the outputs last, and are read from the first to the last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
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
                _Sums(
                    code,
                    names,
                    outputs=outputs,
                    around=(),
                    along=("i", inputs, 1),
                    source=lambda i: index([(i, 1)]) if source == "0" else f"{source} + {i}",
                    to=lambda o: o if to == "0" else f"{to} + {o}",
                    dtype=dtype,
                ).write()

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


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums for `outputs` numbers: loops `around`, and within them products `along` an axis, some at once.

    The weights of one input lie behind each other, those of the next behind these.
    """

    code: Code
    names: Names
    outputs: int
    around: Sequence[tuple[str, int]]
    along: tuple[str, int, int]
    """The counter of that axis, its length, and how far its inputs lie apart."""
    source: Callable[[str], str]
    """Where an input lies for a place of that axis."""
    to: Callable[[str], str]
    """Where an output lies for its number."""
    dtype: str
    first: str = ""
    """Where the weights of the group begin."""

    def write(self) -> None:
        """All of them, a block at a time."""
        if self.outputs <= BLOCK:
            self._block("0", str(self.outputs), self.outputs)
            return
        with self.code.loop("b", self.outputs, BLOCK):
            self.code.add(f"const int n = b + {BLOCK} < {self.outputs} ? {BLOCK} : {self.outputs} - b;")
            self._block("b", "n", BLOCK)

    @property
    def _floats(self) -> bool:
        """Whether floats are multiplied, and no whole numbers."""
        return self.dtype == "float32"

    def _block(self, begin: str, count: str, room: int) -> None:
        """So many sums from one output on, for which there is `room`."""
        code, bias = self.code, self.names["bias"]
        out = "o" if begin == "0" else f"{begin} + o"
        at = _sum(self.first and f"{self.first} * {self.outputs}", out)
        code.add(f"{'float' if self._floats else 'int32_t'} sum[{room}];")
        with code.loop("o", count):
            code.add(f"sum[o] = {f'{bias}[{at}]' if self._floats else '0'};")
        self._within(list(self.around), begin, count)
        with code.loop("o", count):
            found = "sum[o]" if self._floats else f"(float)sum[o] * {self.names['scale']}[{at}] + {bias}[{at}]"
            code.add(f"{self.names.y[0]}[{self.to(out)}] = {found};")

    def _within(self, loops: list[tuple[str, int]], begin: str, count: str) -> None:
        """The loops that are left, and in the last of them the products along the axis."""
        if loops:
            with self.code.loop(*loops[0]):
                self._within(loops[1:], begin, count)
            return
        name, length, _ = self.along
        width = min(length, AT_ONCE)
        main, rest = divmod(length, width)
        if main > 1:
            with self.code.loop(name, main * width, width):
                self._statement(name, width, begin, count)
        else:
            with self.code.block() if rest or not self.around else nullcontext():
                self._statement("0", width, begin, count)
        if rest:
            with self.code.block():
                self._statement(str(main * width), rest, begin, count)

    def _statement(self, at: str, many: int, begin: str, count: str) -> None:
        """So many products from a place of the axis on, added to each sum."""
        _, length, step = self.along
        front = [(self.first, prod((n for _, n in self.around)) * length)] if self.first else []
        row = _row(front, self.around, length)
        base = row if at == "0" else f"{row} + {at}" if row else at
        weight = f"({base}) * {self.outputs}" if base and "+" in base else f"{base} * {self.outputs}" if base else ""
        where = _sum(self.names["weight"], weight, "" if begin == "0" else begin)
        kind = "float" if self._floats else "int8_t"
        self.code.add(f"const {kind} *in = {self.names.x[0]} + {self.source(at)};")
        self.code.add(f"const {kind} *row = {where};")
        terms = [f"in[{v * step}] * row[{v * self.outputs} + o]" if v else "in[0] * row[o]" for v in range(many)]
        with self.code.loop("o", count):
            lines = _wrapped(terms)
            self.code.add(f"sum[o] += {lines[0]}" + ("" if len(lines) > 1 else ";"))
            for i, line in enumerate(lines[1:], 2):
                self.code.add(f"    + {line}" + (";" if i == len(lines) else ""))


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
    found = _Convolution(x.shape, weight.shape, tuple(stride), tuple(dilation), groups)
    shape = (found.samples, len(weight), found.rows, found.columns)
    if found.here < FEW and stride[1] == 1 and found.columns > found.here:
        return _product(w, kind, x, shape, weight, bias, lambda m: m, found.along_rows, "")
    return _product(w, kind, x, shape, weight, bias, found.packed, found.along_outputs, "")


@dataclass(frozen=True, slots=True)
class _Convolution:
    """The loops of a convolution, by its sizes."""

    input: Sequence[int]
    """Samples x channels x height x width."""
    weight: Sequence[int]
    """Outputs x inputs of a group x height x width of the kernel."""
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return self.input[0]

    @property
    def rows(self) -> int:
        """The height of an output."""
        return (self.input[2] - self.dilation[0] * (self.weight[2] - 1) - 1) // self.stride[0] + 1

    @property
    def columns(self) -> int:
        """The width of an output."""
        return (self.input[3] - self.dilation[1] * (self.weight[3] - 1) - 1) // self.stride[1] + 1

    @property
    def here(self) -> int:
        """The outputs of a group."""
        return self.weight[0] // self.groups

    def packed(self, m: Array) -> Array:
        """The weights with the outputs of a group behind each other."""
        return m.reshape(self.groups, self.here, *self.weight[1:]).transpose(0, 2, 3, 4, 1)

    def along_outputs(self, dtype: str) -> Body:
        """The innermost loop goes along the outputs of a place."""
        _, each, tall, wide = self.weight
        height, width = self.input[2:]
        loops = [axis for axis in (("i", each), ("u", tall), ("v", wide)) if axis[1] > 1] or [("i", 1)]
        steps = {"i": height * width, "u": self.dilation[0] * width, "v": self.dilation[1]}
        *around, (name, length) = loops

        def source(at: str) -> str:
            counters = {axis: axis if axis in dict(around) else "0" for axis in "iuv"} | {name: at}
            return self._source(counters["i"], counters["u"], counters["v"])

        def body(code: Code, names: Names) -> None:
            outer = [axis for axis in [("s", self.samples), ("g", self.groups)] if axis[1] > 1]
            along, first = (name, length, steps[name]), "g" if self.groups > 1 else ""
            with code.nested([*outer, ("r", self.rows), ("c", self.columns)]):
                _Sums(code, names, self.here, around, along, source, self._to, dtype, first).write()

        return body

    def _source(self, i: str, u: str, v: str) -> str:
        """Where the input lies that a place of the kernel meets."""
        _, channels, height, width = self.input
        each = self.weight[1]
        plane = f"g * {each} + {i}" if self.groups > 1 and each > 1 else "g" if self.groups > 1 else i
        channel = f"({plane})" if "+" in plane else plane
        down = _scaled("r", self.stride[0], u, self.dilation[0])
        return _sum(
            f"s * {channels * height * width}" if self.samples > 1 else "",
            "" if channel == "0" else f"{channel} * {height * width}",
            f"({down}) * {width}" if "+" in down else f"{down} * {width}",
            _scaled("c", self.stride[1], v, self.dilation[1]),
        )

    def _to(self, o: str) -> str:
        """Where an output of the group lies."""
        size = self.rows * self.columns
        channel = f"g * {self.here} + {o}" if self.groups > 1 else o
        places = [(f"({channel})" if "+" in channel else channel, size), ("r", self.columns), ("c", 1)]
        return index([("s", self.weight[0] * size), *places] if self.samples > 1 else places)

    def along_rows(self, dtype: str) -> Body:
        """The innermost loop goes along the columns of a row, where a group has few outputs."""
        outputs, each, tall, _ = self.weight
        floats, columns = dtype == "float32", self.columns
        inner = [axis for axis in (("i", each), ("u", tall)) if axis[1] > 1]

        def body(code: Code, names: Names) -> None:
            outer = [*([("s", self.samples)] if self.samples > 1 else []), ("o", outputs), ("r", self.rows)]
            with code.nested([*outer, ("b", columns, BLOCK)]):
                code.add(f"{'float' if floats else 'int32_t'} sum[{min(columns, BLOCK)}];")
                code.add(f"const int n = b + {BLOCK} < {columns} ? {BLOCK} : {columns} - b;")
                with code.loop("c", "n"):
                    code.add(f"sum[c] = {names['bias'] + '[o]' if floats else '0'};")
                with code.nested(inner):
                    self._row(code, names, "float" if floats else "int8_t")
                with code.loop("c", "n"):
                    found = "sum[c]" if floats else f"(float)sum[c] * {names['scale']}[o] + {names['bias']}[o]"
                    plane = f"(s * {outputs} + o)" if self.samples > 1 else "o"
                    code.add(f"{names.y[0]}[({plane} * {self.rows} + r) * {columns} + b + c] = {found};")

        return body

    def _row(self, code: Code, names: Names, kind: str) -> None:
        """The products of a row of the kernel, added to the sums of a row of outputs."""
        _, channels, height, width = self.input
        _, each, tall, wide = self.weight
        group = "o" if self.here == 1 else f"o / {self.here}"
        plane = f"({group} * {each} + i)" if each > 1 else group if self.groups > 1 else "0"
        down = _scaled("r", self.stride[0], "u" if tall > 1 else "0", self.dilation[0])
        begin_at = f"s * {channels * height * width} + " if self.samples > 1 else ""
        code.add(f"const {kind} *in = {names.x[0]} + {begin_at}({plane} * {height} + {down}) * {width} + b;")
        at = index([("o", each * tall * wide), *_places(each, tall, wide)])
        code.add(f"const {kind} *k = {names['weight']} + {at};")
        for begin in range(0, wide, AT_ONCE):
            places = range(begin, min(begin + AT_ONCE, wide))
            terms = [f"k[{v}] * in[{index([('c', 1)], v * self.dilation[1])}]" for v in places]
            with code.loop("c", "n"):
                code.add(f"sum[c] += {' + '.join(terms)};")


def _scaled(counter: str, step: int, offset: str, by: int) -> str:
    """`r * 2 + u * 3`."""
    if offset.isdigit():
        return index([(counter, step)], int(offset) * by)
    return index([(counter, step), (offset, by)])


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
