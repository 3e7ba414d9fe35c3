"""The packages stand on floors: a file imports from its own floor or from below, and only the runtime knows torch."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import netspec

ROOT = Path(netspec.__file__).parent
FLOORS = [
    {
        "errors", "words", "dims", "files", "drafts", "streams", "json_text", "paths", "optional", "machine",
        "meanwhile", "windows", "displays", "version", "text", "python",
    },
    {"tensors", "records", "several", "catalogue", "language", "weights", "saved"},
    {
        "layers", "ops", "losses", "optimizers", "schedulers", "metrics", "datasets", "transforms", "initializers",
        "wraps", "penalties", "exporters", "synonyms", "vocabulary", "emit",
    },
    {"sections", "graph", "lint"},
    {"views", "spec", "proposals"},
    {"runtime", "plugins"},
    {"runs"},
    {"sweeps"},
    {"api"},
    {"cli", "__init__", "__main__"},
]  # fmt: skip
"""Packages by floor."""
HOLDERS = {"datasets", "transforms"}
"""Their functions do the work on tensors; the classes are read without them."""
WRITERS = ("emit/c", "emit/onnx", "views/c", "views/onnx")
"""They work on arrays, and are imported where a file is written alone."""
HEAVY = {
    "torch", "numpy", "optuna", "onnx", "onnxruntime", "onnxscript", "safetensors", "sklearn", "pyarrow", "tokenizers",
    "PIL",
}  # fmt: skip


def files() -> list[str]:
    return [str(path.relative_to(ROOT)) for path in sorted(ROOT.rglob("*.py"))]


def dotted(file: str) -> str:
    """The module that a file is."""
    return "netspec." + file.removesuffix(".py").replace(os.sep, ".").removesuffix(".__init__")


def room(module: str) -> str:
    """The part of the house that a dotted module of netspec's stands in."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def floor(name: str) -> int:
    return next(i for i, names in enumerate(FLOORS) if name in names)


@cache
def imports(path: Path) -> tuple[tuple[str, bool], ...]:
    """Every module that a file imports when it is loaded or run, and whether that is at its top."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[tuple[str, bool]]:
    tree = ast.parse(path.read_text())
    checked = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if id(node) in checked:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module is not None
            known = node.module == "netspec"
            yield from ((f"netspec.{a.name}" if known else node.module, id(node) in top) for a in node.names)


@pytest.mark.parametrize("file", files())
def test_imports_go_downward(file: str) -> None:
    own = room(dotted(file))
    for module, _ in imports(ROOT / file):
        if module.startswith("netspec."):
            assert floor(room(module)) <= floor(own), f"{file} imports {module} from above"


@pytest.mark.parametrize("file", files())
def test_only_the_runtime_and_its_users_know_torch(file: str) -> None:
    own = floor(room(dotted(file)))
    if floor("runtime") <= own <= floor("sweeps") or file.startswith(WRITERS):
        assert not file.startswith(WRITERS) or "torch" not in {m.split(".")[0] for m, _ in imports(ROOT / file)}
        return
    for module, at_top in imports(ROOT / file):
        heavy = module.split(".")[0] in HEAVY
        assert not (heavy and at_top), f"{file} imports {module}"
        assert not heavy or own > floor("sweeps") or room(dotted(file)) in HOLDERS, f"{file} imports {module}"


def test_no_files_import_each_other() -> None:
    """Nor do they in a circle of more, imports inside functions among them."""
    known = {dotted(file): file for file in files()}
    arrows = {name: {m for m, _ in imports(ROOT / file) if m in known} for name, file in known.items()}
    while free := {name for name, others in arrows.items() if not others & arrows.keys()}:
        arrows = {name: others for name, others in arrows.items() if name not in free}
    assert not arrows, sorted(arrows)


def test_every_room_has_a_floor() -> None:
    found = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or any(path.rglob("*.py"))}
    assert found <= set().union(*FLOORS)
