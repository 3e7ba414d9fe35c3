"""Runs epochs: steps, evaluations, and what follows from them."""

from __future__ import annotations

import signal
import time
from typing import Any

import torch
from torch import nn

from netspec.errors import Diverged
from netspec.language.train_record import Train
from netspec.runtime.data import Data, seeded
from netspec.runtime.evaluate import evaluate
from netspec.runtime.history import History, Record
from netspec.runtime.keeping import Keeper
from netspec.runtime.objective import check_inputs
from netspec.runtime.progress import Plan, Progress
from netspec.runtime.run import RunFolder
from netspec.runtime.state import State
from netspec.runtime.stepping import NotFinite, Stepper
from netspec.runtime.stopping import Interrupted, StopSignals
from netspec.runtime.surroundings import make_forward


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
        self.train, self.data, self.progress, self.stop = train, data, progress, stop
        self.parts = {"train": data.train} | {n: p for n, p in (("val", data.val), ("test", data.test)) if p}
        self.state = State(module, train, data)
        self.position = self.state.position
        forward = make_forward(module, train, self.state.device, channels_last)
        shown = self.state.shown
        self.measured = forward if shown is module else make_forward(shown, train, self.state.device, channels_last)
        self.stepper = Stepper(forward, self.state, train, self.parts)
        self.keeper = Keeper(run, train.checkpoint, progress.warn)
        self.history = History(self.state.best.monitor)
        self.read_at = time.perf_counter()

    def resume(self) -> None:
        """Take up the newest whole checkpoint of the run's folder. Raises DataError where none is whole."""
        self.history.records = self.keeper.resume(self.state)
        self.position = self.state.position

    def run_all(self) -> History:
        """Train to the end, from wherever the position is."""
        check_inputs(self.parts)
        state = self.state
        self.progress.start(Plan(self.train.epochs, state.per_epoch, state.samples, self.position.epoch))
        try:
            while not self._done():
                self._epoch()
            self._finish()
        finally:
            self.progress.close()
        return self.history

    def _done(self) -> bool:
        early = self.train.early_stop
        if early and self.state.early and self.state.early.waited >= early.patience:
            self.history.ended = "early stop"
        elif self.position.epoch >= self.train.epochs:
            self.history.ended = "epochs"
        elif self.position.step >= self.state.total:
            self.history.ended = "steps"
        else:
            return False
        return True

    def _epoch(self) -> None:
        """Train the rest of an epoch and measure."""
        position, state = self.position, self.state
        began, first = time.perf_counter(), position.index
        order = torch.randperm(state.count, generator=seeded(self.train.seed, position.epoch)).to(state.device)
        state.module.train()
        last = min(state.per_epoch, position.index + state.total - position.step)
        while position.index < last:
            self._step(order)
        self._check_losses()
        trained = time.perf_counter() - began
        values = self._measure()
        if values is None:
            raise self._interrupted()
        state.seconds += time.perf_counter() - began
        self._record(values, min((last - first) * state.samples, state.count) / trained)

    def _step(self, order: torch.Tensor) -> None:
        position, state = self.position, self.state
        start = position.index * state.samples
        state.schedule.before(position.step)
        try:
            loss = self.stepper(order[start : start + state.samples], position.epoch, position.index)
        except NotFinite as fault:
            raise self._diverged(position.index, fault.value) from None
        state.losses[position.index] = loss
        state.schedule.after(position.step)
        if state.average is not None:
            state.average.update_parameters(state.module)
        position.index += 1
        position.step += 1
        if self.stop.number is not None:
            raise self._interrupted()
        if self.train.checkpoint.steps and position.step % self.train.checkpoint.steps == 0:
            self._save()
        now = time.perf_counter()
        if now - self.read_at >= self.progress.interval:
            self.read_at = now
            self._check_losses()
            self.progress.tick(position.epoch, position.index, state.newest_loss())

    def _check_losses(self) -> None:
        """Look at the losses of all steps so far, where a step does not look itself. Raises Diverged."""
        found = self.state.not_finite()
        if found:
            raise self._diverged(*found)

    def _diverged(self, index: int, value: float) -> Diverged:
        step = self.position.step - self.position.index + index + 1
        text = f"the loss of step {step:,} (epoch {self.position.epoch + 1}) is {value}"
        kept = f"The checkpoint before it is {self.keeper.newest}. " if self.keeper.newest else ""
        advice = f"{kept}Try a smaller lr, a warmup, or clip_grad: 1.0."
        return Diverged(f"{text}, at a learning rate of {self.state.schedule.rate:g}. {advice}")

    def _measure(self) -> dict[str, Any] | None:
        """The values of this epoch by name; None where a signal came between."""
        values: dict[str, Any] = {"train.loss": self.state.mean_loss()}
        if self.data.val is None:
            return values
        measured = evaluate(
            self.state.shown,
            self.data.val,
            self.state.objective,
            self.train.metrics,
            batch=self.train.batch,
            forward=self.measured,
            stopped=lambda: self.stop.number is not None,
        )
        return None if measured is None else values | {f"val.{name}": value for name, value in measured.items()}

    def _record(self, values: dict[str, Any], speed: float) -> None:
        """Take in an epoch's values: schedule, best weights, early stop, files, screen."""
        state, position = self.state, self.position
        rate = state.schedule.rate
        state.schedule.epoch(values)
        position.epoch += 1
        position.index = 0
        better = state.best.see(values[state.best.monitor], position.epoch)
        if state.early:
            state.early.see(values[state.early.monitor], position.epoch)
        head = {"epoch": position.epoch, "step": position.step, "lr": rate}
        record: Record = {**head, **values, "seconds": round(state.seconds, 3), "samples_per_s": round(speed, 1)}
        self.history.records.append(record)
        self.keeper.record(record, better, state)
        self.progress.epoch(record, better)
        if self.keeper.due(position.epoch):
            self._save()

    def _save(self) -> None:
        self._check_losses()
        self.keeper.save(self.state)

    def _interrupted(self) -> Interrupted:
        """Save, and end the command as the signal asked."""
        self._save()
        number = self.stop.number
        assert number is not None
        where = f"epoch {self.position.epoch + 1}, step {self.position.step:,}"
        run = self.keeper.run
        kept = f"saved in {run.path}, resume goes on from there" if run else "not saved, there is no run folder"
        return Interrupted(number, f"stopped by {signal.Signals(number).name} in {where}: {kept}")

    def _finish(self) -> None:
        """Save the end of the run, and leave the module with the weights that were saved."""
        self._save()
        state, history = self.state, self.history
        if state.shown is not state.module:
            state.module.load_state_dict(state.shown.state_dict())
        history.best, history.best_epoch = state.best.best, state.best.epoch
        history.steps, history.seconds = self.position.step, state.seconds
        if self.stop.number is not None:
            raise self._interrupted()
