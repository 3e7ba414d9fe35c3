"""One step of training: batch, loss, gradients, update."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, Final, cast

import torch
from torch import nn

from netspec.errors import UsageError
from netspec.runtime.data.mixing import Batch, Target
from netspec.runtime.data.split import Split, seeded
from netspec.runtime.device.cuda_graph import changeable, graphs_of, refusal, undone
from netspec.runtime.device.device import needs_leave, strictly
from netspec.runtime.train.criterion import Criterion
from netspec.runtime.train.networks import MAIN
from netspec.runtime.train.penalties import Penalties
from netspec.runtime.train.recorded import Found, Recorded
from netspec.runtime.train.state import State
from netspec.runtime.train.update import Update
from netspec.sections.train_record import Train

Addend = tuple[torch.Tensor, torch.Tensor | None]
"""A loss, and what it counts for in a mean over several; None where that is known by its samples."""
AT_ONCE: Final = (
    "No learning came before it: what the network begins with, or the data, gives it. Look at init, at weights that "
    "are loaded, at steps such as log or div, and at how large the inputs are, which transform: standardize mends."
)
"""What is said of a first step whose loss is not finite."""
FREE: Final = contextlib.nullcontext()
"""Within it torch takes whichever kernels it has."""


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
        warn: Callable[[str], None],
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
        self.batch, self.samples = train.batch, state.samples
        self.clip = train.clip_grad
        self.seed = train.seed
        self.augments = self.split.augments
        self.closure = train.optimizer.needs_closure
        self.checked = False
        self.count = 0
        """The samples of the batch at hand, in all processes."""
        self.networks, self.turns = state.networks, state.turns
        self.checked_turns: set[str] = set()
        self.per_epoch = state.per_epoch
        self.update = Update(state, train.clip_grad)
        self.recorder = self._recorder(state.unrecordable, train.cuda_graph, warn)
        # Reading a loss back costs nothing on the CPU; elsewhere it would hold up the device at every step,
        # so there the losses are looked at now and then, and always before anything is saved.
        self.reads = state.device.type == "cpu" and self.recorder is None
        self.strict: bool | None = None if _repeatable(train, state) else False
        """Whether torch is held to deterministic kernels, because each operation has one: the first batch shows it."""

    def _recorder(self, reason: str, wanted: bool | None, warn: Callable[[str], None]) -> Recorded | None:
        """What records steps, where that is possible and wanted. Raises UsageError where it is wanted only."""
        if wanted and reason:
            raise UsageError(refusal(reason))
        graphs = graphs_of(self.device)
        if reason or wanted is False or graphs is None:
            return None
        return Recorded(self, graphs, wanted is True, warn)

    def expect(self, steps: Iterable[torch.Tensor]) -> None:
        """Say which samples the next steps will be given, so that those that lie on a disk can be read meanwhile."""
        self.split.expect((piece for rows in steps for piece in rows.split(self.batch)), self.world.share)

    def __call__(self, rows: torch.Tensor, epoch: int, index: int, normed: bool = False, steps: int = 1) -> Found:
        """Take the step with these samples, or several from it on. Raises NotFinite before the update.

        `rows` are the numbers of the samples, int64, one axis; `epoch` and `index`, the step in it, say what
        augmentation draws; `normed` that the norm will be asked for. What is found is on the device.
        """
        if self.recorder:
            return self.recorder(rows, epoch, index, normed, steps)
        if not self.turns and not self.closure:
            return self.plain(rows, epoch, index)
        found = (self._in_turns if self.turns else self._searched)(rows, epoch, index)
        self.update.behind(epoch * self.per_epoch + index + 1)
        return found

    def plain(self, rows: torch.Tensor, epoch: int, index: int) -> Found:
        """Take the step one kernel at a time. Raises NotFinite before the update."""
        found = self._found(rows, epoch, index)
        self.update(epoch * self.per_epoch + index + 1)
        return found

    def _searched(self, rows: torch.Tensor, epoch: int, index: int) -> Found:
        """A step whose optimizer has the gradients computed as often as it likes. Raises NotFinite."""
        newest = list[Found]()

        def closure() -> torch.Tensor:
            newest[:] = [self._found(rows, epoch, index)]
            self.update.shorten()
            return newest[0].loss

        given: Any = closure  # torch's stub wants a float
        loss = cast("torch.Tensor", self.optimizer.step(given))
        return newest[0]._replace(loss=loss)

    def _found(self, rows: torch.Tensor, epoch: int, index: int) -> Found:
        """What a step finds with these samples, its gradients left in the parameters. Raises NotFinite."""
        pieces = self.pieces(rows)
        found = self.passes([len(piece) for piece in pieces], self.batches(pieces, epoch, index))
        if self.reads and not isfinite(value := found.loss.item()):
            raise NotFinite(value)
        return found

    def pieces(self, rows: torch.Tensor) -> Sequence[torch.Tensor]:
        """The samples of each batch of a step with these samples."""
        return rows.split(self.batch) if self.samples > self.batch else (rows,)

    def passes(self, counts: Sequence[int], batches: Iterable[Batch]) -> Found:
        """What a step finds in batches of so many samples in all processes, its gradients left in the parameters."""
        self.optimizer.zero_grad()
        if len(counts) == 1:
            (batch,) = batches
            self._begin(counts[0])
            with self._strictly():
                found = self._one_batch(*batch)
        else:
            found = (self._several_in_pieces if self.objective.several else self._in_pieces)(counts, batches)
        loss, parts = self.world.sum(found.loss), found.parts
        if self.penalties:
            loss = self.penalties.added(loss)
        if parts is not None and self.world.size > 1:
            parts = torch.stack([self.world.sum(parts[0].clone()), parts[1]])
        if self.objective.owns_parameters:
            self.world.average_gradients(self.objective.module.parameters())
        return Found(loss, found.share, parts)

    def norm(self, found: Found) -> torch.Tensor | None:
        """The norm that the gradient of the newest step had before it was clipped; None where players take turns."""
        if self.turns or found.norm is not None:
            return found.norm
        return self.update.norm()

    def _in_turns(self, rows: torch.Tensor, epoch: int, index: int) -> Found:
        """A step in which players move one after the other, each by its own losses over the same batch.

        The loss is that of the network. Raises NotFinite before the update of the player whose loss is not.
        """
        assert self.networks is not None
        step = epoch * self.per_epoch + index
        moving = [turn for turn in self.turns if step % turn.every == 0]
        self._begin(len(rows))
        inputs, target = self._batch(rows, epoch, index, 0)
        scene = self.networks.scene(self.forward, inputs, target, training=True)
        scene.learns = any(turn.network == MAIN for turn in moving)
        places = {name: place for place, name in enumerate(self.objective.names)}
        parts = torch.zeros(2, len(places), device=self.device)
        own = torch.zeros((), device=self.device)
        share = torch.zeros_like(own)
        for turn in moving:
            for each in self.turns:
                each.optimizer.zero_grad()
            self.spread.will_backward(last=True)
            scene.begin(turn.network)
            with self._strictly():
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
            parts[:, taken] = found.parts
            if turn.name == MAIN:
                own, share = loss, torch.full_like(own, float(len(rows)))
        if self.world.size > 1:
            parts = torch.stack([self.world.sum(parts[0].clone()), parts[1]])
        return Found(own, share, parts)

    def _one_batch(self, inputs: tuple[torch.Tensor, ...], target: Target) -> Found:
        """The loss of a batch that is all of a step, and its share; its gradients are left in the parameters."""
        if self.objective.several:
            return self._several(inputs, target)
        loss, share = self._loss(inputs, target)
        self.world.backward(loss)
        return Found(loss.detach(), share)

    def _in_pieces(self, counts: Sequence[int], batches: Iterable[Batch]) -> Found:
        """The same for more samples than fit into a batch: each piece counts for its share of them."""
        total, whole = (torch.zeros((), device=self.device) for _ in range(2))
        share: torch.Tensor | None = None
        for number, (count, (inputs, target)) in enumerate(zip(counts, batches, strict=True)):
            self._begin(count, last=number == len(counts) - 1)
            with self._strictly():
                loss, share = self._loss(inputs, target)
                if share is not None:
                    whole += share
                    loss = loss * share
                elif not self.objective.sums:
                    loss = loss * (count / sum(counts))
                self.world.backward(loss)
            total += loss.detach()
        if share is None:
            return Found(total)
        # What all pieces count for is known only now, so that their mean is made of the finished sums.
        divisor = whole.where(whole > 0, 1)
        for parameter in self.parameters:
            if parameter.grad is not None:
                parameter.grad.div_(divisor)
        return Found(total / divisor, whole)

    def _several_in_pieces(self, counts: Sequence[int], batches: Iterable[Batch]) -> Found:
        """The same for several losses, each of which is a mean over the step before they are added up.

        Where samples count differently, what all pieces count for has to be known before the first of them is passed
        backward, and so they are held together; else each is read in its turn.
        """
        held = [*batches] if self.objective.uneven or not self.checked else []
        wholes: dict[str, torch.Tensor] = {}
        total, parts = torch.zeros((), device=self.device), torch.zeros(())
        for number, (count, (inputs, target)) in enumerate(zip(counts, held or batches, strict=True)):
            self._begin(count, last=number == len(counts) - 1)
            with self._strictly():
                outputs = self._outputs(inputs, target)
                if held and not number:  # by now it is known which losses count samples differently
                    wholes = self._wholes(counts, held)
                found = self._added(outputs, target, count / sum(counts), wholes)
            total += found.loss
            assert found.parts is not None
            parts = parts + found.parts if number else found.parts
        return Found(total, None, parts)

    def _wholes(self, counts: Sequence[int], batches: Sequence[Batch]) -> dict[str, torch.Tensor]:
        """What all batches of a step count for, by the losses under which samples count differently."""
        found: dict[str, torch.Tensor] = {}
        for criterion in self.objective.criteria:
            for count, (_, target) in zip(counts, batches, strict=True):
                share = criterion.share(criterion.target(target))
                if isinstance(share, torch.Tensor):
                    self.world.begin_batch(count)
                    whole, name = self.world.whole(share), criterion.term.name
                    found[name] = found[name] + whole if name in found else whole
        self.world.begin_batch(counts[0])
        return found

    def _strictly(self) -> contextlib.AbstractContextManager[None]:
        """Within it torch is held to deterministic kernels, where each operation has one."""
        return strictly() if self.strict else FREE

    def _begin(self, count: int, last: bool = True) -> None:
        """Go on to a batch of so many samples in all processes, the last one of its step or not."""
        self.count = count
        self.world.begin_batch(count)
        self.spread.will_backward(last)

    def batches(self, pieces: Iterable[torch.Tensor], epoch: int, index: int) -> Iterator[Batch]:
        """This process's part of each batch of a step, of which `pieces` are the samples."""
        for number, piece in enumerate(pieces):
            yield self._batch(piece, epoch, index, number)

    def _batch(self, rows: torch.Tensor, epoch: int, index: int, piece: int) -> Batch:
        """This process's part of a batch of these samples, augmented as the place in the run says."""
        batch = self._drawn(rows, (epoch, index, piece), self.world.share(len(rows)))
        if self.strict is None:
            self.count = len(rows)
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


def _repeatable(train: Train, state: State) -> bool:
    """Whether a step can be tried out before it is taken, where kernels may not be deterministic."""
    alone = state.device.type == "cuda" and state.world.size == 1
    return train.deterministic and alone and not train.compile and not changeable(state.module)
