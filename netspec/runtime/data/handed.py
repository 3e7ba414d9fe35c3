"""Inputs for inference, as people hand them in: arrays, tables, texts and photos."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from netspec.datasets.base import ARRAYS, Dataset, Origin
from netspec.datasets.columns import Table, Texts
from netspec.datasets.csv import CSV, MAX_TEXT
from netspec.datasets.files import Budget, show, text_of, unpacked
from netspec.datasets.growing import HELD, Folder, GrowingWords, grown
from netspec.datasets.images import Images
from netspec.datasets.json import ENDINGS, JSON
from netspec.datasets.npy import read_file
from netspec.datasets.npz import opened
from netspec.datasets.parquet import Parquet
from netspec.datasets.pictures import Pictures
from netspec.datasets.remarks import Remarks
from netspec.datasets.rows import Rows
from netspec.datasets.table import Tabular, only
from netspec.datasets.text import Text, uneven
from netspec.datasets.values import BYTE, Values, measured
from netspec.errors import DataError
from netspec.runtime.data.ranges import MANY, SLACK, converted

if TYPE_CHECKING:
    from netspec.datasets.base import Column

Array = np.ndarray[Any, Any]
Table_ = TypeVar("Table_", bound=Tabular)

PHOTOS: Final = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm")
"""What a file of an image ends in."""
SIDE: Final = 8
"""A row of numbers is taken for an image of at least so many points in height and width."""
LINES: Final = 4096
"""Lines of text that are read at a time."""
LOOKED: Final = 64
"""Photos that are looked at to see how bright they are."""
APART: Final = 0.4
"""How far means of black and white are apart where light and dark may be swapped."""
FAR: Final = 3
"""How many times the largest value of images may be that of training, before it is told."""
DEPTH: Final = 8
"""Bits of a byte."""
FULL: Final = 2**16 - 1
"""The largest number of a point of 16 bits."""
WRITTEN: Final = ("separator", "encoding", "decimal", "thousands")
"""Options that say how one format is written, and nothing of another."""
STANDARD_INPUT: Final = Path("-")


@dataclass(frozen=True, slots=True)
class Handed:
    """The inputs of new samples, what names each of them, by column, and what a person should be told."""

    inputs: Sequence[Column]
    """A column for each input of the network, samples first."""
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Columns that stand beside the answers, a word a sample: its line, or its file."""
    told: tuple[str, ...] = ()
    """Lines for a person, about what was converted or looks odd."""
    judged: bool = True
    """Whether the values may be on another scale than those of training."""
    photos: str = ""
    """What to do where they are images in files and on another scale."""


def handed(
    source: Dataset | None, files: Sequence[Path], learnt: Mapping[str, Any], inputs: Mapping[str, Sequence[Any]]
) -> Handed:
    """The samples in files; `inputs` are the shapes of the network's inputs, by name. Raises DataError."""
    if source is None:
        return Handed(_arrays(files, tuple(inputs)))
    lines = _lines(source, files, learnt, next(iter(inputs.values())))
    if lines is not None:
        return lines
    if absent := next((file for file in files if not file.exists()), None):
        raise DataError(f"{show(absent)} is not a file")
    if all(file.suffix in ARRAYS for file in files):
        return Handed(_arrays(files, learnt["inputs"]["names"]))
    if isinstance(source, Images):
        return _own(source.samples(files, learnt), learnt, source.bits)
    if all(file.is_dir() or file.suffix.lower() in PHOTOS for file in files):
        return _photos(files, learnt, next(iter(inputs.values())))
    if isinstance(source, Tabular):
        return _rows_of(source, _read(source, only(files)), learnt)
    return Handed(source.samples(files, learnt))


def arrays_in(files: Sequence[Path], inputs: Sequence[str]) -> Handed:
    """The samples in files of arrays, taken as they are. Raises DataError."""
    return Handed(_arrays(files, inputs), judged=False)


def _arrays(files: Sequence[Path], inputs: Sequence[str]) -> list[Column]:
    """The arrays in one .npz file, by the names of the inputs, or in a .npy file for each input. Raises DataError."""
    for file in files:
        if not file.is_file():
            raise DataError(f"{show(file)} is not a file")
        if file.suffix not in ARRAYS:
            raise DataError(f"{show(file)} is neither .npy nor .npz")
    budget = Budget()
    if files[0].suffix == ".npz" and len(files) == 1:
        with opened(files[0], budget) as archive:
            alone = len(inputs) == 1 == len(archive.names)
            held = [archive.read(name) for name in (archive.names if alone else inputs)]
        return [_held(array, budget) for array in held]
    if len(files) != len(inputs) or any(file.suffix == ".npz" for file in files):
        text = f"the network takes {len(inputs)} input{'s' * (len(inputs) != 1)}, {', '.join(inputs)}"
        raise DataError(f"{text}: name one .npz file with an array for each, or a .npy file for each")
    return [_held(read_file(file, budget), budget) for file in files]


