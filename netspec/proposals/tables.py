"""A spec for a table: which columns are numbers, which are categories or texts, which say nothing."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from netspec.datasets import dates
from netspec.datasets.columns import PLAIN, Table, Texts, distinct
from netspec.datasets.csv import MARKS, WESTERN
from netspec.datasets.files import Files, show, unpacked
from netspec.datasets.roles import Puzzle, puzzle
from netspec.errors import UsageError
from netspec.proposals.network import perceptron, reading
from netspec.proposals.proposal import (
    MOST,
    Goal,
    Proposal,
    classes,
    counts,
    labels_of,
    listed,
    numbers,
    one_line,
    quoted,
)
from netspec.vocabulary import DATASETS
from netspec.words import did_you_mean, printable

if TYPE_CHECKING:
    from netspec.datasets.table import Tabular
    from netspec.datasets.writing import Writing

SEPARATORS: Final = (",", ";", "\t", "|")
EMPTY: Final = {"NA", "N/A", "n/a", "nan", "NaN", "NULL", "null", "None", "none", "?", "-", "--", "."}
"""Texts that mean an empty cell where all other cells of a column are numbers."""
TARGETS: Final = ("target", "label", "class", "y", "outcome")
"""What the column to be learnt is mostly called."""
FEW: Final = 20
"""So many whole numbers or fewer are classes, not quantities."""
TOLD: Final = 40
"""Columns that are told of one by one."""
LOOKED_AT: Final = 1000
"""Different texts of a column that are looked at."""
REPEATED: Final = 0.3
"""Categories that are a larger share of the rows than this hardly repeat, if there are more than FEW."""
DATE: Final = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}\b.*|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}\b.*")
WRITING: Final = ("decimal", "thousands", "signs")
"""The options of a source that say how numbers are written."""
WORD: Final = re.compile(r"\w+|[^\w\s]")
"""What a text is about cut into."""
VOCABULARY: Final = 10_000
LENGTHS: Final = (16, 32, 64, 128, 256)
"""Tokens of a text that a network reads; nineteen of twenty texts are no longer."""
BETWEEN_LABELS: Final = ("|", ";", ",")
"""What may stand between the labels of a cell."""
NUMBERING: Final = re.compile(r"(?:.*[_ -])?(?:id|index|row|nr|no)|unnamed.*|", re.IGNORECASE)
"""Names of columns that count the rows."""


KEYS: Final = {"numbers": "numbers", "categories": "categories", "texts": "text", "dates": "dates"}
"""The key by which a source is told of the columns of each role."""
TEXT: Final = {"length": "length", "vocabulary": "distinct"}
"""What a source is told of its texts, and what of a column says so."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a column is taken for: numbers, categories, texts, dates, or nothing, and why."""

    name: str
    role: str
    words: str
    """What is said of it."""
    distinct: int = 0
    """Of categories how many there are, of texts how many words."""
    length: int = 0
    """Tokens of a text."""


