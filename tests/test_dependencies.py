"""What the package imports is what it says it depends on, and what the README's commands install is what that needs."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement

import netspec
from tests.versions import PACKAGES

PACKAGE = Path(netspec.__file__).parent
ROOT = PACKAGE.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

USED = {name: needs for name, needs in PROJECT["optional-dependencies"].items() if name not in ("dev", "docs")}
"""The extras that the program itself has a use for."""


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
    extras = [need for needs in USED.values() for need in needs]
    declared = {plain(need) for need in [*PROJECT["dependencies"], *extras]}
    found = {name for name in imported() if name not in sys.stdlib_module_names | {"netspec"}}
    distributions = packages_distributions()
    known = {plain(distributions[name][0]) for name in found}
    # pydantic's engine is of the one version that pydantic pins; torch's exporter imports onnxscript.
    assert (known - declared, declared - known) == ({"pydantic-core"}, {"pydantic", "onnxscript"})


def pinned(file: str) -> set[str]:
    """What a file of requirements installs, itself and by the file that it names first."""
    lines = [line for line in (ROOT / file).read_text("utf-8").splitlines() if not line.startswith("#")]
    others = [line.removeprefix("-r ") for line in lines if line.startswith("-r ")]
    own = [line for line in lines if not line.startswith("-r ")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.+]+", line) for line in own), file
    return {plain(line) for line in own}.union(*map(pinned, others))


def needed(asked: Iterable[str]) -> set[str]:
    """The names of these distributions and of all that they need, as the installed ones say it."""
    found: set[str] = set()
    todo = [Requirement(text) for text in asked]
    while todo:
        each = todo.pop()
        if plain(each.name) in found or (each.marker and not each.marker.evaluate({"extra": ""})):
            continue
        found.add(plain(each.name))
        todo += map(Requirement, requires(each.name) or ())
    return found


def test_the_first_command_installs_what_netspec_needs_and_nothing_more() -> None:
    assert pinned("requirements.txt") == needed(PROJECT["dependencies"])
    assert len(pinned("requirements.txt") | {"netspec-torch", "pip"}) <= 30


def test_the_second_command_installs_the_rest() -> None:
    everything = needed([*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]])
    assert pinned("requirements-dev.txt") == everything


def test_every_extra_is_there_for_the_tests() -> None:
    assert {need for needs in USED.values() for need in needs} <= set(PROJECT["optional-dependencies"]["dev"])


def test_what_builds_the_site_is_pinned_and_agrees_with_the_rest() -> None:
    names = {plain(need) for need in PROJECT["optional-dependencies"]["docs"]}
    assert names | {"mkdocstrings-python", *map(plain, PACKAGES)} <= pinned("requirements-docs.txt")
    lines = [(ROOT / file).read_text("utf-8").splitlines() for file in ("requirements.txt", "requirements-dev.txt")]
    versions = dict(line.split("==") for file in lines for line in file if "==" in line)
    site = dict(line.split("==") for line in (ROOT / "requirements-docs.txt").read_text("utf-8").splitlines()[1:])
    assert {name: version for name, version in site.items() if versions.get(name, version) != version} == {}
