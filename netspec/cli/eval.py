"""`netspec eval`: the loss and the metrics of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import click

from netspec.cli.common import allow_outside, as_json, limited, show, show_json, talk, tell_of
from netspec.words import printable

Part = Literal["train", "val", "test"]


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[PATH.TO.VALUE=NEW]...")
@click.option("--part", type=click.Choice(get_args(Part)), default="val", help="Which part of the data.")
@limited
@allow_outside
@as_json
def command(
    run: Path,
    overrides: tuple[str, ...],
    part: Part,
    max_params: int | None,
    max_memory: int | None,
    allow_outside: bool,
    as_json: bool,
) -> None:
    """Measure the best weights of the run in the folder RUN; its last ones where nothing was measured yet."""
    from netspec.api.run import Run

    read = Run.read(run, overrides, max_params=max_params, max_memory=max_memory)
    tell_of(read)
    found = read.evaluate(part, allow_outside=allow_outside, tell=talk)
    positive = {name: read.learnt[name] for name in ("positive",) if name in read.learnt}
    if as_json:
        show_json({f"{part}.{name}": value for name, value in found.items()} | positive)
        return
    for name, value in positive.items():
        show(f"{name}: {printable(value)}")
    for name, value in found.items():
        show(f"{part}.{name:20} {value:.6g}" if isinstance(value, int | float) else f"{part}.{name}\n{value}")
