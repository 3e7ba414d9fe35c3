"""Steps that are recorded: gradients, update and averages as one graph, and several steps to a launch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch

from netspec.errors import UsageError
from netspec.machine import shown_bytes
from netspec.runtime.data.mixing import Batch
from netspec.runtime.data.split import Split, like, tensors
from netspec.runtime.device.cuda_graph import Fields, Graphs, Recorder, forget_gradients, refusal
from netspec.runtime.train import update

if TYPE_CHECKING:
    from netspec.runtime.train.step import Stepper

LONG: Final = 0.004
"""Seconds of the device that a launch of several steps may take: many times what the processor needs for one."""
ROOM: Final = 64 * 2**20
"""Bytes of inputs and targets that may wait for a launch of several steps."""
HELD: Final = 2**30
"""Bytes of them that may lie ready for one step."""


class Found(NamedTuple):
    """What a step found besides gradients; of several steps in one launch, with an axis for them in front."""

    loss: torch.Tensor
    share: torch.Tensor | None = None
    """What it counts for in a mean over several; None where that is known by its samples."""
    parts: torch.Tensor | None = None
    """Of several losses each by itself, and what it counts for: 2 x losses. None where there is one."""
    norm: torch.Tensor | None = None
    """Of the gradient before it was clipped, where a recording was asked for it."""


class Key(NamedTuple):
    """What a recording is of."""

    form: tuple[Any, ...]
    """Shapes, strides and dtypes of what a step is computed of."""
    updates: bool
    """Whether the update is in it."""
    normed: bool = False
    """Whether the norm of the gradient is."""
    steps: int = 1


class Recorded:
    """Takes the steps of a run by recordings, of which there is one for each form of a step.

    The first step of a process leaves its gradients by a recording, and is updated one kernel at a time: an optimizer
    begins what it holds in a step that is unlike the others, and torch's libraries set up. From the second on all of a
    step is recorded, but for an update that cannot be. What looks at numbers on its way cannot be recorded: it
    goes on one kernel at a time.
    """

    def __init__(self, stepper: Stepper, graphs: Graphs, required: bool, warn: Callable[[str], None]) -> None:
        """`graphs` record on the device of the `stepper`. Where recording is `required`, what cannot be is told."""
        self.stepper, self.graphs, self.required, self.warn = stepper, graphs, required, warn
        self.update, self.parameters = stepper.update, stepper.parameters
        self.recorder = Recorder(graphs, stepper.module, stepper.parameters)
        self.most = 1
        """How many steps a launch takes where nothing has to be seen between them."""
        self.failed = self.updates = False
        """Whether recording was given up, and whether updates are recorded."""
        self.picks = _is_plain(stepper.split) and stepper.networks is None
        """Whether a recording takes its samples from the data by itself, by their numbers."""
        self._warm: set[Any] = set()
        """The forms for which torch's libraries have set up."""
        self._begun: set[torch.Tensor] = set()
        """The parameters that were updated in the first step."""
        self._constants: list[Any] = []
        """What the update read on the processor then."""
        self._like: Batch = ((), None)
        """A batch whose tensors are named as those of all."""
        self._timed = False
        """Whether it is known how long a step takes."""
        self._give_up_updates(self.update.unrecordable)

    def __call__(self, rows: torch.Tensor, epoch: int, index: int, normed: bool, steps: int) -> Found:
        """Take the step with these samples, or several from it on. Raises UsageError.

        `normed` says that the norm of the gradient will be asked for.
        """
        if self.failed:
            return self.stepper.plain(rows, epoch, index)
        fields = self._fields(rows, epoch, index, steps)
        form = tuple((x.shape, x.stride(), x.dtype) for x in fields[: len(fields) // steps])
        step = epoch * self.stepper.per_epoch + index
        if self._begun and self.updates and self._can_update(Key(form, True, normed, steps), fields):
            return self._updated(Key(form, True, normed, steps), fields, step)
        key = Key(form, False)
        if key not in self.recorder and (reason := self._record(key, self._gradients, fields)):
            self.failed, self.most = True, 1
            if self.required:
                raise UsageError(refusal(reason))
            return self.stepper.plain(rows, epoch, index)
        found: Found = self.recorder.launch(key, fields)
        self._begun = self._learning()
        self.update(step + 1)
        self._constants = self.update.constants()
        return found

    def _can_update(self, key: Key, fields: Fields) -> bool:
        """Whether such a step is recorded with its update, as it now is if it can be."""
        reason = ""
        if self.update.constants() != self._constants:
            assert key.steps == 1
            reason = "an option of the optimizer has changed"
        elif key not in self.recorder:
            self.recorder.forget(Key(key.form, False))
            reason = self._record(key, lambda given: self._steps(given, key), fields)
        self._give_up_updates(reason)
        return self.updates

    def _give_up_updates(self, reason: str) -> None:
        """Where there is a reason, go on with updates one kernel at a time."""
        self.updates = not reason
        if reason:
            self.most = 1
            if self.required:
                self.warn(f"the update of the weights goes on one kernel at a time: {reason}")

    def _record(self, key: Key, compute: Callable[[Fields], object], fields: Fields) -> str:
        """Record a computation of such fields, or say why not."""
        if key.form not in self._warm:
            size = sum(x.nbytes for x in fields[: len(key.form)])
            if size > HELD and len(key.form) > len(tensors(self._like)):
                return f"the batches of a step take {shown_bytes(size)}"
            if reason := self.recorder.warm(self._gradients, fields[: len(key.form)]):
                return reason
            self._warm.add(key.form)
        return self.recorder.record(key, compute, fields)

    def _updated(self, key: Key, fields: Fields, step: int) -> Found:
        """Take the steps that are recorded with their updates, which begin behind so many others."""
        self.update.write()
        if self._timed or key.normed or self.update.slow is not None:
            found: Found = self.recorder.launch(key, fields)
        else:
            found, seconds = self.graphs.timed(lambda: self.recorder.launch(key, fields))
            self._choose(key, fields, seconds)
        self.update.launched(step + key.steps, key.steps)
        return found

    def _gradients(self, fields: Fields) -> Found:
        """Compute a step's loss and leave its gradients."""
        counts, batches = self._batches(fields)
        return self.stepper.passes(counts, batches)

    def _steps(self, fields: Fields, key: Key) -> Found:
        """Compute steps one after the other with their updates, and leave no gradients."""
        found = []
        for place in range(key.steps):
            begin = place * len(key.form)
            each = self._gradients(fields[begin : begin + len(key.form)])
            if self._learning() != self._begun:
                raise RuntimeError("gradients come to other parameters than in the first step")
            self.update.recorded(place)
            found.append(each._replace(norm=self.update.norm()) if key.normed else each)
            forget_gradients(self.parameters)
        return found[0] if key.steps == 1 else _stacked(found)

    def _choose(self, key: Key, fields: Fields, seconds: float) -> None:
        """Record as many such steps as a launch is to take, of which one takes so long."""
        self._timed = True
        room = ROOM // max(1, sum(x.nbytes for x in fields))
        many = key._replace(steps=min(update.MOST, room, int(LONG / seconds)))
        if many.steps > 1 and not self._record(many, lambda given: self._steps(given, many), fields * many.steps):
            self.most = many.steps

    def _fields(self, rows: torch.Tensor, epoch: int, index: int, steps: int) -> Fields:
        """What so many steps with these samples are computed of, one after the other."""
        stepper = self.stepper
        if self.picks:
            if stepper.strict is None:  # a batch shows it
                next(stepper.batches(stepper.pieces(rows[: stepper.samples]), epoch, index))
            return rows.split(stepper.samples) if steps > 1 else (rows,)
        found: list[torch.Tensor] = []
        for place, own in enumerate(rows.split(stepper.samples)):
            for batch in stepper.batches(stepper.pieces(own), epoch, index + place):
                self._like = batch
                found += tensors(batch)
        return tuple(found)

    def _batches(self, fields: Fields) -> tuple[list[int], Iterable[Batch]]:
        """The batches of a step, and how many samples each has."""
        if self.picks:
            pieces = self.stepper.pieces(fields[0])
            return [len(piece) for piece in pieces], map(self.stepper.split.batch, pieces)
        width = len(tensors(self._like))
        batches = [like(self._like, fields[begin : begin + width]) for begin in range(0, len(fields), width)]
        return [len(fields[begin]) for begin in range(0, len(fields), width)], batches

    def _learning(self) -> set[torch.Tensor]:
        """The parameters that have gradients."""
        return {p for p in self.parameters if p.grad is not None}


def _stacked(found: Sequence[Found]) -> Found:
    """What several steps found, with an axis for them in front; no norms."""
    shares = [each.share for each in found if each.share is not None]
    parts = [each.parts for each in found if each.parts is not None]
    more = (torch.stack(held) if held else None for held in (shares, parts))
    return Found(torch.stack([each.loss for each in found]), *more)


def _is_plain(split: Split) -> bool:
    """Whether batches are picked from tensors on the device, and nothing but floats made of their bytes."""
    steps = split.steps
    return type(split) is Split and not (split.augments or steps.before or steps.after)
