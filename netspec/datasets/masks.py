"""Masks: images whose points are the numbers of classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from netspec.datasets.files import Files, show
from netspec.datasets.folders import images_in
from netspec.datasets.pictures import is_deep, opened, upright
from netspec.datasets.rows import Rows
from netspec.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    Array = np.ndarray[Any, Any]

NUMBERED: Final = ("1", "L", "P")
"""Pillow's modes of one number a point; that of a palette is the number of the colour."""


def numbers_in(mask: Image) -> set[int]:
    """The numbers that the points of a mask have."""
    return {number for number, count in enumerate(mask.histogram()) if count}


@dataclass(frozen=True, eq=False)
class Masks(Rows):
    """Masks in files of their own, decoded whenever they are read: a class number for each point."""

    decodes: ClassVar[bool] = True

    paths: tuple[str, ...]
    size: tuple[int, int]
    """Height and width."""
    resized: bool
    """Whether masks of another size are brought to this one, each point taken from the nearest, and not refused."""
    values: tuple[int, ...] | None = None
    """The values of the points in the order of the classes; without, a value is the number of its class."""

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (len(self.paths), *self.size)

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        import numpy as np

        return np.dtype(np.int64)

    def read(self, rows: Array) -> Array:
        import numpy as np

        found = np.empty((len(rows), *self.size), np.int64)
        for place, row in enumerate(rows.tolist()):
            with opened(self.paths[row], row) as image:
                found[place] = self._numbered(self._decoded(image))
        return found

    def _decoded(self, image: Image) -> Array:
        """The classes of an image's points, height x width."""
        import numpy as np
        from PIL.Image import Resampling

        height, width = self.size
        if image.format == "JPEG":
            raise ValueError("it is a JPEG, which blurs the numbers of classes. Save masks as PNG")
        mask = _single(upright(image))
        if mask.size != (width, height):
            if not self.resized:
                raise ValueError(f"it is {mask.height} x {mask.width}, its image is {height} x {width}")
            mask = mask.resize((width, height), Resampling.NEAREST)
        return np.asarray(mask).astype(np.int64)

    def _numbered(self, mask: Array) -> Array:
        """The points of a mask as class numbers."""
        import numpy as np

        if self.values is None:
            return mask
        order = np.argsort(self.values)
        ranked = np.asarray(self.values)[order]
        places = np.searchsorted(ranked, mask).clip(0, len(ranked) - 1)
        wrong = ranked[places] != mask
        if wrong.any():
            known = ", ".join(map(str, self.values))
            raise ValueError(f"a point has the value {mask[wrong][0]}, values has {known}")
        found: Array = order[places]
        return found


def _single(image: Image) -> Image:
    """The image with one number for each point, where it has no more. Raises ValueError."""
    if image.mode in NUMBERED or is_deep(image):
        return image
    bands = image.split()
    colours, rest = bands[: 3 if image.mode.startswith("RGB") else 1], bands[3 if image.mode.startswith("RGB") else 1 :]
    alike = all(band.tobytes() == colours[0].tobytes() for band in colours[1:])
    if image.mode not in ("RGB", "RGBA", "LA") or not alike or any(band.getextrema() != (255, 255) for band in rest):
        raise ValueError(
            f"it is of Pillow's mode {image.mode} and has colours or transparency; a mask has grey values, or a palette"
        )
    return colours[0]


def paired(files: Files, images: str, masks: str) -> list[tuple[str, str, str]]:
    """The images in a folder and those in it, each with its mask of the same stem: stem, path, path of the mask.

    Raises DataError for one without the other.
    """
    shown = show(files.folder(masks))
    there = _by_stem(images_in(files, images), show(files.folder(images)))
    found = _by_stem(images_in(files, masks), shown)
    if not there:
        raise DataError(f"{show(files.folder(images))} holds no image")
    for stem, (name, _) in there.items():
        if stem not in found:
            raise DataError(f"{show(files.folder(images))}, file {name}: {shown} has no mask called {stem}")
    for stem, (name, _) in found.items():
        if stem not in there:
            raise DataError(f"{shown}, file {name}: there is no image called {stem} for this mask")
    return [(stem, path, found[stem][1]) for stem, (_, path) in there.items()]


def _by_stem(found: list[tuple[str, str]], folder: str) -> Mapping[str, tuple[str, str]]:
    """Names and paths by the name without its suffix."""
    stems: dict[str, tuple[str, str]] = {}
    for name, path in found:
        stem = str(Path(name).with_suffix(""))
        if stem in stems:
            raise DataError(f"{folder} holds {stems[stem][0]} and {name}, which have the same stem")
        stems[stem] = (name, path)
    return stems
