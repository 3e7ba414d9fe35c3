"""What comments say of shapes: sizes that all uses of a class share, the constructor's words, else letters."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any, Final

from netspec.graph.model import Step, Value
from netspec.graph.uses import taken
from netspec.python.expressions import text
from netspec.views.code.patterns import Pattern
from netspec.views.code.slots import ABSENT, matches

_MAPS: Final = {4: "BCHW", 5: "BCDHW"}
"""What the axes of a map and of a volume are called."""
Told = Callable[[Sequence[Any]], ast.expr | None]
"""The constructor's word for a series of sizes, one for each use; None if it has none."""


class Shapes:
    """Says the shapes of one class's values, each without the batch."""

    def __init__(self, pattern: Pattern, told: Told) -> None:
        self.pattern = pattern
        self.told = told
        self.letters: list[tuple[str, list[Any]]] = []
        """The axes of the map that the class is called with: each letter with its sizes, use by use."""
        levels = [*pattern.levels, *(level for _, level, _ in pattern.echoes)]
        inputs = [value.tensor for level in levels for value in taken(level)[:1]]
        shapes = [tensor.shape for tensor in inputs if tensor is not None]
        ranks = {len(shape) for shape in shapes}
        if len(shapes) == len(levels) and len(ranks) == 1:
            axes = enumerate(_MAPS.get(ranks.pop(), ""))
            self.letters = [(letter, [shape[axis] for shape in shapes]) for axis, letter in axes]

    def of_input(self) -> str:
        """The shape that a block's only input has in every use; empty if it differs."""
        levels = [*self.pattern.levels, *(level for _, level, _ in self.pattern.echoes)]
        shapes = {str(v.tensor) for level in levels for v in list(level.inputs.values())[:1]}
        if len(levels[0].inputs) != 1 or len(shapes) != 1:
            return ""
        return shapes.pop().removeprefix("B x ")

    def of_step(self, unit: int, step: int) -> str:
        """The shape that a step gives in the uses that have it."""
        return self._said([s.value if s else None for s in self._everywhere(unit, step)])

    def of_passed(self, unit: int, step: int) -> str:
        """The shape that goes on where a step does not run, which only the run decides."""
        return self._said([s.passed if s else None for s in self._everywhere(unit, step)])

    def of_either(self, unit: int) -> str:
        """The shape that goes on behind a unit of one step, whether a use has it or not."""
        steps = [units[unit].steps[0] for units in (*self.pattern.units, *(u for _, _, u in self.pattern.echoes))]
        return self._said([step.inputs[0] if step.left_out else step.value for step in steps])

    def _everywhere(self, unit: int, step: int) -> list[Step | None]:
        """A step in every use, and then in the further runs; None where it is left out."""
        again = [u[unit].steps[step] if u[unit].present else None for _, _, u in self.pattern.echoes]
        return [*self.pattern.aligned(unit, step), *again]

    def _said(self, values: Sequence[Value | None]) -> str:
        tensors = [value.tensor if value is not None else None for value in values]
        ranks = {len(tensor.shape) for tensor in tensors if tensor is not None}
        if len(ranks) != 1:
            return ""
        (rank,) = ranks
        columns = [[ABSENT if t is None else t.shape[axis] for t in tensors] for axis in range(rank)]
        sizes = [self._size(column) for column in columns]
        for axis, column in enumerate(columns):
            sizes[axis] = sizes[axis] or self._letter(column, axis, sizes)
        if sizes[:1] == ["B"]:
            sizes = sizes[1:]
        return " x ".join(f"({size})" if " " in size else size for size in sizes) if all(sizes) else ""

    def _size(self, column: list[Any]) -> str:
        """One size of all uses, or how the constructor knows it; empty if it does not."""
        known = {size for size in column if size is not ABSENT}
        count = len(self.pattern.levels)
        alike = zip(self.pattern.echoes, column[count:], strict=True)
        told = self.told(column[:count]) if all(column[use] == s for (use, _, _), s in alike) else None
        if told is not None:
            return text(told).replace(" ", "")
        return str(known.pop()) if len(known) == 1 else ""

    def _letter(self, column: list[Any], axis: int, sizes: list[str]) -> str:
        """A letter for a size that differs: that of the input's axis with these sizes, else the axis's own."""
        usual = _MAPS.get(len(sizes)) or {3: "NLL" if sizes.count("") == 1 else "NML"}.get(len(sizes), "")
        letter = usual[axis : axis + 1]
        fitting = [known for known, series in self.letters if matches(column, series) and known not in sizes]
        return fitting[0] if fitting and letter not in fitting else letter if letter not in sizes else ""
