"""`netspec eval`: the loss and the metrics of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import click

from netspec.cli.common import allow_outside, as_json, limited, show, show_json, talk, tell_of
from netspec.words import printable

Part = Literal["train", "val", "test"]


@click.command()
@click.argument("source", metavar="RUN_OR_FILE.onnx", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[PATH.TO.VALUE=NEW]...")
@click.option("--part", type=click.Choice(get_args(Part)), default="val", help="Which part of the data.")
@limited
@allow_outside
@as_json
def command(
    source: Path,
    overrides: tuple[str, ...],
    part: Part,
    max_params: int | None,
    max_memory: int | None,
    allow_outside: bool,
    as_json: bool,
) -> None:
    """Measure the best weights of a run, its last ones where nothing was measured yet, or an exported file.

    The paths of a file's data start at the current folder; data.source.path=FILE names other data.
    """
    from netspec.runs.onnx_model import OnnxModel, is_model

    if is_model(source):
        from netspec.runs import evaluate_file

        model = OnnxModel.read(source)
        found, learnt = evaluate_file.evaluated(model, overrides, part, allow_outside, talk), model.learnt
    else:
        from netspec.api.run import Run

        read = Run.read(source, overrides, max_params=max_params, max_memory=max_memory)
        tell_of(read)
        found, learnt = read.evaluate(part, allow_outside=allow_outside, tell=talk), read.learnt
    positive = {name: learnt[name] for name in ("positive",) if name in learnt}
    if as_json:
        show_json({f"{part}.{name}": value for name, value in found.items()} | positive)
        return
    for name, value in positive.items():
        show(f"{name}: {printable(value)}")
    for name, value in found.items():
        show(f"{part}.{name:20} {value:.6g}" if isinstance(value, int | float) else f"{part}.{name}\n{value}")
