"""Data that a network in a file is measured on: arrays, or rows in files, of which a batch at a time is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from netspec.datasets.base import Gives, Origin, Part
from netspec.datasets.files import Files
from netspec.datasets.fit import described, unfit
from netspec.datasets.rows import pieces
from netspec.errors import DataError
from netspec.runtime.arrays.tensor import ArrayTensor
from netspec.runtime.data.in_use import known_steps
from netspec.runtime.data.looking import check_steps
from netspec.runtime.data.reading import doubts, given, range_of, read
from netspec.runtime.data.weighing import Compared
from netspec.sections.data import DataSection
from netspec.tensors import Tensor
from netspec.transforms.base import TORCHS, Maps
from netspec.transforms.route import Placed

if TYPE_CHECKING:
    from netspec.datasets.base import Column

Array = np.ndarray[Any, Any]
Take = Callable[[Sequence[Tensor], Mapping[str, Tensor]], tuple[Sequence[Tensor], Mapping[str, Tensor]]]


@dataclass(frozen=True, slots=True)
class ArraySteps:
    """What is done to the samples of a batch, and to the targets that go along with them."""

    placed: tuple[Placed, ...] = ()
    maps: Maps = TORCHS
    maps_of: Mapping[str, Maps] = field(default_factory=dict)

    def moved(self, target: Any) -> Any:
        """What becomes of a target, or of several by their names, the first of which leads; the batch stays first."""
        for each in self.placed:
            if isinstance(target, dict):
                target = {name: self._carried(each, name if place else "", x) for place, (name, x) in
                          enumerate(target.items())}  # fmt: skip
            elif each.carries:
                target = each.step.carry_array(target, self.maps)
        return target

    def _carried(self, placed: Placed, name: str, x: Array) -> Array:
        """One of several targets behind a step, the leading one for no name."""
        if name not in placed.others if name else not placed.carries:
            return x
        found: Array = placed.step.carry_array(x, self.maps_of[name] if name else self.maps)
        return found

    def fills(self, dtype: Any) -> Iterator[int]:
        """What comes into targets of classes from outside."""
        for placed in self.placed:
            if placed.carries and getattr(placed.step, "frames", False) and self.maps.near(dtype):
                yield placed.step.fill(self.maps, dtype)

    def led_by(self, name: str) -> ArraySteps:
        """The steps that the target of that name goes along with, as if it were the only one."""
        if name not in self.maps_of:
            return self
        alone = tuple(replace(each, carries=name in each.others, others=()) for each in self.placed)
        return ArraySteps(alone, self.maps_of[name])


@dataclass(frozen=True, slots=True)
class ArrayPart:
    """One part of the data, and what is done to each batch of it."""

    inputs: tuple[Column, ...]
    target: Column
    steps: ArraySteps
    origin: Origin
    others: Mapping[str, Column]
    lead: str

    @classmethod
    def of(cls, part: Part, steps: ArraySteps, lead: str) -> ArrayPart:
        """A part as it was read; of several targets `lead` is the first's name."""
        return cls(part.inputs, part.target, steps, part.origin, part.others, lead)

    def __len__(self) -> int:
        return len(self.target)

    def batches(self, size: int) -> Iterator[tuple[tuple[Array, ...], Any]]:
        """All samples in their order, as the source has them, with what they are compared with."""
        for start in range(0, len(self), size):
            rows = slice(start, start + size)
            held: Any = self.target[rows]
            if self.lead:
                held = {self.lead: held, **{name: x[rows] for name, x in self.others.items()}}
            held = self.steps.moved(held)
            target = {n: ArrayTensor.of(x) for n, x in held.items()} if self.lead else ArrayTensor.of(held)
            yield tuple(x[rows] for x in self.inputs), target

    def targets(self) -> Iterator[ArrayTensor]:
        """The targets of all samples in their order, in pieces that fit into memory."""
        for _, piece in pieces(self.target):
            yield ArrayTensor.of(self.steps.moved(piece))

    def led_by(self, name: str) -> ArrayPart:
        """The part with the target of that name as its only one; with the one that leads, where there is none."""
        if not self.lead:
            return self
        target, steps = self.others.get(name, self.target), self.steps.led_by(name)
        return replace(self, target=target, steps=steps, origin=self.origin.led_by(name), others={}, lead="")


