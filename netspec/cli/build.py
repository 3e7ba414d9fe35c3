"""`netspec build`: the network as Python."""

from __future__ import annotations

from pathlib import Path

import click

from netspec.cli.common import load, reads_spec, talk, write
from netspec.cli.targets import Target


@click.command()
@reads_spec
@click.option("-o", "--output", type=Target(".py"), metavar="FILE", help="Write to FILE, such as net.py.")
def command(spec: str, overrides: tuple[str, ...], output: Path | None) -> None:
    """Print the network as readable Python that needs only torch."""
    printed = load(spec, overrides).source()
    if output is None:
        click.echo(printed, nl=False)
    else:
        write(output, printed)
        talk(f"wrote {output}")