def of_table(
    files: Files, path: str, source: str, target: str | None, choose: Callable[[Sequence[str]], str]
) -> Proposal:
    """For a file of columns. Raises UsageError and DataError."""
    file = files.file(path)
    separator = _separator(file) if source == "csv" else ","
    options: dict[str, Any] = {"separator": separator} if source == "csv" else {}
    options |= {"encoding": WESTERN} if source == "csv" and not _is_utf(file) else {}
    empty = _empty(_read(source, path, options).table(file))
    options |= {"empty": empty} if empty else {}
    written = _written(_read(source, path, options).table(file))
    options |= written
    table = _read(source, path, options).table(file)
    chosen = _chosen(table, target, choose)
    goal, said, learnt = _goal(table, chosen)
    columns = [_seen(table, name) for name in table.columns if name != chosen]
    taken = {role: [c for c in columns if c.role == role] for role in KEYS}
    if not any(taken.values()):
        others = "; ".join(f"{c.name}: {c.words}" for c in columns) or "it has no other"
        raise UsageError(f"{show(file)} has no column to learn {chosen!r} from: {printable(others)}")
    rows, used = len(table.texts(chosen)), [c.name for found in taken.values() for c in found]
    keys = {"path": quoted(path), "target": quoted(chosen)}
    keys |= {KEYS[role]: listed(c.name for c in found) for role, found in taken.items() if found}
    if not any(taken[role] for role in ("numbers", "categories", "texts")):  # or the source judges all others itself
        left = [c.name for c in columns if c.role == "left out"]
        keys |= {"drop": listed(left)} if left else {}
    if taken["texts"]:
        keys |= {k: str(max(getattr(c, of) for c in taken["texts"])) for k, of in TEXT.items()}
    keys |= {"separator": quoted(separator)} if separator != "," else {}
    keys |= {"encoding": f"{WESTERN}          # or what else the file is encoded in"} if "encoding" in options else {}
    keys |= {"empty": listed(empty)} if empty else {}
    keys |= {key: listed(value) if isinstance(value, tuple) else value for key, value in written.items()}
    if any("" in table.texts(name) for name in used):
        keys["missing"] = "median          # of the training part; an empty category is one of its own"
    keys |= said
    data = ["source:", f"  {source}:", *(f"    {key}: {value}" for key, value in keys.items()), "split: {val: 0.2}"]
    numeric = taken["numbers"] or taken["dates"]
    data += ["transform: standardize       # numbers less their mean, by their spread"] if numeric else []
    seen = [f"  {rows:,} rows and {len(table.columns)} columns", f"  to be learnt: {chosen}, {learnt}", *_told(columns)]
    return Proposal(path, tuple(map(one_line, seen)), tuple(_network(taken, goal)), tuple(data), goal, rows)


def _chosen(table: Table, target: str | None, choose: Callable[[Sequence[str]], str]) -> str:
    """The column that is to be learnt: named, known by its name, or chosen. Raises UsageError."""
    names = list(table.columns)
    if target is not None and target not in names:
        hint = did_you_mean(target, names) or f"It has: {', '.join(names)}."
        raise UsageError(f"{table.origin.name} has no column {target!r}. {printable(hint)}")
    return target or next((name for name in names if name.lower() in TARGETS), None) or choose(names)


def _told(columns: Sequence[Seen]) -> list[str]:
    """A line for each column, as far as a person would read them."""
    lines = [f"  {c.name or 'the one without a name'}: {c.role}, {c.words}" for c in columns[:TOLD]]
    return [*lines, f"  and {len(columns) - TOLD} more columns"] if len(columns) > TOLD else lines


def _read(source: str, path: str, options: dict[str, Any]) -> Tabular:
    """A table as its source would read it with these options."""
    (cls,) = DATASETS.find(source)
    made: Tabular = cls(path=path, target=path, **options)  # type: ignore[assignment]
    return made


def _is_utf(file: Path) -> bool:
    """Whether the text of a file is UTF-8, or begins with what says how it is encoded."""
    with unpacked(file) as stream:
        decoder, first = codecs.getincrementaldecoder("utf-8")(), stream.read(1 << 16)
        if any(map(first.startswith, MARKS)):
            return True
        try:
            while first:
                decoder.decode(first)
                first = stream.read(1 << 20)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _kind(kind: str, name: str) -> str:
    """What a column that is odd may be."""
    return kind


def _written(table: Table) -> dict[str, Any]:
    """The options by which the numbers of most columns can be read, where only one way is possible for one of them."""
    odd = [found for name in table.columns if (found := puzzle(table, name, _kind)) and found.way_out == "numbers"]
    sure = [found.writings[0] for found in odd if len(found.writings) == 1]
    ways = dict.fromkeys(sure)
    for way in sure:
        ways = dict.fromkeys(each.with_signs(way) for each in ways)
    best = max([PLAIN, *ways], key=lambda way: _read_so(table, way))
    return {key: value for key in WRITING if (value := getattr(best, key)) != getattr(PLAIN, key)}


def _read_so(table: Table, way: Writing) -> int:
    """How many columns are numbers if they are written so."""
    return sum(Texts(table.texts(name), (), way).floats() is not None for name in table.columns)


def _separator(file: Path) -> str:
    """What stands between the names of the columns: that of which there are most in the first line."""
    with unpacked(file) as stream:
        line = stream.readline(1 << 16).decode("utf-8", "replace")
    return max(SEPARATORS, key=line.count)


