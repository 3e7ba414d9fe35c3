"""Runs epochs: steps, evaluations, what is saved when, and how a run goes on where it stopped."""

from __future__ import annotations

import signal
import time
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any, Final, Literal, cast

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from netspec.errors import DataError, Diverged, UsageError
from netspec.language.train_record import Train
from netspec.runtime.checkpoint import Checkpoints
from netspec.runtime.data import Data, seeded
from netspec.runtime.evaluate import evaluate
from netspec.runtime.history import History, Record, Watch
from netspec.runtime.objective import Objective, check_inputs
from netspec.runtime.optimizers import make_optimizer
from netspec.runtime.progress import Plan, Progress
from netspec.runtime.run import RunFolder
from netspec.runtime.schedules import Schedule
from netspec.runtime.stepping import NotFinite, Stepper
from netspec.runtime.stopping import Interrupted, StopSignals
from netspec.runtime.surroundings import make_forward
from netspec.runtime.weights import loss_file, save_weights

Weights = tuple[dict[str, torch.Tensor], ...]
"""The weights of the network, and those of a loss that has some."""
BETWEEN_CHECKPOINTS: Final = 5.0
"""Seconds. Where the spec does not say, an epoch that ends sooner after a checkpoint writes none of its own."""


@dataclass(slots=True)
class Position:
    """How far a run has come: whole epochs, steps of the one after them, steps in all."""

    epoch: int = 0
    index: int = 0
    step: int = 0


