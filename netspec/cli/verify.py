"""`netspec verify`: whether an exported file still is what was written, and computes what it computed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netspec.cli.common import as_json, show, show_json, talk
from netspec.words import printable

if TYPE_CHECKING:
    from netspec.runs.verifying import Verified


@click.command()
@click.argument("source", metavar="FILE_OR_RUN", type=click.Path(path_type=Path))
@as_json
def command(source: Path, as_json: bool) -> None:
    """Hold an exported file against its manifest: FILE, or those that the run in a folder was exported to.

    Its bytes have to be those that were written, the spec in it that of its network, and its outputs for made-up inputs
    those that were known then; of a run, its weights those that the run has, and its outputs those that training
    stored. Where anything of it is not so, the exit code is 6. torch is imported for .py and .pt2 alone.

    A .c file that is named is compiled and run, a .py or .pt2 file is loaded as a program loads it: name such files
    only of those whose programs you would run. In a run's folder their bytes and weights are compared alone.
    """
    from netspec.errors import UsageError
    from netspec.runs.verifying import verify_file, verify_run
    from netspec.runtime.export.report import table

    if source.is_dir():
        from netspec.api.run import Run
        from netspec.cli.common import tell_of

        run = Run.read(source)
        tell_of(run)
        found = verify_run(run)
    elif source.exists():
        found = verify_file(source)
    else:
        raise UsageError(f"{source} is not there. Name an exported file, or a run's folder.")
    if as_json:
        show_json(_said(found) | ({"also": [*map(_said, found.also)]} if found.also else {}))
        return
    for each in (found, *found.also):
        for note in each.notes:
            talk(f"{printable(str(each.path))}: {note}" if found.also else note)
        show(f"{printable(str(each.path))} is what was written")
        for line in table(each.differences) if each.differences else ():
            show(f"  {printable(line)}")


def _said(found: Verified) -> dict[str, Any]:
    """What was found of a file, as plain data."""
    rows = [{"what": d.what, "samples": d.samples, "absolute": d.absolute, "relative": d.relative}
            for d in found.differences]  # fmt: skip
    return {"file": str(found.path), "differences": rows, "notes": list(found.notes)}
