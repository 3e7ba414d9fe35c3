"""Imports go only downward, and only the runtime imports torch."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "netspec"
FLOORS = {
    0: "errors source dims fields catalogue",
    1: "language",
    2: "layers ops losses optimizers schedulers metrics datasets transforms initializers exporters vocabulary",
    3: "graph",
    4: "lint views",
    5: "runtime",
    6: "spec cli __init__ __main__",
}
FLOOR = {room: floor for floor, rooms in FLOORS.items() for room in rooms.split()}
SECTIONS = {"calls", "data_section", "train_section", "train_record", "export_section", "experiment", "sections"}
"""Files of the language that bind its words to what exists, and so stand on floor 2."""
HEAVY = {"torch", "numpy", "onnx", "onnxruntime", "safetensors", "rich"}
FILES = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> list[tuple[str, bool]]:
    """Every module that a file imports, and whether only for types."""
    tree = ast.parse(path.read_text())
    typing = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in typing) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [(f"{node.module}.{alias.name}", id(node) in typing) for alias in node.names]
    return found


def floor(parts: tuple[str, ...]) -> int:
    room = parts[0].removesuffix(".py")
    if room == "language" and len(parts) > 1 and parts[1].removesuffix(".py") in SECTIONS:
        return 2
    return FLOOR[room]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_downward(path: Path) -> None:
    here = floor(path.relative_to(PACKAGE).parts)
    for module, typed in imports(path):
        if module.startswith("netspec.") and not typed:
            parts = tuple(module.split(".")[1:])
            if parts[0] in FLOOR:
                lazy = here == 6 or path.name in ("module.py", "experiment.py")
                assert floor(parts) <= here or lazy, f"{module} is above {path.name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_runtime_imports_torch(path: Path) -> None:
    if path.relative_to(PACKAGE).parts[0] == "runtime":
        return
    tree = ast.parse(path.read_text())
    for node in tree.body:
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not HEAVY & {name.partition(".")[0] for name in names}
