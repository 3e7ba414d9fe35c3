"""A trial of a sweep: trains it, and tells the study how it goes and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import torch

from netspec.errors import DataError, Diverged, UsageError
from netspec.runs.train import train
from netspec.runtime.train.history import Record
from netspec.runtime.train.progress import Plan, Progress
from netspec.spec import Spec
from netspec.sweeps.results import End
from netspec.sweeps.study import Claim


def run(claim: Claim, spec: Spec, metric: str, bar: Progress, *, allow_outside: bool, strict: bool) -> End:
    """Train a trial, or the rest of one that was stopped, and tell how it ended.

    What goes wrong with the first trial, or with two in a row, is not the trial's fault: if `strict`, it is raised
    and the trial stays unfinished.
    """
    progress = _Reporting(claim, metric, bar)
    try:
        trained = train(spec, claim.folder, resume="auto", progress=progress, allow_outside=allow_outside)
    except _Unpromising as stop:
        return claim.tell("pruned", reason=f"worse than the median at epoch {stop.epoch}", epochs=stop.epoch)
    except Diverged as error:
        return claim.tell("diverged", reason=error.reason)
    except torch.OutOfMemoryError:
        return claim.tell("too large", reason="out of memory")
    except (DataError, UsageError) as error:
        if strict:
            raise
        return claim.tell("failed", reason=str(error).splitlines()[0])
    history = trained.history
    more = {"epochs": history.records[-1]["epoch"], "seconds": round(history.seconds, 1)}
    if history.monitor != metric:
        return claim.tell("failed", reason=f"{metric} cannot be measured on this validation data", **more)
    if history.best is None or not isfinite(history.best):
        return claim.tell("diverged", reason=f"{metric} was never a finite number", **more)
    return claim.tell("trained", history.best, **more)


class _Unpromising(Exception):
    """A trial that the median of the others is better than."""

    def __init__(self, epoch: int) -> None:
        super().__init__(epoch)
        self.epoch = epoch


class _Reporting:
    """Tells the study of each epoch, and passes on what a bar shows."""

    def __init__(self, claim: Claim, metric: str, bar: Progress) -> None:
        self.claim, self.metric, self.bar = claim, metric, bar
        self.interval = bar.interval
        self.epochs = 0

    def start(self, plan: Plan) -> None:
        self.epochs = plan.epochs
        self.bar.start(plan)

    def tick(self, epoch: int, step: int, loss: float) -> None:
        self.bar.tick(epoch, step, loss)

    def measured(self, record: Record, best: bool) -> None:
        """Tell the study of an epoch. Raises _Unpromising where others are better."""
        epoch, value = record["epoch"], record.get(self.metric)
        if value is not None and self.claim.report(float(value), epoch) and epoch < self.epochs:
            raise _Unpromising(epoch)

    def tell(self, lines: Sequence[str]) -> None: ...

    def warn(self, text: str) -> None:
        self.bar.warn(text)

    def close(self) -> None:
        self.bar.close()
