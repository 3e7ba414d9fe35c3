"""Image decoding: one file at a time, bounded, always to bytes of channels x height x width."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from netspec.datasets.files import show
from netspec.datasets.rows import Rows
from netspec.datasets.values import DECODED
from netspec.errors import DataError
from netspec.words import printable

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    Array = np.ndarray[Any, Any]

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
"""What is opened at all. Pillow knows more, some of which it hands to other programs."""
MAX_PIXELS: Final = 2**26
"""Points of an image, at most: a file of some kilobytes can announce as many as it likes."""


PLAIN: Final = frozenset({"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"})
"""Pillow's modes of 8 bits or fewer, which become grey or red, green and blue."""
ORIENTATION: Final = 0x0112
SHEER: Final = ("LA", "La", "PA", "RGBA", "RGBa")
"""Modes with transparency of their own."""
TURNED: Final = (5, 6, 7, 8)
"""Orientations in EXIF by which height and width change places."""
PAGED: Final = ("GIF", "TIFF", "WEBP", "PNG")
"""Formats whose further images are no mere previews."""
DEEP: Final = 16
"""The bits of an image that has more than a byte for each point."""


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
    deep: bool = False
    """Whether some have 16 bits: then they are floats of 0.0 to 1.0, and not bytes."""
    bits: int = DEEP
    """The bits that points of such images make use of: all of them set are 1.0."""

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (len(self.paths), 1 if self.grey else 3, *self.size)

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        import numpy as np

        return np.dtype(np.float32 if self.deep else np.uint8)

    def read(self, rows: Array) -> Array:
        import numpy as np

        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for place, row in enumerate(rows.tolist()):
            with opened(self.paths[row], row) as image:
                found[place] = self._decoded(image)
        return found

    def _decoded(self, image: Image) -> Array:
        """An image as channels x height x width."""
        import numpy as np
        from PIL.Image import Resampling

        mode, (height, width) = "L" if self.grey else "RGB", self.size
        if self.resized:
            # A JPEG can be decoded at a half, a quarter, an eighth of its size in as much less time.
            sides = (height, width) if _orientation(image) in TURNED else (width, height)
            image.draft(mode, (2 * sides[0], 2 * sides[1]))
        plain = self._plain(upright(image), mode)
        if plain.size != (width, height):
            if not self.resized:
                raise ValueError(f"it is {plain.height} x {plain.width}, other images are {height} x {width}")
            plain = plain.resize((width, height), Resampling.BILINEAR)
        pixels = np.asarray(plain)
        pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
        if not self.deep:
            return pixels
        return pixels / np.float32(2**self.bits - 1 if pixels.dtype == np.float32 else 255)

    def _plain(self, image: Image, mode: str) -> Image:
        """The image as grey, or red, green and blue; one of 16 bits as floats of as much."""
        import numpy as np
        from PIL.Image import fromarray

        if is_deep(image):
            points = np.asarray(image)
            if (most := int(points.max())) >= 2**self.bits:
                text = f"a point of it is {most:,}, and bits={self.bits} says that {2**self.bits - 1:,} is the most"
                raise ValueError(text)
            return fromarray(points.astype(np.float32))
        _need_opaque(image)
        image.info.pop("transparency", None)
        return image.convert(mode)


@dataclass(frozen=True, slots=True)
class Survey:
    """What the beginning of image files says: heights and widths as they are seen, and whether some have 16 bits."""

    sizes: tuple[tuple[int, int], ...]
    deep: bool


def survey(paths: Sequence[str]) -> Survey:
    """The images in files, of which only the beginnings are read. Raises DataError for one that cannot be used."""
    sizes, deep = [], False
    for row, path in enumerate(paths):
        with opened(path, row) as image:
            height, width = image.height, image.width
            sizes.append((width, height) if _orientation(image) in TURNED else (height, width))
            deep |= is_deep(image)
    return Survey(tuple(sizes), deep)


def filled(pictures: Pictures) -> str:
    """What is told of images with 16 bits: which values they have, and what makes 1.0 of the largest; else nothing."""
    import numpy as np

    if not pictures.deep:
        return ""
    most = 0
    for row in np.linspace(0, len(pictures) - 1, min(len(pictures), DECODED)).astype(int).tolist():
        with opened(pictures.paths[row], row) as image:
            most = max(most, int(np.asarray(image).max())) if is_deep(image) else most
    full = 2**pictures.bits - 1
    text = f"images of 16 bits: their points go up to {most:,}, and {full:,} is 1.0"
    used = max(most.bit_length(), 8)
    if used >= pictures.bits:
        return text
    return f"{text}. Are they of {used} bits? Then bits={used} makes 1.0 of {2**used - 1:,}"


def is_deep(image: Image) -> bool:
    """Whether an image has 16 bits for each point. Of colours with 16 bits, Pillow keeps the upper 8."""
    return image.mode.startswith("I;16") or (image.mode == "I" and ";16" in str(getattr(image, "tile", "")))


def upright(image: Image) -> Image:
    """The image as a person sees it, turned and mirrored as its EXIF says."""
    from PIL.ImageOps import exif_transpose

    image.load()
    return exif_transpose(image) if _orientation(image) > 1 else image


def _need_opaque(image: Image) -> None:
    """Refuse an image of one colour that shows all by its transparency, which is dropped. Raises ValueError."""
    if image.mode not in SHEER and "transparency" not in image.info:
        return
    *colours, (low, high) = (band.getextrema() for band in image.convert("RGBA").split())
    if low != high and all(len({*colour}) == 1 for colour in colours):
        text = "all that it shows is in its transparency, which is dropped"
        raise ValueError(f"{text}. Save it as it looks on a background, in grey or colours")


def _orientation(image: Image) -> int:
    """How an image lies, as its EXIF says: 1 for upright."""
    found = image.getexif().get(ORIENTATION, 1)
    return found if isinstance(found, int) else 1


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
                if image.mode not in PLAIN and not is_deep(image):
                    raise ValueError(f"it is of Pillow's mode {image.mode}; grey, colours and grey of 16 bits are read")
                if image.format in PAGED and getattr(image, "is_animated", False):
                    raise ValueError("it holds several images, one is expected")
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
