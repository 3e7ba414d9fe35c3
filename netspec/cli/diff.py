"""`netspec diff`: what changed between two specs."""

from __future__ import annotations

import click

from netspec.cli.common import STDIN, as_json, load, show, show_json, within


@click.command()
@click.argument("before", metavar="BEFORE", type=click.Path())
@click.argument("after", metavar="AFTER", type=click.Path())
@within
@as_json
def command(before: str, after: str, as_json: bool) -> None:
    """Show what changed from one spec's network to another's: steps, shapes, parameters, MACs.

    Steps are matched by their names. At the end stand the tensors that no longer load.
    """
    from netspec.views.difference import difference, text

    if before == after == STDIN:
        raise click.UsageError("only one of the two specs can be on stdin")
    found = difference(load(before, (), or_stdin=True).graph, load(after, (), or_stdin=True).graph)
    if as_json:
        show_json(found.listed())
    else:
        show(text(found))
