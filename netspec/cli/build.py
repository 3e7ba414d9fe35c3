"""`netspec build`: the network as Python."""

from __future__ import annotations

from pathlib import Path

import click

from netspec.cli.common import load, reads_spec, talk, write


@click.command()
@reads_spec
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write to FILE.")
def command(spec: str, overrides: tuple[str, ...], output: Path | None) -> None:
    """Print the network as readable Python that needs only torch."""
    printed = load(spec, overrides, or_stdin=True).source()
    if output is None:
        click.echo(printed, nl=False)
    else:
        write(output, printed)
        talk(f"wrote {output}")