def _empty(table: Table) -> list[str]:
    """The texts that stand for empty cells in columns that hold numbers else."""
    found: set[str] = set()
    for name in table.columns:
        cells = set(table.texts(name)) if table.columns[name].floats() is None else set()
        if cells & EMPTY and Texts([*cells], EMPTY).floats() is not None:
            found |= cells & EMPTY
    return sorted(found)


def _seen(table: Table, name: str) -> Seen:
    """What a column is taken for."""
    cells, values = table.texts(name), table.columns[name].floats()
    filled = [text for text in cells if text]
    different = sorted(set(filled))
    odd = puzzle(table, name, _kind) if name and len(different) > 1 else None
    if odd is not None and odd.way_out == "text":
        return _text(name, filled)
    if odd is not None and odd.way_out == "dates":
        return _date(name, filled)
    useless = _useless(name, cells, different) or (_no_category(cells, different) if values is None else "")
    if odd is not None and not _useless(name, cells, different):
        useless = _puzzling(odd, values is not None) or useless
    if useless:
        return Seen(name, "left out", useless)
    if values is not None:
        known = values[values == values]  # not nan
        return Seen(name, "numbers", f"{_short(known.min())} to {_short(known.max())}")
    return Seen(name, "categories", f"{len(different):,} of them", len(different) + (len(filled) < len(cells)))


def _puzzling(odd: Puzzle, numeric: bool) -> str:
    """Why an odd column is left out, where that is known better than by its cells; empty where it is not."""
    if odd.way_out == "numbers":
        return f"numbers that {' or '.join(way.options() for way in odd.writings)} would read"
    if odd.way_out == "code":
        return "codes that begin with 0"
    return "it has another number in each row, as an id has" if numeric else ""


def _date(name: str, cells: Sequence[str]) -> Seen:
    """A column of dates, if it can be told how they are written."""
    ways = dates.ways(cells)
    if len(ways) != 1:
        return Seen(name, "left out", "dates, of which day or month may stand first: dates and date_order take them")
    if dates.is_short(ways[0]):
        return Seen(
            name, "left out", f"dates whose years have two digits: dates and date_format: '{ways[0]}' take them"
        )
    return Seen(name, "dates", f"as {', '.join(dates.COMMON)}")


def _text(name: str, cells: Sequence[str]) -> Seen:
    """A column of free text: how long its texts are, and how many words there are."""
    found = [WORD.findall(text.lower()) for text in cells]
    lengths = sorted(map(len, found))
    long = lengths[int(0.95 * (len(lengths) - 1))]
    length = next((size for size in LENGTHS if size >= long), LENGTHS[-1])
    known = min(VOCABULARY, 2 + len({word for words in found for word in words}))
    return Seen(name, "texts", f"of some {lengths[len(lengths) // 2]:,} words", known, length)


def _useless(name: str, cells: Sequence[str], different: Sequence[str]) -> str:
    """Why a column of whatever kind says nothing, or cannot be named; empty where it does."""
    if "$" in name:
        return "a spec would read the $ in its name as a parameter"
    if len(different) < 2:
        return f"always {different[0]!r}" if different else "all cells are empty"
    if len(different) == len(cells) and NUMBERING.fullmatch(name) and all(map(str.isdecimal, different)):
        return "it numbers the rows"
    return "" if name else "it has no name by which a spec could take it"


def _no_category(cells: Sequence[str], different: Sequence[str]) -> str:
    """Why a column that does not hold numbers does not hold categories either; empty where it does."""
    looked_at = different[:LOOKED_AT]
    odd = [text for text in looked_at if Texts([text]).floats() is None]
    if len(odd) < len(looked_at) / 2:
        return f"mostly numbers, {odd[0][:40]!r} is none" if odd else "mostly numbers"
    date = next(filter(DATE.fullmatch, looked_at), None)
    if date is not None and sum(bool(DATE.fullmatch(text)) for text in looked_at) > len(looked_at) / 2:
        return f"dates, such as {date[:40]!r}"
    if len(different) > max(FEW, REPEATED * len(cells)):
        return f"{len(different):,} texts that hardly repeat"
    return ""


def _short(value: float) -> str:
    """A number in a few digits."""
    return f"{value:.6g}"


