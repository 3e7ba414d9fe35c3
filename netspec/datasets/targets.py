"""The target of a table: classes, numbers, or yes and no for several labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from netspec.datasets import roles
from netspec.datasets.columns import Table, distinct, shown
from netspec.datasets.options import NAMES, names
from netspec.datasets.roles import as_target, puzzle, told
from netspec.errors import DataError
from netspec.records import refuse
from netspec.words import printable

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

YES_NO: Final = ({"0", "1"}, {"0.0", "1.0"}, {"false", "true"}, {"no", "yes"}, {"n", "y"}, {"f", "t"})
"""How tables write no and yes, in small letters."""
YES: Final = frozenset(max(pair) for pair in YES_NO)
UNTAUGHT: Final = "What is to be learnt must be there: take out the rows without it."
"""What is said of an empty cell of the target."""
TARGETS: Final = {"anyOf": [NAMES, {"type": "object", "additionalProperties": NAMES, "minProperties": 1}]}
"""What a field takes that names the columns of one target, or of several."""
FEW: Final = 10
"""The most classes that are told by name."""


def named_columns(value: Any) -> tuple[str, ...] | dict[str, tuple[str, ...]]:
    """The columns of one target, or of several by the names of outputs."""
    if not isinstance(value, dict):
        return names(value)
    if not value:
        raise refuse("a column, a list of them, or {OUTPUT: COLUMN, ...} for several targets")
    return {str(name): names(columns) for name, columns in value.items()}


@dataclass(frozen=True, slots=True)
class Target:
    """The columns of the target, and what they hold; `classes` are the names of classes or labels, if it is those."""

    columns: tuple[str, ...]
    regression: bool | None
    several: str | None
    classes: Sequence[str] | None = None

    def met(self, table: Table) -> Target:
        """The same with the classes that a table has. Raises DataError for a target that may be several things."""
        for name in self.columns:
            if self.several is None and table.column(name).empty().all():
                raise DataError(f"{table.origin.name}: all cells of {printable(name)} are empty, expected a target")
        if self.several is not None:
            labels = {label for cell in table.texts(self._only) for label in self._listed(cell)}
            if not labels:
                raise DataError(f"{table.origin.name}: no cell of {printable(self._only)} holds a label")
            return replace(self, classes=tuple(distinct(sorted(labels))))
        if self.regression:
            return self
        if len(self.columns) > 1:
            answers = [_answers(table, name) for name in self.columns]
            return replace(self, classes=self.columns) if all(answers) else self
        if self.regression is None:
            if table.decimal(self._only):
                return self
            self._need_plain(table)
        return replace(self, classes=tuple(distinct([text for text in table.texts(self._only) if text])))

    def read(self, table: Table) -> Array:
        """The target, a row for each sample. Raises DataError."""
        import numpy as np

        if self.several is not None:
            return self._labels(table)
        if not self.counted and self.classes is not None:
            return table.coded(self._only, {name: i for i, name in enumerate(self.classes)}, UNTAUGHT)
        return np.stack([self._numbers(table, name) for name in self.columns], 1)

    @property
    def amounts(self) -> tuple[str, ...]:
        """Its columns, where they hold numbers."""
        return self.columns if self.classes is None and self.several is None else ()

    @property
    def counted(self) -> tuple[str, ...]:
        """Its columns that are read as numbers, or as yes and no."""
        of_one = self.classes is not None and len(self.columns) == 1
        return () if of_one or self.several is not None else self.columns

    def lines(self) -> Iterator[str]:
        """What a person should know of it."""
        if self.classes is None:
            yield f"target: {printable(', '.join(self.columns))}, numbers"
            return
        names = printable(", ".join(self.classes[:FEW])) + ", ..." * (len(self.classes) > FEW)
        if len(self.columns) == 1 and self.several is None:
            count = f"{len(self.classes):,} class{'es' * (len(self.classes) != 1)}"
            yield f"target: {printable(self._only)}, {count}: {names}"
        else:
            yield f"target: {len(self.classes):,} labels, each 1 or 0: {names}"

    @property
    def _only(self) -> str:
        """The one column of the target. Raises DataError where there are several."""
        if len(self.columns) > 1:
            raise DataError(f"several= goes with one column of labels, the target names {len(self.columns)}")
        return self.columns[0]

    def _need_plain(self, table: Table) -> None:
        """Refuse what are hardly classes: numbers with signs, dates, texts or whole numbers that nearly all differ."""
        name = self._only
        cells = [text for text in table.texts(name) if text]
        if table.column(name).floats() is None:
            fault = puzzle(table, name, as_target)
            if fault:
                raise DataError(told(fault, table.writing))
        elif roles.are_numbers(len(set(cells)), len(cells)):
            text = (
                f"{table.cell(name, 0)} is {shown(table.texts(name)[0])}, one of {len(set(cells)):,} whole numbers in"
            )
            way_out = "Write regression to take them as numbers, or regression=false to take each as a class."
            raise DataError(f"{text} {len(cells):,} rows. {way_out}")

    def _numbers(self, table: Table, name: str) -> Array:
        """The numbers that a column is learnt by; yes and no as 1 and 0. Raises DataError."""
        import numpy as np

        if table.column(name).floats() is None and _answers(table, name):
            cells = table.filled(name, "yes or no", UNTAUGHT)
            return np.array([text.lower() in YES for text in cells], np.float32)
        return table.floats(name, hint=UNTAUGHT)

    def _listed(self, cell: str) -> list[str]:
        """The labels in a cell."""
        parts = cell.split() if self.several == " " else cell.split(self.several)
        return [label.strip() for label in parts if label.strip()]

    def _labels(self, table: Table) -> Array:
        """1 for each label that a cell lists, in the order of `classes`; an empty cell has none."""
        import numpy as np

        assert self.classes is not None
        places = {label: i for i, label in enumerate(self.classes)}
        found = np.zeros((len(table), len(places)), np.float32)
        for row, cell in enumerate(table.texts(self._only)):
            for label in self._listed(cell):
                if label not in places:
                    text = f"{table.cell(self._only, row)} lists {shown(label)}, which the training part does not have"
                    raise DataError(text)
                found[row, places[label]] = 1
        return found


def leading(targets: Mapping[str, Target]) -> str:
    """The name of the target that samples are drawn and held out by."""
    return next((name for name, target in targets.items() if target.classes is not None), next(iter(targets)))


def _answers(table: Table, name: str) -> bool:
    """Whether a column says yes or no, in one of the ways in which tables do."""
    found = {text.lower() for text in table.texts(name) if text}
    return bool(found) and any(found <= pair for pair in YES_NO)
