"""One step of training: batch, loss, gradients, update."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any, cast

import torch
from torch import nn

from netspec.errors import UsageError
from netspec.runtime.data.mixing import Batch
from netspec.runtime.data.split import Split, seeded
from netspec.runtime.device.cuda_graph import Found, Recorder, changeable, refusal, undone, unrecordable
from netspec.runtime.device.device import needs_leave, strictly
from netspec.runtime.train.loss import predictions
from netspec.runtime.train.state import State
from netspec.sections.train import Train


class NotFinite(Exception):
    """A loss that is not finite, seen before anything was updated."""

    def __init__(self, value: float) -> None:
        super().__init__(value)
        self.value = value


class Stepper:
    """Takes one step after the other; how is decided once, so that a step does only what it must."""

    def __init__(
        self,
        forward: Callable[..., Any],
        state: State,
        train: Train,
        parts: Mapping[str, Split],
    ) -> None:
        """`forward` is called for a training step, and may be compiled; `parts` are what targets are checked in."""
        self.forward, self.module = forward, state.module
        self.parameters = state.trained
        self.spread, self.world = state.spread, state.world
        self.objective = state.objective
        self.optimizer = state.optimizer
        self.split = parts["train"]
        self.parts = parts
        self.device = state.device
        self.batch = train.batch
        self.clip = train.clip_grad
        self.seed = train.seed
        self.augments = self.split.augments
        self.closure = train.optimizer.needs_closure
        # Reading a loss back costs nothing on the CPU; elsewhere it would hold up the device at every step,
        # so there the losses are looked at now and then, and always before anything is saved.
        self.reads = state.device.type == "cpu"
        self.checked = False
        self.share: torch.Tensor | None = None
        """What the newest step counts for in a mean over several; None where that is known by its samples."""
        self.recorder = _recorder(train, state)
        self.strict: bool | None = None if _repeatable(train, state) else False
        """Whether torch is held to deterministic kernels, because each operation has one: the first batch shows it."""

    def expect(self, steps: Iterable[torch.Tensor]) -> None:
        """Say which samples the next steps will be given, so that those that lie on a disk can be read meanwhile."""
        self.split.expect((piece for rows in steps for piece in rows.split(self.batch)), self.world.share)

    def __call__(self, rows: torch.Tensor, epoch: int, index: int) -> torch.Tensor:
        """Take the step with these samples and return its loss. Raises NotFinite before the update.

        `rows` are the numbers of the samples, int64, one axis; `epoch` and `index`, the step in it, say what
        augmentation draws. The loss has no axes, and is on the device.
        """
        if self.closure:
            closure: Any = lambda: self._gradients(rows, epoch, index)  # noqa: E731  torch's stub wants a float
            return cast("torch.Tensor", self.optimizer.step(closure))
        loss = self._gradients(rows, epoch, index)
        self.optimizer.step()
        return loss

    def _gradients(self, rows: torch.Tensor, epoch: int, index: int) -> torch.Tensor:
        """The loss over these samples, its gradients left in the parameters. Raises NotFinite."""
        self.optimizer.zero_grad()
        if len(rows) <= self.batch:
            batch = self._batch(rows, epoch, index, 0)
            with strictly(self.strict is True):
                loss, self.share = self.recorder(self._one_batch, *batch) if self.recorder else self._one_batch(*batch)
        else:
            loss = self._in_pieces(rows, epoch, index)
        loss = self.world.sum(loss.detach())
        if self.reads and not isfinite(value := loss.item()):
            raise NotFinite(value)
        if self.objective.loss.owns_parameters:
            self.world.average_gradients(self.objective.module.parameters())
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.clip)
        return loss

    def _one_batch(self, inputs: tuple[torch.Tensor, ...], target: torch.Tensor) -> Found:
        """The loss of a batch that is all of a step, and its share; its gradients are left in the parameters."""
        self.spread.will_backward(last=True)
        loss, share = self._loss(inputs, target)
        self.world.backward(loss)
        return loss.detach(), share

    def _in_pieces(self, rows: torch.Tensor, epoch: int, index: int) -> torch.Tensor:
        """The same for more samples than fit into a batch: each piece counts for its share of them."""
        total, whole = (torch.zeros((), device=self.device) for _ in range(2))
        share: torch.Tensor | None = None
        pieces = rows.split(self.batch)
        for number, piece in enumerate(pieces):
            self.spread.will_backward(last=number == len(pieces) - 1)
            inputs, target = self._batch(piece, epoch, index, number)
            with strictly(self.strict is True):
                loss, share = self._loss(inputs, target)
                if share is not None:
                    whole += share
                    loss = loss * share
                elif not self.objective.sums:
                    loss = loss * (len(piece) / len(rows))
                self.world.backward(loss)
            total += loss.detach()
        if share is None:
            return total
        # What all pieces count for is known only now, so that their mean is made of the finished sums.
        self.share, whole = whole, whole.where(whole > 0, 1)
        for parameter in self.parameters:
            if parameter.grad is not None:
                parameter.grad.div_(whole)
        return total / whole

    def _batch(self, rows: torch.Tensor, epoch: int, index: int, piece: int) -> Batch:
        """This process's part of a batch of these samples, augmented as the place in the run says."""
        generator = seeded(self.seed, epoch, index, piece, device=self.device) if self.augments else None
        batch = self.split.batch(rows, generator, self.world.begin_batch(len(rows)))
        if self.strict is None:
            with undone(self.module, self.parameters):
                self.strict = not needs_leave(lambda: self._one_batch(*batch))
        return batch

    def _loss(self, inputs: tuple[torch.Tensor, ...], target: torch.Tensor) -> Found:
        """This process's addend to the loss of a batch, and what the whole batch counts for if its samples differ."""
        outputs = self.forward(*inputs)
        if not self.checked:
            with self.world.all_or_none():
                self.objective.check(outputs, target, self.parts)
            self.checked = True
        loss = self.objective(outputs, target)
        if self.world.size == 1 and not self.objective.uneven:
            return loss, None
        share = self.objective.share(target)
        whole = self.world.whole(share) if isinstance(share, torch.Tensor) else None
        return self.world.local_loss(loss, share, whole, predictions(outputs)), whole


def _recorder(train: Train, state: State) -> Recorder | None:
    """What records steps, where that is possible and wanted. Raises UsageError where it is wanted only."""
    reason = unrecordable(state.module, train, state.device, state.world)
    reason = reason or "what is frozen thaws on the way" * bool(state.frozen.whens)
    if train.cuda_graph and reason:
        raise UsageError(refusal(reason))
    if reason or train.cuda_graph is False:
        return None
    return Recorder(state.module, state.trained, required=train.cuda_graph is True)


def _repeatable(train: Train, state: State) -> bool:
    """Whether a step can be tried out before it is taken, where kernels may not be deterministic."""
    alone = state.device.type == "cuda" and state.world.size == 1
    return train.deterministic and alone and not train.compile and not changeable(state.module)
