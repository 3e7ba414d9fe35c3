"""Batches: data as tensors, given a batch at a time without per-sample Python."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import torch

from netspec.datasets.base import Gives, Origin
from netspec.datasets.fit import described, unfit
from netspec.datasets.rows import pieces
from netspec.errors import DataError
from netspec.runtime.data.mixing import Batch, Mixer, with_partners
from netspec.tensors import Tensor as Described
from netspec.transforms.base import TORCHS, Chance, Maps
from netspec.transforms.route import Placed

PREPARED_BYTES: Final = 512 * 2**20
"""The largest result of the steps before augmentation that is kept, so that they need not run with each batch."""
FLOAT_BYTES: Final = 64 * 2**20
"""The largest part that is kept as finished floats. Beyond it, filling the memory takes longer than turning bytes
into floats a batch at a time for ten epochs."""
CHUNK: Final = 1024
SEEN: Final = 64
"""Samples of each part by which data is known again."""
Take = Callable[[Sequence[Described], Mapping[str, Described]], tuple[Sequence[Described], Mapping[str, Described]]]
Share = Callable[[int], slice]
"""Says for the number of samples in a batch which of its rows are wanted."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What becomes of the inputs and the target of a batch. Augmentation runs only where there is a chance."""

    before: tuple[Placed, ...] = ()
    """Before any augmentation, in training and in use."""
    augment: tuple[Placed, ...] = ()
    """By chance, in training alone."""
    after: tuple[Placed, ...] = ()
    """Behind the augmentation, in training and in use."""
    peak: int = 255
    maps: Maps = TORCHS
    maps_of: Mapping[str, Maps] = field(default_factory=dict)
    """How further targets are moved, by their names."""

    def __call__(self, batch: Batch, chance: Chance | None = None) -> Batch:
        """What becomes of a batch, samples first; augmented where there is a chance. Bytes come out as floats."""
        if self.before:
            batch = self._taken(batch, self.before)
        if chance is not None:
            batch = self._taken(batch, self.augment, chance)
        inputs, target = self._taken(batch, self.after) if self.after else batch
        return tuple([as_floats(x, self.peak) for x in inputs]), target

    def _taken(self, batch: Batch, steps: tuple[Placed, ...], *chance: Chance) -> Batch:
        """The batch after these steps, each of which changes the inputs that it is for, and what moves with them."""
        inputs, target = list(batch[0]), batch[1]
        for placed in steps:
            step = placed.step
            for place in placed.inputs:
                x = inputs[place] if step.takes_bytes else as_floats(inputs[place], self.peak)
                inputs[place] = step.apply(x, *chance)
                for each in chance:  # the next input, and the target, meet the same
                    each.again()
            if placed.carries and isinstance(target, torch.Tensor):
                target = step.carry(target, self.maps, *chance)
            elif isinstance(target, dict) and (placed.carries or placed.others):
                target = self._carried(placed, target, *chance)
            for each in chance:
                each.onward()
        return tuple(inputs), target

    def _carried(self, placed: Placed, targets: dict[str, torch.Tensor], *chance: Chance) -> dict[str, torch.Tensor]:
        """Several targets, the first of which leads, each moved if it goes along."""
        moved = dict(targets)
        for place, (name, target) in enumerate(targets.items()):
            if name in placed.others if place else placed.carries:
                moved[name] = placed.step.carry(target, self.maps_of[name] if place else self.maps, *chance)
                for each in chance:
                    each.again()
        return moved

    def led_by(self, name: str) -> Steps:
        """The steps that the target of that name goes along with, as if it were the only one."""
        if name not in self.maps_of:
            return self

        def alone(steps: tuple[Placed, ...]) -> tuple[Placed, ...]:
            return tuple(replace(each, carries=name in each.others, others=()) for each in steps)

        ways = alone(self.before), alone(self.augment), alone(self.after)
        return Steps(*ways, self.peak, self.maps_of[name])

    def target(self, target: torch.Tensor) -> torch.Tensor:
        """What becomes of a target outside training; its batch stays first."""
        for placed in (*self.before, *self.after):
            target = placed.step.carry(target, self.maps) if placed.carries else target
        return target

    def fills(self, dtype: torch.dtype) -> Iterator[int]:
        """What comes into targets of classes from outside."""
        for placed in (*self.before, *self.augment, *self.after):
            if placed.carries and getattr(placed.step, "frames", False) and self.maps.near(dtype):
                yield placed.step.fill(self.maps, dtype)

    def ahead(self, batch: Batch, room: int = PREPARED_BYTES) -> tuple[Batch, Steps]:
        """All samples with all done that is better done once for a whole part, and the steps left for each batch.

        What is done ahead takes no more than `room` bytes.
        """
        left, prepared = self, min(room, PREPARED_BYTES)
        done = in_chunks(batch, lambda piece: self._taken(piece, self.before), prepared) if self.before else batch
        if done is not None:
            batch, left = done, replace(left, before=())
        if not left.before and not left.augment:
            done = in_chunks(batch, left, min(room, FLOAT_BYTES))
            if done is not None:
                batch, left = done, Steps(peak=self.peak)
        return batch, left


