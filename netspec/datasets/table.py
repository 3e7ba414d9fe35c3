"""What the sources of tables share: which columns are taken, as what, and what is learnt of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from netspec.datasets.base import Arrays, Dataset, Gives, Part
from netspec.datasets.columns import Table
from netspec.datasets.dates import COMMON, PARTS
from netspec.datasets.files import MEMORY, Files, show
from netspec.datasets.holes import Holes, Missing
from netspec.datasets.kinds import Categories, Kind, Numbers, listed, way_of
from netspec.datasets.options import (
    EMPTY,
    MARK,
    NAMES,
    SIGN,
    empty_texts,
    mark,
    names,
    parts_of_dates,
    sign,
    unit_signs,
)
from netspec.datasets.remarks import off_scale
from netspec.datasets.roles import Roles, judged, need_apart
from netspec.datasets.targets import TARGETS, Target, leading, named_columns
from netspec.datasets.tokens import MASKS, UNITS, Text, tokenizer_of
from netspec.datasets.windows import Frame, framed, on_rows, rows_of, windowed
from netspec.datasets.writing import Writing
from netspec.dims import BATCH
from netspec.errors import DataError
from netspec.records import Bool, Checked, Choice, Float, Int, Maybe
from netspec.records import Text as Word
from netspec.tensors import Dtype, Tensor
from netspec.tensors import show as shape
from netspec.words import printable

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

COLUMNS: Final = """\
The network's first input are the numbers, `B x columns` floats, and behind them those of dates. The next, or the
only one, are the categories: `B x columns` whole numbers. Every text that a column has in the training part has a
number of its own, from 1 on through all columns, so that one embedding serves them all; 0 is any text that is not
among them. Then follows each column of `text`: `B x length` whole numbers, 0 for padding and 1 for a token that the
training part does not have, with a `mask` as an input of its own behind it. What is learnt is learnt from the training
part, kept with the run, and used wherever the run is evaluated or exported.

Without `numbers`, `categories` and `text` every column but the target is taken, as numbers where its cells are
numbers, else as a category; what may be either, such as numbers with a sign in them, dates, ids and free text, is an
error that says what to write. Which column became what is told by `check` and when a run begins.

The target holds classes, named by its distinct texts in order; with `regression`, or where it has decimals, it is
`B x 1` floats. Several targets are `B x targets` floats: numbers, or 1 and 0 for yes and no. With `several` each cell
of the target lists labels, and it is `B x labels` floats. `{OUTPUT: COLUMN, ...}` are several targets, each for a loss
of its name, with one column or a list.

With `window` a sample is a stretch of rows: the inputs are `B x columns x window`, as conv1d takes them and standardize
sees them (`transpose 1 2` gives them to a recurrent layer), the target's own past among them where no columns are
named, and the target are the next `horizon` values, `B x horizon`, or `B x targets x horizon` of several. What is held
out is the end of the series; windows whose target reaches into it train nothing."""
"""How columns become inputs and target, whatever the file."""

GLANCE: Final = 4 * 2**20
"""The most bytes of files that are read for a check alone."""


BESIDE: Final = {
    "window": ("horizon", "stride", "series", "time"),
    "text": ("tokenizer", "length", "vocabulary", "mask"),
    "dates": ("date_parts", "date_order", "date_format"),
}
"""Options, and those that only mean something beside them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What was read of a table's columns, until it is known which samples train."""

    kinds: tuple[Kind, ...]
    left: Mapping[str, str]
    notes: tuple[str, ...]
    units: Mapping[str, str]
    """What stands beside the numbers of a column."""