def _held(array: Array | Rows, budget: Budget) -> Column:
    """An array in memory, where it is small; larger ones stay in their files, and are read as they are needed."""
    if not isinstance(array, Rows) or array.nbytes > min(budget.left, HELD):
        return array
    budget.left -= array.nbytes
    return array[:]


# --- tables ---------------------------------------------------------------------------------------


def _rows_of(source: Tabular, tables: Iterable[Table], learnt: Mapping[str, Any]) -> Handed:
    """The rows of a table, which may come in pieces, as samples.

    Of few columns each is judged by itself, as numbers of many kinds are.
    """
    known, remarks = learnt["columns"].get("extents"), Remarks(learnt["columns"], source.beside_inputs)
    folder, names = Folder(), dict[str, GrowingWords]()

    def seen() -> Iterator[Sequence[Array]]:
        for table in tables:
            found = source.seen(table, learnt)
            remarks.add(table)
            for name, words in source.ids(table).items():
                names.setdefault(name, GrowingWords(folder, HELD)).extend(words)
            yield found

    inputs = grown(seen(), HELD)
    return Handed(inputs, names, tuple(remarks.lines()), judged=known is None or len(known) >= MANY)


def _read(source: Tabular, path: Path) -> Iterable[Table]:
    """The table in a file: of windows, which may lie in any order, the whole one."""
    source = _by_ending(source, path)
    return source.tables(path) if source.window is None else [source.table(path)]


def _by_ending(source: Tabular, path: Path) -> Tabular:
    """The same columns in a file of the format that its name ends in, where that is another than the run's own."""
    ending = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    known: dict[str, type[Tabular]] = {"csv": CSV, "tsv": CSV, "parquet": Parquet, "pq": Parquet}
    known |= {each.removeprefix("."): JSON for each in ENDINGS}
    return _as(known.get(ending, type(source)), source)


def _as(cls: type[Table_], source: Tabular) -> Table_:
    """The same columns in another format, in which numbers may be written otherwise, and texts encoded."""
    if isinstance(source, cls):
        return source
    kept = {name: value for name, value in source.given.items() if name in cls.fields and name not in WRITTEN}
    return cls(**kept)


def _on_input(source: Tabular) -> Iterator[Table]:
    """The table on standard input, JSON where it begins so and else CSV, which is kept for a second look at it."""
    with tempfile.SpooledTemporaryFile(HELD) as stream:
        shutil.copyfileobj(sys.stdin.buffer, stream)
        stream.seek(0)
        begin = stream.read(LOOKED).lstrip()[:1]
        stream.seek(0)
        refused = None
        if begin in (b"[", b"{"):
            try:
                yield _as(JSON, source).parsed(_whole(stream), "standard input")
                return
            except DataError as error:  # the first column may be called so
                refused = error
            stream.seek(0)
        try:
            yield from _csv_on_input(source, stream)
        except DataError as error:
            raise refused or error from None


def _csv_on_input(source: Tabular, stream: Any) -> Iterator[Table]:
    """The same as CSV, whose separator is not known; of windows the whole one."""
    known = CSV(**{name: value for name, value in source.given.items() if name in CSV.fields and name != "separator"})
    if source.window is not None:
        yield known.parsed(_whole(stream), "standard input")
    else:
        yield from known.parsed_by_pieces(stream, "standard input")


def _whole(stream: Any) -> bytes:
    """All bytes of standard input, where they may be read at once. Raises DataError."""
    found: bytes = stream.read(MAX_TEXT + 1)
    if len(found) > MAX_TEXT:
        text = f"standard input has more than {MAX_TEXT:,} bytes, which are not read at once"
        raise DataError(f"{text}. Give fewer rows at a time.")
    return found


# --- texts ----------------------------------------------------------------------------------------


