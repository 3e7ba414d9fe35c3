"""CSV: tables in text files."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from netspec.datasets.base import Origin
from netspec.datasets.columns import Table, Texts, shown, twice
from netspec.datasets.files import MEMORY, content_of, is_packed, show, unpacked
from netspec.datasets.options import BETWEEN, SIGN, sign
from netspec.datasets.table import COLUMNS, Tabular
from netspec.errors import DataError
from netspec.records import Checked, Maybe, refuse
from netspec.words import printable

MAX_TEXT: Final = 256 * 2**20
"""Bytes of a table in the memory that is allowed where the spec does not say; in more there may be more."""
MAX_COLUMNS: Final = 2**16
MAX_CELLS: Final = 2**24
"""Cells of a table in such memory: each takes some 80 bytes of it, however short it is."""
PIECE: Final = 2**18
"""Cells of a piece of a table that is read by pieces."""
INSTEAD: Final = "Save the columns as parquet or npz instead, or allow more in the spec: data.memory=16GB."
MARKS: Final = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
"""What a file may begin with that says how it is encoded."""
OTHERS: Final = {
    b"pk\x03\x04": "a packed file, such as a workbook of Excel",
    b"\xd0\xcf\x11\xe0": "a workbook of Excel",
    b"<!doctype html": "a page of the web",
    b"<html": "a page of the web",
    b"par1": "a parquet file",
    b"%pdf": "a PDF",
}
"""What files that are no text begin with, in small letters."""
_SINGLE: Final = re.compile(r"cp125\d|cp437|cp85\d|iso8859|mac|ascii|latin")
"""Encodings with one byte for each sign."""
WESTERN: Final = "cp1252"
"""The encoding of most files that are not UTF-8."""
HEAD: Final = 65_536
"""Characters at the beginning of a file that the separator is guessed by."""
GUESSED: Final = ",;\t|"
AGREEING: Final = 0.9
"""The share of the rows that must have as many cells as the first line has names, for a separator to be the one."""
_SAID: Final = re.compile(r'"?sep=(.)"?(\r\n|\n|\r)')
_LINE: Final = re.compile(r"\r\n|\r|\n")
SHOWN: Final = 24
"""Characters of a cell that are shown."""
_NUMBER: Final = re.compile(r"[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?")


def _codec(value: object) -> str:
    """The name of an encoding that Python knows."""
    try:
        if isinstance(value, str) and codecs.lookup(value)._is_text_encoding:
            return value
    except (LookupError, ValueError):
        pass
    raise refuse("an encoding that Python knows, such as cp1252, latin-1 or utf-16")


class CSV(Tabular):
    __doc__ = f"""Columns of a .csv file, raw or gzipped, whose first line names them.

    What stands between columns is a comma, semicolon, tab or bar, as the first lines have it, unless `separator` or a
    line `sep=;` at the beginning says so. A column without a name is called by its place as pandas does, `Unnamed: 0`;
    one that only counts the rows is left out.

