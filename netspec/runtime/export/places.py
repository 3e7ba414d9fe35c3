"""Where an exported file comes to lie: it appears only when it is whole and proven."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from netspec.drafts import draft
from netspec.errors import UsageError
from netspec.files import is_stream, need_writable, place_of, pour, saving, sync


@contextmanager
def beside(path: Path, extension: str) -> Iterator[Path]:
    """A draft of `path` in a hidden folder next to it; moved into place if all goes well, else removed.

    A link stays one, a stream is written to. Raises UsageError.
    """
    need_writable(path)
    with saving(path):
        if is_stream(path):
            with TemporaryDirectory() as name:
                yield Path(name, f"network{extension}")
                whole, *more = sorted(Path(name).iterdir())
                if more:
                    raise UsageError(f"{path} takes one file, and a network as large as this is two. Name a file.")
                pour(whole, path)
            return
        place = place_of(path)
        with draft(place) as folder:
            folder.mkdir()
            yield folder / place.name
            for file in sorted(folder.iterdir(), reverse=True):  # the data, if any, before the model that names it
                sync(file)
                file.replace(place.parent / file.name)
            sync(place.parent)
