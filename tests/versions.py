"""What netspec says and prints where torch is not, so that Python's versions can be held against each other.

`python -m tests.versions` makes an environment, .venv/pythonX.Y, for each other version of Python that is here, with
the packages that need no torch; tests/test_versions.py runs this file in each, with specs on stdin.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
OTHERS: Final = ("3.12", "3.13", "3.14")
PACKAGES: Final = ("click", "jinja2", "pydantic", "pyyaml")
"""What netspec is made of as far as it needs no torch."""
COMMANDS: Final = (
    ["schema"],
    ["ops"],
    ["ops", "conv2d", "--json"],
    ["init"],
    ["check", "specs/lenet5_digits.yaml", "specs/nowhere.yaml"],
    ["graph", "specs/lenet5_digits.yaml"],
    ["diff", "specs/resnet18.yaml", "specs/resnet50.yaml"],
    ["summary", "specs/lenet5_digits.yaml", "--train"],
    ["launch", "specs/lenet5_digits.yaml", "--print", "slurm"],
)


def told(specs: dict[str, str]) -> dict[str, Any]:
    """What is made of specs by name, and what the commands say."""
    return {name: of_spec(text, name) for name, text in specs.items()} | {
        " ".join(command): of_command(command) for command in COMMANDS
    }


def of_spec(text: str, name: str) -> dict[str, Any]:
    """Everything that is made of a spec: its problems, or its text, its tree, its tables."""
    import netspec
    from netspec.text.reader import read_text
    from netspec.views.format import formatted
    from netspec.views.table import summary
    from netspec.views.table import text as table

    try:
        spec = netspec.loads(text, name=name)
    except netspec.SpecError as error:
        return {"error": str(error)}
    printed = spec.source()
    forms = [formatted(read_text(text, name), long=long) for long in (False, True)]
    return {"printed": printed, "tree": tree(ast.parse(printed)), "table": table(summary(spec.graph)), "forms": forms}


def tree(node: Any) -> Any:
    """A program's tree as plain data, without what only some versions know and leave empty."""
    if isinstance(node, ast.AST):
        fields = ((name, tree(value)) for name, value in ast.iter_fields(node))
        return {"node": type(node).__name__, **{name: value for name, value in fields if value not in (None, [])}}
    return [tree(each) for each in node] if isinstance(node, list) else repr(node)


def of_command(arguments: list[str]) -> list[Any]:
    """What a command prints and ends with."""
    from netspec.cli import main

    said, code = io.StringIO(), None
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main(arguments)
        except SystemExit as end:
            code = end.code
    return [code, said.getvalue()]


def environment(version: str) -> Path:
    """Where the Python of a version is that has the packages."""
    return ROOT / ".venv" / f"python{version}" / "bin" / "python"


def _prepare(version: str) -> str:
    """Make the environment of a version; what came of it."""
    installed = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for python in (f"python{version}", *map(str, installed.glob(f"{version}.*/bin/python"))):
        with contextlib.suppress(OSError):
            if subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0:
                break
    else:
        return "is not here"
    place = environment(version)
    constraint = str(ROOT / "requirements.txt")
    pip = [str(place), "-m", "pip", "install", "--quiet", "--constraint", constraint, *PACKAGES]
    for command in ([python, "-m", "venv", str(place.parent.parent)], pip):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            place.unlink(missing_ok=True)
            return f"cannot have its packages: {done.stderr.strip().splitlines()[-1]}"
    return "is ready"


if __name__ == "__main__":
    if sys.argv[1:] == ["told"]:
        json.dump(told(json.load(sys.stdin)), sys.stdout)
    else:
        for other in OTHERS:
            print(f"Python {other} {_prepare(other)}")
