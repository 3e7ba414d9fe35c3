"""Decoding image files: one at a time, bounded, always to bytes of channels x height x width."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from netspec.datasets.files import show
from netspec.datasets.rows import Rows
from netspec.errors import DataError, printable

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    Array = np.ndarray[Any, Any]

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
"""What is opened at all. Pillow knows more, some of which it hands to other programs."""
MAX_PIXELS: Final = 2**26
"""Points of an image, at most: a file of some kilobytes can announce as many as it likes."""


@dataclass(frozen=True, eq=False)
class Pictures(Rows):
    """Images in files of their own, decoded whenever they are read."""

    decodes: ClassVar[bool] = True

    paths: tuple[str, ...]
    size: tuple[int, int]
    """Height and width."""
    grey: bool
    resized: bool
    """Whether images of another size are brought to this one, and not refused."""

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (len(self.paths), 1 if self.grey else 3, *self.size)

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        import numpy as np

        return np.dtype(np.uint8)

    def read(self, rows: Array) -> Array:
        import numpy as np

        found = np.empty((len(rows), *self.shape[1:]), np.uint8)
        for place, row in enumerate(rows.tolist()):
            with opened(self.paths[row], row) as image:
                found[place] = self._decoded(image)
        return found

    def _decoded(self, image: Image) -> Array:
        import numpy as np
        from PIL.Image import Resampling

        mode, (height, width) = "L" if self.grey else "RGB", self.size
        if self.resized:
            # A JPEG can be decoded at a half, a quarter, an eighth of its size in as much less time.
            image.draft(mode, (2 * width, 2 * height))
        image.load()
        image.info.pop("transparency", None)
        plain = image.convert(mode)
        if plain.size != (width, height):
            if not self.resized:
                raise ValueError(f"it is {plain.height} x {plain.width}, other images are {height} x {width}")
            plain = plain.resize((width, height), Resampling.BILINEAR)
        pixels = np.asarray(plain)
        return pixels[None] if self.grey else pixels.transpose(2, 0, 1)


def size_of(path: str, row: int) -> tuple[int, int]:
    """Height and width of the image in a file, of which only the beginning is read. Raises DataError."""
    with opened(path, row) as image:
        return image.height, image.width


@contextmanager
def opened(path: str, row: int) -> Iterator[Image]:
    """The image in the file of a row. Whatever goes wrong while it is entered becomes a DataError."""
    from PIL import Image, UnidentifiedImageError

    try:
        if not Path(path).is_file():  # a pipe would be waited for
            raise ValueError("it is not a regular file")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow warns of is refused here, or does not matter
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    text = f"it has {image.height:,} x {image.width:,} points, at most {MAX_PIXELS:,} are decoded"
                    raise ValueError(text)
                if image.mode[0] in "IF":
                    raise ValueError("it has more than 8 bits for each point and channel")
                yield image
    except UnidentifiedImageError:
        raise DataError(
            f"{show_file(path, row)} is not an image of a format that is read: {', '.join(FORMATS)}."
        ) from None
    except Exception as error:  # decoders raise whatever they stumble over in a damaged file
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DataError(f"{show_file(path, row)} cannot be used: {printable(str(reason))}") from None


def show_file(path: str, row: int) -> str:
    """The file of a row as messages show it."""
    return f"{show(Path(path))} (image {row})"
