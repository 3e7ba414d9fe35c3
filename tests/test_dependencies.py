"""What the package imports is what it says it depends on."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import netspec

PACKAGE = Path(netspec.__file__).parent
PROJECT = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text("utf-8"))["project"]


def imported() -> Iterator[str]:
    """The top of every module that a file imports, at its top or later, or asks for by name."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield (node.module or "").partition(".")[0]
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "need" and len(node.args) > 1:
                yield str(ast.literal_eval(node.args[0])).partition(".")[0]


def plain(name: str) -> str:
    """A distribution's name as packaging compares it, without its version."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", name)[0]).lower()


def test_every_import_is_declared() -> None:
    extras = [need for name, needs in PROJECT["optional-dependencies"].items() if name != "dev" for need in needs]
    declared = {plain(need) for need in [*PROJECT["dependencies"], *extras]}
    found = {name for name in imported() if name not in sys.stdlib_module_names | {"netspec"}}
    distributions = packages_distributions()
    known = {plain(distributions[name][0]) for name in found}
    # pydantic's engine is of the one version that pydantic pins; torch's exporter imports onnxscript, which needs onnx.
    assert (known - declared, declared - known) == ({"pydantic-core"}, {"pydantic", "onnx", "onnxscript"})