class Tabular(Dataset):
    """Columns of a table."""

    path = Word("the file")
    target = Checked(
        "column that the network learns to give, or a list of them; {OUTPUT: COLUMN, ...} for several by name",
        named_columns,
        TARGETS,
        textual=True,
    )
    numbers = Maybe(Checked("columns of numbers", names, NAMES, None, textual=True))
    categories = Maybe(Checked("columns of categories", names, NAMES, None, textual=True))
    regression = Maybe(
        Bool("take the target as numbers, even if all are whole; false takes it as classes whatever it holds", None)
    )
    missing = Missing(
        "what becomes of an empty cell: an error; or the mean or the median that its column of numbers has in the "
        "training part, or the number `fill`, and a category of its own in a column of categories; or such a category "
        "alone; or one of these, or a number, for each column: {age: median, city: category}, and an error in others"
    )
    empty = Checked(
        "texts or numbers that mean an empty cell, such as NA or -999", empty_texts, EMPTY, (), textual=True
    )
    val = Maybe(Word("file of the validation part, with the same columns", None))
    test = Maybe(Word("file of the test part, with the same columns", None))
    fill = Float("what `missing: value` writes into empty cells of numbers", 0.0, keyword=True)
    text = Checked("columns of texts", names, NAMES, (), textual=True, keyword=True)
    tokenizer = Word(
        "what a text is cut into: words (in small letters), characters, or what the file of a tokenizer says, which "
        "takes the package tokenizers",
        "words",
        keyword=True,
    )
    length = Int("tokens of a text; longer ones are cut, shorter ones filled up", 64, ge=1, keyword=True)
    vocabulary = Int(
        "the most numbers for words or characters, padding and unknown included; the rarest have none of their own",
        10_000,
        ge=3,
        keyword=True,
    )
    mask = Choice(
        "an input of booleans behind each text: true at padding, as key_padding_mask, or true at tokens",
        MASKS,
        "none",
        keyword=True,
    )
    dates = Checked("columns of dates, which become numbers", names, NAMES, (), textual=True, keyword=True)
    date_parts = Checked(
        f"what a date is given as: the days that have elapsed since the first one, or a part: {', '.join(PARTS)}",
        parts_of_dates,
        NAMES,
        COMMON,
        textual=True,
        keyword=True,
    )
    date_order = Maybe(
        Choice("what stands first in dates of numbers alone", ("day", "month", "year"), None, keyword=True)
    )
    date_format = Maybe(Word("how dates are written, with Python's signs: %d.%m.%Y %H:%M", None, keyword=True))
    drop = Checked("columns that are left out", names, NAMES, (), textual=True, keyword=True)
    id = Checked(
        "columns that name a row: no inputs, kept for predictions", names, NAMES, (), textual=True, keyword=True
    )
    decimal = Checked("the sign before decimals: point or comma", mark, MARK, "point", textual=True, keyword=True)
    thousands = Maybe(
        Checked(
            "the sign between thousands: comma, point, space or quote",
            mark,
            MARK,
            None,
            textual=True,
            keyword=True,
        )
    )
    signs = Checked(
        "what stands beside numbers and is no part of them: currency, percent, or a text such as kg",
        unit_signs,
        NAMES,
        (),
        textual=True,
        keyword=True,
    )
    several = Maybe(Checked("what stands between the labels in a cell", sign, SIGN, None, textual=True, keyword=True))
    window = Maybe(
        Int("rows of a series that are one input; the target is what follows", None, ge=1, le=1_000_000, keyword=True)
    )
    horizon = Int("rows behind a window that are its target", 1, ge=1, keyword=True)
    stride = Int("rows from one window to the next", 1, ge=1, keyword=True)
    series = Maybe(Word("column that names the series of a row; no window reaches over two", None, keyword=True))
    time = Maybe(Word("column that the rows of a series are ordered by, a number or a date", None, keyword=True))
    apart: tuple[str, ...] = ()
    """Columns that only the split goes by."""

    @property
    def holes(self) -> Holes:
        """What becomes of empty cells."""
        return Holes(self.missing, self.fill)

    @property
    def writing(self) -> Writing:
        """How numbers are written."""
        return Writing(self.decimal, self.thousands, self.signs)

    def table(self, path: Path, memory: int = MEMORY) -> Table:
        """The table in a file, if it takes no more than so many bytes of memory. Raises DataError."""
        raise NotImplementedError(type(self).__name__)

    @property
    def apart_targets(self) -> dict[str, tuple[str, ...]]:
        """The columns of each of several targets by its name; those of a single one under no name."""
        if isinstance(self.target, dict) and len(self.target) > 1:
            return dict(self.target)
        return {"": self.aims}

    @property
    def aims(self) -> tuple[str, ...]:
        """The columns of all targets."""
        if isinstance(self.target, dict):
            return tuple(name for columns in self.target.values() for name in columns)
        found: tuple[str, ...] = self.target
        return found

    @property
    def paths(self) -> dict[str, str]:
        """The file of each part."""
        named = {"train": self.path, "val": self.val, "test": self.test}
        return {part: path for part, path in named.items() if path}

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(name for name in self.apart_targets if name)

    def columns_of(self, target: str) -> tuple[str, ...]:
        if target in self.targets:
            return self.apart_targets[target]
        ahead = range(1, self.horizon + 1) if self.window is not None and self.horizon > 1 else ()
        return tuple(f"{name} +{row}" for name in self.aims for row in ahead) or tuple(self.aims)

    def beside(self, columns: Sequence[str]) -> Tabular:
        taken = {*(self.numbers or ()), *(self.categories or ()), *self.text, *self.dates, *self.id, *self.drop}
        taken |= {name for name in (self.series, self.time) if name}
        return self.replace(apart=tuple(name for name in columns if name not in taken and name not in self.aims))

    def gives(self) -> Gives:
        columns = len(self.numbers or ()) + len(self.dates) * len(self.date_parts)
        chosen: list[tuple[int, Dtype]] = [(columns, "float32"), (len(self.categories or ()), "int64")]
        for _ in self.text:
            chosen += [(self.length, "int64"), (self.length * (self.mask != "none"), "bool")]
        length = () if self.window is None else (self.window,)
        inputs = tuple(Tensor((BATCH, count, *length), kind) for count, kind in chosen if count)
        numbers = self.regression or len(self.aims) > 1
        target = Tensor((BATCH, len(self.aims))) if numbers and self.several is None else None
        if self.window is not None:
            target = Tensor((BATCH, *((len(self.aims),) if len(self.aims) > 1 else ()), self.horizon))
        return Gives(inputs if self._named else None, None if self.targets else target)

    def _takes(self, name: str) -> bool:
        """Whether the spec names a column as an input."""
        return name in {*(self.numbers or ()), *(self.categories or ()), *self.text, *self.dates}

    @property
    def _named(self) -> bool:
        """Whether the spec names the columns that are taken."""
        return self.numbers is not None or self.categories is not None or bool(self.text)

    def read(self, files: Files) -> Arrays:
        return self.read_as(files, {})

    def glance(self, files: Files) -> Arrays | None:
        try:
            paths = [files.file(path) for path in self.paths.values()]
        except DataError:  # not there, or not for a check to open: a run says which
            return None
        return self.read(files) if all(map(self.quick, paths)) else None

    def quick(self, path: Path) -> bool:
        """Whether a file is small enough to be read for a check alone."""
        return path.stat().st_size <= GLANCE

    def read_as(self, files: Files, learnt: Mapping[str, Any]) -> Arrays:
        memory = files.budget.whole
        tables = {part: self.table(files.file(path), memory) for part, path in self.paths.items()}
        train = tables["train"]
        columns = learnt.get("columns")
        roles = Roles.learnt(columns) if columns else self._roles(train)
        kinds = self.kinds(roles, train, files, columns or {})
        targets = self.targets_of(learnt)
        targets = targets if columns else {name: target.met(train) for name, target in targets.items()}
        amounts = [name for target in targets.values() for name in target.amounts]
        units = columns.get("units", {}) if columns else self._units(train, (*roles.numbers, *amounts))
        for table in [each for each in tables.values() if columns or each is not train]:
            table.need_units(units)
        lead = leading(targets)
        parts = {part: self.part(table, kinds, targets, lead) for part, table in tables.items()}
        span = None
        if self.window is not None:
            frames = {part: self._frame(table, self.horizon) for part, table in tables.items()}
            parts = {part: windowed(found, tables[part], frames[part], self.series) for part, found in parts.items()}
            span = frames["train"].span
        inputs = tuple(name for kind in kinds for name in kind.inputs)
        head = f"{train.origin.name}: {len(train):,} rows{''.join(f', {note}' for note in train.notes)}"
        plan = Plan(kinds, roles.left, (head, *(line for target in targets.values() for line in target.lines())), units)
        classes_of = {name: None if each.classes is None else tuple(each.classes) for name, each in targets.items()}
        classes = classes_of.pop(lead)
        found = Arrays(parts["train"], parts.get("val"), parts.get("test"), inputs, classes, learnt={"columns": plan})
        return replace(found, ordered=span is not None, span=span, lead=lead, classes_of=classes_of)

    def in_pieces(self, files: Files, learnt: Mapping[str, Any], keys: Sequence[str]) -> Arrays | None:
        if self.window is not None or "columns" not in learnt:
            return None
        from netspec.datasets.piecewise import read_piecewise  # only what is measured from a file pays for it

        return read_piecewise(self, files, learnt, keys)

    def targets_of(self, learnt: Mapping[str, Any]) -> dict[str, Target]:
        """The targets by name, with the classes that a run has learnt of each; none where nothing is learnt."""
        regression = True if self.window is not None else self.regression
        several = learnt.get("targets", {})
        known = {**several.get("classes", {}), several.get("lead", ""): learnt.get("classes")}
        known = known if learnt.get("columns") else {}
        return {
            name: Target(own, regression, self.several, known.get(name)) for name, own in self.apart_targets.items()
        }

    def _units(self, table: Table, names: Sequence[str]) -> dict[str, str]:
        """What stands beside the numbers of these columns, where the spec says that something may."""
        return {name: table.unit(name) for name in names} if self.signs else {}

    def _frame(self, table: Table, horizon: int) -> Frame:
        """The windows of a table. Raises DataError."""
        assert self.window is not None
        return framed(table, self.series, self.time, self.window, horizon, self.stride)

    def _need_use(self) -> None:
        """Refuse an option that would do nothing beside the others. Raises DataError."""
        for option, others in BESIDE.items():
            for other in others:
                if other in self.given and option not in self.given:
                    raise DataError(f"{self.called()}: {other}= does nothing without {option}=")
        if "fill" in self.given and not self.holes.fills():
            raise DataError(f"{self.called()}: fill= does nothing without missing=value")
        if self.date_order and self.date_format:
            raise DataError(f"{self.called()}: date_format= says what stands first. Drop date_order=.")
        if self.targets and (self.window is not None or self.several is not None):
            raise DataError(f"{self.called()}: window= and several= are of one target, not of {listed(self.targets)}")
        if self.window is not None and (self.text or self.several is not None or self.regression is False):
            text = "gives numbers that follow numbers, dates and categories"
            raise DataError(f"{self.called()}: window= {text}, so not with text=, several= or regression=false")

    def _roles(self, table: Table) -> Roles:
        """What each column is taken for. Raises DataError."""
        self._need_use()
        given = {"numbers": self.numbers, "categories": self.categories, "text": self.text, "dates": self.dates}
        given |= {"drop": self.drop, "id": self.id}
        if self.window is None:  # a window shows what the target was before
            given |= {"target": self.aims}
        need_apart([(key, columns or ()) for key, columns in given.items()])
        table.need([name for columns in (*given.values(), self.apart) for name in columns or ()])
        left = dict.fromkeys(self.drop, "dropped") | dict.fromkeys(self.id, "kept for predictions")
        left |= {name: "the split goes by it" for name in self.apart if name not in left}
        left |= {name: "windows go by it" for name in (self.series, self.time) if name and not self._takes(name)}
        named = {name for columns in given.values() for name in columns or ()}
        others = [name for name in table.columns if name not in named and name not in left]
        if self._named:
            found = Roles(self.numbers or (), (), self.categories or (), left=dict.fromkeys(others, "not named"))
        else:
            found = judged(table, others)
        if not (found.numbers or found.categories or self.text or self.dates):
            kept = f", {listed([*left, *found.left])} left out" if left or found.left else ""
            raise DataError(f"{table.origin.name} has no column besides {listed(self.aims)!r}{kept}")
        return replace(found, dates=self.dates, texts=self.text, left={**left, **found.left})

    def kinds(self, roles: Roles, table: Table, files: Files, learnt: Mapping[str, Any]) -> tuple[Kind, ...]:
        """The columns that are taken, as those who read them; a run's own ways of reading are those `learnt`."""
        known, found = learnt.get("dates", {}), list[Kind]()
        self.holes.need_fit([*roles.numbers, *roles.dates], [*roles.categories, *roles.texts])
        ways = {
            name: known[name]["way"] if known else way_of(table, name, self.date_order, self.date_format)
            for name in roles.dates
        }
        if any(len(date["fills"]) != len(self.date_parts) for date in known.values()):
            raise DataError(f"{self.called()}: the run was trained with other date_parts")
        if roles.numbers or ways:
            found.append(Numbers(roles.numbers, ways, self.date_parts, self.holes))
        if roles.categories:
            found.append(Categories(roles.categories, self.holes))
        texts = learnt.get("texts", {})
        for name in roles.texts:
            if name in texts:
                cut = texts[name].get("file", texts[name]["tokenizer"])
            else:
                cut = self.tokenizer if self.tokenizer in UNITS else tokenizer_of(files.file(self.tokenizer))
            found.append(Text(name, cut, self.length, self.vocabulary, self.mask, self.holes))
        return tuple(found)

    def part(self, table: Table, kinds: Sequence[Kind], targets: Mapping[str, Target], lead: str) -> Part:
        """The rows of a table, their columns as they stand there. Raises DataError."""
        inputs = tuple(kind.read(table) for kind in kinds)
        read = {name: target.read(table) for name, target in targets.items()}
        others = {name: column for name, column in read.items() if name != lead}
        origin = replace(table.origin, targets=dict.fromkeys(others, table.origin.name))
        return Part(inputs, read[lead], origin, table.key, others)

    def fitted(self, arrays: Arrays, learnt: Mapping[str, Any]) -> Arrays:
        plan: Plan = arrays.learnt["columns"]
        train, taught = arrays.train, learnt.get("columns") or self._taught(plan, arrays.train)

        def seen(part: Part) -> Part:
            pairs = zip(plan.kinds, part.inputs, strict=True)
            if self.window is not None:
                return replace(part, inputs=tuple(on_rows(x, _one(kind, taught)) for kind, x in pairs))
            return replace(part, inputs=tuple(x for kind, raw in pairs for x in kind.seen(raw[:], taught)))

        val, test = (seen(part) if part else None for part in (arrays.val, arrays.test))
        done = replace(arrays, train=seen(train), val=val, test=test, learnt={"columns": taught})
        doubts = tuple(self._doubts(plan, arrays, learnt["columns"])) if "columns" in learnt else ()
        return replace(done, told=(*_told(plan, train, taught, done), *arrays.told), doubts=doubts)

    def _doubts(self, plan: Plan, arrays: Arrays, known: Mapping[str, Any]) -> Iterator[str]:
        """Which columns of numbers may be on another scale than a run's, by the part that each file gives most of."""
        parts = [part for part in (arrays.train, arrays.val, arrays.test) if part is not None]
        for part in {part.origin.name: part for part in reversed(parts)}.values():
            for kind, raw in zip(plan.kinds, part.inputs, strict=True):
                seen = kind.learn(rows_of(raw), part.origin.name).get("extents", {})
                for name in seen.keys() & known.get("extents", {}).keys():
                    yield from off_scale(part.origin.name, name, seen[name], known["extents"][name])

    def _taught(self, plan: Plan, part: Part) -> dict[str, Any]:
        """What the training part teaches of all columns."""
        taught: dict[str, Any] = {"numbers": {}, "categories": {}}
        for kind, raw in zip(plan.kinds, part.inputs, strict=True):
            for key, found in kind.learn(rows_of(raw), part.origin.name).items():
                taught[key] = {**taught.get(key, {}), **found}
        taught |= {"units": dict(plan.units)} if plan.units else {}
        return taught | ({"ids": list(self.id)} if self.id else {})

    def tables(self, path: Path, memory: int = MEMORY) -> Iterator[Table]:
        """The table in a file, a piece of its rows after the other where it can be read so, else whole.

        Raises DataError.
        """
        yield self.table(path, memory)

    @property
    def beside_inputs(self) -> frozenset[str]:
        """The columns that may stand in a table and are no inputs."""
        of_windows = [self.series, self.time] if self.window is not None else []
        return frozenset([*self.aims, *self.id, *self.drop, *filter(None, of_windows)])

    def samples(self, paths: Sequence[Path], learnt: Mapping[str, Any]) -> list[Array]:
        return self.seen(self.table(only(paths)), learnt)

    def seen(self, table: Table, learnt: Mapping[str, Any]) -> list[Array]:
        """The inputs of new samples in a table, seen as was `learnt`. Raises DataError."""
        table, columns = replace(table, settled=True), learnt["columns"]
        roles = Roles.learnt(columns)
        table.need([*roles.numbers, *roles.dates, *roles.categories, *roles.texts])
        table.need_units({name: unit for name, unit in columns.get("units", {}).items() if name in roles.numbers})
        kinds = self.kinds(roles, table, Files(Path()), columns)
        seen = [x for kind in kinds for x in kind.seen(kind.read(table), columns)]
        if self.window is None:
            return seen
        frame = self._frame(table, 0)
        return [frame.inputs(x)[:] for x in seen]

    def ids(self, table: Table) -> dict[str, Sequence[str]]:
        """What names each of the new samples in a table, by column; of a window its series, and when it ends."""
        names = [name for name in self.id if name in table.columns]
        if self.window is None:
            return {name: table.texts(name) for name in names}
        last = self._frame(table, 0).last.tolist()
        named = dict.fromkeys([*names, *(name for name in (self.series, self.time) if name is not None)])
        if not named:
            return {"row": [str(row) for row in last]}
        cells = {name: table.texts(name) for name in named}
        return {name: [column[row] for row in last] for name, column in cells.items()}


