"""`netspec diff`: what changed between two specs."""

from __future__ import annotations

import click

from netspec.cli.common import as_json, load, show, show_json


@click.command()
@click.argument("before", metavar="BEFORE")
@click.argument("after", metavar="AFTER")
@as_json
def command(before: str, after: str, as_json: bool) -> None:
    """Show what changed from one spec's network to another's: steps, shapes, parameters, MACs.

    Steps are matched by their names. At the end stand the tensors that no longer load.
    """
    from netspec.views.difference import difference, text

    found = difference(load(before, ()).graph, load(after, ()).graph)
    if as_json:
        show_json(found.listed())
    else:
        show(text(found))