class Trainer:
    """One run over one network."""

    def __init__(
        self,
        module: nn.Module,
        train: Train,
        data: Data,
        run: RunFolder | None,
        progress: Progress,
        stop: StopSignals,
        channels_last: bool,
    ) -> None:
        self.module, self.train, self.data, self.run = module, train, data, run
        self.progress, self.stop, self.channels_last = progress, stop, channels_last
        self.device = next(module.parameters()).device
        self.parts = {"train": data.train} | {
            n: p for n, p in (("val", data.val), ("test", data.test)) if p is not None
        }
        self.samples = train.batch * train.accumulate
        self.per_epoch = ceil(len(data.train) / self.samples)
        self.total = min(self.per_epoch * train.epochs, train.max_steps or self.per_epoch * train.epochs)
        self.objective = Objective(train.loss, self.device)
        self.forward = make_forward(module, train, self.device, channels_last)
        self._make_movers()
        self._make_watches()
        self.position = Position()
        self.losses = torch.zeros(self.per_epoch, device=self.device)
        self.history = History(self.best.monitor)
        self.checkpoints = Checkpoints(run.checkpoints, train.checkpoint.keep, progress.warn) if run else None
        self.best_weights: Weights | None = None
        self.saved_at = self.read_at = time.perf_counter()

    def _make_movers(self) -> None:
        """Everything that changes weights."""
        named = [*self.module.named_parameters(), *self.objective.module.named_parameters("loss")]
        self.optimizer = make_optimizer(self.train.optimizer, named)
        fallback = "val.loss" if self.data.val else "train.loss"
        self.schedule = Schedule(self.train.scheduler, self.optimizer, self.total, self.train.epochs, fallback)
        trained = [p for _, p in named if p.requires_grad]
        self.stepper = Stepper(self.forward, trained, self.objective, self.optimizer, self.train, self.parts)
        self.average: AveragedModel | None = None
        if self.train.ema is not None:
            average = get_ema_multi_avg_fn(self.train.ema)
            self.average = AveragedModel(self.module, multi_avg_fn=average, use_buffers=True)

    def _make_watches(self) -> None:
        """What is measured to choose the best weights and to stop early."""
        early = self.train.early_stop
        best = self.train.best if self.data.val or self.train.checkpoint.best else "train.loss"
        for monitor in (best, early and early.monitor, getattr(self.train.scheduler, "monitor", None)):
            if monitor and monitor.startswith("val.") and self.data.val is None:
                raise UsageError(f"{monitor} is watched, but there is no validation data. Write data.split.val=0.1.")
        self.best = Watch(best, self._goal(best))
        self.early = Watch(early.monitor, self._goal(early.monitor), early.min_delta) if early else None

    def _goal(self, monitor: str) -> Literal["min", "max"]:
        return cast('Literal["min", "max"]', self.train.goal(monitor))

    # --- running ---------------------------------------------------------------------------------

    def run_all(self) -> History:
        """Train to the end, from wherever the position is."""
        check_inputs(self.parts)
        self.progress.start(Plan(self.train.epochs, self.per_epoch, self.samples, self.position.epoch))
        try:
            while not self._done():
                self._epoch()
            self._finish()
        finally:
            self.progress.close()
        return self.history

    def _done(self) -> bool:
        if self.early and self.early.waited >= cast("Any", self.train.early_stop).patience:
            self.history.ended = "early stop"
        elif self.position.epoch >= self.train.epochs:
            self.history.ended = "epochs"
        elif self.position.step >= self.total:
            self.history.ended = "steps"
        else:
            return False
        return True

    def _epoch(self) -> None:
        """Train the rest of an epoch and measure."""
        position = self.position
        began = time.perf_counter()
        first = position.index
        order = torch.randperm(len(self.data.train), generator=seeded(self.train.seed, position.epoch)).to(self.device)
        self.module.train()
        last = min(self.per_epoch, position.index + self.total - position.step)
        while position.index < last:
            self._step(order)
        self._check_losses()
        trained = time.perf_counter() - began
        values = self._measure()
        if values is None:
            self._interrupt()
        else:
            speed = min((last - first) * self.samples, len(self.data.train)) / trained
            self._record(values, time.perf_counter() - began, speed)

    def _step(self, order: torch.Tensor) -> None:
        position = self.position
        start = position.index * self.samples
        self.schedule.before(position.step)
        try:
            loss = self.stepper(order[start : start + self.samples], position.epoch, position.index)
        except NotFinite as fault:
            raise self._diverged(position.index, fault.value) from None
        self.losses[position.index] = loss
        self.schedule.after(position.step)
        if self.average is not None:
            self.average.update_parameters(self.module)
        position.index += 1
        position.step += 1
        if self.stop.number is not None:
            self._interrupt()
        if self.train.checkpoint.steps and position.step % self.train.checkpoint.steps == 0:
            self._save()
        now = time.perf_counter()
        if now - self.read_at >= self.progress.interval:
            self.read_at = now
            self.progress.tick(position.epoch, position.index, self._check_losses())

    def _check_losses(self) -> float:
        """The newest loss, after a look at all of this epoch's. Raises Diverged."""
        seen = self.losses[: self.position.index]
        if len(seen) and not bool(seen.isfinite().all()):
            index = int((~seen.isfinite()).nonzero()[0])
            raise self._diverged(index, float(seen[index]))
        return float(seen[-1]) if len(seen) else 0.0

    def _diverged(self, index: int, value: float) -> Diverged:
        step = self.position.step - self.position.index + index + 1
        text = f"the loss of step {step:,} (epoch {self.position.epoch + 1}) is {value}"
        advice = "Try a smaller lr, a warmup, or clip_grad: 1.0."
        if self.checkpoints and (whole := self.checkpoints.list()):
            advice = f"The checkpoint before it is {whole[-1]}. {advice}"
        return Diverged(f"{text}, at a learning rate of {self.schedule.rate:g}. {advice}")

    # --- measuring -------------------------------------------------------------------------------

    def _measure(self) -> dict[str, Any] | None:
        """The values of this epoch by name; None where a signal came between."""
        values: dict[str, Any] = {"train.loss": self._train_loss()}
        if self.data.val is None:
            return values
        shown = self.average or self.module
        forward = (
            self.forward if self.average is None else make_forward(shown, self.train, self.device, self.channels_last)
        )
        measured = evaluate(
            shown,
            self.data.val,
            self.objective,
            self.train.metrics,
            batch=self.train.batch,
            forward=forward,
            stopped=lambda: self.stop.number is not None,
        )
        return None if measured is None else values | {f"val.{name}": value for name, value in measured.items()}

    def _train_loss(self) -> float:
        """The mean loss of this epoch's steps, by samples."""
        losses = self.losses[: self.position.index].double()
        counts = torch.full_like(losses, self.samples)
        if self.position.index == self.per_epoch:
            counts[-1] = len(self.data.train) - (self.per_epoch - 1) * self.samples
        total = losses.sum() if self.objective.sums else (losses * counts).sum()
        return float(total / counts.sum())

    def _record(self, values: dict[str, Any], seconds: float, speed: float) -> None:
        """Take in an epoch's values: schedule, best weights, early stop, files, screen."""
        rate = self.schedule.rate
        self.schedule.epoch(values)
        self.position.epoch += 1
        self.position.index = 0
        epoch = self.position.epoch
        better = self.best.see(values[self.best.monitor], epoch)
        if self.early:
            self.early.see(values[self.early.monitor], epoch)
        self.history.seconds += seconds
        head = {"epoch": epoch, "step": self.position.step, "lr": rate}
        record: Record = {**head, **values, "seconds": round(self.history.seconds, 3), "samples_per_s": round(speed, 1)}
        self.history.records.append(record)
        if self.run:
            self.run.append(record)
        if better and self.run:
            self.best_weights = tuple({k: v.clone() for k, v in part.items()} for part in self._weights())
        self.progress.epoch(record, better)
        if self.checkpoints and self._due():
            self._save()

    def _due(self) -> bool:
        every = self.train.checkpoint.every
        if every is not None:
            return bool(self.position.epoch % every == 0)
        return time.perf_counter() - self.saved_at >= BETWEEN_CHECKPOINTS

    # --- keeping ---------------------------------------------------------------------------------

    def _weights(self) -> Weights:
        """The weights of the network, averaged where the spec averages, and those of the loss."""
        shown = self.average.module if self.average is not None else self.module
        return shown.state_dict(), self.objective.parameters()

    def _save(self) -> None:
        """Put everything on the disk that a resumed run needs."""
        self._check_losses()
        if not (self.run and self.checkpoints):
            return
        if self.best_weights is not None:
            self._save_weights(self.best_weights, self.run.best)
            self.best_weights = None
        self._save_weights(self._weights(), self.run.last)
        self.run.settle()
        self.checkpoints.save(self.position.step, self.position.epoch, self.state())
        self.saved_at = time.perf_counter()

    def _save_weights(self, weights: Weights, path: Path) -> None:
        metadata = {"epoch": str(self.position.epoch), "step": str(self.position.step)}
        network, loss = weights
        if loss:
            save_weights(loss, loss_file(path), metadata)
        save_weights(network, path, metadata)

    def state(self) -> dict[str, Any]:
        """Everything that the rest of the run depends on."""
        cuda = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        return {
            "position": asdict(self.position),
            "samples": len(self.data.train),
            "module": self.module.state_dict(),
            "loss": self.objective.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state(),
            "average": self.average.state_dict() if self.average is not None else None,
            "random": {"cpu": torch.get_rng_state(), "cuda": cuda},
            "losses": self.losses[: self.position.index],
            "best": self.best.state(),
            "early": self.early.state() if self.early else None,
            "seconds": self.history.seconds,
        }

    def resume(self) -> None:
        """Take up the newest whole checkpoint of the run's folder. Raises DataError where none is whole."""
        if not (self.run and self.checkpoints):
            raise UsageError("a run without a folder cannot be resumed")
        self.checkpoints.tidy()
        state = self.checkpoints.newest()
        if state is not None:
            self._load(state)
        self.history.records = self.run.rewind(self.position.epoch)

    def _load(self, state: dict[str, Any]) -> None:
        if state["samples"] != len(self.data.train):
            text = f"the run was trained on {state['samples']:,} samples, now there are {len(self.data.train):,}"
            raise DataError(f"{text}. Resume it with the data it began with.")
        self.position = Position(**state["position"])
        self.module.load_state_dict(state["module"])
        self.objective.module.load_state_dict(state["loss"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load(state["schedule"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        torch.set_rng_state(state["random"]["cpu"])
        if state["random"]["cuda"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["random"]["cuda"], self.device)
        self.losses[: self.position.index] = state["losses"].to(self.device)
        self.best.load(state["best"])
        if self.early:
            self.early.load(state["early"])
        self.history.seconds = state["seconds"]

    def _interrupt(self) -> None:
        """Save, and end the command as the signal asked. Raises Interrupted."""
        number = cast("int", self.stop.number)
        self._save()
        where = f"epoch {self.position.epoch + 1}, step {self.position.step:,}"
        kept = (
            f"saved in {self.run.path}, resume goes on from there" if self.run else "not saved, there is no run folder"
        )
        raise Interrupted(number, f"stopped by {signal.Signals(number).name} in {where}: {kept}")

    def _finish(self) -> None:
        """Save the end of the run, and leave the module with the weights that were saved."""
        self._save()
        if self.average is not None:
            self.module.load_state_dict(self.average.module.state_dict())
        self.history.best = self.best.best
        self.history.best_epoch = self.best.epoch
        self.history.steps = self.position.step
        if self.stop.number is not None:
            self._interrupt()