@dataclass(frozen=True, slots=True)
class ArrayData:
    """All the data of a spec, as far as a network is measured on it; the fields are those of `split.Data`."""

    train: ArrayPart
    val: ArrayPart | None
    test: ArrayPart | None
    names: tuple[str, ...]
    classes: tuple[str, ...] | None
    inputs: tuple[Tensor, ...]
    """What the steps make of the inputs, as the graph describes tensors."""
    raw: Gives
    peak: int
    """The byte that becomes 1.0."""
    doubts: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    classes_of: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)

    @property
    def parts(self) -> dict[str, ArrayPart]:
        """The parts that there are, by name."""
        named = (("train", self.train), ("val", self.val), ("test", self.test))
        return {name: part for name, part in named if part is not None}

    @property
    def target(self) -> Tensor:
        """What the loss is given, as the graph describes tensors; of several targets, the one that leads."""
        return described(next(self.train.led_by("").targets()))

    def led_by(self, name: str) -> ArrayData:
        """The data with the target of that name as its only one; with the one that leads, where there is none."""
        if not self.train.lead:
            return self
        val, test = (part.led_by(name) if part else None for part in (self.val, self.test))
        classes = self.classes if name == self.train.lead else self.classes_of.get(name)
        return replace(self, train=self.train.led_by(name), val=val, test=test, classes=classes, classes_of={})

    def need_fit(self, wanted: Mapping[str, Tensor], take: Take = lambda *both: both, more: Sequence[str] = ()) -> None:
        """Refuse a network whose inputs, by name, are not what the data gives; `more` is what else to try.

        Raises DataError.
        """
        if faults := unfit(*take(self.inputs, wanted)):
            lines = [*(f"{message}. {hint}".rstrip() for message, hint in faults), *more, *self.told]
            raise DataError("\n".join(lines))


def read_arrays(
    section: DataSection, files: Files, learnt: Mapping[str, Any], compared: Sequence[Compared], keeper: str
) -> ArrayData:
    """The data of a spec, parted and seen as a run has `learnt` to see it, of which `keeper` tells. Raises DataError.

    What can stay in its files does.
    """
    arrays, _ = read(section, files, learnt, compared, in_pieces=True)
    section = replace(section, maps=section.maps_of.get(arrays.lead, section.maps))
    inputs, target, others = given(arrays)
    check_steps(section, inputs, target, arrays.names, len(arrays.classes or ()), others)
    done = known_steps(section.placed(inputs, arrays.names), learnt.get("transform", ()))
    for each in done:
        if each.step.learns:
            text = f"{keeper} does not say what {each.step.said} has learnt of the data of a training"
            raise DataError(f"{text}. Export the run: netspec export RUN -o {keeper}")
    ways = section.ways(inputs, target, arrays.names, done, others)
    before, _, after = ways.in_use
    steps = ArraySteps((*before, *after), section.maps, section.maps_of)
    parts = {name: ArrayPart.of(part, steps, arrays.lead) for name, part in arrays.parts.items()}
    raw = Gives(inputs, target, ranges=tuple(map(range_of, arrays.train.inputs)))
    about: dict[str, Any] = {"told": arrays.told, "classes_of": arrays.classes_of}
    held = parts["train"], parts.get("val"), parts.get("test")
    found = ArrayData(*held, arrays.names, arrays.classes, ways.use.inputs, raw, arrays.peak, **about)
    return replace(found, doubts=(*arrays.doubts, *doubts(arrays, learnt)))
