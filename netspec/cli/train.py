"""`netspec train`: from a spec to a run folder."""

from __future__ import annotations

from pathlib import Path

import click

from netspec.cli.common import allow_outside, as_json, load, reads_spec, show_json, talk


@click.command()
@reads_spec
@click.option(
    "--run", "folder", type=click.Path(path_type=Path), help="The run's folder; runs/NAME-1 and so on without."
)
@click.option("--resume", is_flag=True, help="Go on where the run in --run stopped, to the very bit.")
@click.option(
    "--export", "export_to", type=click.Path(path_type=Path), metavar="FILE", help="Export the best weights to FILE."
)
@allow_outside
@as_json
def command(
    spec: str,
    overrides: tuple[str, ...],
    folder: Path | None,
    resume: bool,
    export_to: Path | None,
    allow_outside: bool,
    as_json: bool,
) -> None:
    """Train a spec's network on its data.

    The run's folder holds the spec, metrics.jsonl, the best and the last weights, and checkpoints to resume from.
    Ctrl-C finishes the step, saves and ends with 130.
    """
    loaded = load(spec, overrides)
    if resume and folder is None:
        raise click.UsageError("--resume needs the folder of the run that goes on: --run runs/NAME-1")
    from netspec.runtime.experiment import Run, export, train
    from netspec.runtime.progress import progress_for
    from netspec.runtime.run import fresh_folder

    place = folder or fresh_folder("runs", loaded.name)
    trained = train(loaded, place, resume=resume, progress=progress_for(), allow_outside=allow_outside)
    talk(f"the run is in {place}")
    history = trained.history
    result: dict[str, object] = {
        "run": str(place),
        "epochs": len(history.records),
        "seconds": round(history.seconds, 3),
        "ended": history.ended,
        history.monitor: history.best,
        "best_epoch": history.best_epoch,
    }
    if export_to is not None:
        from netspec.cli.export import described

        run = Run.read(place)
        report = export(run.spec, run.module(), export_to, allow_outside)
        talk(described(report))
        result["export"] = str(export_to)
    if as_json:
        show_json(result)
