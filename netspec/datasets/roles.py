"""What each column of a table becomes where the spec does not say, and words for one that nobody can tell."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from netspec.datasets import dates
from netspec.datasets.columns import Table, shown
from netspec.datasets.writing import HOLES, Writing, below, guessed, option
from netspec.errors import DataError
from netspec.words import printable

FEW: Final = 8
"""Cells below which nothing can be said of how many of them differ."""
SOME: Final = 20
"""Cells from which on a column is odd where more than half of them differ; below, where nearly all do."""
WORDS: Final = 4
"""Blanks in a cell, on average, from which on a column is taken for free text."""
HUGE: Final = 1_000
"""Categories from which on each should occur SEVERAL times."""
SEVERAL: Final = 5
RARE: Final = 10
"""Samples that a class should have on average, where there are many classes."""
MANY: Final = 50
"""Classes from which on whole numbers may rather be numbers."""
INDEX: Final = re.compile(r"index|row|row[ _]?(nr|no|num|number)", re.IGNORECASE)
"""What columns that count the rows are called."""
CODE: Final = re.compile(r"0\d{3,}", re.ASCII)
"""Figures that are a code, such as of a place, and no amount."""
KEY: Final = re.compile(r"(?i:(.*[ _.-])?(id|uuid|guid|key|pk))|.*[a-z](Id|ID)", re.ASCII)
"""What columns of ids are called."""


@dataclass(frozen=True, slots=True)
class Roles:
    """The columns that are taken, by what they are taken for."""

    numbers: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    left: dict[str, str] = field(default_factory=dict)
    """The columns that are left out, each with the reason."""

    @classmethod
    def learnt(cls, columns: Mapping[str, Any]) -> Self:
        """The columns of a run, as it has learnt them."""
        kinds = ("numbers", "dates", "categories", "texts")
        numbers, dates, categories, texts = (tuple(columns.get(kind, ())) for kind in kinds)
        return cls(numbers, dates, categories, texts)


def judged(table: Table, names: Sequence[str]) -> Roles:
    """What these columns are. Raises DataError with every column that cannot be told."""
    numbers, categories, left, faults = [], [], {}, []
    for name in names:
        reason = _needless(table, name)
        if reason:
            left[name] = reason
            continue
        fault = puzzle(table, name, as_input)
        if fault:
            faults.append(fault)
        elif table.column(name).floats() is not None:
            numbers.append(name)
        else:
            categories.append(name)
    if faults:
        raise DataError("\n".join(_together(faults, table.writing)))
    return Roles(numbers=tuple(numbers), categories=tuple(categories), left=left)


@dataclass(frozen=True, slots=True)
class Puzzle:
    """A column that may be several things: what is odd about it, and what to do."""

    text: str
    way_out: str = ""
    writings: tuple[Writing, ...] = ()
    """How its numbers may be written, where they are numbers."""


def puzzle(table: Table, name: str, way_out: Callable[[str, str], str]) -> Puzzle | None:
    """What is odd about a column; None where it plainly holds numbers, or categories that occur again and again.

    `way_out` says for a kind of column, and its name, what to write.
    """
    cells = [text for text in table.texts(name) if text]
    if table.column(name).floats() is not None:
        return _coded(table, name, cells, way_out) or _numbered_rows(table, name, way_out)
    known = set(cells)
    if (odd := below(cells)) is not None:
        return Puzzle(f"{_at(table, name, odd)}, as some write a number below 0", way_out("below", name))
    way = guessed(cells, table.writing)
    if way:
        odd = next(text for text in cells if not table.is_number(text))
        text = f"{_at(table, name, odd)}, and nearly all cells of {printable(name)} read as numbers but for such signs"
        return Puzzle(text, way_out("numbers", name), tuple(way))
    if dates.are_dates(cells[:1]) and dates.are_dates(list(known)):
        return Puzzle(f"{_at(table, name, cells[0])}: {printable(name)} holds dates", way_out("dates", name))
    numbers = sum(map(table.is_number, cells))
    if numbers:
        odd = next(text for text in cells if not table.is_number(text))
        text = f"{_at(table, name, odd)}, other cells of {printable(name)} are numbers"
        return Puzzle(
            text, way_out("holes" if odd.lower() in HOLES else "mixed", odd if odd.lower() in HOLES else name)
        )
    if not _differ(len(known), len(cells)):
        return None
    text = f"{_at(table, name, cells[0])}: {len(known):,} of the {len(cells):,} cells of {printable(name)} differ"
    sentences = sum(text.count(" ") for text in cells) >= WORDS * len(cells)
    return Puzzle(text, way_out("text" if sentences else "id", name))


def _coded(table: Table, name: str, cells: Sequence[str], way_out: Callable[[str, str], str]) -> Puzzle | None:
    """Figures that are no amounts: dates without signs between them, or codes that begin with 0."""
    if len(cells) >= FEW and len(set(cells)) > 1 and dates.are_compact(cells):
        return Puzzle(f"{_at(table, name, cells[0])}: {printable(name)} holds dates", way_out("dates", name))
    code = next(filter(CODE.fullmatch, cells), None)
    if code is None:
        return None
    return Puzzle(f"{_at(table, name, code)}, which begins with 0 as codes do", way_out("code", name))


def _at(table: Table, name: str, cell: str) -> str:
    """Where a cell stands, and what is in it."""
    return f"{table.cell(name, list(table.texts(name)).index(cell))} is {shown(cell)}"


def _numbered_rows(table: Table, name: str, way_out: Callable[[str, str], str]) -> Puzzle | None:
    """Numbers that only tell rows apart, by the name of their column."""
    cells = table.texts(name)
    if not KEY.fullmatch(name) or len(set(cells)) < len(cells) or len(cells) < FEW or table.decimal(name):
        return None
    text = f"{_at(table, name, cells[0])}: {printable(name)} has another whole number in each row, as an id has"
    return Puzzle(text, way_out("id", name))


def _needless(table: Table, name: str) -> str:
    """Why a column can be left out without a word of the spec's; empty where it cannot."""
    column = table.column(name)
    if column.empty().all():
        return "empty"
    found = column.floats()
    if found is None or len(found) < 2:
        return ""
    rows = found.tolist()
    counts = rows in ([*map(float, range(len(rows)))], [*map(float, range(1, len(rows) + 1))])
    shuffled = name in table.unnamed and not table.decimal(name) and len(set(rows)) == len(rows)
    return "an index" if shuffled or (counts and INDEX.fullmatch(name)) else ""


