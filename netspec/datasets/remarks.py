"""What is told of new samples in a table: what may be other than in training, seen a piece of the table at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import TYPE_CHECKING, Any, Final

from netspec.datasets.columns import Table, shown
from netspec.datasets.values import apart, extent
from netspec.words import few, printable

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

KEPT: Final = 2**18
"""Numbers of a column that its median is taken of, at most."""


class Remarks:
    """What is told of the rows of a table, whole or in pieces: columns that the run does not take, numbers on another
    scale, and texts that its training did not have."""

    def __init__(self, learnt: Mapping[str, Any], known: Set[str]) -> None:
        """What a run has `learnt` of its columns; `known` are the names of those that are no inputs."""
        self.learnt = learnt
        self._known = {name for kind in learnt.values() for name in kind} | known
        self._extents = {name: Extent() for name in learnt.get("extents", {})}
        self._first: dict[str, str] = {}
        """What is told at the first place that is met, by the column."""
        self._others: dict[str, tuple[str, int]] = {}
        """Texts that are not known: the first, and how many."""
        self._extra, self._label, self._rows = list[str](), "", 0

    def add(self, table: Table) -> None:
        """Look at some more rows."""
        if not self._rows:
            self._extra, self._label = [n for n in table.columns if n not in self._known], table.origin.name
        self._rows += len(table)
        for name, seen in self._extents.items():
            numbers = table.column(name).floats()
            if numbers is not None:
                seen.add(numbers)
            if said := next(_bare(table, name, self.learnt.get("units", {}).get(name, "")), ""):
                self._first.setdefault(name, said)
        for name, texts in self.learnt["categories"].items():
            cells = table.texts(name)
            other = [row for row, text in enumerate(cells) if text not in texts]
            if other:
                first = f"{table.cell(name, other[0])} is {shown(cells[other[0]])}, which training did not have"
                said, count = self._others.get(name, (first, 0))
                self._others[name] = said, count + len(other)

    def lines(self) -> Iterator[str]:
        """What is told of all of them."""
        if self._extra:
            yield f"{self._label}: {few(map(printable, self._extra))} left aside, which the run does not take"
        for name, seen in self._extents.items():
            yield from off_scale(self._label, name, seen.found(), self.learnt["extents"][name])
            yield from filter(None, [self._first.get(name, "")])
        for said, count in self._others.values():
            yield f"{said}. It is taken as any other text, in {count:,} of {self._rows:,} rows."


class Extent:
    """How far the numbers of a column are from 0: the least, their median and the most, of pieces of it."""

    def __init__(self) -> None:
        self._least, self._most, self._every = float("inf"), 0.0, 1
        self._kept: Array | None = None

    def add(self, numbers: Array) -> None:
        """Take in some more numbers; of very many only some are kept, evenly."""
        import numpy as np

        far = np.abs(numbers[np.isfinite(numbers) & (numbers != 0)])
        if not far.size:
            return
        self._least, self._most = min(self._least, float(far.min())), max(self._most, float(far.max()))
        far = far[:: self._every]
        self._kept = far if self._kept is None else np.concatenate([self._kept, far])
        while len(self._kept) > KEPT:
            self._kept, self._every = self._kept[::2], 2 * self._every

    def found(self) -> list[float]:
        """The least, the median and the most; nothing where all are 0."""
        return [] if self._kept is None else [self._least, extent(self._kept)[1], self._most]


def off_scale(label: str, name: str, seen: list[float], known: list[float]) -> Iterator[str]:
    """What is told of a column whose extent is `seen`, and may be on another scale than the `known` one of training."""
    if seen and apart(seen, known):
        text = f"{label}: numbers of {printable(name)} are as large as {_span(seen)}, in training as {_span(known)}"
        yield f"{text}. Are they on the same scale?"


def _bare(table: Table, name: str, unit: str) -> Iterator[str]:
    """What is told of numbers without the unit that those of training have beside them."""
    if unit and (bare := table.writing.units(table.texts(name)).get("")):
        row = list(table.texts(name)).index(bare)
        yield f"{table.cell(name, row)} is {shown(bare)}, which is taken as {printable(unit)}, as training has it"


def _span(found: list[float]) -> str:
    """The least and the largest of some numbers, as a message says them."""
    return f"{found[0]:.4g}" if found[0] == found[2] else f"{found[0]:.4g} to {found[2]:.4g}"