def _lines(source: Dataset, files: Sequence[Path], learnt: Mapping[str, Any], shape: Sequence[Any]) -> Handed | None:
    """The lines of texts as samples, for a run that takes nothing but a text; None where that is not what is given.

    `shape` is that of the network's first input. Raises DataError.
    """
    column = _text_column(source, learnt)
    tables = isinstance(source, Tabular) and any(file.exists() and file.suffix != ".txt" for file in files)
    if column is None or tables or any(file.suffix in ARRAYS for file in files):
        if STANDARD_INPUT not in files:
            return None
        if not isinstance(source, Tabular) or len(files) > 1:
            text = "standard input is lines of text or one table, which the run does not take"
            raise DataError(text if len(files) == 1 else "standard input is one table: name nothing else")
        return _rows_of(source, _on_input(source), learnt)
    names, label = GrowingWords(Folder(), HELD), show(files[0])

    def seen() -> Iterator[Sequence[Array]]:
        for first, texts, called in _by_pieces(files):
            names.extend(called)
            if isinstance(source, Text):
                yield [source.lines(texts, called, learnt, taken)]
            elif isinstance(source, Tabular):
                rows = np.arange(first, first + len(texts))
                origin = Origin((label,), rows, "line") if len(files) == 1 else Origin()
                yield source.seen(Table(origin, {column: Texts(texts)}), learnt)

    taken = shape[-1] if len(shape) == 2 and isinstance(shape[-1], int) else None
    inputs = grown(_of_one_length(seen(), names) if isinstance(source, Text) else seen(), HELD)
    if not names:
        raise DataError(f"{', '.join(map(show, files))}: there is no line of text")
    return Handed(inputs, {"line": names})


def _of_one_length(pieces: Iterable[Sequence[Array]], names: Sequence[str]) -> Iterator[Sequence[Array]]:
    """The tokens of texts, all of one length. Raises DataError."""
    length, count = 0, 0
    for piece in pieces:
        own = piece[0].shape[1]
        length = length or own
        if own != length:
            raise uneven(names[count if own < length else 0], min(own, length), max(own, length))
        count += len(piece[0])
        yield piece


def _text_column(source: Dataset, learnt: Mapping[str, Any]) -> str | None:
    """The column that a table's run takes as a text, where it takes no other; of a text, nothing but that there is."""
    if isinstance(source, Text):
        return ""
    columns = learnt.get("columns", {}) if isinstance(source, Tabular) else {}
    texts = list(columns.get("texts", ()))
    others = any(columns.get(kind) for kind in ("numbers", "categories", "dates"))
    return texts[0] if len(texts) == 1 and not others else None


def _by_pieces(files: Sequence[Path]) -> Iterator[tuple[int, list[str], list[str]]]:
    """The lines in files, some at a time: the number of the first of them in its file, these, and what each is called.

    Raises DataError.
    """
    for file in files:
        with _opened(file) as (lines, label):
            first = 1
            while texts := list(islice(lines, LINES)):
                yield first, texts, [f"{label}line {first + i}" for i in range(len(texts))]
                first += len(texts)


@contextmanager
def _opened(file: Path) -> Iterator[tuple[Iterator[str], str]]:
    """The lines of a file, of standard input, or of the words themselves; and what stands before their numbers.

    Raises DataError.
    """
    if file == STANDARD_INPUT:
        try:
            yield _split(sys.stdin.buffer), ""
        except UnicodeDecodeError as error:
            raise DataError(f"standard input is not UTF-8: byte 0x{error.object[error.start]:02x}") from None
        return
    if not file.exists() and any(letter.isspace() for letter in str(file)):
        yield iter([str(file)]), ""
        return
    if not file.is_file():
        way_out = "A line of text is given with blanks in it, or on standard input: -"
        raise DataError(f"{show(file)} is not a file. {way_out}")
    try:
        with unpacked(file) as stream:
            yield _split(stream), f"{show(file)}, "
    except UnicodeDecodeError as error:
        text_of(file, MAX_TEXT, "Give fewer lines at a time.")  # which says where
        raise DataError(f"{show(file)} is not UTF-8: byte 0x{error.object[error.start]:02x}") from None


def _split(stream: Any) -> Iterator[str]:
    """The lines of a text in UTF-8."""
    text = io.TextIOWrapper(stream, "utf-8-sig", newline="")
    try:
        for line in text:
            yield from line.splitlines()
    finally:
        text.detach()


# --- photos ---------------------------------------------------------------------------------------


def _own(inputs: Sequence[Column], learnt: Mapping[str, Any], bits: int) -> Handed:
    """Images for a run over images: those without a size of its own are brought to that of its data, which is told."""
    told, kept = [], learnt.get("values") or [None] * len(inputs)
    stretched = f"Save them so that {2**bits - 1:,} of {bits} bits is white, as 255 is of 8."
    found: list[Column] = []
    for x, values in zip(inputs, kept, strict=True):
        if isinstance(x, Pictures) and not x.resized and values is not None:
            height, width = values["shape"][1:]
            if x.size != (height, width):
                told.append(f"images are brought to {height} x {width} points, the size of the run's own")
            x = replace(x, size=(height, width), resized=True)
        if isinstance(x, Pictures) and x.deep and values is not None:
            told += _fainter(x, Values.of(values))
        stretched = (_unused(Values.of(values), bits) if values is not None else "") or stretched
        found.append(x)
    first = found[0]
    names = {"file": first.paths} if isinstance(first, Pictures) else {}
    deep = {x.dtype for x in found} | {np.dtype(values["dtype"]) for values in kept if values} != {np.dtype(np.uint8)}
    return Handed(found, names, tuple(dict.fromkeys(told)), judged=deep, photos=stretched)


