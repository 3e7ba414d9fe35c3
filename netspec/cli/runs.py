"""`netspec runs`: the runs in a folder, with the best value of each."""

from __future__ import annotations

from pathlib import Path

import click

from netspec.cli.common import as_json, show, show_json, talk


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default="runs")
@click.option("--sort", "by", metavar="VALUE", help="Sort by a value, such as val.accuracy, the best first.")
@as_json
def command(folder: Path, by: str | None, as_json: bool) -> None:
    """List the runs in FOLDER, by default runs: the best value of each, in which epoch, and how long it took.

    Without --sort the newest comes last.
    """
    from netspec.runs.listing import listed, table

    found = listed(folder, by)
    if as_json:
        show_json([each.plain() for each in found])
        return
    for line in table(found, by):
        show(line)
    if not found:
        talk(f"no run is in {folder}")
