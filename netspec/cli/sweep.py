"""`netspec sweep`: one spec trained with many settings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netspec.cli.common import Count, allow_outside, as_json, load, root_words, show, show_json, talk, within
from netspec.cli.targets import Folder
from netspec.errors import Diverged
from netspec.text.report import SpecError
from netspec.words import in_shell

if TYPE_CHECKING:
    from netspec.sweeps.results import Sweep

if TYPE_CHECKING:
    from netspec.sweeps.results import Sweep


@click.command()
@click.argument("spec", metavar="SPEC", type=click.Path())
@click.argument("values", nargs=-1, required=True, metavar="PATH.TO.VALUE=CHOICES...")
@click.option(
    "--metric", help="What is compared, such as val.accuracy; what the spec keeps its best weights by without."
)
@click.option(
    "--trials", type=click.IntRange(0), default=50, show_default=True, help="How many in all, here and elsewhere."
)
@click.option("--folder", type=Folder(), help="Where the runs lie; sweeps/NAME-... without.")
@click.option("--prune", is_flag=True, help="Stop a trial that is worse than the median of the others at its epoch.")
@click.option("--max-params", type=Count(), help="Train no network with more parameters.")
@click.option("--max-macs", type=Count(), help="Train no network with more multiply-accumulates.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="What the drawn values follow from.")
@within
@allow_outside
@as_json
def command(
    spec: str,
    values: tuple[str, ...],
    metric: str | None,
    trials: int,
    folder: Path | None,
    prune: bool,
    max_params: int | None,
    max_macs: int | None,
    seed: int,
    allow_outside: bool,
    as_json: bool,
) -> None:
    """Train a spec with many settings and compare them.

    \b
    params.width=32,64,96              a choice
    train.optimizer.lr=1e-4..1e-2:log  a range, here by ratio
    params.depth=2..8:step=2           a range of whole numbers

    Where there are no more combinations than --trials, all are tried; of more, those are drawn that promise most
    (optuna's TPE). What does not fit together or is too large is never trained, and of equal networks only one is.
    The same command goes on where it was stopped; run it on another machine that shares the folder, and both work
    on the same trials.
    """
    loaded = load(spec, ())
    from netspec.runtime.train.progress import Live, Silent
    from netspec.sweeps.sweep import sweep

    found = sweep(
        loaded,
        values,
        metric=metric,
        trials=trials,
        folder=folder,
        prune=prune,
        max_params=max_params,
        max_macs=max_macs,
        seed=seed,
        allow_outside=allow_outside,
        say=talk,
        bar=Live if sys.stderr.isatty() else Silent,
    )
    _tell(found, spec, as_json)


def _tell(found: Sweep, spec: str, as_json: bool) -> None:
    """Show the trials, and the command that trains the best of them again."""
    from netspec.sweeps.results import table

    best = found.best
    ended = _code(found)
    again = None if best is None else in_shell("netspec", "train", spec, *best.overrides, *root_words())
    if as_json:
        show_json({**found.listed(), "command": again})
        sys.exit(ended)
    show(table(found))
    if best is not None:
        talk(f"\nthe best is in {found.run_of(best)}; again:\n{again}")
    talk(f"the picture is {found.folder / 'sweep.svg'}")
    if ended:
        talk("no trial came to a value: see why, and try other values")
    sys.exit(ended)


def _code(found: Sweep) -> int:
    """What the command ends with: 0 where there is a best trial, or none was asked for; else why there is none."""
    if found.best is not None or not found.trials:
        return 0
    diverged = any(trial.end == "diverged" for trial in found.trials)
    return Diverged.exit_code if diverged else SpecError.exit_code
