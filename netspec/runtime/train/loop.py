"""The training loop: runs steps and evaluations, and does what follows from them."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import torch
from torch import nn

from netspec.errors import DataError, Diverged, Interrupted
from netspec.runtime.data.split import Data, seeded
from netspec.runtime.device.device import make_forward
from netspec.runtime.device.parallel import Sharded, Whole
from netspec.runtime.device.process_group import World
from netspec.runtime.network.several_views import averaged
from netspec.runtime.network.stretches import holding_back
from netspec.runtime.store.run_folder import RunFolder
from netspec.runtime.store.saver import Keeper
from netspec.runtime.train.evaluate import evaluate
from netspec.runtime.train.history import Goal, History, Record
from netspec.runtime.train.loss import check_inputs
from netspec.runtime.train.networks import Networks
from netspec.runtime.train.progress import Plan, Progress
from netspec.runtime.train.signals import StopSignals
from netspec.runtime.train.state import State
from netspec.runtime.train.step import AT_ONCE, NotFinite, Stepper
from netspec.runtime.train.unmeasured import never_finite, never_seen, news, refusal, stand_in
from netspec.sections.train_record import Train
from netspec.weights.freezing import UNFROZEN, Frozen

PARTS: Final = {"train": "samples", "val": "for validation", "test": "held out"}
"""What the samples of each part are called."""
ADVICE: Final = "Begin another run with a smaller lr, a warmup, or clip_grad: 1.0; this one would diverge again."
LOOK: Final = (
    "The losses of the steps were finite: see what the validation data has that the training data has not, name "
    "another value in train.checkpoint.best, or begin another run with a smaller lr."
)
LATE: Final = 1
"""Stands beside the numbers of signals, of which none that is heeded is as small: the time is over."""


class Trainer:
    """One run over one network."""

    def __init__(
        self,
        spread: Whole,
        train: Train,
        data: Data,
        run: RunFolder | None,
        progress: Progress,
        stop: StopSignals,
        channels_last: bool,
        world: World,
        meaning: Mapping[str, str] | None = None,
        frozen: Frozen = UNFROZEN,
        outputs: Sequence[str] = (),
        networks: Networks | None = None,
        last: Sequence[str] = (),
    ) -> None:
        self.train, self.data, self.progress, self.stop, self.world = train, data, progress, stop, world
        self.parts = {"train": data.train} | {n: p for n, p in (("val", data.val), ("test", data.test)) if p}
        self.state = State(spread, train, data, world, meaning, frozen, outputs, networks)
        self.position = self.state.position
        last = last if train.chunked_loss and not isinstance(spread, Sharded) else ()

        def called(module: nn.Module, held: nn.Module) -> Callable[..., Any]:
            forward = make_forward(module, train, self.state.device, channels_last)
            return holding_back(forward, [held.get_submodule(path) for path in last])

        forward, shown = called(spread.call, spread.module), self.state.shown
        self.measured = forward if shown is spread.call else called(shown, shown)
        if train.evaluate.views is not None:
            whole = make_forward(shown, train, self.state.device, channels_last)
            self.measured = averaged(whole, train.evaluate.views)
        self.stepper = Stepper(forward, self.state, train, self.parts, progress.warn)
        self.keeper = Keeper(run, train, progress.warn, world)
        self.history = History(self.state.best.monitor)
        self.began = self.read_at = time.perf_counter()
        self.stretch = (self.began, 0)
        """When the steps began that the next record takes in, and how many steps of the epoch were done before."""
        self.order = torch.empty(0)
        """The samples of this epoch in the order of its steps."""
        self.halt = 0
        """Why all processes have to stop: the number of a signal, LATE, or 0."""

    def resume(self) -> None:
        """Take up the newest whole checkpoint of the run's folder. Raises UsageError where there is none, DataError."""
        self.history.records = self.keeper.resume(self.state)
        self.position = self.state.position
        if self.state.early:
            for record in self.history.records:
                self.state.early.see(record)

    def run_all(self) -> History:
        """Train to the end, from wherever the position is."""
        state = self.state
        with self.world.all_or_none():
            check_inputs(self.parts)
            self.keeper.begin(self.position)
        steps = (state.per_epoch, state.total, self.position.step)
        self.progress.start(Plan(self.train.epochs, *steps, state.samples, state.best, self._about()))
        try:
            state.module.train()
            self._begin_epoch()
            self._begin_stretch()
            while not self._ended():
                if self._due():
                    self._measure()
                else:
                    self._step()
                self._heed()
            self._finish()
        finally:
            self.progress.close()
            self.keeper.close()
        return self.history

    def first_batch(self) -> torch.Tensor:
        """The samples of the first batch of a run, whose step is only tried."""
        self.state.module.train()
        self._begin_epoch()
        return self._rows(0)[: self.train.batch]

    def _about(self) -> str:
        """Where what is trained on what, on one line."""
        parameters = dict.fromkeys(self.state.module.parameters())
        own = [p for p in self.state.trained if p in parameters] if self.state.turns else self.state.trained
        counted, trained = (sum(p.numel() for p in some) for some in (parameters, own))
        words = [f"{len(part):,} {noun}" for name, noun in PARTS.items() if (part := self.parts.get(name))]
        words += [f"{counted:,} parameters" + (f", {trained:,} of them trained" if trained < counted else "")]
        where = f"{self.world.size} processes on {self.state.device.type}" if self.world.size > 1 else self.state.device
        return f"training on {where}: {', '.join(words)}"

    def _ended(self) -> bool:
        """Whether the run is over, and why: stopped early, out of epochs or steps, or out of time."""
        early, position = self.train.early_stop, self.position
        if early and self.state.early and self.state.early.waited >= early.patience:
            self.history.ended = "early stop"
        elif position.step >= self.state.total and not position.unmeasured:
            self.history.ended = "epochs" if position.epoch >= self.train.epochs else "steps"
        elif self.halt == LATE:
            self.history.ended = "time"
        else:
            return False
        return True

    def _halts(self) -> bool:
        """Whether a signal has come to any process, or the time is over."""
        limit = self.train.max_time
        late = limit is not None and time.perf_counter() - self.began >= limit
        self.halt = self.world.maximum(self.stop.number or LATE * late)
        return self.halt > 0

    def _heed(self) -> None:
        """Raises Interrupted if a signal has come."""
        if self._halts() and self.halt != LATE:
            raise self._interrupted()

    def _begin_epoch(self) -> None:
        """Draw the order of the epoch's samples, and say which will be asked for."""
        position, state = self.position, self.state
        self.order = self.data.train.order(seeded(self.train.seed, position.epoch))
        last = min(state.per_epoch, position.index + state.total - position.step)
        self.stepper.expect(self._rows(index) for index in range(position.index, last))

    def _rows(self, index: int, steps: int = 1) -> torch.Tensor:
        """The samples of a step of this epoch, or of several from it on."""
        return self.order[index * self.state.samples : (index + steps) * self.state.samples]

    def _begin_stretch(self) -> None:
        """Begin to measure the speed, from the step at hand on."""
        self.stretch = (time.perf_counter(), self.position.index)

    def _together(self, most: int) -> int:
        """How many steps are taken at once: as many as can be, where nothing is seen or saved behind any of them."""
        position, train = self.position, self.train
        limits = [self.state.per_epoch - position.index, self.state.total - position.step]
        limits += [every - position.step % every for every in (train.evaluate.steps, train.checkpoint.steps) if every]
        return most if most < min(limits) else 1

    def _step(self) -> None:
        """Take one step of the optimizer and move the schedule, or as many as are taken at once. Raises Diverged."""
        position, state, stepper = self.position, self.state, self.stepper
        steps = self._together(stepper.recorder.most) if stepper.recorder else 1
        due = self._due(steps)
        state.thaw()
        for place in range(steps):
            if place:
                self._move_schedules(place - 1)
            for schedule in state.schedules:
                schedule.before(position.step + place)
            stepper.update.plan(place)
        try:
            found = stepper(self._rows(position.index, steps), position.epoch, position.index, due, steps)
        except NotFinite as fault:
            raise self._diverged(position.index, f"the loss is {fault.value}") from None
        state.need_taken_up()
        index = position.index
        state.losses.note(index if steps == 1 else slice(index, index + steps), found.loss, found.share, found.parts)
        self._move_schedules(steps - 1)
        position.index += steps
        position.step += steps
        if due:
            state.note_norm(stepper.norm(found))
        if self.train.checkpoint.steps and position.step % self.train.checkpoint.steps == 0:
            self._save()
        now = time.perf_counter()
        if now - self.read_at >= self.progress.interval:
            self.read_at = now
            self._check_losses()
            self.progress.tick(position.epoch, position.index, state.newest_loss())

    def _move_schedules(self, place: int) -> None:
        """Have the schedules go on behind a step of those that are taken at once."""
        for schedule in self.state.schedules:
            schedule.after(self.position.step + place)

    def _check_losses(self) -> None:
        """Look at the losses of all steps so far, where a step does not look itself. Raises Diverged."""
        found = self.state.not_finite()
        if found:
            raise self._diverged(found[0], f"the loss is {found[1]}")

    def _diverged(self, index: int, what: str) -> Diverged:
        """What became of step `index` of this epoch, counted from 0; -1 is the last one of the epoch before."""
        position = self.position
        step, epoch = position.step - position.index + index + 1, position.epoch + (index >= 0)
        kept = f" The best weights until then are {self.keeper.best}." if self.keeper.best else ""
        if step == 1 and what.startswith("the loss"):
            return Diverged(f"in step 1 {what}", f". {AT_ONCE}")
        rate = f", at a learning rate of {self.state.schedule.rate:g}"
        return Diverged(f"in step {step:,} (epoch {epoch}) {what}", f"{rate}. {ADVICE}{kept}")

    def _due(self, more: int = 0) -> bool:
        """Whether the steps since the newest record, and so many more, are to be measured before another is taken."""
        position, steps = self.position, self.train.evaluate.steps
        index, step = position.index + more, position.step + more
        ended = index == self.state.per_epoch or step == self.state.total
        return step > position.measured and (ended or bool(steps and step % steps == 0))

    def _measure(self) -> None:
        """Make a record of the steps since the last one; none where the run has to stop on the way."""
        self._check_losses()
        state, position = self.state, self.position
        since, index = self.stretch
        samples = min(position.index * state.samples, state.count) - index * state.samples
        speed = samples / (time.perf_counter() - since)
        values = {f"train.{name}": value for name, value in state.mean_losses().items()}
        if self.data.val is not None and state.validates and self._validates():
            measured = evaluate(
                state.shown,
                self.data.val,
                state.objective,
                self.train.metrics,
                batch=self.train.batch,
                forward=self.measured,
                networks=state.networks,
                stopped=self._halts,
                world=self.world,
            )
            if measured is None:
                return
            values |= {f"val.{name}": value for name, value in measured.items()}
        head = {"epoch": position.current, "step": position.step, "lr": state.schedule.rate, **state.told_norm()}
        tail = {"seconds": round(state.seconds, 3), "samples_per_s": round(speed, 1)}
        self._record({**head, **values, **tail})

    def _validates(self) -> bool:
        """Whether the validation data is measured here, and not only the loss of the steps."""
        position, wanted = self.position, self.train.evaluate
        by_step = wanted.steps is not None and position.step % wanted.steps == 0
        return by_step or position.current % wanted.every == 0 or position.step == self.state.total

    def _record(self, record: Record) -> None:
        """Take in a record: schedule, best weights, early stop, files, screen. Raises DataError."""
        state, position = self.state, self.position
        said, blind = self._look(record)
        better = state.best.see(record)
        if state.early:
            state.early.see(record)
        for schedule in state.schedules:
            schedule.measured(record)
        position.close_record()
        self.history.records.append(record)
        self.keeper.record(record, better, state)
        self.progress.measured(record, better)
        for text in said if self.world.main else ():
            self.progress.warn(text)
        if position.index == state.per_epoch:
            for schedule in state.schedules:
                schedule.epoch()
            position.close_epoch()
            self._begin_epoch()
        self._begin_stretch()
        if blind or self.keeper.due(position):
            self._save()
        if blind:
            raise DataError(blind)

    def _look(self, record: Record) -> tuple[list[str], str]:
        """What to say of the values in a record that are no numbers, and why the run cannot go on if it goes by one.

        Where the spec does not say what chooses the best weights, another value stands in.
        """
        state, before = self.state, self.history.records
        lost = never_seen(record, before)
        said = [news(record, before)]
        if state.best.monitor in lost and not self.train.checkpoint.best and (other := stand_in(self.train, record)):
            said.append(f"{other} chooses the best weights, because {state.best.monitor} cannot be measured")
            state.best.stand_in(other, cast("Goal", self.train.goal(other)))
        followed = {
            "checkpoint.best": state.best.monitor,
            "early_stop": state.early and state.early.monitor,
            "scheduler": state.schedule.by_value and state.schedule.monitor,
        }
        blind = {key: name for key, name in followed.items() if name and name in lost}
        return [text for text in said if text], refusal(blind, record) if blind else ""

    def _save(self) -> None:
        """Write a checkpoint. Raises Diverged where a loss or a weight is not finite, which no run could go on from."""
        self._check_losses()
        if not self.state.finite():
            raise self._diverged(self.position.index - 1, "a weight ceased to be finite")
        self.keeper.save(self.state)

    def _interrupted(self) -> Interrupted:
        """Save, and end the command as the signal asked."""
        self._save()
        where = f"epoch {self.position.current}, step {self.position.step:,}"
        run = self.keeper.run
        kept = f"saved in {run.path}, resume goes on from there" if run else "not saved, there is no run folder"
        return Interrupted(self.halt, f"stopped by {signal.Signals(self.halt).name} in {where}: {kept}")

    def _finish(self) -> None:
        """Save the end of the run, and leave the module with the weights that were saved. Raises Diverged."""
        self._save()
        state, history = self.state, self.history
        if state.best.best is None and never_finite(state.best.monitor, history.records):
            raise Diverged(f"{state.best.monitor} was never a finite number", f", so no weights are the best. {LOOK}")
        if state.shown is not state.module:
            state.module.load_state_dict(state.shown.state_dict())
        history.monitor = state.best.monitor
        history.best, history.best_epoch, history.best_step = state.best.best, state.best.epoch, state.best.step
        history.epochs, history.steps = self.position.current, self.position.step
        history.seconds = state.seconds
        self._heed()