def in_chunks(batch: Batch, step: Callable[[Batch], Batch], limit: int) -> Batch | None:
    """`step` on all samples, a stretch of rows at a time; None where its results would be larger than `limit` bytes.

    What it gives back as it is stays what it is.
    """
    fields = tensors(batch)

    def piece(rows: slice) -> tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]:
        given = tuple(x[rows] for x in fields)
        return given, tensors(step(like(batch, given)))

    given, made = piece(slice(1))
    changed = [i for i, (x, y) in enumerate(zip(given, made, strict=True)) if x is not y]
    if sum(made[i].nbytes for i in changed) * len(fields[-1]) > limit:
        return None
    results = list(fields)
    for i in changed:
        results[i] = made[i].new_empty((len(fields[i]), *made[i].shape[1:]))
    for start in range(0, len(fields[-1]), CHUNK):
        rows = slice(start, start + CHUNK)
        _, made = piece(rows)
        for i in changed:
            results[i][rows] = made[i]
    return like(batch, results)


def tensors(batch: Batch) -> tuple[torch.Tensor, ...]:
    """The inputs and all targets of a batch."""
    inputs, target = batch
    return (*inputs, *target.values()) if isinstance(target, dict) else (*inputs, target)


def like(batch: Batch, fields: Sequence[torch.Tensor]) -> Batch:
    """A batch of these tensors, which are named as those of another."""
    count, target = len(batch[0]), batch[1]
    held = dict(zip(target, fields[count:], strict=True)) if isinstance(target, dict) else fields[count]
    return tuple(fields[:count]), held


def as_floats(x: torch.Tensor, peak: int) -> torch.Tensor:
    """Bytes of any shape as float32 of 0.0 to 1.0, `peak` being 1.0; anything else as it is."""
    return x.float().div_(peak) if x.dtype == torch.uint8 else x


