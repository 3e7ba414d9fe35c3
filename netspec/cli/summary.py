"""`netspec summary`: the network as a table."""

from __future__ import annotations

import click

from netspec.cli.common import as_json, load, reads_spec, show, show_json


@click.command()
@reads_spec
@click.option("--depth", type=click.IntRange(1), help="Leave out what is nested deeper than this.")
@as_json
def command(spec: str, overrides: tuple[str, ...], depth: int | None, as_json: bool) -> None:
    """Show every step with its output shape, parameters, MACs and memory.

    Shapes are without the batch. MACs are multiply-accumulates of one forward pass at batch 1; memory is that of
    the output at batch 1. Nothing is run.
    """
    from netspec.views.table import summary, text

    found = summary(load(spec, overrides).graph)
    if as_json:
        show_json(found.listed())
    else:
        show(text(found, depth))
