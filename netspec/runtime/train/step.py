"""One step of training: batch, loss, gradients, update."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, cast

import torch
from torch import nn

from netspec.errors import UsageError
from netspec.runtime.data.mixing import Batch, Target
from netspec.runtime.data.split import Split, seeded
from netspec.runtime.device.cuda_graph import Found, Recorder, changeable, refusal, undone, unrecordable
from netspec.runtime.device.device import needs_leave, strictly
from netspec.runtime.train.criterion import Criterion
from netspec.runtime.train.networks import MAIN
from netspec.runtime.train.penalties import Penalties
from netspec.runtime.train.state import State
from netspec.sections.train_record import Train

Addend = tuple[torch.Tensor, torch.Tensor | None]
"""A loss, and what it counts for in a mean over several; None where that is known by its samples."""


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
        self.penalties = Penalties(train.penalties, state.module.named_parameters())
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
        self.losses: torch.Tensor | None = None
        """Of several losses each of the newest step, and what it counts for: 2 x losses. None where there is one."""
        self.clipped: torch.Tensor | None = None
        """The norm that the gradient of the newest step had before it was clipped, where it is."""
        self.count = 0
        """The samples of the batch at hand, in all processes."""
        self.networks, self.turns = state.networks, state.turns
        self.checked_turns: set[str] = set()
        self.per_epoch = state.per_epoch
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
        if self.turns:
            return self._in_turns(rows, epoch, index)
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
                found = self.recorder(self._one_batch, *batch) if self.recorder else self._one_batch(*batch)
                loss, self.share, self.losses = found
        elif self.objective.several:
            loss, _, self.losses = self._several_in_pieces(rows, epoch, index)
        else:
            loss = self._in_pieces(rows, epoch, index)
        loss = self.world.sum(loss.detach())
        if self.penalties:
            loss = self.penalties.added(loss)
        if self.losses is not None and self.world.size > 1:
            self.losses = torch.stack([self.world.sum(self.losses[0].clone()), self.losses[1]])
        if self.reads and not isfinite(value := loss.item()):
            raise NotFinite(value)
        if self.objective.owns_parameters:
            self.world.average_gradients(self.objective.module.parameters())
        if self.clip is not None:
            self.clipped = nn.utils.clip_grad_norm_(self.parameters, self.clip)
        return loss

    def norm(self) -> torch.Tensor | None:
        """The norm of the newest step's gradient before it was clipped; None where players take turns."""
        return None if self.turns else norm_of(self.parameters, self.clipped)

    def _in_turns(self, rows: torch.Tensor, epoch: int, index: int) -> torch.Tensor:
        """A step in which players move one after the other, each by its own losses over the same batch.

        Returns the loss of the network. Raises NotFinite before the update of the player whose loss is not.
        """
        assert self.networks is not None
        step = epoch * self.per_epoch + index
        moving = [turn for turn in self.turns if step % turn.every == 0]
        inputs, target = self._batch(rows, epoch, index, 0)
        scene = self.networks.scene(self.forward, inputs, target, training=True)
        scene.learns = any(turn.network == MAIN for turn in moving)
        places = {name: place for place, name in enumerate(self.objective.names)}
        self.losses = torch.zeros(2, len(places), device=self.device)
        own = torch.zeros((), device=self.device)
        self.share = torch.zeros_like(own)
        for turn in moving:
            for each in self.turns:
                each.optimizer.zero_grad()
            self.spread.will_backward(last=True)
            scene.begin(turn.network)
            with strictly(self.strict is True):
                if turn.name not in self.checked_turns:
                    with self.world.all_or_none():
                        self.objective.check(scene, target, self.parts, turn.name)
                    self.checked_turns.add(turn.name)
                found = self._added(scene, target, 1.0, {}, turn.name)
            loss = self.world.sum(found.loss)
            if self.penalties and turn.name == MAIN:
                loss = self.penalties.added(loss)
            if self.reads and not isfinite(value := loss.item()):
                raise NotFinite(value)
            self.world.average_gradients(turn.apart)
            if self.clip is not None:
                nn.utils.clip_grad_norm_(turn.parameters, self.clip)
            turn.optimizer.step()
            scene.moved(turn.network)
            assert found.parts is not None
            taken = [places[name] for name in turn.losses]
            self.losses[:, taken] = found.parts
            if turn.name == MAIN:
                own, self.share = loss, torch.full_like(own, float(len(rows)))
        if self.world.size > 1:
            self.losses = torch.stack([self.world.sum(self.losses[0].clone()), self.losses[1]])
        return own

    def _one_batch(self, inputs: tuple[torch.Tensor, ...], target: Target) -> Found:
        """The loss of a batch that is all of a step, and its share; its gradients are left in the parameters."""
        self.spread.will_backward(last=True)
        if self.objective.several:
            return self._several(inputs, target)
        loss, share = self._loss(inputs, target)
        self.world.backward(loss)
        return Found(loss.detach(), share)

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

    def _several_in_pieces(self, rows: torch.Tensor, epoch: int, index: int) -> Found:
        """The same for several losses, each of which is a mean over the step before they are added up.

        Where samples count differently, what all pieces count for has to be known before the first of them is passed
        backward, and so they are held together; else each is read in its turn.
        """
        pieces = rows.split(self.batch)
        batches = (self._batch(piece, epoch, index, number) for number, piece in enumerate(pieces))
        held = [*batches] if self.objective.uneven or not self.checked else []
        wholes: dict[str, torch.Tensor] = {}
        total, parts = torch.zeros((), device=self.device), torch.zeros(())
        for number, (piece, (inputs, target)) in enumerate(zip(pieces, held or batches, strict=True)):
            self.spread.will_backward(last=number == len(pieces) - 1)
            if held:
                self.count = len(piece)
                self.world.begin_batch(len(piece))
            with strictly(self.strict is True):
                outputs = self._outputs(inputs, target)
                if held and not number:  # by now it is known which losses count samples differently
                    wholes = self._wholes(pieces, held)
                found = self._added(outputs, target, len(piece) / len(rows), wholes)
            total += found.loss
            assert found.parts is not None
            parts = parts + found.parts if number else found.parts
        return Found(total, None, parts)

    def _wholes(self, pieces: Sequence[torch.Tensor], batches: Sequence[Batch]) -> dict[str, torch.Tensor]:
        """What all batches of a step count for, by the losses under which samples count differently."""
        found: dict[str, torch.Tensor] = {}
        for criterion in self.objective.criteria:
            for piece, (_, target) in zip(pieces, batches, strict=True):
                share = criterion.share(criterion.target(target))
                if isinstance(share, torch.Tensor):
                    self.world.begin_batch(len(piece))
                    whole, name = self.world.whole(share), criterion.term.name
                    found[name] = found[name] + whole if name in found else whole
        self.world.begin_batch(len(pieces[0]))
        return found

    def _batch(self, rows: torch.Tensor, epoch: int, index: int, piece: int) -> Batch:
        """This process's part of a batch of these samples, augmented as the place in the run says."""
        self.count = len(rows)
        batch = self._drawn(rows, (epoch, index, piece), self.world.begin_batch(len(rows)))
        if self.strict is None:
            with undone(self.module, self.parameters):
                self.strict = not needs_leave(lambda: self._one_batch(*batch))
        return batch

    def _drawn(self, rows: torch.Tensor, place: tuple[int, ...], own: slice) -> Batch:
        """The same, with the inputs of augmented passes behind those of the step, each by draws of its own."""
        generator = seeded(self.seed, *place, device=self.device) if self.augments else None
        inputs, target = self.split.batch(rows, generator, own, place[0])
        if self.networks is None:
            return inputs, target
        inputs = (*inputs, *self.networks.inputs.draw(len(rows), self.device, (self.seed, *place), own))
        for number, _ in enumerate(self.networks.views, 1):
            there = (*place, number)
            generator = seeded(self.seed, *there, device=self.device) if self.augments else None
            again, _ = self.split.batch(rows, generator, own, place[0])
            inputs += (*again, *self.networks.inputs.draw(len(rows), self.device, (self.seed, *there), own))
        return inputs, target

    def _outputs(self, inputs: tuple[torch.Tensor, ...], target: Target) -> Any:
        """What the network gives, the first of which is held against the target."""
        if self.networks is None:
            outputs = self.forward(*inputs)
        else:
            outputs = self.networks.scene(self.forward, inputs, target, training=True)
        if not self.checked:
            with self.world.all_or_none():
                self.objective.check(outputs, target, self.parts)
            self.checked = True
        return outputs

    def _loss(self, inputs: tuple[torch.Tensor, ...], target: Target) -> Addend:
        """This process's addend to the loss of a batch, and what the whole batch counts for if its samples differ."""
        outputs = self._outputs(inputs, target)
        ((criterion, given),) = self.objective.present(outputs)
        return self._addend(criterion, given, criterion.compared(given, outputs, target))

    def _addend(self, criterion: Criterion, given: Sequence[torch.Tensor], target: torch.Tensor) -> Addend:
        """The same for one of several losses."""
        loss = criterion(given, target)
        if self.world.size == 1 and not criterion.uneven:
            return loss, None
        share = criterion.share(target)
        whole = self.world.whole(share) if isinstance(share, torch.Tensor) else None
        tensors = [x for x in given if isinstance(x, torch.Tensor)]
        return self.world.local_loss(loss, share, whole, tensors), whole

    def _several(self, inputs: tuple[torch.Tensor, ...], target: Target) -> Found:
        """The sum of several losses of a batch that is all of a step; its gradients are left in the parameters."""
        return self._added(self._outputs(inputs, target), target, 1.0, {})

    def _added(
        self, outputs: Any, target: Target, part: float, wholes: Mapping[str, torch.Tensor], player: str = MAIN
    ) -> Found:
        """The sum of several losses over a batch that is `part` of a step, and each of them.

        `wholes` are what all of the step counts for, by the losses under which samples count differently. Of players
        the losses are those of one of them, or of the network.
        """
        losses: dict[str, torch.Tensor] = {}
        counts = []
        for criterion, given in self.objective.present(outputs, player):
            name = criterion.term.name
            loss, share = self._addend(criterion, given, criterion.compared(given, outputs, target))
            if share is not None and name in wholes:
                loss = loss * (share / wholes[name].where(wholes[name] > 0, 1))
            elif part < 1 and not criterion.sums:
                loss = loss * part
            losses[name] = loss
            counts.append(loss.new_full((), self.count) if share is None else share.to(loss.dtype))
        total = self.objective.total(losses, part / self.world.size, player)
        self.world.backward(total)
        return Found(total.detach(), None, torch.stack([torch.stack([*losses.values()]).detach(), torch.stack(counts)]))


