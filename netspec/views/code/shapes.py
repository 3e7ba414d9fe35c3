"""What comments say of shapes: sizes that all uses of a class share, the constructor's words, else letters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from netspec.dims import Dim
from netspec.graph.combining import LOST
from netspec.graph.model import Step, Value
from netspec.graph.symbols import Traced, plain, size_symbol
from netspec.graph.uses import made, taken
from netspec.python.expressions import text
from netspec.views.code.axes import is_last, letters
from netspec.views.code.patterns import Pattern
from netspec.views.code.slots import ABSENT, Slots, matches

_SCALES: Final = (2, 4, 8, 16, 32)
"""How many times larger or smaller than the input's a size may be, to be told by it."""
_LONGEST: Final = 21
"""How long a size may be; what is longer nobody would read beside the code."""
_LONGEST_OF_RUN: Final = 14
"""How long one may be that only the run knows, such as `(L // 5 - 1)`."""


class Shapes:
    """Says the shapes of one class's values, each without the batch."""

    def __init__(self, pattern: Pattern, slots: Slots) -> None:
        """`slots` are the constructor's arguments."""
        self.pattern = pattern
        self.slots = slots
        self.axes = ""
        """What the axes of the input are called."""
        self.letters: list[tuple[str, list[Any]]] = []
        """Those of them that differ between uses: each letter with its sizes, use by use."""
        levels = [*pattern.levels, *(level for _, level, _ in pattern.echoes)]
        inputs = [value.tensor for level in levels for value in taken(level)[:1]]
        shapes = [tensor.shape for tensor in inputs if tensor is not None]
        ranks = {len(shape) for shape in shapes}
        if len(shapes) == len(levels) and len(ranks) == 1:
            columns = list(zip(*(shape for shape in shapes), strict=True))
            open_ = [len(set(column)) > 1 or not self._is_told(column) for column in columns]
            last = is_last(levels[0], 0, len(columns))
            names = letters(len(columns), last) or {3: "BLL" if sum(open_) == 1 else "BML"}.get(len(columns), "")
            self.axes = names
            named = zip(names, columns, open_, strict=False)
            self.letters = [(letter, list(column)) for letter, column, differs in named if differs]

    def of_input(self) -> str:
        """The shape of a block's only input."""
        levels = [*self.pattern.levels, *(level for _, level, _ in self.pattern.echoes)]
        if len(levels[0].inputs) != 1 or levels[0].repeats_body:
            return ""
        return self._said([next(iter(level.inputs.values())) for level in levels], vacuous=bool(self.letters))

    def of_step(self, unit: int, step: int) -> str:
        """The shape that a step gives in the uses that have it."""
        return self._said([made(s)[0] if s else None for s in self._everywhere(unit, step)])

    def of_passed(self, unit: int, step: int) -> str:
        """The shape that goes on where a step does not run, which only the run decides."""
        return self._said([s.passed if s else None for s in self._everywhere(unit, step)])

    def of_either(self, unit: int) -> str:
        """The shape that goes on behind a unit of one step, whether a use has it or not."""
        units = [self.pattern.unit(use, unit) for use in range(len(self.pattern.levels))]
        steps = [each.steps[0] for each in (*units, *(u[unit] for _, _, u in self.pattern.echoes))]
        return self._said([step.inputs[0] if step.left_out else step.value for step in steps])

    def _everywhere(self, unit: int, step: int) -> list[Step | None]:
        """A step in every use, and then in the further runs; None where it is left out."""
        again = [u[unit].steps[step] if u[unit].present else None for _, _, u in self.pattern.echoes]
        return [*self.pattern.aligned(unit, step), *again]

    def _said(self, values: Sequence[Value | None], vacuous: bool = False) -> str:
        """A shape in all uses; empty if the class cannot tell it, or unless `vacuous` has only letters of the input."""
        tensors = [value.tensor if value is not None else None for value in values]
        ranks = {len(tensor.shape) for tensor in tensors if tensor is not None}
        if len(ranks) != 1:
            return ""
        (rank,) = ranks
        columns = [[ABSENT if t is None else t.shape[axis] for t in tensors] for axis in range(rank)]
        known = [self._size(column) for column in columns]
        own = self._own([None if known[axis] else plain(column) for axis, column in enumerate(columns)])
        sizes: list[str] = []
        for axis, column in enumerate(columns):
            sizes.append(known[axis] or self._by_letter(column, own[axis], sizes))
        if sizes[:1] == ["B"]:
            known, sizes = known[1:], sizes[1:]
        says = vacuous or any(known) or any(size not in "CDHWLM" for size in sizes)
        return " x ".join(f"({size})" if " " in size else size for size in sizes) if all(sizes) and says else ""

    def _size(self, column: list[Any]) -> str:
        """One size of all uses, or how the constructor knows it; empty if it does not."""
        known = {size for size in column if size is not ABSENT}
        count = len(self.pattern.levels)
        alike = zip(self.pattern.echoes, column[count:], strict=True)
        told = self.slots.told(column[:count]) if all(column[use] == s for (use, _, _), s in alike) else None
        if told is not None:
            said = text(told).replace(" ", "")
            return said if len(said) <= _LONGEST and "+-" not in said else ""  # `h+-h%4`: a map that is padded
        if len(known) != 1 or not self._is_told(column) or self._is_a_side(column):
            return ""
        return str(known.pop())

    def _is_told(self, column: Sequence[Any]) -> bool:
        """Whether a size that is the same in all uses is so for other arguments too, and no long formula."""
        long = any(isinstance(size, Dim) and len(str(size)) > _LONGEST_OF_RUN for size in column)
        return not long and self.slots.is_settled(column[: len(self.pattern.levels)])

    def _is_a_side(self, column: list[Any]) -> bool:
        """Whether a size that no expression says is that of an axis of the input that goes by its letter."""
        lost = all(size is ABSENT or (isinstance(size, Traced) and size.node is LOST) for size in column)
        return lost and any(matches(plain(column), plain(series)) for _, series in self.letters)

    def _own(self, columns: Sequence[list[Any] | None]) -> Sequence[str]:
        """The letter that each axis of a value is likeliest called by, of which those with None are known otherwise.

        A map that has all its sides still has them in their order, wherever they stand; else axes stay where they were.
        """
        sides = [(letter, plain(series)) for letter, series in self.letters if letter in "DHW"]
        places = [at for at, column in enumerate(columns) if column and any(matches(column, s) for _, s in sides)]
        if len(places) == len(sides) and all(
            matches(columns[at] or [], s) for at, (_, s) in zip(places, sides, strict=True)
        ):
            ordered = dict(zip(places, (letter for letter, _ in sides), strict=True))
            return [ordered.get(at, self.axes[at : at + 1]) for at in range(len(columns))]
        return [self.axes[at : at + 1] for at in range(len(columns))]

    def _by_letter(self, column: list[Any], at: str, said: Sequence[str]) -> str:
        """A size that differs, over that of an axis of the input: `H`, `H/2`, `H/s`, `4*C`; empty if none tells it.

        `at` is the letter that is tried first.
        """
        own = [known for known in self.letters if known[0] == at]
        sizes = plain(column)
        for letter, series in (*own, *self.letters):
            if letter not in said and matches(sizes, plain(series)):
                return letter
        for letter, series in own:
            for scale, factors in self._scales(column, size_symbol(0, self.axes.index(letter))):
                scaled = list(zip(plain(series), factors, strict=True))
                if matches(sizes, [_ceiled(size, factor) for size, factor in scaled]):
                    return f"{letter}/{scale}"
                if matches(sizes, [size * factor for size, factor in scaled]):
                    return f"{scale}*{letter}"
        return ""

    def _scales(self, column: Sequence[Any], size: str) -> Iterator[tuple[object, list[int]]]:
        """How many times larger or smaller one may be than a size, use by use: as an argument says, else a number.

        A number would be wrong for other arguments, where one of them is asked for it.
        """
        count = len(self.pattern.levels)
        found = self.slots.scales(column[:count], size)
        for name, values in (found or {}).items():
            if all(type(value) is int and value > 0 for value in map(plain, values)):
                yield name, [plain(value) for value in (*values, *(values[use] for use, _, _ in self.pattern.echoes))]
        if found == {}:
            yield from ((scale, [scale] * len(column)) for scale in _SCALES)


def _ceiled(size: Any, scale: int) -> Any:
    """A size divided as a stride divides it."""
    return -(-size // scale)
