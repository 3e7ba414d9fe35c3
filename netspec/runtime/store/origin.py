"""The data root of a run: the folder of the spec that it was trained from, which `origin.json` names.

    {"root": "../..", "spec": "digits.yaml", "overrides": ["train.epochs=3"]}

A run's folder may come from anyone, so its word alone opens no file: the spec must still lie there and name the same
data. It does for whoever trained the run, and for whoever got the whole project.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from netspec.files import kind, shown
from netspec.json_text import json_text
from netspec.paths import real
from netspec.runtime.store.notes import read_note, texts
from netspec.spec import Spec
from netspec.text.report import SpecError

ORIGIN: Final = "origin.json"


def origin_note(folder: Path, spec: Spec) -> str:
    """What a run's folder notes of where its spec lies, and what was laid over it, now and when the run began."""
    note = {"root": os.path.relpath(spec.root, folder), "spec": spec.file or None}
    words: dict[str, str] = {}
    for word in (*origin_of(folder)[1], *spec.document.source.overrides):
        key = word.partition("=")[0]
        words.pop(key, "")
        words[key] = word
    return json_text(note | ({"overrides": [*words.values()]} if words else {})) + "\n"


def origin_of(folder: Path) -> tuple[str, list[str]]:
    """The name of the spec that a run was trained from, and what was laid over it on the command line."""
    note = read_note(folder / ORIGIN, _fault) if kind(folder / ORIGIN) else {}
    return note.get("spec") or "spec.yaml", note.get("overrides", [])


def where_from(folder: Path, spec: Spec) -> tuple[Path, str, str]:
    """The folder that paths in a run's spec start from, and the name that the spec has there, if it has one.

    The third is why nothing is to be read there; empty where it may be.
    """
    path = folder / ORIGIN
    if not kind(path):
        return real(folder), "", ""
    note = read_note(path, _fault)
    root = real(folder / note["root"])
    name = note.get("spec") or ""
    if root == real(folder) or (name and _names_the_same(root / name, spec)):
        return root, name, ""
    says = f"{shown(folder)} says that its data lies in {shown(root)}"
    which = f"no spec {shown(name)} that names this data" if name else "no spec that it names"
    return root, name, f"{says}, and {which} is there"


def _names_the_same(path: Path, spec: Spec) -> bool:
    """Whether there is a spec at `path` that fits together and names the same source of data."""
    try:
        there = Spec.load(path).experiment.data if kind(path) == "file" else None
    except (SpecError, OSError):
        return False
    data = spec.experiment.data
    return there is not None and data is not None and there.source == data.source


def _fault(note: Any) -> str:
    """What is wrong with the note of a run's origin."""
    if not isinstance(note, dict) or not isinstance(note.get("root"), str) or "\0" in note["root"]:
        return "expected the root of its data's paths"
    name = note.get("spec")
    if not texts(note.get("overrides", [])):
        return "expected the words of the command line"
    named = name is None or (isinstance(name, str) and Path(name).name == name)
    return "" if named else "expected the name of a spec"
