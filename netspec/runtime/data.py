"""Data as tensors: read once, split, and given a batch at a time without per-sample Python."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import torch

from netspec.datasets.base import Arrays, Origin, Part
from netspec.datasets.checks import same_form
from netspec.datasets.files import Files
from netspec.datasets.fit import unfit
from netspec.dims import BATCH
from netspec.errors import DataError
from netspec.language.calls import read_entry
from netspec.language.data_section import DataSection
from netspec.layers.base import Dtype, Misfit
from netspec.layers.base import Tensor as Described
from netspec.runtime.mixing import Batch, Mixer, with_partners
from netspec.runtime.splitting import split
from netspec.transforms.base import Augmentation, Chance, Transform
from netspec.transforms.mixing import mixed_target
from netspec.vocabulary import TRANSFORMS

PREPARED_BYTES: Final = 512 * 2**20
"""The largest result of the steps before augmentation that is kept, so that they need not run with each batch."""
FLOAT_BYTES: Final = 64 * 2**20
"""The largest part that is kept as finished floats. Beyond it, filling the memory takes longer than turning bytes
into floats a batch at a time for ten epochs."""
CHUNK: Final = 1024


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

    def ahead(self, x: torch.Tensor) -> tuple[torch.Tensor, Steps]:
        """`x` with all done that is better done once for a whole part, and the steps left for each batch."""
        left = self
        done = in_chunks(x, lambda piece: self._transform(piece, self.before), PREPARED_BYTES) if self.before else x
        if done is not None:
            x, left = done, replace(left, before=())
        if not left.before and not left.augment:
            done = in_chunks(x, left, FLOAT_BYTES)
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
    """One part of the data, such as its training samples: whole tensors, and what is done to each batch."""

    inputs: tuple[torch.Tensor, ...]
    target: torch.Tensor
    steps: Steps = Steps()
    mixer: Mixer | None = None
    origin: Origin = field(default_factory=Origin)

    def __len__(self) -> int:
        return len(self.target)

    @property
    def augments(self) -> bool:
        """Whether chance has a part in the batches for training."""
        return bool(self.steps.augment or self.mixer)

    def batch(
        self, indices: torch.Tensor, generator: torch.Generator | None = None, rows: slice | None = None
    ) -> Batch:
        """The inputs and the target of these samples; augmented if a generator is given, and by it alone.

        With `rows` it is those rows of the same batch.
        """
        if self.mixer is None or generator is None:
            return self._batch(indices, generator, rows if rows is not None else slice(None))
        if rows is None or rows == slice(0, len(indices)):
            return self.mixer(self._batch(indices, generator, slice(None)), generator)
        places = with_partners(rows, len(indices)).to(indices.device)
        inputs, target = self.mixer(self._batch(indices, generator, places), generator)
        return tuple(x[1:] for x in inputs), target[1:]

    def _batch(self, indices: torch.Tensor, generator: torch.Generator | None, places: slice | torch.Tensor) -> Batch:
        """The same, not mixed, of the samples at some places."""
        chance = Chance(generator, len(indices), places) if generator is not None else None
        own = indices[places]
        return self._given(tuple(x.index_select(0, own) for x in self.inputs), chance), self.target.index_select(0, own)

    def batches(self, size: int, rows: Callable[[int], slice] = slice) -> Iterator[Batch]:
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

    @property
    def inputs(self) -> tuple[Described, ...]:
        """What the network is given, as the graph describes tensors."""
        given, _ = next(self.train.batches(1))
        return tuple(described(x) for x in given)

    @property
    def target(self) -> Described:
        """What the loss is given, as the graph describes tensors."""
        return described(self.train.target)

    def need_fit(self, wanted: Mapping[str, Described]) -> None:
        """Refuse a network whose inputs, by name, are not what the data gives. Raises DataError."""
        faults = unfit(self.inputs, wanted)
        if not faults and self.train.augments:
            first = torch.zeros(1, dtype=torch.int64, device=self.train.target.device)
            augmented, _ = self.train.batch(first, seeded(0, device=first.device))
            faults = [
                (f"{text}, after augmentation", "") for text, _ in unfit([described(x) for x in augmented], wanted)
            ]
        if faults:
            raise DataError("\n".join(f"{message}. {hint}".rstrip() for message, hint in faults))

    def to(self, device: torch.device | str) -> Data:
        """The same data with its tensors on `device`."""
        val, test = (part.to(device) if part else None for part in (self.val, self.test))
        return replace(self, train=self.train.to(device), val=val, test=test)


def load_data(
    section: DataSection,
    root: Path,
    *,
    allow_outside: bool = False,
    device: torch.device | str = "cpu",
    learnt: Mapping[str, Any] | None = None,
) -> Data:
    """Read, split and prepare the data of a spec.

    Paths start from `root`, the folder of the spec, and leave it only if `allow_outside`. Which samples are held
    out depends on the section alone. Classes, categories and means are learnt from the training part, or are those
    that a run has `learnt` before. Raises DataError.
    """
    source, learnt = section.source, learnt or {}
    arrays = split(source.read_as(Files(root, allow_outside), learnt), section.split, source.default_val)
    arrays = source.fitted(arrays, learnt)
    for part in (arrays.val, arrays.test):
        if part is not None:
            same_form(arrays.train, part)
    _check_steps(section, arrays)
    written, section = section, _fitted(section, arrays, learnt.get("transform", ()))
    plain = Steps(section.before, (), section.after, arrays.peak)
    train = _part(arrays.train, replace(plain, augment=section.augment), device)
    if section.mixing:
        train = replace(train, mixer=Mixer(section.mixing, len(arrays.classes or ())))
    val, test = (_part(part, plain, device) if part else None for part in (arrays.val, arrays.test))
    taught = {**arrays.learnt, "classes": arrays.classes, "transform": _taught(written.transform, section.transform)}
    return Data(train, val, test, arrays.names, arrays.classes, plain, taught)


def seeded(*numbers: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator that depends on these numbers alone, such as (seed, epoch, step)."""
    digest = hashlib.blake2b(struct.pack(f">{len(numbers)}q", *numbers), digest_size=8).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest) >> 1)


