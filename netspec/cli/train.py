"""`netspec train`: from a spec to a run folder."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Final, Literal

import click

from netspec.cli.common import allow_outside, as_json, inputs_of, limited, load, reads_spec, show_json, talk

ENDED: Final = {
    "epochs": "all epochs are done",
    "steps": "max_steps is reached",
    "early stop": "stopped early",
    "time": "max_time is over, --resume goes on from there",
}


class Resuming(click.Command):
    """Lets `--resume` stand alone or before the word `auto`; any other word behind it is the command's own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        joined: list[str] = []
        for word in args:
            if word == "auto" and joined[-1:] == ["--resume=always"]:
                joined[-1] = "--resume=auto"
            else:
                joined.append("--resume=always" if word == "--resume" else word)
        return super().parse_args(ctx, joined)


@click.command(cls=Resuming)
@reads_spec
@limited
@click.option(
    "--run", "folder", type=click.Path(path_type=Path), help="The run's folder; runs/NAME-1 and so on without."
)
@click.option(
    "--resume",
    type=click.Choice(["always", "auto"]),
    metavar="[auto]",
    help="Go on where the run in --run stopped, to the very bit; with auto, begin one where there is none.",
)
@click.option(
    "--export", "export_to", type=click.Path(path_type=Path), metavar="FILE", help="Export the best weights to FILE."
)
@click.option("--nproc", type=click.IntRange(1), default=1, help="How many processes of this machine share each batch.")
@allow_outside
@as_json
@click.pass_obj
def command(
    arguments: list[str],
    spec: str,
    overrides: tuple[str, ...],
    max_params: int | None,
    max_memory: int | None,
    folder: Path | None,
    resume: Literal["always", "auto"] | None,
    export_to: Path | None,
    nproc: int,
    allow_outside: bool,
    as_json: bool,
) -> None:
    """Train a spec's network on its data.

    The run's folder holds the spec, metrics.jsonl, the best and the last weights, and checkpoints to resume from.
    Ctrl-C finishes the step, saves and ends with 130.
    """
    loaded = load(spec, overrides, max_params, max_memory)
    if export_to is not None:
        from netspec.runtime.disk import need_writable

        need_writable(export_to, inputs_of(loaded))
    loaded.need_room(training=True)
    if resume and folder is None:
        raise click.UsageError("--resume needs the folder of the run that goes on: --run runs/NAME-1")
    if nproc > 1 and "WORLD_SIZE" not in os.environ:
        from netspec.__main__ import main
        from netspec.runtime.launching import launch

        sys.exit(launch(partial(main, arguments), nproc))
    from netspec.runtime.experiment import Run, train
    from netspec.runtime.progress import progress_for
    from netspec.runtime.run import fresh_folder
    from netspec.runtime.world import joined

    going_on = resume if resume == "auto" else resume is not None
    with joined() as world:
        place = world.from_main(folder or fresh_folder("runs", loaded.name))
        trained = train(
            loaded, place, resume=going_on, progress=progress_for(), allow_outside=allow_outside, world=world
        )
    if not world.main:
        return
    history = trained.history
    talk(f"{ENDED[history.ended]}; the run is in {place}")
    result: dict[str, object] = {
        "run": str(place),
        "epochs": history.epochs,
        "steps": history.steps,
        "seconds": round(history.seconds, 3),
        "ended": history.ended,
        history.monitor: history.best,
        "best_epoch": history.best_epoch,
        "best_step": history.best_step,
    }
    if export_to is not None:
        from netspec.cli.export import described

        report = Run.read(place, root=loaded.root).export(export_to, allow_outside=allow_outside)
        talk(described(report))
        result["export"] = str(export_to)
    if as_json:
        show_json(result)
