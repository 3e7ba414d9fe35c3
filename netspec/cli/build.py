"""`netspec build`: the network as Python."""

from __future__ import annotations

from pathlib import Path

import click

from netspec.cli.common import inputs_of, limited, load, reads_spec, talk, write
from netspec.cli.targets import Target


@click.command()
@reads_spec
@limited
@click.option("--fold", is_flag=True, help="Print it without lora: what `netspec weights fold` writes is for it.")
@click.option("-o", "--output", type=Target(".py"), metavar="FILE", help="Write to FILE, such as net.py.")
def command(
    spec: str,
    overrides: tuple[str, ...],
    max_params: int | None,
    max_memory: int | None,
    fold: bool,
    output: Path | None,
) -> None:
    """Print the network as readable Python that needs only torch."""
    loaded = load(spec, overrides, max_params, max_memory, or_stdin=True)
    if fold and not loaded.graph.weights.freeze.adapters:
        talk(f"{loaded.name} has no lora, so --fold changes nothing")
    printed = (loaded.folded() if fold else loaded).source()
    if output is None:
        click.echo(printed, nl=False)
    else:
        write(output, printed, inputs_of(loaded))
        talk(f"wrote {output}")