def _differ(distinct: int, count: int) -> bool:
    """Whether so many of the cells differ that no category can be learnt from them."""
    nearly, half = count >= FEW and distinct >= 0.9 * count, count >= SOME and distinct > count / 2
    return nearly or half or (distinct > HUGE and distinct > count / SEVERAL)


def are_numbers(distinct: int, count: int) -> bool:
    """Whether so many whole numbers in so many cells are rather numbers than classes."""
    return _differ(distinct, count) or (distinct > MANY and count < RARE * distinct)


def _together(faults: Sequence[Puzzle], known: Writing) -> list[str]:
    """The words for each column; what stands beside numbers is named for all of them at once."""
    read = known
    for fault in faults:
        for way in fault.writings[:1]:
            known = known.with_signs(way)
    lines = []
    for fault in faults:
        options = " or ".join(way.with_signs(known).options(read) for way in fault.writings)
        lines.append(f"{fault.text}. {fault.way_out.replace(OPTIONS, options)}")
    return lines


def told(fault: Puzzle, known: Writing) -> str:
    """The words for one column."""
    return _together([fault], known)[0]


OPTIONS: Final = "{options}"
"""Stands in a way out for the options that read a column of numbers."""
NAMED: Final = "To take it as it is, name all columns of numbers and of categories in the spec"


def as_input(kind: str, name: str) -> str:
    """What to write for an odd column that would be an input; for `holes`, `name` is the cell."""
    one = option("drop", name)
    match kind:
        case "numbers":
            return f"Write {OPTIONS} to read them; or leave the column out: {one}."
        case "below":
            return f"Write it with a minus in front, -, into the file; or leave the column out: {one}."
        case "dates":
            return f"Write {option('dates', name)} to take them as numbers, or leave the column out: {one}."
        case "holes":
            return f"If that is an empty cell, write {option('empty', name)}, and with missing= what becomes of it."
        case "code":
            return f"Leave it out: {one}; or name all columns of numbers and of categories in the spec, it among them."
        case "mixed":
            return f"Say in the spec which columns are numbers, which are categories, what is empty; or write {one}."
        case "text":
            way = f"Write {option('text', name)} to read it as text, and name the numbers and categories beside it"
            return f"{way}; or leave the column out: {one}."
    return f"Leave it out: {one}; or keep it for predictions: {option('id', name)}. {NAMED}."


def as_target(kind: str, name: str) -> str:
    """The same for the target."""
    match kind:
        case "numbers":
            return f"Write {OPTIONS} to read them; regression=false takes each text as a class."
        case "holes":
            return (
                f"If that is an empty cell, write {option('empty', name)}, and take out the rows that have no target."
            )
        case "below":
            return "Write it with a minus in front, -, into the file."
        case "dates":
            return "A date is no target: write it into the file as a number. regression=false takes each as a class."
    return "Is this the right column? regression=false takes each text as a class."


def need_apart(uses: Collection[tuple[str, Sequence[str]]]) -> None:
    """Refuse a column that is named for two things. Raises DataError."""
    found: dict[str, Any] = {}
    for key, names in uses:
        for name in names:
            if name in found:
                text = f"{printable(name)} is named by {found[name]} and by {key}" if found[name] != key else ""
                raise DataError(f"{text or f'{key} names {printable(name)} twice'}. A column has one use.")
            found[name] = key
