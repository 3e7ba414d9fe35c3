"""Data as tensors, given a batch at a time without per-sample Python."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import torch

from netspec.datasets.base import Origin
from netspec.datasets.fit import unfit
from netspec.dims import BATCH
from netspec.errors import DataError
from netspec.layers.base import Dtype
from netspec.layers.base import Tensor as Described
from netspec.runtime.mixing import Batch, Mixer, with_partners
from netspec.transforms.base import Augmentation, Chance, Transform

PREPARED_BYTES: Final = 512 * 2**20
"""The largest result of the steps before augmentation that is kept, so that they need not run with each batch."""
FLOAT_BYTES: Final = 64 * 2**20
"""The largest part that is kept as finished floats. Beyond it, filling the memory takes longer than turning bytes
into floats a batch at a time for ten epochs."""
CHUNK: Final = 1024
Share = Callable[[int], slice]
"""Says for the number of samples in a batch which of its rows are wanted."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What becomes of a batch of the first input. Augmentation runs only where there is a chance."""

    before: tuple[Transform, ...] = ()
    augment: tuple[Augmentation, ...] = ()
    after: tuple[Transform, ...] = ()
    peak: int = 255

    def __call__(self, x: torch.Tensor, chance: Chance | None = None) -> torch.Tensor:
        x = self._transform(x, self.before)
        if chance is not None:
            for step in self.augment:
                x = step.apply(x if step.takes_bytes else as_floats(x, self.peak), chance)
        return as_floats(self._transform(x, self.after), self.peak)

    def _transform(self, x: torch.Tensor, steps: tuple[Transform, ...]) -> torch.Tensor:
        for step in steps:
            x = step.apply(x if step.takes_bytes else as_floats(x, self.peak))
        return x

    def ahead(self, x: torch.Tensor, room: int = PREPARED_BYTES) -> tuple[torch.Tensor, Steps]:
        """`x` with all done that is better done once for a whole part, and the steps left for each batch.

        What is done ahead takes no more than `room` bytes.
        """
        left, prepared = self, min(room, PREPARED_BYTES)
        done = in_chunks(x, lambda piece: self._transform(piece, self.before), prepared) if self.before else x
        if done is not None:
            x, left = done, replace(left, before=())
        if not left.before and not left.augment:
            done = in_chunks(x, left, min(room, FLOAT_BYTES))
            if done is not None:
                x, left = done, Steps(peak=self.peak)
        return x, left


def in_chunks(x: torch.Tensor, step: Callable[[torch.Tensor], torch.Tensor], limit: int) -> torch.Tensor | None:
    """`step` on all of `x`, a stretch of rows at a time; None where the result would be larger than `limit` bytes."""
    one = step(x[:1])
    if one.nbytes * len(x) > limit:
        return None
    result = one.new_empty((len(x), *one.shape[1:]))
    for start in range(0, len(x), CHUNK):
        result[start : start + CHUNK] = step(x[start : start + CHUNK])
    return result


def as_floats(x: torch.Tensor, peak: int) -> torch.Tensor:
    """Bytes as 0.0 to 1.0; anything else as it is."""
    return x.float().div_(peak) if x.dtype == torch.uint8 else x


@dataclass(frozen=True, slots=True)
class Split:
    """One part of the data in memory, such as its training samples, and what is done to each batch."""

    inputs: tuple[torch.Tensor, ...]
    target: torch.Tensor
    steps: Steps = Steps()
    mixer: Mixer | None = None
    origin: Origin = field(default_factory=Origin)
    strata: tuple[torch.Tensor, ...] = ()
    """The samples of each class, where training draws from all classes alike."""

    def __len__(self) -> int:
        return len(self.target)

    @property
    def augments(self) -> bool:
        """Whether chance has a part in the batches for training."""
        return bool(self.steps.augment or self.mixer)

    @property
    def device(self) -> torch.device:
        """Where batches are."""
        return self.target.device

    def order(self, generator: torch.Generator) -> torch.Tensor:
        """The numbers of samples at random, as `batch` takes them: of all, or as many from all classes alike."""
        return self._drawn(generator).to(self.device)

    def _drawn(self, generator: torch.Generator) -> torch.Tensor:
        if not self.strata:
            return torch.randperm(len(self), generator=generator)
        return drawn_alike(self.strata, len(self), generator)

    def expect(self, batches: Iterable[torch.Tensor], rows: Share = slice) -> None:
        """Say for which samples `batch` will be called in training, in turn. In memory they are there already."""

    def targets(self) -> Iterator[torch.Tensor]:
        """The targets of all samples in their order, in pieces that fit into memory."""
        yield self.target

    def batch(
        self, indices: torch.Tensor, generator: torch.Generator | None = None, rows: slice | None = None
    ) -> Batch:
        """The inputs and the target of these samples; augmented if a generator is given, and by it alone.

        With `rows` it is those rows of the same batch.
        """
        mixer = self.mixer if generator is not None else None
        places = self._places(indices, rows, mixer is not None)
        chance = Chance(generator, len(indices), places) if generator is not None else None
        inputs, target = self._picked(indices[places])
        batch = self._given(inputs, chance), target
        if mixer is None or generator is None:
            return batch
        inputs, target = mixer(batch, generator)
        return (inputs, target) if isinstance(places, slice) else (tuple(x[1:] for x in inputs), target[1:])

    def _places(self, indices: torch.Tensor, rows: slice | None, mixes: bool) -> slice | torch.Tensor:
        """Which samples of a batch it takes to make these rows of it."""
        if rows is None or rows.stop - (rows.start or 0) == len(indices):
            return slice(None)
        return with_partners(rows, len(indices)).to(indices.device) if mixes else rows

    def _picked(self, indices: torch.Tensor) -> Batch:
        """The fields of these samples, as they are."""
        return tuple(x.index_select(0, indices) for x in self.inputs), self.target.index_select(0, indices)

    def batches(self, size: int, rows: Share = slice) -> Iterator[Batch]:
        """All samples in their order, without augmentation; the last batch may be smaller.

        `rows` says for the number of samples in a batch which of its rows are wanted; all are without.
        """
        for start in range(0, len(self), size):
            wanted = rows(min(size, len(self) - start))
            piece = slice(start + (wanted.start or 0), start + wanted.stop)
            yield self._given(tuple(x[piece] for x in self.inputs), None), self.target[piece]

    def to(self, device: torch.device | str) -> Split:
        """The same part with its tensors on `device`."""
        return replace(self, inputs=tuple(x.to(device) for x in self.inputs), target=self.target.to(device))

    def _given(self, inputs: tuple[torch.Tensor, ...], chance: Chance | None) -> tuple[torch.Tensor, ...]:
        first, *rest = inputs
        return self.steps(first, chance), *(as_floats(x, self.steps.peak) for x in rest)


