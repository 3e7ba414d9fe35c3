"""`netspec export`: a network in a format for other programs, proven equal."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from netspec.cli.common import (
    allow_outside,
    as_json,
    inputs_of,
    limited,
    load,
    show,
    show_json,
    talk,
    tell_of,
    within,
)
from netspec.cli.targets import Exported
from netspec.errors import UsageError
from netspec.vocabulary import EXPORTERS
from netspec.words import few, listed, printable

if TYPE_CHECKING:
    from netspec.api.spec import Spec
    from netspec.runtime.export.report import Report

FIRST: Final = EXPORTERS.classes()[0].__name__
"""What is written where nothing says which format."""


def formats(command: Callable[..., Any]) -> Callable[..., Any]:
    """A flag for each format, which one is written where no file is named: `extension` is given for the one that is."""
    flags = {f"as_{cls.called()}": cls for cls in EXPORTERS.classes()}

    @wraps(command)
    def told(**given: Any) -> Any:
        asked = [cls for flag, cls in flags.items() if given.pop(flag)]
        if len(asked) > 1:
            text = " and ".join(f"--{cls.called()}" for cls in asked)
            raise UsageError(f"{text} are several formats, and one file is written: export to each by itself")
        return command(extension=asked[0].extension if asked else None, **given)

    for flag, cls in reversed(flags.items()):
        text = f"Write a {cls.extension} file; without, the first format that the spec names, or {FIRST}."
        told = click.option(f"--{cls.called()}", flag, is_flag=True, help=text)(told)
    return told


@click.command()
@click.argument("source", metavar="RUN_OR_SPEC", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[PATH.TO.VALUE=NEW]...")
@formats
@click.option("-o", "--output", type=Exported(), metavar="FILE", help="The file; its ending says the format.")
@click.option("--with-torch", is_flag=True, help="Compare with torch also where training stored outputs.")
@click.option("--unproven", is_flag=True, help="Compare the file with nothing, and say so.")
@within
@limited
@allow_outside
@as_json
def command(
    source: Path,
    overrides: tuple[str, ...],
    extension: str | None,
    output: Path | None,
    with_torch: bool,
    unproven: bool,
    max_params: int | None,
    max_memory: int | None,
    allow_outside: bool,
    as_json: bool,
) -> None:
    """Export the best weights of a run, or a spec's network with those that it loads or is initialised with.

    The file is run, ONNX in ONNX Runtime, and compared with what training stored of a run's outputs, at batch 1, 2 and
    5 and on validation data; of weights without such outputs with torch. Where they differ by more than the tolerance,
    no file is left and the exit code is 6.
    """
    from netspec.files import need_writable

    if with_torch and unproven:
        raise UsageError("--with-torch compares with torch, and --unproven with nothing: take one of them")
    how: dict[str, Any] = {"allow_outside": allow_outside, "with_torch": with_torch, "proven": not unproven}
    if extension and output is not None and output.suffix.lower() not in ("", extension):
        raise UsageError(f"{output} is not called {extension}")
    if source.is_dir():
        from netspec.api.run import Run

        run = Run.read(source, overrides, max_params=max_params, max_memory=max_memory)
        output = output or source / f"model{_extension(run.spec, extension)}"
        for each in _files(run.spec, output):
            need_writable(each, [*inputs_of(run.spec), *run.files])
        tell_of(run)
        report = run.export(output, **how)
    else:
        spec = load(str(source), overrides, max_params, max_memory)
        output = output or Path(f"{spec.name}{_extension(spec, extension)}")
        for each in _files(spec, output):
            need_writable(each, inputs_of(spec))
        talk(f"no run is named, so the weights are {_begun(spec)}")
        report = spec.export(output, **how)
    if report.note:
        talk(report.note)
    if as_json:
        show_json({"file": str(report.path), "bytes": report.bytes, **report.facts,
                   "inputs": dict(report.inputs), "outputs": dict(report.outputs),
                   "absolute": report.absolute, "relative": report.relative,
                   "compared": report.compared or None})  # fmt: skip
    else:
        show(described(report))


def _begun(spec: Spec) -> str:
    """Which weights a network has that was never trained. Raises DataError where those that it loads do not fit."""
    found = spec.fitted()
    if found is None:
        return "those the network starts with"
    files = listed(printable(load.file) for load in found.loads)
    return f"those of {files}" + (f", but for {few(found.fresh)}, which start fresh" if found.fresh else "")


def _files(spec: Spec, output: Path) -> list[Path]:
    """All that is written for one file that is named."""
    from netspec.runs.formats import need_exporter

    return need_exporter(spec, output).files(output)


def _extension(spec: Spec, asked: str | None) -> str:
    """The ending that says the format: the one that was asked for, or that of the spec's own export."""
    from netspec.runs.formats import exporter_of

    exporter = exporter_of(spec)
    assert exporter is not None
    return asked or exporter.extension


def described(report: Report) -> str:
    """A report as lines for a person."""
    from netspec.runtime.export.report import table

    facts = "".join(f"{name} {number:,}, " for name, number in report.facts.items())
    shapes = ", ".join(f"{name} {shape}" for name, shape in {**report.inputs, **report.outputs}.items())
    lines = [f"wrote {printable(str(report.path))}: {report.bytes:,} bytes, {facts}{shapes}"]
    if not report.compared:
        return "\n".join([*lines, "compared with nothing: that it computes what the network does is not known"])
    largest = f"largest difference {report.absolute:.3g} absolute, {report.relative:.3g} relative"
    rows = (f"  {line}" for line in table(report.differences))
    return "\n".join([*lines, f"compared with {report.compared}: {largest}", *rows])
