"""A table that is read a piece of its rows after the other, seen as a run has learnt to see it.

Few rows are texts at a time. What becomes of them, numbers, is in memory while it is little, then in files of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from sys import intern
from typing import TYPE_CHECKING, Any

from netspec.datasets.base import Arrays, Origin, Part
from netspec.datasets.columns import Table, Texts, shown
from netspec.datasets.growing import HELD, grown
from netspec.datasets.kinds import Kind
from netspec.datasets.remarks import Extent, off_scale
from netspec.datasets.roles import Roles
from netspec.datasets.targets import Target, leading
from netspec.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    from netspec.datasets.files import Files
    from netspec.datasets.table import Tabular

    Array = np.ndarray[Any, Any]


def read_piecewise(source: Tabular, files: Files, learnt: Mapping[str, Any], keys: Sequence[str]) -> Arrays:
    """All parts of a table; a split can go by the columns `keys`, whose cells are all kept. Raises DataError."""
    columns, targets = learnt["columns"], source.targets_of(learnt)
    lead, inputs = leading(targets), tuple[str, ...]()
    parts, doubts = dict[str, Part](), dict[str, list[str]]()
    for name, path in source.paths.items():
        pieces = source.tables(files.file(path), files.budget.whole)
        first = next(pieces)
        kinds = source.kinds(Roles.learnt(columns), first, files, columns)
        inputs = tuple(each for kind in kinds for each in kind.inputs)
        reading = Reading(source, kinds, targets, columns, {key: [] for key in keys if key in first.columns})
        parts[name] = reading.part(chain([first], pieces), lead)
        doubts.setdefault(parts[name].origin.name, list(reading.doubts()))
    classes_of = {name: None if each.classes is None else tuple(each.classes) for name, each in targets.items()}
    classes = classes_of.pop(lead)
    found = Arrays(parts["train"], parts.get("val"), parts.get("test"), inputs, classes, learnt={"columns": columns})
    told = tuple(line for target in targets.values() for line in target.lines())
    lines = tuple(line for each in doubts.values() for line in each)
    return replace(found, told=told, doubts=lines, lead=lead, classes_of=classes_of)


@dataclass(slots=True)
class Reading:
    """What is met in the table of one part while it is read."""

    source: Tabular
    kinds: Sequence[Kind]
    targets: Mapping[str, Target]
    columns: Mapping[str, Any]
    """What a run has learnt of its columns."""
    cells: dict[str, list[str]]
    """All cells of the columns that a split goes by."""
    origin: Origin = field(default_factory=Origin)
    places: list[Array] = field(default_factory=list)
    """Where the rows of each piece stand."""
    extents: dict[str, Extent] = field(default_factory=dict)
    said: dict[str, tuple[bool, str]] = field(default_factory=dict)
    """Of each column of numbers to learn whether it says yes and no, and its first cell."""

    def part(self, pieces: Iterable[Table], lead: str) -> Part:
        """The rows of all pieces. Raises DataError."""
        import numpy as np

        found = grown((self._seen(table, lead) for table in pieces), HELD)
        others = [name for name in self.targets if name != lead]
        *inputs, target = found[: len(found) - len(others)]
        target = target[:] if target.ndim == 1 else target  # what is held out is chosen by it
        rows = np.concatenate(self.places) if self.places else None
        origin, writing = replace(self.origin, rows=rows), self.source.writing
        held = Table(origin, {name: Texts(x, (), writing) for name, x in self.cells.items()}, writing)
        return Part(tuple(inputs), target, origin, held.key, dict(zip(others, found[-len(others) :], strict=False)))

    def doubts(self) -> Iterator[str]:
        """Which columns of numbers may be on another scale than those of training."""
        for name, extent in self.extents.items():
            yield from off_scale(self.origin.name, name, extent.found(), self.columns["extents"][name])

    def _seen(self, table: Table, lead: str) -> list[Array]:
        """The inputs that a piece of the table gives, the target that leads, and the others. Raises DataError."""
        table.need_units(self.columns.get("units", {}))
        part = self.source.part(table, self.kinds, self.targets, lead)
        self._need_alike(table)
        self.origin = part.origin
        if part.origin.rows is not None:
            self.places.append(part.origin.rows)
        for name, cells in self.cells.items():
            cells += map(intern, table.texts(name))
        for name in self.columns.get("extents", {}):
            numbers = table.column(name).floats()
            if numbers is not None:
                self.extents.setdefault(name, Extent()).add(numbers)
        inputs = [x for kind, raw in zip(self.kinds, part.inputs, strict=True) for x in kind.seen(raw[:], self.columns)]
        return [*inputs, part.target[:], *(x[:] for x in part.others.values())]

    def _need_alike(self, table: Table) -> None:
        """Refuse a column that says yes and no in one piece, and numbers in another. Raises DataError."""
        for name in (name for target in self.targets.values() for name in target.counted):
            cell = f"{table.cell(name, 0)} is {shown(table.texts(name)[0])}"
            words = table.column(name).floats() is None
            known, first = self.said.setdefault(name, (words, cell))
            if known != words:
                raise DataError(f"{first}, and {cell}, expected numbers alone, or yes and no")
