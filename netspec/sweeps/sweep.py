"""Runs a sweep: takes a trial, checks it, trains it, tells how it ended, until there are enough."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

from netspec.errors import Interrupted, UsageError
from netspec.files import write_text
from netspec.runtime.train.progress import Progress, Silent
from netspec.spec import Spec
from netspec.sweeps.picture import picture
from netspec.sweeps.plan import Limits, Plan
from netspec.sweeps.results import Goal, Sweep, Trial, written
from netspec.sweeps.running import run
from netspec.sweeps.space import read_space
from netspec.sweeps.study import Claim, Study, digest, enter
from netspec.words import did_you_mean


def sweep(
    spec: Spec,
    values: Sequence[str],
    *,
    metric: str | None = None,
    trials: int = 50,
    folder: Path | None = None,
    prune: bool = False,
    max_params: int | None = None,
    max_macs: int | None = None,
    seed: int = 0,
    allow_outside: bool = False,
    say: Callable[[str], None] = lambda text: None,
    bar: Callable[[], Progress] = Silent,
) -> Sweep:
    """Train a spec with many settings, each into a run folder of its own, and go on where the same sweep stopped.

    `say` is told of each trial in a line, `bar` makes what follows the one that runs. Raises UsageError, SpecError
    where no combination fits, what training raises if the first trial fails, and Interrupted.
    """
    _need_one_process()
    space = read_space(values)
    spec = spec.over(space.fixed)
    metric, goal = _monitored(spec, metric)
    plan = Plan(spec, space, metric, Limits(max_params, max_macs))
    plan.need_one_that_fits(seed)
    identity = {"spec": spec.document.source.data, "values": list(values), "metric": metric}
    place = folder or Path("sweeps", f"{spec.name}-{digest(identity)[:8]}")
    enter(place, identity)
    study = Study(place, space, goal, seed=seed, prune=prune)
    found, failed = study.sweep(spec.name, metric, goal), False
    for claim, ready in _claims(study, plan, trials):
        try:
            if ready is not None:
                strict = failed or found.best is None
                end = run(claim, ready, metric, bar(), allow_outside=allow_outside, strict=strict)
                failed = end == "failed"
        except Interrupted:
            say(f"the same sweep goes on with trial {claim.number}")
            raise
        finally:
            claim.close()
        found = study.sweep(spec.name, metric, goal)
        say(_line(found.trials[claim.number - 1], found, trials if space.size is None else min(trials, space.size)))
    write_text(place / "sweep.svg", picture(found))
    return found


def _claims(study: Study, plan: Plan, trials: int) -> Iterator[tuple[Claim, Spec | None]]:
    """One trial after the other until there are enough, each with its spec; None where that is not to be trained."""
    while True:
        with study.lock:
            claim = study.take(trials)
            ready = plan.prepared(claim, study) if claim else None
        if claim is None:
            return
        yield claim, ready


def _need_one_process() -> None:
    """Refuse to sweep where torchrun has started several processes. Raises UsageError."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        text = "each trial of a sweep is trained in one process, and torchrun has started several to train together"
        raise UsageError(f"{text}. Give the command by itself, as often as it is to work: all share the folder.")


def _monitored(spec: Spec, metric: str | None) -> tuple[str, Goal]:
    """The metric and whether more or less of it is better. Raises UsageError."""
    training = spec.experiment.train
    if training is None:
        raise UsageError(f"{spec.name} cannot be trained: its spec has no train section")
    known = training.monitors()
    metric = training.best if metric is None else metric
    if metric not in known:
        hint = did_you_mean(metric, known) or f"There are: {', '.join(known)}."
        raise UsageError(f"nothing measured is called {metric!r}. {hint} More are named in train.metrics.")
    return metric, cast("Goal", training.goal(metric))


def _line(trial: Trial, found: Sweep, trials: int) -> str:
    """A trial on one line."""
    tried = " ".join(f"{path}={value}" for path, value in (trial.tried or {}).items())
    value = "" if trial.value is None else f"{found.metric} {written(trial.value)}"
    best = "best" if found.best is not None and found.best.number == trial.number else ""
    shown = (f"trial {trial.number} of {trials}", tried, value, best, trial.reason)
    return "  ".join(part for part in shown if part)