def _goal(table: Table, name: str) -> tuple[Goal, dict[str, str], str]:
    """What is to be learnt, what the source is told of it, and that in words. Raises UsageError."""
    cells, values = table.texts(name), table.columns[name].floats()
    if "" in cells:
        share = f"{cells.count(''):,} of {len(cells):,} rows"
        text = f"{table.origin.at(cells.index(''))}: {name} is empty, and so in {share}"
        raise UsageError(f"{text}. What is to be learnt must be there.")
    found = distinct(cells)
    if len(found) < 2:
        raise UsageError(f"{name} is always {found[0]!r}: there is nothing to learn")
    if values is not None and (table.decimal(name) or len(found) > FEW):
        mean, spread = float(values.mean()), float(values.std())
        told = f"a number, {_short(mean)} in the mean, with a spread of {_short(spread)}"
        return numbers(1, mean, spread), {"regression": "true"}, told
    if (sign := _between(found)) is not None:
        labels = distinct(sorted({label for cell in found for label in _labels(cell, sign)}))
        told = f"{len(labels)} labels, of which a cell lists several: {', '.join(labels[:MOST])}"
        return labels_of(len(labels)), {"several": quoted(sign)}, told
    if len(found) > max(FEW, REPEATED * len(cells)):
        share = f"{len(found):,} different texts in {len(cells):,} rows"
        raise UsageError(f"{name} has {share}, which is no column of classes")
    return classes(len(found)), {}, f"{len(found)} classes: {counts(sorted(cells))}"


def _between(different: Sequence[str]) -> str | None:
    """What stands between the labels of cells that list several of few, and of which most occur alone or otherwise."""
    for sign in BETWEEN_LABELS:
        lists = [_labels(cell, sign) for cell in different]
        known = {label for labels in lists for label in labels}
        listing = sum(len(labels) > 1 for labels in lists)
        if (
            2 * listing >= len(different)
            and 1 < len(known) < len(different)
            and all(len({*x}) == len(x) for x in lists)
        ):
            return sign
    return None


def _labels(cell: str, sign: str) -> list[str]:
    """The labels of a cell that holds several, with this sign between them."""
    return [label.strip() for label in cell.split(sign) if label.strip()]


def _network(taken: dict[str, list[Seen]], goal: Goal) -> list[str]:
    """A network for numbers, for categories, for texts, or for several of them."""
    count = len(taken["numbers"]) + len(taken["dates"]) * len(dates.COMMON)
    known = sum(column.distinct for column in taken["categories"])
    texts = len(taken["texts"])
    if not taken["categories"] and not texts:
        return [f"input: {count}", *perceptron(goal)]
    size = {key: max((getattr(c, of) for c in taken["texts"]), default=0) for key, of in TEXT.items()}
    reads = reading(size["vocabulary"])
    if texts == 1 and not count and not known:
        return [
            f"input: int {size['length']}",
            "layers:",
            *(f"  - {row}" for row in (*reads, "dropout 0.2", goal.head)),
        ]
    inputs = ([f"numbers: {count}"] if count else []) + [f"categories: int {len(taken['categories'])}"] * (known > 0)
    inputs += [f"text{i + 1}: int {size['length']}" for i in range(texts)]
    params = [f"params: {{known: {known}, d: 8}}     # texts in the columns of categories together; 0 is any other"]
    first, *rest = reads
    steps = ["  table: embedding(categories) $(known + 1) $d", "  texts: flatten"] if known else []
    for i in range(texts):
        rows = (first.replace("embedding", f"embedding(text{i + 1})", 1), *rest)
        steps.append(f"  of_text{i + 1}: [{', '.join(rows)}]")
    parts = [*(["numbers"] * (count > 0)), *(["texts"] * (known > 0)), *(f"of_text{i + 1}" for i in range(texts))]
    both = [f"  both: concat({' '.join(parts)})"] if len(parts) > 1 else []
    return [
        f"inputs: {{{', '.join(inputs)}}}",
        *(params if known else []),
        "layers:",
        *steps,
        *both,
        f"  head: [fc 64, relu, dropout 0.1, fc 64, relu, dropout 0.1, {goal.head}]",
    ]