@dataclass(frozen=True, slots=True)
class Split:
    """One part of the data in memory, such as its training samples, and what is done to each batch."""

    inputs: tuple[torch.Tensor, ...]
    """One tensor for each input of the network, samples first."""
    target: torch.Tensor
    """Samples first, as the loss compares it."""
    steps: Steps = Steps()
    """What is done to each batch."""
    mixer: Mixer | None = None
    """What mixes the samples of a batch in training."""
    origin: Origin = field(default_factory=Origin)
    """Where the samples stand, for messages."""
    strata: tuple[torch.Tensor, ...] = ()
    """The samples of each class, where training draws from all classes alike."""
    others: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """Of several targets all but the one that leads, by their names."""
    lead: str = ""
    """The name of that one; empty where there is one."""

    def __len__(self) -> int:
        return len(self.target)

    @property
    def whole(self) -> Batch:
        """All samples as they are."""
        return self.inputs, {self.lead: self.target, **self.others} if self.lead else self.target

    def holding(self, batch: Batch, steps: Steps) -> Split:
        """The same part with other samples, to which these steps are done."""
        inputs, target = batch
        if not isinstance(target, dict):
            return replace(self, inputs=inputs, target=target, steps=steps)
        others = {name: x for name, x in target.items() if name != self.lead}
        return replace(self, inputs=inputs, target=target[self.lead], others=others, steps=steps)

    def led_by(self, name: str) -> Split:
        """The part with the target of that name as its only one; with the one that leads, where there is none."""
        if not self.lead:
            return self
        target, steps = self.others.get(name, self.target), self.steps.led_by(name)
        return replace(self, target=target, steps=steps, origin=self.origin.led_by(name), others={}, lead="")

    @property
    def augments(self) -> bool:
        """Whether chance has a part in the batches for training."""
        return bool(self.steps.augment or self.mixer)

    @property
    def device(self) -> torch.device:
        """Where batches are."""
        return self.target.device

    def order(self, generator: torch.Generator) -> torch.Tensor:
        """The numbers of samples at random, as `batch` takes them: of all, or as many from all classes alike.

        They are int64, one axis, and each epoch of a run has a generator of its own.
        """
        return self._drawn(generator).to(self.device)

    def _drawn(self, generator: torch.Generator) -> torch.Tensor:
        """The numbers of samples in the order of an epoch: int64, one axis, on the CPU."""
        if not self.strata:
            return torch.randperm(len(self), generator=generator)
        return drawn_alike(self.strata, len(self), generator)

    def expect(self, batches: Iterable[torch.Tensor], rows: Share = slice) -> None:
        """Say for which samples `batch` will be called in training, in turn. In memory they are there already."""

    def targets(self) -> Iterator[torch.Tensor]:
        """The targets of all samples in their order, as they are outside training, in pieces that fit into memory."""
        for _, piece in pieces(self.target):
            yield self.steps.target(piece)

    def batch(
        self,
        indices: torch.Tensor,
        generator: torch.Generator | None = None,
        rows: slice | None = None,
        epoch: int = 0,
    ) -> Batch:
        """The inputs and the target of these samples; augmented if a generator is given, by it and the `epoch` alone.

        `indices` are int64, one axis. All tensors have as many rows, on the part's device: images as floats, samples
        x channels x height x width. With `rows` it is those rows of the same batch.
        """
        if generator is None and (rows is None or rows == slice(0, len(indices))):
            return self.steps(self._picked(indices))
        mixer = self.mixer if generator is not None else None
        places = self._places(indices, rows, mixer is not None)
        own = indices[places]
        chance = Chance(generator, len(indices), places, own, epoch) if generator is not None else None
        batch = self.steps(self._picked(own), chance)
        if mixer is None or generator is None:
            return batch
        inputs, target = mixer(batch, generator)
        assert isinstance(target, torch.Tensor)
        return (inputs, target) if isinstance(places, slice) else (tuple(x[1:] for x in inputs), target[1:])

    def _places(self, indices: torch.Tensor, rows: slice | None, mixes: bool) -> slice | torch.Tensor:
        """Which samples of a batch it takes to make these rows of it."""
        if rows is None or rows.stop - (rows.start or 0) == len(indices):
            return slice(None)
        return with_partners(rows, len(indices)).to(indices.device) if mixes else rows

    def first(self, count: int) -> tuple[torch.Tensor, ...]:
        """The first samples as they are held, copied."""
        return tuple(x[:count].clone() for x in self.inputs)

    def _picked(self, indices: torch.Tensor) -> Batch:
        """The fields of these samples, as they are."""
        inputs = tuple([x.index_select(0, indices) for x in self.inputs])
        target = self.target.index_select(0, indices)
        if not self.lead:
            return inputs, target
        return inputs, {self.lead: target, **{name: x.index_select(0, indices) for name, x in self.others.items()}}

    def batches(self, size: int, rows: Share = slice) -> Iterator[Batch]:
        """All samples in their order, without augmentation; the last batch may be smaller.

        `rows` says for the number of samples in a batch which of its rows are wanted; all are without.
        """
        for start in range(0, len(self), size):
            wanted = rows(min(size, len(self) - start))
            piece = slice(start + (wanted.start or 0), start + wanted.stop)
            whole = self.whole
            yield self.steps(like(whole, [x[piece] for x in tensors(whole)]))

    def to(self, device: torch.device | str) -> Split:
        """The same part with its tensors on `device`."""
        whole = self.whole
        return self.holding(like(whole, [x.to(device) for x in tensors(whole)]), self.steps)


