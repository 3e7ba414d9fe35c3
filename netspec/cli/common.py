"""What commands share: the spec and its overrides, results as text or JSON, files that appear whole."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from netspec.errors import UsageError

if TYPE_CHECKING:
    from netspec.source import Source
    from netspec.spec import Spec

STDIN: Final = "-"
"""The name of a spec that is read from standard input."""
F = TypeVar("F", bound=Callable[..., Any])

as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, for a machine.")
allow_outside = click.option(
    "--allow-outside", is_flag=True, help="Let the spec's data lie outside the folder of the spec."
)


def reads_spec(command: F) -> F:
    """Gives a command its SPEC and any number of overrides."""
    overrides = click.argument("overrides", nargs=-1, metavar="[PATH.TO.VALUE=NEW]...")
    return click.argument("spec", metavar="SPEC", type=click.Path())(overrides(command))


def load(spec: str, overrides: tuple[str, ...], or_stdin: bool = False) -> Spec:
    """The spec, whole and checked; its warnings go to stderr. `-` is that on stdin, if it may be. Raises SpecError."""
    from netspec.source import report
    from netspec.spec import load as load_spec

    loaded = read(spec, overrides) if or_stdin else load_spec(spec, overrides)
    if loaded.warnings:
        talk(painted(report(loaded.warnings, loaded.document.source)))
    return loaded


def read(spec: str, overrides: Sequence[str] = ()) -> Spec:
    """The spec in a file, or on stdin for `-`, whose folder is the current one. Raises SpecError."""
    from netspec.spec import checked, load

    return checked(read_source(spec), Path.cwd(), overrides) if spec == STDIN else load(spec, overrides)


def read_source(spec: str | Path) -> Source:
    """The text of a spec in a file, or on stdin for `-`, and what YAML makes of it. Raises SpecError."""
    from netspec.source import read_bytes, read_file

    if str(spec) != STDIN:
        return read_file(spec)
    if sys.stdin is None:  # closed by who started this process
        raise UsageError("there is no standard input to read a spec from")
    return read_bytes(sys.stdin.buffer.read, "<stdin>")


_HEAD = re.compile(r"^(\S.*:\d+:\d+)  (error|warning|info)(\[.*?\])", re.MULTILINE)
_CARET = re.compile(r"^( +\| +)(\^+)$", re.MULTILINE)
_PAINT = {"error": "red", "warning": "yellow", "info": "blue"}


def painted(report: str) -> str:
    """A report of problems in colours, which a terminal shows and anything else never sees."""

    def head(match: re.Match[str]) -> str:
        place, severity, code = match.groups()
        return f"{click.style(place, bold=True)}  {click.style(severity + code, fg=_PAINT[severity], bold=True)}"

    report = _HEAD.sub(head, report)
    return _CARET.sub(lambda match: match[1] + click.style(match[2], fg="red"), report)


def show(text: str) -> None:
    """A result, on stdout."""
    click.echo(text, color=_color())


def show_json(value: Any) -> None:
    """A result as JSON, on stdout."""
    import json

    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def talk(text: str) -> None:
    """A word to the person, on stderr."""
    if speaks():
        click.echo(text, err=True, color=_color())


def speaks() -> bool:
    """Whether the screen is this process's: it is alone, or the first of several that train together."""
    return "WORLD_SIZE" not in os.environ or os.environ.get("RANK", "0") == "0"


def _color() -> bool | None:
    return False if os.environ.get("NO_COLOR") else None


def write(path: Path, text: str) -> None:
    """Write a file that appears whole or not at all. Raises UsageError."""
    from netspec.runtime.disk import write_text

    write_text(path, text)