{COLUMNS}"""

    example = "csv data/table.csv price"

    separator = Maybe(
        Checked(
            f"what stands between columns: one character, or one of {', '.join(BETWEEN)}; by default it is guessed",
            sign,
            SIGN,
            None,
            textual=True,
        )
    )
    encoding = Maybe(
        Checked(
            "how the file is encoded, such as cp1252; by default UTF-8, or what its first bytes say",
            _codec,
            SIGN,
            None,
            textual=True,
        )
    )

    def quick(self, path: Path) -> bool:
        return super().quick(path) and not is_packed(path)

    def table(self, path: Path, memory: int = MEMORY) -> Table:
        return self.parsed(content_of(path, MAX_TEXT * memory // MEMORY, INSTEAD), show(path), memory)

    def tables(self, path: Path, memory: int = MEMORY) -> Iterator[Table]:
        with unpacked(path) as stream:
            yield from self.parsed_by_pieces(stream, show(path))

    def parsed(self, content: bytes, label: str, memory: int = MEMORY) -> Table:
        """The table in the bytes of a file, which messages call `label`. Raises DataError."""
        text, notes = self._text(content, label)
        said, separator, more = self._separated(text)
        text, most = text[len(said) :], MAX_CELLS * memory // MEMORY
        records = _records(label, io.StringIO(text, newline=""), separator, int(bool(said)))
        rows, lines = list[list[str]](), list[int]()
        try:
            names, _ = next(records)
            for row, line in records:
                if (len(rows) + 1) * len(names) > most:
                    told = f"{label} has more than {most:,} cells, line {line} is one too many"
                    raise DataError(f"{told}. {INSTEAD}")
                rows.append(row)
                lines.append(line)
        except csv.Error as error:
            raise DataError(_unquoted(label, text, separator, int(bool(said))) or f"{label}: {error}") from None
        _need_header(label, names, 1 + int(bool(said)), rows)
        return self._of(label, names, rows, lines, (*more, *notes))

    def parsed_by_pieces(self, stream: Any, label: str) -> Iterator[Table]:
        """The same of bytes of any length, a piece of the rows after the other, and no more in memory.

        The stream can be read from its beginning again. Raises DataError.
        """
        try:
            yield from self._pieces(stream, label)
        except (csv.Error, UnicodeError) as error:
            stream.seek(0)
            content = stream.read(MAX_TEXT + 1)
            if len(content) <= MAX_TEXT:
                self.parsed(content, label)  # which says where it is
            raise DataError(f"{label}: {error}") from None

    def _pieces(self, stream: Any, label: str) -> Iterator[Table]:
        """The pieces of a table. Raises DataError, and the errors of csv and of codecs."""
        _need_text(stream.read(HEAD), label)
        stream.seek(0)
        codec, notes = codec_of(
            "\u00e9".encode() if _is_utf8(stream, self.encoding) else stream.read(HEAD), self.encoding
        )
        stream.seek(0)
        text = io.TextIOWrapper(stream, codec, newline="")
        try:
            head = text.read(HEAD).removeprefix("\ufeff")
            said, separator, more = self._separated(head)
            records = _records(label, _split(head[len(said) :], text), separator, int(bool(said)))
            names, _ = next(records)
            count, found = max(1, PIECE // max(1, len(names))), 0
            while piece := list(islice(records, count)):
                if not found:
                    _need_header(label, names, 1 + int(bool(said)), piece)
                found += len(piece)
                yield self._of(label, names, [row for row, _ in piece], [line for _, line in piece], (*more, *notes))
            if not found:
                _need_header(label, names, 1 + int(bool(said)), [])
        finally:
            text.detach()

    def _separated(self, text: str) -> tuple[str, str, tuple[str, ...]]:
        """What a text says first of its separator, what that is, and what is told of it."""
        said = _SAID.match(text)
        separator = self.separator or (said[1] if said else _guessed(text))
        notes: tuple[str, ...] = ()
        if separator != "," and self.separator is None:
            word = {character: word for word, character in BETWEEN.items()}.get(separator, repr(separator))
            notes = (f"columns separated by {word}" + ("" if said else " (guessed)"),)
        return said[0] if said else "", separator, notes

    def _of(
        self, label: str, names: list[str], rows: list[list[str]], lines: list[int], notes: tuple[str, ...]
    ) -> Table:
        """The table of these rows, which end on these lines."""
        import numpy as np

        cells = ([text.strip() for text in column] for column in zip(*rows, strict=True))
        columns = {name: Texts(column, self.empty, self.writing) for name, column in zip(names, cells, strict=True)}
        index = frozenset(name for name in names if re.fullmatch(r"Unnamed: \d+", name))
        return Table(Origin((label,), np.array(lines), "line"), columns, self.writing, index, notes)

    def _text(self, content: bytes, label: str) -> tuple[str, tuple[str, ...]]:
        """The text of a file, and what was guessed to read it. Raises DataError."""
        _need_text(content, label)
        codec, note = codec_of(content, self.encoding)
        try:
            return content.decode(codec).removeprefix("\ufeff"), note
        except UnicodeError as error:
            raise DataError(f"{label} is not {codec.upper()}: {_why(content, error)}") from None


def codec_of(content: bytes, named: str | None) -> tuple[str, tuple[str, ...]]:
    """How a file is encoded, and what is told of that: as its first bytes say, else as it is `named`, else UTF-8.

    A file that is named to have a byte for each sign, and yet is UTF-8 throughout, is read as UTF-8: such files are
    handed to a run that was trained on others, and nothing else has these sequences of bytes.
    """
    marked = next((codec for mark, codec in MARKS.items() if content.startswith(mark)), None)
    if marked is not None:
        return marked, (f"encoded in {marked}",) * (marked == "utf-16" and named is None)
    if named is None and b"\0" in content[:HEAD:2] + content[1:HEAD:2]:
        for place, codec in enumerate(("utf-16-be", "utf-16-le")):
            if content[place:HEAD:2].count(0) > 0.7 * len(content[place:HEAD:2]):
                return codec, (f"encoded in {codec} (guessed)",)
    if named is not None and _SINGLE.match(codecs.lookup(named).name) and not content.isascii():
        try:
            content.decode()
        except UnicodeError:
            return named, ()
        return "utf-8", (f"encoded in UTF-8, not in {named}",)
    return named or "utf-8", ()


def _why(content: bytes, error: UnicodeError) -> str:
    """What cannot be decoded, and what to try."""
    if not isinstance(error, UnicodeDecodeError):
        return str(error)
    line = content.count(b"\n", 0, error.start) + 1
    text = f"byte 0x{content[error.start]:02x} on line {line}"
    begin = content.rfind(b"\n", 0, error.start) + 1
    shown = content[max(begin, error.start - 10) : error.start + 10].split(b"\n")[0].decode(WESTERN, "replace")
    return f"{text}. If it reads {printable(shown.strip())!r} there, write encoding={WESTERN}, or save it as UTF-8."


def _guessed(text: str) -> str:
    """What stands between the columns of a text, going by its first lines."""
    head = text[:HEAD]
    head = head[: head.rfind("\n") + 1] or head

    def score(separator: str) -> tuple[float, int]:
        try:
            rows = [row for row in csv.reader(io.StringIO(head, newline=""), delimiter=separator) if row]
        except csv.Error:
            return 0, 0
        columns = len(rows[0]) if rows else 0
        share = sum(len(row) == columns for row in rows) / max(1, len(rows))
        return (share if share >= AGREEING else 0, columns) if columns > 1 else (0, 0)

    found = max(GUESSED, key=score)
    columns = {separator: len(head.splitlines()[0].split(separator)) if head.strip() else 0 for separator in GUESSED}
    # Where rows are uneven whatever stands between them, the first line decides, and the rest is told as an error.
    return found if score(found)[1] else max(GUESSED, key=lambda separator: columns[separator])


def _need_text(content: bytes, label: str) -> None:
    """Refuse what begins as another kind of file. Raises DataError."""
    kind = next((kind for mark, kind in OTHERS.items() if content.lstrip()[: len(mark)].lower() == mark), None)
    if kind is not None:
        raise DataError(f"{label} is {kind}, expected a table as text. Save it as csv.")


def _is_utf8(stream: Any, named: str | None) -> bool:
    """Whether a file that is named to have a byte for each sign is UTF-8 throughout, with signs beyond ASCII."""
    if named is None or not _SINGLE.match(codecs.lookup(named).name):
        return False
    decoder, plain = codecs.getincrementaldecoder("utf-8")(), True
    stream.seek(0)
    try:
        while piece := stream.read(HEAD):
            plain = plain and piece.isascii()
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    finally:
        stream.seek(0)
    return not plain


def _split(head: str, rest: io.TextIOWrapper) -> Iterator[str]:
    """The lines of a text of which the head is read already."""
    *whole, last = io.StringIO(head, newline="").readlines() or [""]
    yield from whole
    if last.endswith("\r") and (next_sign := rest.read(1)) != "\n":
        yield last
        last = next_sign
    elif last.endswith("\r"):
        last += "\n"
    yield last if last.endswith("\n") else last + rest.readline(MAX_TEXT)
    while line := rest.readline(MAX_TEXT):
        yield line


def _records(label: str, lines: Iterable[str], separator: str, skipped: int) -> Iterator[tuple[list[str], int]]:
    """The names of the columns, then the rows, each with the line that it ends on. Raises DataError and csv.Error."""
    csv.field_size_limit(MAX_TEXT)  # a cell may be a whole document; the file's size has its own limit
    reader = csv.reader(lines, delimiter=separator, strict=True)
    header = [name.strip() for name in next(reader, [])]
    if len(header) > MAX_COLUMNS:
        text = f"{label} has {len(header):,} columns, at most {MAX_COLUMNS:,} are read"
        raise DataError(f"{text}. Save the numbers as one array instead: npy or npz.")
    yield [name or f"Unnamed: {place}" for place, name in enumerate(header)], 1 + skipped
    for row in reader:
        if row and len(row) != len(header):
            line = f"{label}, line {reader.line_num + skipped}"
            told = f"{line}: {len(row)} columns, the first line names {len(header)}"
            if len(header) == 1:
                way_out = "Delete what stands above the names of the columns, such as a title"
                raise DataError(f"{told}. {way_out}; a cell that holds {separator!r} stands in quotes.")
            more = " A cell that holds one stands in quotes." * (len(row) > len(header))
            raise DataError(f"{told}. Is the separator {separator!r} right?{more}")
        if row:
            yield row, reader.line_num + skipped


def _need_header(label: str, names: Sequence[str], line: int, rows: Sequence[Any]) -> None:
    """Refuse names that are none, and a table without rows. Raises DataError."""
    double = twice(names)
    if double is not None:
        text = f"{label}, line {line}: two columns are called {printable(double)!r}"
        raise DataError(f"{text}. Give each a name of its own.")
    if not rows:
        raise DataError(f"{label} holds no rows below the line that names its columns")
    if all(map(_NUMBER.fullmatch, names)):
        text = f"{label}, line {line}: {printable(', '.join(names[:4]))} are numbers"
        raise DataError(f"{text}, expected the names of the columns. Write a line of names above them.")


def _unquoted(label: str, text: str, separator: str, skipped: int) -> str:
    """Where a cell in quotes begins that does not end as one, and what to do; empty where all do."""
    ends = f"{separator}\r\n"
    for cell in re.finditer(rf'(?:(?<=[{re.escape(ends)}])|\A)"[^"]*(?:""[^"]*)*("|\Z)', text):
        line, last = (skipped + 1 + len(_LINE.findall(text[:place])) for place in cell.span())
        if text[cell.end() : cell.end() + 1] in ends and cell[1]:
            continue
        found = shown(_LINE.split(cell[0])[0][:SHOWN])
        if not cell[1]:
            return f"{label}, line {line}: the quote of {found} is never closed. Close it, or take it out."
        after = shown(_LINE.split(text[cell.end() : cell.end() + 2 * SHOWN])[0][:SHOWN])
        if last > line:
            text = f"the quote of {found} is closed on line {last}, before {after}"
            return f"{label}, line {line}: {text}. Close it where its cell ends, or take it out."
        way_out = "Take the quotes out, or put all of the cell in quotes and write those within it twice."
        return f"{label}, line {line}: the cell {found} goes on behind its quotes with {after}. {way_out}"
    return ""