@dataclass(frozen=True, slots=True)
class Data:
    """All the data of a spec. `classes` are the names of the classes, None where the target is no class."""

    train: Split
    """What is learnt from."""
    val: Split | None
    """What an epoch is measured on; None where nothing is held out."""
    test: Split | None
    """What only an evaluation sees."""
    names: tuple[str, ...]
    """The inputs of the network, in its order."""
    classes: tuple[str, ...] | None
    steps: Steps = Steps()
    """What is done to new samples, with all that was learned from the training data."""
    learnt: Mapping[str, Any] = field(default_factory=dict)
    """What the training part taught of how data is to be seen, as plain data to keep with a run."""
    raw: Gives | None = None
    """What the source gives before any transform."""
    told: tuple[str, ...] = ()
    """What was made of the source, line by line, for a person to know."""
    doubts: tuple[str, ...] = ()
    """Where its values may be on another scale than those of training, for a run that is measured on it."""
    classes_of: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    """The names of the classes of further targets, by the targets' names."""
    begun: tuple[torch.Tensor, ...] = ()
    """A few held-out samples as the source has them, or else of the training part; none where they are streamed."""

    @property
    def parts(self) -> dict[str, Split]:
        """The parts that there are, by name."""
        named = (("train", self.train), ("val", self.val), ("test", self.test))
        return {name: part for name, part in named if part is not None}

    @property
    def inputs(self) -> tuple[Described, ...]:
        """What the network is given, as the graph describes tensors."""
        given, _ = self.train.batch(self._first())
        return tuple(described(x) for x in given)

    @property
    def target(self) -> Described:
        """What the loss is given, as the graph describes tensors; of several targets, the one that leads."""
        _, target = self.train.batch(self._first())
        return described(target[self.train.lead] if isinstance(target, dict) else target)

    def led_by(self, name: str) -> Data:
        """The data with the target of that name as its only one; with the one that leads, where there is none."""
        if not self.train.lead:
            return self
        val, test = (part.led_by(name) if part else None for part in (self.val, self.test))
        classes = self.classes if name == self.train.lead else self.classes_of.get(name)
        return replace(self, train=self.train.led_by(name), val=val, test=test, classes=classes, classes_of={})

    def need_fit(
        self, wanted: Mapping[str, Described], take: Take = lambda *both: both, more: Sequence[str] = ()
    ) -> None:
        """Refuse a network whose inputs, by name, are not what the data gives. Raises DataError.

        `take` says which of the data's inputs are the network's, and which of the network's are data's; `more` is what
        else to try.
        """
        faults = unfit(*take(self.inputs, wanted))
        if not faults and self.train.augments:
            augmented, _ = self.train.batch(self._first(), seeded(0, device=self.train.device))
            faults = [
                (f"{text}, after augmentation", "")
                for text, _ in unfit(*take([described(x) for x in augmented], wanted))
            ]
        if faults:
            raise DataError(
                "\n".join([*(f"{message}. {hint}".rstrip() for message, hint in faults), *more, *self.told])
            )

    def fingerprint(self) -> str:
        """A hash that other data has another of: of all targets, of how large samples are, of what is done to them.

        Those samples lie all over each part. Their sizes have four digits, which are the same on every device.
        """
        found = hashlib.blake2b(digest_size=8)
        words = []
        for part in (self.train, self.val, self.test):
            for name in ("", *part.others) if part else ():
                for target in part.led_by(name).targets() if part else ():
                    found.update(target.cpu().reshape(-1).contiguous().numpy().data)
            found.update(b"|")
            if part:
                places = torch.linspace(0, len(part) - 1, min(SEEN, len(part)), device=part.device).long()
                words += [f"{float(x.double().abs().sum()):.4g}" for x in part.batch(places)[0]]
        found.update(repr((words, self.steps, self.train.steps.augment, self.train.mixer)).encode())
        aims = [self.learnt[key] for key in ("scale", "weights", "losses") if key in self.learnt]
        aims += ["alike"] * bool(self.train.strata)
        found.update(repr(aims).encode() if aims else b"")
        return found.hexdigest()

    def _first(self) -> torch.Tensor:
        """The number of the first sample, as `batch` takes it."""
        return torch.zeros(1, dtype=torch.int64, device=self.train.device)

    def to(self, device: torch.device | str) -> Data:
        """The same data with its tensors on `device`."""
        val, test = (part.to(device) if part else None for part in (self.val, self.test))
        return replace(self, train=self.train.to(device), val=val, test=test)


def drawn_alike(strata: Sequence[torch.Tensor], count: int, generator: torch.Generator) -> torch.Tensor:
    """`count` samples at random, from each stratum as many, or one more; none again before all of its were drawn.

    A stratum holds the numbers of its samples; the result is int64, one axis, shuffled.
    """
    shares = torch.full((len(strata),), count // len(strata))
    shares[torch.randperm(len(strata), generator=generator)[: count % len(strata)]] += 1
    drawn = []
    for rows, share in zip(strata, shares.tolist(), strict=True):
        rounds = [torch.randperm(len(rows), generator=generator) for _ in range(-(-share // len(rows)))]
        drawn += [rows[torch.cat(rounds)[:share]]] if rounds else []
    return torch.cat(drawn)[torch.randperm(count, generator=generator)]


def seeded(*numbers: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator that depends on these numbers alone, such as (seed, epoch, step)."""
    digest = hashlib.blake2b(struct.pack(f">{len(numbers)}q", *numbers), digest_size=8).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest) >> 1)
