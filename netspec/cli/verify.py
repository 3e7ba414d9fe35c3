"""`netspec verify`: whether an exported file still is what was written, and computes what it computed."""

from __future__ import annotations

from pathlib import Path

import click

from netspec.cli.common import as_json, show, show_json, talk
from netspec.words import printable


@click.command()
@click.argument("source", metavar="FILE_OR_RUN", type=click.Path(path_type=Path))
@as_json
def command(source: Path, as_json: bool) -> None:
    """Hold an exported file against its manifest: FILE.onnx, or what the run in a folder was exported to.

    Its bytes have to be those that were written, the spec in it that of its network, and its outputs for made-up inputs
    those that were known then; of a run, its weights those that the run has, and its outputs those that training
    stored. torch is not imported. Where anything of it is not so, the exit code is 6.
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
        rows = [{"what": d.what, "samples": d.samples, "absolute": d.absolute, "relative": d.relative}
                for d in found.differences]  # fmt: skip
        show_json({"file": str(found.path), "differences": rows, "notes": list(found.notes)})
        return
    for note in found.notes:
        talk(note)
    show(f"{printable(str(found.path))} is what was written")
    for line in table(found.differences) if found.differences else ():
        show(f"  {printable(line)}")