def described(x: torch.Tensor) -> Described:
    """A batch as the graph describes it: the batch left open, bytes as the floats that they become."""
    kind: Dtype = "bool" if x.dtype == torch.bool else "int64" if x.dtype == torch.int64 else "float32"
    return Described((BATCH, *x.shape[1:]), kind)


def _part(part: Part, steps: Steps, device: torch.device | str) -> Split:
    first, *rest = (torch.from_numpy(x).to(device) for x in part.inputs)
    prepared, left = steps.ahead(first)
    return Split((prepared, *rest), torch.from_numpy(part.target).to(device), left, origin=part.origin)


def _fitted(section: DataSection, arrays: Arrays, learnt: Sequence[Any]) -> DataSection:
    """The section with every step that learns fitted to the training part, as the steps before it leave it.

    `learnt` are such steps of a run, in long form, by their places.
    """
    if not any(step.learns for step in section.transform):
        return section
    x = torch.from_numpy(arrays.train.inputs[0])
    done: tuple[Transform, ...] = ()
    for place, step in enumerate(section.transform):
        if place < len(learnt) and learnt[place]:
            done = (*done, read_entry(learnt[place], ("transform", place), TRANSFORMS)[0])
            continue
        ahead = Steps(after=done, peak=arrays.peak)
        done = (*done, step.fitted(ahead(x[i : i + CHUNK]) for i in range(0, len(x), CHUNK)))
    return replace(section, transform=done)


def _taught(written: Sequence[Transform], fitted: Sequence[Transform]) -> list[dict[str, Any] | None]:
    """The steps that were fitted, in long form by their places; None for those that learn nothing."""
    pairs = zip(written, fitted, strict=True)
    return [{type(done).__name__: done.given} if step.learns else None for step, done in pairs]


def _check_steps(section: DataSection, arrays: Arrays) -> None:
    """Hold the steps against what was read: a source may not know its shapes before."""
    inputs = [described(torch.from_numpy(x[:1])) for x in arrays.train.inputs]
    faults = [(step, misfit.message, misfit.hint) for step, misfit in section.misfits(inputs)]
    if section.mixing:
        try:
            mixed_target(described(torch.from_numpy(arrays.train.target[:1])), len(arrays.classes or ()))
        except Misfit as misfit:
            faults.append((section.mixing[0], misfit.message, misfit.hint))
    if faults:
        lines = (f"{type(step).__name__.lower()} {message}. {hint}".rstrip() for step, message, hint in faults)
        raise DataError("\n".join(lines))
