"""Images in files: a folder of class folders, or a table of paths and labels."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from netspec.datasets import checks
from netspec.datasets.base import LABELS, Arrays, Dataset, Gives, Origin, Part
from netspec.datasets.columns import Table, Texts, distinct
from netspec.datasets.csv import CSV
from netspec.datasets.files import Files, show
from netspec.datasets.pictures import Pictures, size_of
from netspec.dims import BATCH
from netspec.errors import DataError, printable
from netspec.fields import Bool, Maybe, Numbers, Text
from netspec.layers.base import Tensor
from netspec.transforms.base import pair

FOLDERS: Final = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
"""What the folder of each part may be called."""


class Images(Dataset):
    """Image files: a folder that holds a folder for each class, or a .csv file of paths and labels.

    Where the folder holds nothing but `train`, `val` (or `valid`, `validation`) and `test`, those are the parts, each
    with its class folders. Paths in a .csv file start where that file lies. Images are bytes of red, green and blue, or
    `grey`; transparency is dropped, and an orientation in EXIF is not heeded. Images of different sizes need a `size`,
    to which they are brought while they are read, averaging over the points that fall together. What fits into memory
    is decoded once; more is decoded a batch at a time.
    """

    example = "images photos size=64"

    path = Text("folder of class folders, or .csv file")
    size = Maybe(Numbers("height and width that all images are brought to; one number is both", None, axes=2, ge=1))
    grey = Bool("one channel instead of three", False)
    val = Maybe(Text("the same for the validation part", None))
    test = Maybe(Text("the same for the test part", None))
    files = Text("column of a .csv file that holds the paths", "file")
    labels = Text("column of a .csv file that holds the labels", "label")
    regression = Bool("take the labels as numbers", False)

    def gives(self) -> Gives:
        inputs = (Tensor((BATCH, 1 if self.grey else 3, *pair(self.size))),) if self.size is not None else None
        return Gives(inputs, Tensor((BATCH, 1)) if self.regression else LABELS)

    def read(self, files: Files) -> Arrays:
        tables = {part: self._table(files, path) for part, path in self._paths(files).items()}
        classes = None if self.regression else tuple(distinct(tables["train"].texts(self.labels)))
        size = self._common_size(tables)
        parts = {name: self._part(table, size, classes) for name, table in tables.items()}
        return Arrays(parts["train"], parts.get("val"), parts.get("test"), ("image",), classes)

    def samples(self, paths: Sequence[Path], learnt: Mapping[str, Any]) -> list[Pictures]:
        found = tuple(str(path) for given in paths for path in _images(given))
        if not found:
            raise DataError(f"{', '.join(map(show, paths))}: there is no image")
        size = pair(self.size) if self.size is not None else size_of(found[0], 0)
        return [Pictures(found, size, self.grey, self.size is not None)]

    def _paths(self, files: Files) -> dict[str, str]:
        """Where each part lies."""
        named = {part: path for part, path in (("val", self.val), ("test", self.test)) if path}
        root = files.find(self.path)
        folders = {entry.name for entry in _visible(root) if entry.is_dir()} if root.is_dir() else set()
        words = {word: part for part, words in FOLDERS.items() for word in words}
        if not folders <= words.keys() or "train" not in folders or not _holds_folders(root / "train"):
            return {"train": self.path, **named}
        found = {words[folder]: f"{self.path}/{folder}" for folder in sorted(folders)}
        for part in found.keys() & named.keys():
            raise DataError(f"{show(root)} has a folder for its {part} part. Drop {part}={named[part]}.")
        return {**found, **named}

    def _table(self, files: Files, path: str) -> Table:
        """The files and the labels at a path."""
        return self._listed(files, path) if files.find(path).is_dir() else self._written(files, path)

    def _listed(self, files: Files, path: str) -> Table:
        import numpy as np

        root, names, labels = files.folder(path), [], []
        for folder in (entry for entry in _visible(root) if _is_folder(entry)):
            inside = _visible(files.folder(f"{path}/{folder.name}"))
            if not inside:
                raise DataError(f"{show(root / folder.name)} is the folder of a class, and holds no image")
            for entry in inside:
                if _is_folder(entry):
                    text = f"{show(Path(entry.path))} is a folder, expected an image"
                    raise DataError(f"{text}: {show(root)} holds a folder for each class, and that holds images")
                name = f"{folder.name}/{entry.name}"
                if entry.is_symlink():
                    files.file(f"{path}/{name}")
                names.append(name)
                labels.append(folder.name)
        if not names:
            raise DataError(f"{show(root)} holds no folder. It should hold one for each class, with its images.")
        columns = {self.files: Texts([str(root / name) for name in names]), self.labels: Texts(labels)}
        return Table(Origin((show(root),), np.array(names), "file"), columns)

    def _written(self, files: Files, path: str) -> Table:
        table = CSV(path=path, target=self.labels).table(files.file(path))
        names = []
        for row, name in enumerate(table.texts(self.files)):
            if not name:
                raise DataError(
                    f"{table.origin.at(row)}: {printable(self.files)} is empty, expected the path of an image"
                )
            try:
                names.append(str(files.file(str(Path(path).parent / name))))
            except DataError as error:
                raise DataError(f"{table.origin.at(row)}: {error}") from None
        return Table(table.origin, {**table.columns, self.files: Texts(names)})

    def _common_size(self, tables: Mapping[str, Table]) -> tuple[int, int]:
        """The size that all images have or are brought to. Every file is opened, so what is no image is found here."""
        common, first = pair(self.size) if self.size is not None else None, ""
        for table in tables.values():
            for row, path in enumerate(table.texts(self.files)):
                found = size_of(path, row)
                if common is None:
                    common, first = found, path
                if self.size is None and found != common:
                    (height, width), (h, w) = common, found
                    text = f"{show(Path(path))} is {h} x {w}, {show(Path(first))} is {height} x {width}"
                    raise DataError(f"{text}. Write size={height}x{width} to bring all images to one size.")
        assert common is not None
        return common

    def _part(self, table: Table, size: tuple[int, int], classes: tuple[str, ...] | None) -> Part:
        images = Pictures(tuple(table.texts(self.files)), size, self.grey, self.size is not None)
        if classes is None:
            target = table.floats(self.labels)[:, None]
        else:
            target = table.coded(self.labels, {name: i for i, name in enumerate(classes)})
        checked = checks.part([images], target, [table.origin.name] * 2)
        return Part(checked.inputs, checked.target, table.origin, table.key)


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    """What a folder holds, by name, without what its system hides."""
    try:
        with os.scandir(folder) as entries:
            found = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{show(folder)} cannot be read: {error.strerror or error}") from None
    for entry in found:
        if any("\udc80" <= c <= "\udcff" for c in entry.name):
            raise DataError(f"{show(Path(entry.path))} has a name that is not UTF-8. Rename it.")
    return found


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _images(path: Path) -> Iterator[Path]:
    """The file itself, or all files in a folder and those in it, by name."""
    if not path.is_dir():
        yield path
        return
    for entry in _visible(path):
        yield from _images(Path(entry.path))


def _holds_folders(folder: Path) -> bool:
    return any(_is_folder(entry) for entry in _visible(folder))
