"""`netspec train`: from a spec to a run folder."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from netspec.cli.common import (
    allow_outside,
    as_json,
    inputs_of,
    limited,
    load,
    show,
    show_json,
    talk,
    within,
)
from netspec.cli.garbage import importing
from netspec.cli.targets import Exported, Folder
from netspec.files import need_writable
from netspec.words import in_shell

if TYPE_CHECKING:
    from netspec.api.run import Run
    from netspec.api.spec import Spec
    from netspec.runtime.train.history import History
    from netspec.views.forecast import Forecast

ENDED: Final = {
    "epochs": "all epochs are done",
    "steps": "max_steps is reached",
    "early stop": "stopped early",
    "time": "max_time is over, --resume goes on from there",
}


class Resuming(click.Command):
    """Lets `--resume` stand alone, before the word `auto`, or before the folder of a run.

    Any other word behind it, such as a spec or an override, is the command's own.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take a folder or `auto` behind --resume for its value, which may also be left out."""
        named = any(word == "--run" or word.startswith("--run=") for word in args)
        joined: list[str] = []
        for word in args:
            behind = joined[-1:] == ["--resume="]
            if behind and (word == "auto" or Path(word).is_dir() or (not named and _names_run(word))):
                joined[-1] += word
            else:
                joined.append("--resume=" if word == "--resume" else word)
        return super().parse_args(ctx, joined)


def _names_run(word: str) -> bool:
    """Whether a word behind `--resume` is a folder that is missing, rather than a spec, an override or an option."""
    return not (Path(word).exists() or word.startswith("-") or "=" in word)


@click.command(cls=Resuming)
@click.argument("spec", metavar="[SPEC]", type=click.Path(), required=False)
@click.argument("overrides", nargs=-1, metavar="[PATH.TO.VALUE=NEW]...")
@within
@limited
@click.option("--run", "folder", type=Folder(), help="The run's folder; runs/NAME-1 and so on without.")
@click.option(
    "--resume",
    metavar="[RUN|auto]",
    help="Go on where the run in RUN, or in --run, stopped, to the very bit. It needs no SPEC; one that is given must "
    "be the same experiment. With auto, begin a run in --run where there is none.",
)
@click.option("--export", "export_to", type=Exported(), metavar="FILE", help="Export the best weights to FILE.")
@click.option("--open", "opened", is_flag=True, help="Open the report in a browser when the run has ended.")
@click.option("--nproc", type=click.IntRange(1), default=1, help="How many processes of this machine share each batch.")
@click.option("--dry-run", is_flag=True, help="Take one step, and show what it takes beside the forecast.")
@allow_outside
@as_json
@click.pass_obj
def command(
    arguments: list[str],
    spec: str | None,
    overrides: tuple[str, ...],
    max_params: int | None,
    max_memory: int | None,
    folder: Path | None,
    resume: str | None,
    export_to: Path | None,
    opened: bool,
    nproc: int,
    dry_run: bool,
    allow_outside: bool,
    as_json: bool,
) -> None:
    """Train a spec's network on its data.

    The run's folder holds the spec, metrics.jsonl, the best and the last weights, and checkpoints to resume from.
    Ctrl-C finishes the step, saves and ends with 130; `netspec train --resume RUN` goes on.
    """
    from netspec.runs.room import need_room

    folder = _folder(folder, resume)
    goes_on = folder if resume not in (None, "auto") else None
    loaded, doubt = _experiment(spec, overrides, goes_on, max_params, max_memory)
    if export_to is not None:
        need_writable(export_to, inputs_of(loaded))
    expected = need_room(loaded, max_memory)
    if dry_run:
        _try(loaded, expected, allow_outside=allow_outside, doubt=doubt, as_json=as_json)
        return
    _spread(arguments, nproc)
    done = _train(loaded, folder, resume, allow_outside=allow_outside, doubt=doubt)
    if done is None:
        return
    run, history = done
    talk(f"{ENDED[history.ended]}; the run is in {run.folder}\n{_best(history, run)}")
    if export_to is not None:
        _export(run, export_to, allow_outside)
    talk(_next(run.folder, history, exported=export_to is not None))
    if as_json:
        show_json(_result(history, run, export_to))
    if opened:
        _open(run)


def _try(spec: Spec, expected: Forecast | None, *, allow_outside: bool, doubt: str, as_json: bool) -> None:
    """Take one step and show what it took beside its forecast."""
    from netspec.runs.measuring import try_step
    from netspec.views.forecast import compared, facts, lines

    trial = try_step(spec, allow_outside=allow_outside, doubt=doubt)
    assert expected is not None
    if as_json:
        show_json({"forecast": expected.listed(), "measured": compared(expected, trial)})
    else:
        show("\n".join([*lines(expected), *facts(expected, trial)]))