def _unused(trained: Values, bits: int) -> str:
    """What to do where the images that a run was trained on use fewer bits than its source says; else nothing."""
    used = max(round(trained.high * (2**bits - 1)).bit_length(), DEPTH)
    if trained.dtype == "uint8" or used >= bits:
        return ""
    way_out = f"Train it with bits={used} in its source, which makes {2**used - 1:,} white, as 255 is of 8 bits."
    return f"The run's own images use {used} of {bits} bits. {way_out}"


def _fainter(pictures: Pictures, trained: Values) -> Iterator[str]:
    """What is told of images of 16 bits whose largest value is far from that of training: others may use fewer bits."""
    white = trained.high / (BYTE if trained.dtype == "uint8" else 1)
    own = measured(pictures).high
    if not white / FAR <= own <= white * FAR:
        text = f"points of the images go up to {own:.3g} of white, those of training to {white:.3g}"
        yield f"{text}: are both of as many bits?"


def _photos(files: Sequence[Path], learnt: Mapping[str, Any], taken: Sequence[Any]) -> Handed:
    """Images in files for a run over arrays: in the form, the size and the colours that its data has.

    Raises DataError.
    """
    kept, label = learnt.get("values"), ", ".join(map(show, files))
    if kept is None:
        raise DataError(f"{label}: the run was trained by an older version, which did not keep the form of its images")
    if len(kept) != 1:
        raise DataError(f"{label}: the run takes {len(kept)} inputs, and images could only be one of them")
    form = _form(Values.of(kept[0]).shape, taken)
    if form is None:
        shown = " x ".join(map(str, kept[0]["shape"])) or "one number"
        raise DataError(f"{label}: the run takes {shown} a sample, which is no image. Give arrays, as numpy.save does.")
    channels, height, width, arrange = form
    (pictures,) = Images(path=".", size=(height, width), grey=channels == 1).samples(files, learnt)
    trained, column, lines = Values.of(kept[0]), converted(pictures, arrange), []
    told = f"images are taken {'in grey' if channels == 1 else 'in colours'}, {height} x {width} points"
    lines.append(f"{told}, as the run's data is")
    if pictures.deep and trained.dtype != "uint8" and trained.high > 1 + SLACK:
        lines.append(
            "their points are taken as the numbers of 16 bits that they are, as the run's data has such numbers"
        )
        column = converted(column, lambda x: np.round(x * np.float32(FULL)))
    lines += _swapped(column, trained, learnt["inputs"]["peak"])
    sizes = " x ".join(map(str, trained.shape))
    way_out = f"Give an array on that scale, of images x {sizes}, as numpy.save writes it: new.npy."
    return Handed([column], {"file": pictures.paths}, tuple(lines), photos=way_out)


def _swapped(photos: Column, trained: Values, peak: int) -> Iterator[str]:
    """What is told of photos that are bright where the images of training are dark, or the other way round."""
    full = peak if trained.dtype == "uint8" else trained.high
    if trained.mean is None or trained.low < 0 or not full:
        return
    white = BYTE if photos.dtype == np.uint8 else full if full > 1 + SLACK and trained.dtype != "uint8" else 1
    own, known = float(photos[:LOOKED].mean()) / white, trained.mean / full
    if abs(own - known) > APART and (own > 0.5) != (known > 0.5):
        yield f"their mean is {own:.2f} of white, that of the run's data {known:.2f}: are light and dark swapped?"


def _form(shape: tuple[int, ...], taken: Sequence[Any]) -> tuple[int, int, int, Callable[[Array], Array]] | None:
    """Channels, height and width of the images of a run, and what brings them to its `shape`; None for no images.

    A row of numbers is an image in grey of the shape that the network takes, or a square one.
    """
    if len(shape) == 3 and shape[0] in (1, 3):
        return *shape, lambda x: x
    if len(shape) == 3 and shape[2] in (1, 3):
        return shape[2], shape[0], shape[1], lambda x: x.transpose(0, 2, 3, 1)
    if len(shape) == 2:
        return 1, *shape, lambda x: x[:, 0]
    if len(shape) != 1:
        return None
    side = isqrt(shape[0])
    sizes = tuple(taken)[-2:]
    if len(taken) == 4:
        height, width = sizes if all(type(size) is int for size in sizes) else (0, 0)
    else:
        height = width = side if side >= SIDE else 0
    if height * width != shape[0]:
        return None
    return 1, height, width, lambda x: x.reshape(len(x), -1)
