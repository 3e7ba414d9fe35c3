"""Writes which words each family file answers to, so that only those in use are loaded: `python -m tests.families`.

`FAMILIES` in the rooms of layers and operations is what the classes in their files say; run it after a change to these.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from textwrap import wrap
from types import ModuleType
from typing import Final

from netspec import layers, ops
from netspec.layers.base import Op

ROOMS: Final = (layers, ops)
_BLOCK: Final = re.compile(r"FAMILIES: dict\[str, str\] = \{\n.*?^\}\n", re.DOTALL | re.MULTILINE)


def derived(room: ModuleType) -> dict[str, str]:
    """The words of each family of a room: the names of its classes, then their short words. Files keep their order."""
    files = [path.stem for path in _folder(room).glob("*.py") if path.stem not in ("__init__", "base")]
    known = list(room.FAMILIES)
    found = {file: _words(import_module(f"{room.__name__}.{file}")) for file in sorted(files)}
    order = sorted(found, key=lambda file: (known.index(file) if file in known else len(known), file))
    return {file: found[file] for file in order if found[file]}


def _words(module: ModuleType) -> str:
    own = (cls for cls in vars(module).values() if isinstance(cls, type) and cls.__module__ == module.__name__)
    classes = [cls for cls in own if issubclass(cls, Op) and cls.example]
    words = [cls.__name__ for cls in classes]
    words += [word for cls in classes for word in (*cls.words, *cls.general)]
    return " ".join(dict.fromkeys(words))


def written(families: dict[str, str]) -> str:
    """The families as source."""
    lines = [line for file, words in families.items() for line in _lines(file, words)]
    return "\n".join(["FAMILIES: dict[str, str] = {", *lines, "}", ""])


def _lines(file: str, words: str) -> list[str]:
    if len(line := f'    "{file}": "{words}",') <= 120:
        return [line]
    parts = wrap(words, 108, break_on_hyphens=False)
    return [f'    "{file}": (', *(f'        "{part} "' for part in parts[:-1]), f'        "{parts[-1]}"', "    ),"]


def _folder(room: ModuleType) -> Path:
    assert room.__file__ is not None
    return Path(room.__file__).parent


def main() -> None:
    for room in ROOMS:
        file = _folder(room) / "__init__.py"
        file.write_text(_BLOCK.sub(written(derived(room)), file.read_text()))


if __name__ == "__main__":
    main()