@dataclass(frozen=True, slots=True)
class Data:
    """All the data of a spec. `classes` are the names of the classes, None where the target is no class."""

    train: Split
    val: Split | None
    test: Split | None
    names: tuple[str, ...]
    classes: tuple[str, ...] | None
    steps: Steps = Steps()
    """What is done to the first input of new samples, with all that was learned from the training data."""
    learnt: Mapping[str, Any] = field(default_factory=dict)
    """What the training part taught of how data is to be seen, as plain data to keep with a run."""
    told: tuple[str, ...] = ()
    """What was made of the source, line by line, for a person to know."""

    @property
    def inputs(self) -> tuple[Described, ...]:
        """What the network is given, as the graph describes tensors."""
        given, _ = self.train.batch(self._first())
        return tuple(described(x) for x in given)

    @property
    def target(self) -> Described:
        """What the loss is given, as the graph describes tensors."""
        _, target = self.train.batch(self._first())
        return described(target)

    def need_fit(self, wanted: Mapping[str, Described]) -> None:
        """Refuse a network whose inputs, by name, are not what the data gives. Raises DataError."""
        faults = unfit(self.inputs, wanted)
        if not faults and self.train.augments:
            augmented, _ = self.train.batch(self._first(), seeded(0, device=self.train.device))
            faults = [
                (f"{text}, after augmentation", "") for text, _ in unfit([described(x) for x in augmented], wanted)
            ]
        if faults:
            raise DataError("\n".join(f"{message}. {hint}".rstrip() for message, hint in faults))

    def fingerprint(self) -> str:
        """A hash that other data has another of: of all targets, of the first samples' sums, of what is done to them.

        The sums have four digits, which are the same on every device.
        """
        found = hashlib.blake2b(digest_size=8)
        for part in (self.train, self.val, self.test):
            for target in part.targets() if part else ():
                found.update(target.cpu().reshape(-1).contiguous().numpy().data)
            found.update(b"|")
        given, _ = self.train.batch(torch.arange(min(8, len(self.train)), device=self.train.device))
        words = [f"{float(x.double().sum()):.4g}" for x in given]
        found.update(repr((words, self.steps, self.train.steps.augment, self.train.mixer)).encode())
        aims = [self.learnt[key] for key in ("scale", "weights") if key in self.learnt]
        aims += ["alike"] * bool(self.train.strata)
        found.update(repr(aims).encode() if aims else b"")
        return found.hexdigest()

    def _first(self) -> torch.Tensor:
        return torch.zeros(1, dtype=torch.int64, device=self.train.device)

    def to(self, device: torch.device | str) -> Data:
        """The same data with its tensors on `device`."""
        val, test = (part.to(device) if part else None for part in (self.val, self.test))
        return replace(self, train=self.train.to(device), val=val, test=test)


def drawn_alike(strata: Sequence[torch.Tensor], count: int, generator: torch.Generator) -> torch.Tensor:
    """`count` samples at random, from each stratum as many, or one more; none again before all of its were drawn."""
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


def described(x: torch.Tensor) -> Described:
    """A batch as the graph describes it: the batch left open, bytes as the floats that they become."""
    kind: Dtype = "bool" if x.dtype == torch.bool else "int64" if x.dtype == torch.int64 else "float32"
    return Described((BATCH, *x.shape[1:]), kind)
