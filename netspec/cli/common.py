"""What commands share: the spec and its overrides, results as text or JSON, files that appear whole."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from netspec.errors import UsageError
from netspec.json_text import json_text
from netspec.machine import UNITS, bytes_of
from netspec.words import printable, sparing

if TYPE_CHECKING:
    from netspec.api.run import Run
    from netspec.api.spec import Spec
    from netspec.text.source import Source

STDIN: Final = "-"
"""The name of a spec that is read from standard input."""
F = TypeVar("F", bound=Callable[..., Any])

as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, for a machine.")
allow_outside = click.option(
    "--allow-outside", is_flag=True, help="Let the spec's data lie outside the folder of the spec."
)


ROOT: Final = "netspec.root"
"""Where a command keeps its --root."""


def _keep_root(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    """Keep the root for what loads specs."""
    context.meta[ROOT] = value


within = click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    callback=_keep_root,
    expose_value=False,
    help="Where specs that a spec extends may stand, by default the repository that it is part of.",
)


def root() -> Path | None:
    """The --root that the running command was given."""
    context = click.get_current_context(silent=True)
    return context.meta.get(ROOT) if context is not None else None


def root_words() -> tuple[str, ...]:
    """The words that give another command the same --root."""
    return ("--root", str(found)) if (found := root()) is not None else ()


def reads_spec(command: F) -> F:
    """Gives a command its SPEC and any number of overrides."""
    overrides = click.argument("overrides", nargs=-1, metavar="[PATH.TO.VALUE=NEW]...")
    return click.argument("spec", metavar="SPEC", type=click.Path())(overrides(within(command)))


class Count(click.ParamType[int]):
    """A number of things, which may be written as 2e6 or 2M."""

    name = "number"

    def convert(self, value: object, param: click.Parameter | None, context: click.Context | None) -> int:
        """`12M` as 12,000,000; click's own error for what is no count."""
        digits, unit = str(value), ""
        if digits[-1:].upper() in ("K", "M", "G", "T"):
            digits, unit = digits[:-1], digits[-1:].upper()
        try:
            count = int(float(digits) * UNITS[unit])
        except (ValueError, OverflowError):
            count = -1
        if count < 0:
            self.fail(f"{value!r} is not a number. For example: 200000, 2e6 or 2M", param, context)
        return count


class Bytes(click.ParamType[int]):
    """A number of bytes, as in 500MB or 2GB."""

    name = "bytes"

    def convert(self, value: object, param: click.Parameter | None, context: click.Context | None) -> int:
        """`2GB` in bytes; click's own error for what is none."""
        found = bytes_of(str(value))
        if found is None:
            self.fail(f"{value!r} is not a number of bytes such as 500MB or 2GB", param, context)
        return found


class Named(click.ParamType[tuple[str, int]]):
    """A number by the name of what it is of, as in T=1024."""

    name = "name=number"

    def convert(self, value: object, param: click.Parameter | None, context: click.Context | None) -> tuple[str, int]:
        """`T=1024` as a pair; click's own error for what is none."""
        name, _, digits = str(value).partition("=")
        if not name.isidentifier() or not digits.isdecimal() or not int(digits):
            self.fail(f"{value!r} is not a name and a number such as T=1024", param, context)
        return name, int(digits)


def limited(command: F) -> F:
    """Gives a command the limits on the size of the network."""
    params = click.option("--max-params", type=Count(), metavar="COUNT", help="Refuse more parameters, as in 25M.")
    sentence = "Refuse a network that needs more memory, as in 16GB."
    return params(click.option("--max-memory", type=Bytes(), metavar="BYTES", help=sentence)(command))


def load(
    spec: str,
    overrides: Sequence[str],
    max_params: int | None = None,
    max_memory: int | None = None,
    *,
    or_stdin: bool = False,
) -> Spec:
    """The spec, whole and checked; its warnings go to stderr. `-` is that on stdin, if it may be. Raises SpecError."""
    from netspec.api.spec import load as load_spec
    from netspec.text.report import report

    limits: Any = {"max_params": max_params, "max_memory": max_memory}
    loaded = read(spec, overrides, **limits) if or_stdin else load_spec(spec, overrides, root=root(), **limits)
    if loaded.warnings:
        talk(report(loaded.warnings, loaded.document.source))
    return loaded


def read(
    spec: str, overrides: Sequence[str] = (), *, max_params: int | None = None, max_memory: int | None = None
) -> Spec:
    """The spec in a file, or on stdin for `-`, whose folder is the current one. Raises SpecError."""
    from netspec.api.spec import Spec, load
    from netspec.graph.size import Limits

    if spec != STDIN:
        return load(spec, overrides, max_params=max_params, max_memory=max_memory, root=root())
    with sparing():
        return Spec.of(read_source(spec), Path.cwd(), overrides, Limits(max_params, max_memory), root())


def read_source(spec: str | Path) -> Source:
    """The text of a spec in a file, or on stdin for `-`, and what YAML makes of it. Raises SpecError."""
    from netspec.text.reader import read_bytes, read_file

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
    """A result as JSON, on stdout. A number that is not finite, which JSON has not, is null."""
    click.echo(json_text(value, 2))


def talk(text: str) -> None:
    """A word to the person, on stderr, in which names of files may hold anything."""
    if speaks():
        click.echo(painted(printable(text)), err=True, color=_color())


def tell_of(run: Run) -> None:
    """Say what is not as a person expects who uses a run: weights that are not the best, changed plugins."""
    from netspec.plugins.loading import changed

    for name in changed(run.folder):
        talk(f"warning: the plugin {name} has changed since the run in {run.folder} began; its network may be another")
    if run.weights.name != "best.safetensors" and run.weights.is_file():
        talk(f"{run.folder} has no best weights, because nothing was measured; the last ones are used")


def speaks() -> bool:
    """Whether the screen is this process's: it is alone, or the first of several that train together."""
    return "WORLD_SIZE" not in os.environ or os.environ.get("RANK", "0") == "0"


def _color() -> bool | None:
    """Whether to colour: never with NO_COLOR, else as click finds out."""
    return False if os.environ.get("NO_COLOR") else None


def write(path: Path, text: str, inputs: Iterable[Path] = ()) -> None:
    """Write a file that appears whole or not at all. Raises UsageError, also where it is one of the `inputs`."""
    from netspec.files import need_writable, write_text

    need_writable(path, inputs)
    write_text(path, text)


def inputs_of(spec: Spec) -> list[Path]:
    """The files that a spec comes from, and those that it names itself, as far as they may be there."""
    plugins = sys.modules.get("netspec.plugins.loading")  # imported where one is loaded
    data = spec.experiment.data
    words = [*(load.file for load in spec.graph.weights.loads), *(data.source.given.values() if data else ())]
    named = [word for value in words for word in (value if isinstance(value, tuple) else [value])]
    return [
        *map(Path, spec.document.source.files),
        *([spec.root / spec.file] if spec.file else []),
        *(plugins.files() if plugins else ()),
        *(spec.root / word for word in named if isinstance(word, str) and word and "\0" not in word),
    ]
