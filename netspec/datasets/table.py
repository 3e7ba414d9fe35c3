"""What the sources of tables share: which columns are taken, as what, and what is learnt of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from netspec.datasets import checks
from netspec.datasets.base import Arrays, Dataset, Gives, Part
from netspec.datasets.columns import Table, distinct
from netspec.datasets.files import Files, show
from netspec.datasets.npy import NAMES, names
from netspec.dims import BATCH
from netspec.errors import DataError
from netspec.fields import Bool, Checked, Choice, Maybe, Text
from netspec.layers.base import Tensor

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

UNKNOWN: Final = 0
"""The number of every category that the training part does not have."""

COLUMNS: Final = """\
The network's first input are the numbers, `B x columns` floats. Its second, or its only one, are the categories:
`B x columns` whole numbers. Every text that a column has in the training part has a number of its own, from 1 on
through all columns, so that one embedding serves them all; 0 is any text that is not among them. The numbers are
learnt from the training part, kept with the run, and used wherever the run is evaluated or exported.

Without `numbers` and `categories` every column but the target is taken, as numbers where its cells are numbers. The
target holds classes, named by its distinct texts in order; with `regression`, or where it has decimals, it is
`B x 1` floats."""
"""How columns become inputs and target, whatever the file."""


class Tabular(Dataset):
    """Columns of a table."""

    path = Text("the file")
    target = Text("column that the network learns to give")
    numbers = Maybe(Checked("columns of numbers", names, NAMES, None, textual=True))
    categories = Maybe(Checked("columns of categories", names, NAMES, None, textual=True))
    regression = Bool("take the target as numbers, even if all are whole", False)
    missing = Choice(
        "what becomes of an empty cell: an error; or the mean or the median that its column of numbers has in the "
        "training part, and a category of its own in a column of categories",
        ("refuse", "mean", "median"),
        "refuse",
    )
    empty = Checked("texts that mean an empty cell, such as NA", names, NAMES, (), textual=True)
    val = Maybe(Text("file of the validation part, with the same columns", None))
    test = Maybe(Text("file of the test part, with the same columns", None))

    def table(self, path: Path) -> Table:
        """The table in a file. Raises DataError."""
        raise NotImplementedError(type(self).__name__)

    def gives(self) -> Gives:
        chosen = [(self.numbers, "float32"), (self.categories, "int64")]
        inputs = tuple(Tensor((BATCH, len(columns)), kind) for columns, kind in chosen if columns)  # type: ignore[arg-type]
        return Gives(inputs or None, Tensor((BATCH, 1)) if self.regression else None)

    def read(self, files: Files) -> Arrays:
        return self.read_as(files, {})

    def read_as(self, files: Files, learnt: Mapping[str, Any]) -> Arrays:
        paths = {"train": self.path, "val": self.val, "test": self.test}
        tables = {part: self.table(files.file(path)) for part, path in paths.items() if path}
        numbers, categories = _roles(learnt["columns"]) if "columns" in learnt else self._columns(tables["train"])
        classes = tuple(learnt["classes"] or ()) if "columns" in learnt else self._classes(tables["train"])
        texts = {name: distinct([t for table in tables.values() for t in table.texts(name)]) for name in categories}
        parts = {part: self._part(table, numbers, texts, classes) for part, table in tables.items()}
        given = [name for name, columns in (("numbers", numbers), ("categories", categories)) if columns]
        seen = {"columns": {"numbers": dict.fromkeys(numbers), "categories": texts}}
        return Arrays(parts["train"], parts.get("val"), parts.get("test"), tuple(given), classes or None, learnt=seen)

    def _columns(self, table: Table) -> Roles:
        """The columns of numbers and of categories; both may not be empty."""
        if self.numbers is not None or self.categories is not None:
            return self.numbers or (), self.categories or ()
        table.column(self.target)
        others = [name for name in table.columns if name != self.target]
        if not others:
            raise DataError(f"{table.origin.name} has no column besides {self.target!r}")
        numbers = tuple(name for name in others if table.numeric(name))
        taken = set(numbers)
        return numbers, tuple(name for name in others if name not in taken)

    def _classes(self, table: Table) -> tuple[str, ...]:
        """The names of the classes; none where the target is a number."""
        if self.regression or table.decimal(self.target):
            return ()
        return tuple(distinct([text for text in table.texts(self.target) if text]))

    def _part(
        self, table: Table, numbers: tuple[str, ...], texts: Mapping[str, list[str]], classes: tuple[str, ...]
    ) -> Part:
        """A table with each category as its place among the `texts` of its column."""
        inputs = self._inputs(table, numbers, texts)
        if classes:
            target = table.coded(self.target, {name: i for i, name in enumerate(classes)})
        else:
            target = table.floats(self.target)[:, None]
        part = checks.part(inputs, target, [table.origin.name] * (len(inputs) + 1))
        return replace(part, origin=table.origin)

    def _inputs(self, table: Table, numbers: tuple[str, ...], texts: Mapping[str, list[str]]) -> list[Array]:
        import numpy as np

        holes = self.missing != "refuse"
        inputs = [np.stack([table.floats(name, holes) for name in numbers], 1)] if numbers else []
        if texts:
            places = [table.coded(n, {text: i for i, text in enumerate(t)}, holes) for n, t in texts.items()]
            inputs.append(np.stack(places, 1))
        return inputs

    def samples(self, paths: Sequence[Path], learnt: Mapping[str, Any]) -> list[Array]:
        if len(paths) > 1:
            raise DataError(f"{show(paths[1])} is one table too many: name one")
        table, columns = self.table(paths[0]), learnt["columns"]
        texts = {name: distinct(table.texts(name)) for name in columns["categories"]}
        inputs = self._inputs(table, tuple(columns["numbers"]), texts)
        return _seen(inputs, [*columns["numbers"].values()], _codes(texts, columns["categories"]))

    def fitted(self, arrays: Arrays, learnt: Mapping[str, Any]) -> Arrays:
        read = arrays.learnt["columns"]
        taught = learnt.get("columns") or {
            "numbers": self._fills(arrays.train, [*read["numbers"]]),
            "categories": _known(arrays.train, read["categories"]),
        }
        fills, codes = [*taught["numbers"].values()], _codes(read["categories"], taught["categories"])

        def seen(part: Part) -> Part:
            return replace(part, inputs=tuple(_seen([x[:] for x in part.inputs], fills, codes)))

        val, test = (seen(part) if part else None for part in (arrays.val, arrays.test))
        return replace(arrays, train=seen(arrays.train), val=val, test=test, learnt={"columns": taught})

    def _fills(self, part: Part, numbers: list[str]) -> dict[str, float | None]:
        """What stands in for empty cells of each column of numbers."""
        if self.missing == "refuse" or not numbers:
            return dict.fromkeys(numbers)
        import numpy as np

        middle = np.nanmean if self.missing == "mean" else np.nanmedian
        columns = dict(zip(numbers, part.inputs[0][:].astype(np.float64).T, strict=True))
        for name, column in columns.items():
            if np.isnan(column).all():
                raise DataError(f"{part.origin.name}: the training part has no number in {name} to fill cells with")
        return {name: float(middle(column)) for name, column in columns.items()}


Roles = tuple[tuple[str, ...], tuple[str, ...]]
"""The columns of numbers and the columns of categories."""


def _roles(learnt: Mapping[str, Any]) -> Roles:
    return tuple(learnt["numbers"]), tuple(learnt["categories"])


def _known(part: Part, texts: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The texts of each column that a part has."""
    import numpy as np

    columns = part.inputs[-1][:].T if texts else ()
    return {name: [t[i] for i in np.unique(c)] for (name, t), c in zip(texts.items(), columns, strict=True)}


def _codes(read: Mapping[str, list[str]], known: Mapping[str, list[str]]) -> list[Array]:
    """For each column the number of each text that was read: counted from 1 through all columns, or UNKNOWN."""
    import numpy as np

    codes, start = [], UNKNOWN + 1
    for name, texts in read.items():
        numbers = {text: start + i for i, text in enumerate(known[name])}
        codes.append(np.array([numbers.get(text, UNKNOWN) for text in texts], np.int64))
        start += len(numbers)
    return codes


def _seen(inputs: list[Array], fills: list[float | None], codes: list[Array]) -> list[Array]:
    """Inputs with their empty cells filled and their categories numbered."""
    import numpy as np

    if fills and None not in fills:
        inputs[0] = np.where(np.isnan(inputs[0]), np.array(fills, np.float32), inputs[0])
    if codes:
        inputs[-1] = np.stack([code[places] for code, places in zip(codes, inputs[-1].T, strict=True)], 1)
    return inputs
