"""`netspec report`: how runs went, as a page to look at."""

from __future__ import annotations

from pathlib import Path

import click

from netspec.cli.common import show, talk
from netspec.cli.targets import Folder, Target


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=Target(".html"), metavar="FILE", help="Write to FILE, such as runs.html.")
@click.option("--png", "folder", type=Folder(), metavar="FOLDER", help="Write the plots of one run as PNG into FOLDER.")
@click.option("--open", "opened", is_flag=True, help="Open the page in a browser.")
def command(runs: tuple[Path, ...], output: Path | None, folder: Path | None, opened: bool) -> None:
    """Write how the run in a folder went as a page, or several runs side by side.

    The page of one run is report.html in its folder, where training has written it already; several runs are compared
    in report.html of this folder.
    """
    from netspec.runs.report import write_plots, write_report
    from netspec.runtime.store.own import REPORT

    if folder is not None:
        if len(runs) > 1:
            raise click.UsageError("--png is of one run")
        count = write_plots(runs[0], folder)
        talk(f"wrote {count} plots into {folder}")
    path = output or (runs[0] if len(runs) == 1 else Path()) / REPORT
    write_report(runs, path)
    show(str(path)) if output is None else talk(f"wrote {path}")
    if opened:
        click.launch(str(path))
