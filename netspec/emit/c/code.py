"""C as text: lines in their loops, numbers, names, comments. Nothing that a spec says can be more than that here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import numpy as np

from netspec.emit.c.writer import Array
from netspec.tensors import Dtype

TYPES: Final[dict[str, str]] = {"float32": "float", "int64": "int32_t", "bool": "uint8_t", "int8": "int8_t"}
"""What each dtype is in C: whole numbers have 32 bits there."""
COUNTERS: Final = "ijklmnpqrst"
"""The names of loops that only go over the places of a tensor."""
WIDTH: Final = 110
LONGEST_NAME: Final = 40


class Code:
    """The body of one function, line by line."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._depth = 1

    def add(self, text: str) -> None:
        """A line, in the loops around it."""
        self.lines.append(f"{'    ' * self._depth}{text}")

    @contextmanager
    def loop(self, name: str, count: int | str, step: int = 1, start: int | str = 0) -> Iterator[None]:
        """A loop of a counter from `start` up to `count`."""
        by = f"{name}++" if step == 1 else f"{name} += {step}"
        with self.block(f"for (int {name} = {start}; {name} < {count}; {by})"):
            yield

    @contextmanager
    def block(self, head: str = "") -> Iterator[None]:
        """What stands in braces behind a head."""
        self.add(f"{head} {{".strip())
        self._depth += 1
        yield
        self._depth -= 1
        self.add("}")

    @contextmanager
    def nest(self, shape: Sequence[int], *strides: Sequence[int], names: str = COUNTERS) -> Iterator[list[str]]:
        """Loops over the places of a shape; gives where each place lies, for each row of strides.

        Axes that lie behind each other everywhere are one loop.
        """
        sizes, steps = folded(shape, strides)
        with self.nested(list(zip(names, sizes, strict=False))):
            yield [index(list(zip(names, each, strict=False))) for each in steps]

    @contextmanager
    def nested(self, each: Sequence[tuple[Any, ...]]) -> Iterator[None]:
        """Loops within loops, each a counter, how far it goes, and perhaps by how much."""
        with ExitStack() as stack:
            for loop in each:
                stack.enter_context(self.loop(*loop))
            yield


def folded(shape: Sequence[int], strides: Sequence[Sequence[int]]) -> tuple[list[int], list[list[int]]]:
    """A shape and strides over it with as few axes as they take."""
    sizes: list[int] = []
    steps: list[list[int]] = [[] for _ in strides]
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        if sizes and all(mine[-1] == each[axis] * size for mine, each in zip(steps, strides, strict=True)):
            sizes[-1] *= size
            for mine, each in zip(steps, strides, strict=True):
                mine[-1] = each[axis]
            continue
        sizes.append(size)
        for mine, each in zip(steps, strides, strict=True):
            mine.append(each[axis])
    return sizes, steps


def index(terms: Sequence[tuple[str, int]], offset: int = 0) -> str:
    """Where something lies: `i * 28 + j`."""
    parts = [name if step == 1 else f"{name} * {step}" for name, step in terms if step]
    if offset or not parts:
        parts.append(str(offset))
    return " + ".join(parts).replace("+ -", "- ")


def contiguous(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides of a tensor whose numbers lie in the order of its axes."""
    steps, step = [], 1
    for size in reversed(shape):
        steps.append(step)
        step *= size
    return tuple(reversed(steps))


def number(value: float, dtype: str = "float32") -> str:
    """A number in the fewest digits that give the same one again."""
    if dtype != "float32":
        return str(int(value))
    if np.isnan(value):
        return "NAN"
    if np.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    return f"{np.float32(value)!s}f"


def array(name: str, values: Array, dtype: Dtype | str) -> list[str]:
    """The lines of an array of constants."""
    flat = values.ravel()
    texts = [f"{v}f" for v in map(str, flat)] if dtype == "float32" else [str(int(v)) for v in flat]
    if dtype == "float32" and not np.isfinite(flat).all():
        texts = [number(v) for v in flat]
    lines, line = [], ""
    for text in texts:
        if len(line) + len(text) + 2 > WIDTH:
            lines.append(f"    {line.rstrip()}")
            line = ""
        line += f"{text}, "
    lines.append(f"    {line.rstrip(', ')}")
    return [f"static const {TYPES[dtype]} {name}[{max(len(texts), 1)}] = {{", *lines, "};"]


def identifier(text: str) -> str:
    """Letters, digits and underscores for any text: what stands between others in a name."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
    return plain[:LONGEST_NAME].rstrip("_")


def comment(text: str) -> str:
    """A text as it may stand in a comment: in ASCII, on one line, without what would end it or begin another."""
    plain = "".join(c if " " <= c <= "~" else ascii(c)[1:-1] for c in text)
    return re.sub(r"\?(?=\?)", "? ", re.sub(r"([*/])(?=[*/])", r"\1 ", plain))


def literal(text: str) -> str:
    """A text as C has it: bytes that are no plain letters, and all that C gives a meaning, by their numbers."""
    plain = (chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}" for byte in text.encode())
    return f'"{"".join(plain)}"'
