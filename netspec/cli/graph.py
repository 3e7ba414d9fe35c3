"""`netspec graph`: the network as a picture."""

from __future__ import annotations

from pathlib import Path

import click

from netspec.cli.common import inputs_of, load, reads_spec, show, talk, write
from netspec.cli.targets import Target


@click.command()
@reads_spec
@click.option("-o", "--output", type=Target(".svg"), metavar="FILE", help="Write to FILE, such as net.svg.")
@click.option("--depth", type=click.IntRange(1), help="Leave closed what is nested deeper than this.")
def command(spec: str, overrides: tuple[str, ...], output: Path | None, depth: int | None) -> None:
    """Draw the network as an SVG picture: levels as boxes, shapes on the lines between, equal blocks as one."""
    from netspec.views.picture import picture

    loaded = load(spec, overrides, or_stdin=True)
    drawn = picture(loaded.graph, depth)
    if output is None:
        show(drawn.rstrip("\n"))
    else:
        write(output, drawn, inputs_of(loaded))
        talk(f"wrote {output}")