def _one(kind: Kind, taught: Mapping[str, Any]) -> Callable[[Array], Array]:
    """What makes of the columns of a kind their only input."""
    return lambda raw: kind.seen(raw, taught)[0]


def only(paths: Sequence[Path]) -> Path:
    """The one file that a table is in. Raises DataError for several."""
    if len(paths) > 1:
        raise DataError(f"{show(paths[1])} is one table too many: name one")
    return paths[0]


def _told(plan: Plan, train: Part, taught: Mapping[str, Any], arrays: Arrays) -> Iterator[str]:
    """Which column became what, line by line."""
    head, *target = plan.notes
    yield head
    for kind, raw in zip(plan.kinds, train.inputs, strict=True):
        yield from (f"  {line}" for line in kind.lines(rows_of(raw), taught))
    if plan.left:
        yield f"  left out: {listed([f'{name} ({reason})' for name, reason in plan.left.items()])}"
    yield from (f"  {line}" for line in target)
    short = {"f": "", "i": "int ", "b": "bool "}
    shapes = [f"{short[x.dtype.kind]}{shape(x.shape[1:])}" for x in arrays.train.inputs]
    inputs = ", ".join(f"{printable(name)}: {size}" for name, size in zip(arrays.names, shapes, strict=True))
    yield f"  the network's inputs: {{{inputs}}}"