def norm_of(parameters: Iterable[nn.Parameter], known: torch.Tensor | None = None) -> torch.Tensor | None:
    """The norm of all gradients together, or one that is `known`; None where some are sparse, or only some spread.

    Where they are spread over processes, all of these call it together.
    """
    held = [known] if known is not None else [p.grad for p in parameters if p.grad is not None]
    spread = {hasattr(each, "to_local") for each in held}
    if len(spread) != 1 or any(each.is_sparse for each in held):
        return None
    norm: Any = nn.utils.get_total_norm(held)
    whole: torch.Tensor = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
    return whole.float()


def _recorder(train: Train, state: State) -> Recorder | None:
    """What records steps, where that is possible and wanted. Raises UsageError where it is wanted only."""
    reason = unrecordable(state.module, train, state.device, state.world)
    reason = reason or "what is frozen thaws on the way" * bool(state.frozen.whens)
    reason = reason or "players take turns in it" * bool(state.turns)
    if train.cuda_graph and reason:
        raise UsageError(refusal(reason))
    if reason or train.cuda_graph is False:
        return None
    return Recorder(state.module, state.trained, required=train.cuda_graph is True)


def _repeatable(train: Train, state: State) -> bool:
    """Whether a step can be tried out before it is taken, where kernels may not be deterministic."""
    alone = state.device.type == "cuda" and state.world.size == 1
    return train.deterministic and alone and not train.compile and not changeable(state.module)
