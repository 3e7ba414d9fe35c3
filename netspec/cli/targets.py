"""Files and folders that commands write, refused before anything runs where they could not be as they are named."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click


class Target(click.ParamType[Path]):
    """A file to write in one of a command's formats. Its suffix says which, and its folder is there."""

    name = "file"

    def __init__(self, *suffixes: str) -> None:
        self.suffixes = suffixes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path of a file that can be written, before any work is done for it."""
        from netspec.files import is_stream

        path = Path(value)
        if str(value) == "-":
            self.fail("- would be a file of that name. /dev/stdout is the standard output.", param, ctx)
        if path.is_dir():
            self.fail(f"{path} is a folder. Name a file in it: {path / 'NAME'}{self.suffixes[0]}", param, ctx)
        if path.exists() and (not path.is_file() or is_stream(path)):
            return path  # a device or a pipe has no format of its own
        if path.suffix.lower() not in self.suffixes and (path.suffix or len(self.suffixes) > 1):
            self.fail(f"{path} is not called {' or '.join(self.suffixes)}, and no other format is written", param, ctx)
        if path.parent.exists() and not path.parent.is_dir():
            self.fail(f"{path} cannot be written: {path.parent} is no folder", param, ctx)
        if not path.parent.is_dir():
            self.fail(f"{path} cannot be written: there is no folder {path.parent}. Make it first.", param, ctx)
        if not os.access(path.parent, os.W_OK):
            self.fail(f"{path} cannot be written: the folder {path.parent} takes no files from you", param, ctx)
        return path


class Exported(Target):
    """A file that a network is exported to, in any of the formats."""

    def __init__(self) -> None:
        from netspec.vocabulary import EXPORTERS

        super().__init__(*(cls.extension for cls in EXPORTERS.classes()))


class Folder(click.ParamType[Path]):
    """A folder to write in. It is made where it is not there."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path of a folder that is there or can be made, before any work is done for it."""
        path = Path(value)
        if not str(value):
            self.fail("the name is empty. Name a folder; . is the current one.", param, ctx)
        for place in (path, *path.parents):
            if (place.is_symlink() or place.exists()) and not place.is_dir():
                self.fail(f"{path} cannot be written: {place} is no folder", param, ctx)
        return path
