"""Images in files: a folder of class folders, a folder with one of masks, or a table of paths and labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from os.path import dirname
from pathlib import Path
from typing import Any, Final

from netspec.datasets import checks
from netspec.datasets.base import LABELS, Arrays, Dataset, Gives, Origin, Part
from netspec.datasets.columns import Table, Texts, distinct
from netspec.datasets.csv import CSV
from netspec.datasets.files import Files, show
from netspec.datasets.folders import files_in, holds_folders, is_folder, visible
from netspec.datasets.json import ENDINGS, JSON
from netspec.datasets.masks import Masks, paired
from netspec.datasets.npy import TARGETS, by_name, some_targets
from netspec.datasets.options import NAMES, names
from netspec.datasets.pictures import DEEP, Pictures, Survey, filled, survey
from netspec.dims import BATCH
from netspec.errors import DataError
from netspec.records import Bool, Checked, Int, Maybe, Numbers, Text
from netspec.several import Several, whole
from netspec.tensors import Tensor
from netspec.transforms.base import pair
from netspec.words import did_you_mean, printable

FOLDERS: Final = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
"""What the folder of each part may be called."""
MASKED: Final = "values= of the source says which values the classes have, ignore_index= of the loss skips one."


class Images(Dataset):
    """Image files: a folder that holds a folder for each class, or a .csv or .json file of paths and labels.

    Where the folder holds nothing but `train`, `val` (or `valid`, `validation`) and `test`, those are the parts, each
    with its class folders. Paths in a table start where that file lies; with several columns of `files` a sample
    has as many images, in the order of the network's inputs. With `masks` the target is an image too, of the same name
    in another folder: a class number for each point, or with `regression` its grey value, 0.0 to 1.0.

    Images are bytes of red, green and blue, or `grey`, turned as their EXIF says; transparency is dropped. Where some
    have 16 bits, all are read as floats of 0.0 to 1.0; of colours with 16 bits the upper 8 are taken. Images of
    different sizes need a `size`, to which they are brought while they are read, averaging over the points that fall
    together; masks take the nearest. What fits into memory is decoded once; more is decoded a batch at a time.
    """

    example = "images photos size=64"

    path = Text("folder of class folders, folder of images with masks, or .csv or .json file")
    size = Maybe(Numbers("height and width that all images are brought to; one number is both", None, axes=2, ge=1))
    grey = Bool("one channel instead of three", False)
    val = Maybe(Text("the same for the validation part", None))
    test = Maybe(Text("the same for the test part", None))
    files = Checked("column of a .csv file that holds the paths, or several", names, NAMES, ("file",), textual=True)
    labels = Checked(
        "column of a .csv file that holds the labels; a list of several, or {OUTPUT: COLUMN, ...}, which losses name",
        some_targets,
        TARGETS,
        "label",
        textual=True,
    )
    numbers = Checked("those of several labels that are numbers, as losses name them", names, NAMES, (), keyword=True)
    regression = Bool("take the labels, or the masks, as numbers", False)
    masks = Maybe(Text("folder of masks called as the images, or column of a .csv file that holds their paths", None))
    val_masks = Maybe(Text("folder of masks of a validation part that is named", None))
    test_masks = Maybe(Text("folder of masks of a test part that is named", None))
    values = Maybe(
        Several(
            "values of a mask's points in the order of the classes, as in 0x255; without, they are the class numbers",
            whole(0),
            "a different whole number for each class, as in 0x255",
            None,
            least=2,
            fit=lambda values: len(set(values)) == len(values),
        )
    )
    bits = Int(
        "the bits that images of 16 bits make use of, such as 12: the largest number of so many is 1.0",
        DEEP,
        ge=8,
        le=DEEP,
        keyword=True,
    )

    @property
    def targets(self) -> tuple[str, ...]:
        named = by_name(self.labels)
        return tuple(named) if len(named) > 1 else ()

    def columns_of(self, target: str) -> tuple[str, ...]:
        named = by_name(self.labels)
        target = target or next(iter(named))
        return (named[target],) if self.masks is None and self._is_number(target) else ()

    def gives(self) -> Gives:
        ranges: tuple[tuple[float, float], ...] = ((0, 1),) * len(self.files)
        target = None if self.masks or self.targets else Tensor((BATCH, 1)) if self.columns_of("") else LABELS
        if self.size is None:
            return Gives(target=target, ranges=ranges)
        size = pair(self.size)
        if self.masks:
            target = Tensor((BATCH, 1, *size)) if self.regression else Tensor((BATCH, *size), "int64")
        image = Tensor((BATCH, 1 if self.grey else 3, *size))
        return Gives((image,) * len(self.files), target, ranges=ranges)

    def read(self, files: Files) -> Arrays:
        self._need_sense()
        tables = {part: self._table(files, *paths) for part, paths in self._paths(files).items()}
        for table in tables.values() if self.masks is None else ():
            table.need([*by_name(self.labels).values()])
        known = {} if self.masks else {name: self._classes(tables["train"], name) for name in by_name(self.labels)}
        lead = next((name for name, classes in known.items() if classes is not None), next(iter(known), ""))
        pictures = [self._pictures(tables, column) for column in self.files]
        masks = self._masks(tables, pictures[0]) if self.masks else None
        parts = {}
        for part, table in tables.items():
            others = {name: self._labels(table, name, classes) for name, classes in known.items()}
            target = masks[part] if masks else others.pop(lead)
            checked = checks.part([p[part] for p in pictures], target, [table.origin.name] * (len(pictures) + 1))
            origin = replace(table.origin, targets=dict.fromkeys(others, table.origin.name))
            parts[part] = Part(checked.inputs, checked.target, origin, table.key, others)
        called = ("image",) if len(self.files) == 1 else self.files
        told = (*filter(None, (filled(p["train"]) for p in pictures)), *self._unnamed(files, tables))
        classes = known.pop(lead, None)
        found = Arrays(parts["train"], parts.get("val"), parts.get("test"), called, classes, told=told)
        return replace(found, lead=lead if self.targets else "", classes_of=known)

    def _is_number(self, target: str) -> bool:
        """Whether a target holds numbers, not classes."""
        return self.regression or target in self.numbers

    def _need_sense(self) -> None:
        """Refuse several labels where there can be one alone, and numbers that are none of them. Raises DataError."""
        named = by_name(self.labels)
        if unknown := [name for name in self.numbers if name not in named]:
            hint = did_you_mean(unknown[0], named) or f"The labels are {printable(', '.join(named))}."
            raise DataError(f"{self.called()}: numbers= names {printable(unknown[0])!r}, which is no label. {hint}")
        if self.masks and self.targets:
            raise DataError(f"{self.called()}: masks are one target, labels= names {len(self.targets)}. Drop labels.")

    def _classes(self, table: Table, target: str) -> tuple[str, ...] | None:
        """The classes that a target has in a table; None where it holds numbers."""
        return None if self._is_number(target) else tuple(distinct(table.texts(by_name(self.labels)[target])))

    def _unnamed(self, files: Files, tables: Mapping[str, Table]) -> Iterator[str]:
        """What is told of images that lie beside those of a table, and that no table names."""
        if files.find(self.path).is_dir():
            return
        columns = (*self.files, self.masks) if self.masks else self.files
        named = {path for table in tables.values() for column in columns for path in table.texts(column)}
        endings = {Path(path).suffix for path in named}
        beside = [entry.path for folder in sorted({*map(dirname, named)}) for entry in visible(Path(folder))]
        left = [path for path in beside if path not in named and Path(path).suffix in endings]
        if left:
            which = f"{len(left):,} images without a row are" if len(left) > 1 else "1 image without a row is"
            yield f"{tables['train'].origin.name}: {which} left out, such as {show(Path(left[0]))}"

    def samples(self, paths: Sequence[Path], learnt: Mapping[str, Any]) -> list[Pictures]:
        if len(paths) == 1 and paths[0].suffix.lower() in (".csv", *ENDINGS):
            table = self._written(Files(paths[0].parent), paths[0].name, self.files)
            columns = [tuple(table.texts(column)) for column in self.files]
        elif len(self.files) > 1:
            text = f"a sample has {len(self.files)} images: name a .csv file with their paths"
            raise DataError(f"{text}, in columns called {printable(', '.join(self.files))}")
        else:
            columns = [tuple(str(path) for given in paths for path in files_in(given))]
        if not columns[0]:
            raise DataError(f"{', '.join(map(show, paths))}: there is no image")
        found = []
        for column in columns:
            seen = survey(column)
            size = pair(self.size) if self.size is not None else seen.sizes[0]
            found.append(Pictures(column, size, self.grey, self.size is not None, seen.deep, self.bits))
        return found

    def _paths(self, files: Files) -> dict[str, tuple[str, str | None]]:
        """Where each part lies, and its masks."""
        beside = ((self.val, self.val_masks or self.masks), (self.test, self.test_masks or self.masks))
        named = {part: (path, masks) for part, (path, masks) in zip(("val", "test"), beside, strict=True) if path}
        root = files.find(self.path)
        folders = {entry.name for entry in visible(root) if entry.is_dir()} if root.is_dir() else set()
        words = {word: part for part, words in FOLDERS.items() for word in words}
        parts = "train" in folders and folders <= words.keys()
        if not parts or not (self.masks or holds_folders(root / "train")):
            return {"train": (self.path, self.masks), **named}
        found = {words[f]: (f"{self.path}/{f}", self.masks and f"{self.masks}/{f}") for f in sorted(folders)}
        for part in found.keys() & named.keys():
            raise DataError(f"{show(root)} has a folder for its {part} part. Drop {part}={named[part][0]}.")
        return {**found, **named}

    def _table(self, files: Files, path: str, masks: str | None) -> Table:
        """The files and the labels, or the masks, at a path."""
        if not files.find(path).is_dir():
            return self._written(files, path, (*self.files, self.masks) if self.masks else self.files)
        if len(self.files) > 1 or self.targets:
            several = "images a sample" if len(self.files) > 1 else "labels"
            raise DataError(f"{show(files.find(path))} is a folder; several {several} stand in a .csv file")
        return self._listed(files, path) if masks is None else self._paired(files, path, masks)

    def _paired(self, files: Files, path: str, masks: str) -> Table:
        """A table of images and the masks of the same names."""
        import numpy as np

        found = paired(files, path, masks)
        images, targets = ([each[place] for each in found] for place in (1, 2))
        columns = {self.files[0]: Texts(images), self.masks or "": Texts(targets)}
        names = show(files.folder(path)), show(files.folder(masks))
        return Table(Origin(names, np.array([stem for stem, *_ in found]), "file", MASKED), columns)

    def _listed(self, files: Files, path: str) -> Table:
        """A table of images and the names of their folders, which are the classes."""
        import numpy as np

        root, found, labels = files.folder(path), [], []
        for folder in (entry for entry in visible(root) if is_folder(entry)):
            inside = visible(files.folder(f"{path}/{folder.name}"))
            if not inside:
                raise DataError(f"{show(root / folder.name)} is the folder of a class, and holds no image")
            for entry in inside:
                if is_folder(entry):
                    text = f"{show(Path(entry.path))} is a folder, expected an image"
                    raise DataError(f"{text}: {show(root)} holds a folder for each class, and that holds images")
                name = f"{folder.name}/{entry.name}"
                if entry.is_symlink():
                    files.file(f"{path}/{name}")
                found.append(name)
                labels.append(folder.name)
        if not found:
            raise DataError(f"{show(root)} holds no folder. It should hold one for each class, with its images.")
        columns = {
            self.files[0]: Texts([str(root / name) for name in found]),
            next(iter(by_name(self.labels).values())): Texts(labels),
        }
        return Table(Origin((show(root),), np.array(found), "file"), columns)

    def _written(self, files: Files, path: str, columns: Sequence[str]) -> Table:
        """A table of the images and labels that a .csv or .json file names."""
        kind = JSON if path.lower().endswith(ENDINGS) else CSV
        table = kind(path=path, target=tuple(by_name(self.labels).values())).table(files.file(path))
        found = {column: Texts(list(self._opened(files, path, table, column))) for column in columns}
        # The source has no options for how its table is written, so none is advised.
        return Table(table.origin, {**table.columns, **found}, settled=True)

    def _opened(self, files: Files, path: str, table: Table, column: str) -> Iterator[str]:
        """The paths in a column of a table that lies at `path`."""
        for row, name in enumerate(table.texts(column)):
            if not name:
                raise DataError(f"{table.origin.at(row)}: {printable(column)} is empty, expected the path of an image")
            try:
                yield str(files.file(str(Path(path).parent / name)))
            except DataError as error:
                raise DataError(f"{table.origin.at(row)}: {error}") from None

    def _pictures(self, tables: Mapping[str, Table], column: str) -> dict[str, Pictures]:
        """The images in a column of each part. Every file is opened, so what is no image is found here."""
        paths = {part: tuple(table.texts(column)) for part, table in tables.items()}
        seen = {part: survey(found) for part, found in paths.items()}
        size = pair(self.size) if self.size is not None else _common_size(paths, seen)
        deep = any(each.deep for each in seen.values())
        resized = self.size is not None
        return {part: Pictures(p, size, self.grey, resized, deep, self.bits) for part, p in paths.items()}

    def _labels(self, table: Table, target: str, classes: tuple[str, ...] | None) -> Any:
        """Labels as numbers of classes, or as the numbers that they are, samples x 1."""
        column = by_name(self.labels)[target]
        if classes is None:
            return table.floats(column)[:, None]
        return table.coded(column, {name: i for i, name in enumerate(classes)})

    def _masks(self, tables: Mapping[str, Table], images: Mapping[str, Pictures]) -> dict[str, Any]:
        """The masks of each part. Every file is opened, as the images are."""
        found: dict[str, Any] = {}
        for part, table in tables.items():
            paths, shown = tuple(table.texts(self.masks or "")), images[part]
            sizes = zip(survey(shown.paths).sizes, survey(paths).sizes, strict=True)
            for row, (wanted, size) in enumerate(sizes):
                if size != wanted:
                    image, mask = show(Path(shown.paths[row])), show(Path(paths[row]))
                    text = f"{mask} is {size[0]} x {size[1]}, its image {image} is {wanted[0]} x {wanted[1]}"
                    raise DataError(f"{text}. A mask lies on the points of its image.")
            if self.regression:
                found[part] = Pictures(paths, shown.size, True, shown.resized, deep=True)
            else:
                found[part] = Masks(paths, shown.size, shown.resized, self.values)
        return found


def _common_size(paths: Mapping[str, Sequence[str]], seen: Mapping[str, Survey]) -> tuple[int, int]:
    """The size that all images have. Raises DataError where one has another."""
    every = [(path, size) for part in paths for path, size in zip(paths[part], seen[part].sizes, strict=True)]
    first, (height, width) = every[0]
    for path, (h, w) in every:
        if (h, w) != (height, width):
            text = f"{show(Path(path))} is {h} x {w}, {show(Path(first))} is {height} x {width}"
            raise DataError(f"{text}. Write size={height}x{width} to bring all images to one size.")
    return height, width
