"""Loads plugins by the name that a person gives: a Python file, or an entry point of an installed package."""

from __future__ import annotations

import sys
from hashlib import sha256
from importlib.metadata import entry_points
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Final

from netspec.errors import UsageError
from netspec.files import kind, write_text
from netspec.json_text import json_text
from netspec.python.reserved import RESERVED
from netspec.runtime.store.notes import read_note
from netspec.words import did_you_mean, printable

GROUP: Final = "netspec.plugins"
"""The group of entry points that installed plugins are found in."""

NOTED: Final = "plugins.json"
"""The file of a run's folder that names its plugins."""

_loaded: dict[str, str] = {}


def loaded() -> dict[str, str]:
    """Every plugin that is loaded by its name, with the SHA-256 of its file; empty for an installed one."""
    return dict(_loaded)


def files() -> list[Path]:
    """The files of the plugins that are loaded."""
    found = (getattr(sys.modules.get(Path(name).stem), "__file__", None) for name in _loaded)
    return [Path(file) for file in found if file]


def remember(folder: Path) -> None:
    """Note in a run's folder which plugins it was begun with."""
    write_text(folder / NOTED, json_text(_loaded, 1) + "\n")


def need(folder: Path, unchanged: bool = False) -> None:
    """Refuse to go on with a run whose plugins are not loaded, or with `unchanged` are not the same. Raises UsageError.

    They are never loaded from here: only a person says which code runs.
    """
    for name, digest in _noted(folder).items():
        if name not in _loaded:
            name = printable(name)
            raise UsageError(f"the run in {folder} was begun with the plugin {name}. Name it: --plugin {name}")
        if unchanged and _loaded[name] != digest:
            text = f"the plugin {name} is not the one that the run in {folder} was begun with"
            raise UsageError(f"{text}. Resume with that one, or begin another run.")


def changed(folder: Path) -> list[str]:
    """The plugins of a run that are loaded and whose files are not as they were when it began."""
    return [name for name, digest in _noted(folder).items() if _loaded.get(name, digest) != digest]


def _noted(folder: Path) -> dict[str, str]:
    """The plugins that a run was begun with, each with the SHA-256 of its file. Raises DataError for a broken note."""
    path = folder / NOTED
    noted: dict[str, str] = read_note(path, _fault) if kind(path) else {}
    return noted


def _fault(noted: object) -> str:
    """What is wrong with the note of a run's plugins."""
    named = isinstance(noted, dict) and all(isinstance(digest, str) for digest in noted.values())
    return "" if named else "expected the names of plugins, each with a hash"


def load(plugin: str) -> None:
    """Run a plugin, once, so that its words are known. Raises UsageError."""
    path = Path(plugin)
    if path.suffix == ".py":
        _file(path)
    else:
        _installed(plugin)


def _file(path: Path) -> None:
    """Load the plugin in a file, once. Raises UsageError."""
    if not path.is_file():
        raise UsageError(f"there is no plugin {path}")
    name, digest = path.stem, sha256(path.read_bytes()).hexdigest()
    if _loaded.get(path.name) == digest:
        return
    if not name.isidentifier() or name in RESERVED or name in sys.modules or find_spec(name) is not None:
        text = f"a plugin cannot be called {path.name}, because the printed network imports it by that name"
        raise UsageError(f"{text}, and {name!r} is taken or no identifier. Rename the file.")
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UsageError(f"the plugin {path} cannot be loaded: {_reason(error, path)}") from error
    _loaded[path.name] = digest


def _installed(name: str) -> None:
    """Load a plugin that is installed as a package, once. Raises UsageError."""
    if name in _loaded:
        return
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        hint = did_you_mean(name, found) or "A file of one's own ends with .py."
        raise UsageError(f"no installed plugin is called {name!r}. {hint}")
    try:
        found[name].load()
    except Exception as error:
        raise UsageError(f"the plugin {name} cannot be loaded: {type(error).__name__}: {error}") from error
    _loaded[name] = ""


def _reason(error: Exception, path: Path) -> str:
    """What went wrong, with the line of the plugin where it did."""
    line, step = 0, error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == str(path):
            line = step.tb_lineno
        step = step.tb_next
    return f"{f'line {line}: ' if line else ''}{type(error).__name__}: {error}"