def _spread(arguments: list[str], count: int) -> None:
    """Have `count` processes do the same command together, if they do not do so yet, and exit as the first of them."""
    if count > 1 and "WORLD_SIZE" not in os.environ:
        from netspec.__main__ import main
        from netspec.runtime.device.launch import launch

        sys.exit(launch(partial(main, arguments), count))


def _train(
    spec: Spec, folder: Path | None, resume: str | None, *, allow_outside: bool, doubt: str
) -> tuple[Run, History] | None:
    """Train with all processes: the run and how it went, for the first of them; None for the others."""
    from netspec.runs.ahead import reading

    begun = reading(spec, allow_outside=allow_outside, doubt=doubt) if resume is None else None
    with importing():
        from netspec.api.run import Run
        from netspec.runs.train import train
        from netspec.runtime.device.process_group import joined
        from netspec.runtime.store.run_folder import fresh_folder
        from netspec.runtime.train.telling import progress_for

    with joined() as world:
        place = world.from_main(folder or fresh_folder("runs", spec.name))
        trained = train(
            *(spec, place),
            resume="auto" if resume == "auto" else resume is not None,
            progress=progress_for(),
            allow_outside=allow_outside,
            doubt=doubt,
            world=world,
            reading=begun,
        )
    return (Run.read(place, root=spec.root), trained.history) if world.main else None


def _open(run: Run) -> None:
    """Open the report of a run in a browser."""
    from netspec.runtime.store.own import REPORT

    click.launch(str(run.folder / REPORT))


def _export(run: Run, to: Path, allow_outside: bool) -> None:
    """Export the best weights of a run that has just ended."""
    from netspec.cli.export import described

    talk(described(run.export(to, allow_outside=allow_outside)))


def _folder(folder: Path | None, resume: str | None) -> Path | None:
    """The folder of the run, as `--run` or `--resume` names it. Raises UsageError."""
    if resume not in (None, "", "auto"):
        if folder is not None:
            raise click.UsageError("--resume RUN and --run name a folder each; keep one of them")
        return Path(resume)
    if resume is not None and folder is None:
        raise click.UsageError("--resume needs the folder of the run that goes on, behind it or in --run")
    return folder


def _experiment(
    spec: str | None, overrides: tuple[str, ...], run: Path | None, max_params: int | None, max_memory: int | None
) -> tuple[Spec, str]:
    """The spec that is named, or that of the run which goes on with why its data is not read; nothing where it is.

    Raises UsageError and SpecError.
    """
    overriding = spec is not None and run is not None and "=" in spec and not Path(spec).exists()
    if spec is not None and not overriding:
        return load(spec, overrides, max_params, max_memory), ""
    if run is None:
        raise click.UsageError("name the SPEC that is trained, or the run that goes on: --resume RUN")
    from netspec.api.run import Run

    words = (spec, *overrides) if spec is not None else overrides
    found = Run.read(run, words, max_params=max_params, max_memory=max_memory)
    return found.spec, found.doubt


def _result(history: History, run: Run, exported: Path | None) -> dict[str, object]:
    """How it went, for a machine."""
    return {
        "run": str(run.folder),
        "epochs": history.epochs,
        "steps": history.steps,
        "seconds": round(history.seconds, 3),
        "ended": history.ended,
        history.monitor: history.best,
        "best_epoch": history.best_epoch,
        "best_step": history.best_step,
        "weights": str(run.weights),
        **({"export": str(exported)} if exported is not None else {}),
    }


def _best(history: History, run: Run) -> str:
    """How good the best weights are, of when they are, and where."""
    if history.best is None and run.weights.name == "best.safetensors":
        return f"{history.monitor} was not measured since it is gone by; the best weights of before are {run.weights}"
    if history.best is None:
        return f"nothing was measured to choose the best weights by; the last ones are {run.weights}"
    from netspec.sections.train_record import NEWEST

    if history.monitor == NEWEST:
        return f"of players that take turns no loss says which weights are best; the newest are {run.weights}"
    when = f"epoch {history.best_epoch}, step {history.best_step:,}"
    return f"best {history.monitor} {history.best:.6g} in {when}; its weights are {run.weights}"


def _next(place: Path, history: History, *, exported: bool) -> str:
    """The commands that a person may want now."""
    run = in_shell(str(place))
    words = [f"netspec train --resume {run}"] if history.ended == "time" else []
    words += [f"netspec eval {run}", f"netspec predict {run} INPUT"]
    words += [] if exported else [f"netspec export {run}"]
    return f"next: {', '.join(words)}"
