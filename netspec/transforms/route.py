"""Which inputs each step is for, and whether the target goes along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from netspec.tensors import Misfit, Tensor, show
from netspec.transforms.base import Augmentation, Maps, Step, Transform
from netspec.words import did_you_mean

Fault = tuple[Step, Misfit]
Chain = tuple[tuple["Placed", ...], tuple["Placed", ...], tuple["Placed", ...]]
"""The steps before augmentation, augmentation, and those after it."""


@dataclass(frozen=True, slots=True)
class Written:
    """A step as a spec has it: for the input of that name, or for all that are alike."""

    step: Any
    to: str | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """A step with the places of the inputs that it is for, and whether it `carries` the target along."""

    step: Any
    inputs: tuple[int, ...] = (0,)
    carries: bool = False
    named: bool = False
    """Whether the spec names its one input, which it then moves without the others."""
    others: tuple[str, ...] = ()
    """Of several targets those besides the first that go along, by their names."""


@dataclass(frozen=True, slots=True)
class Way:
    """What steps make of a sample, batch first, and what stopped it on its way."""

    steps: tuple[Placed, ...]
    inputs: tuple[Tensor, ...]
    """What comes out, batch first."""
    target: Tensor | None
    faults: tuple[Fault, ...] = ()
    """Each with the step that it stopped at."""


def lead(inputs: Sequence[Tensor]) -> int:
    """The place of the first image, or of the first input where none is an image. The target lies on its grid."""
    return next((place for place, x in enumerate(inputs) if len(x.shape) == 4), 0)


def alike(inputs: Sequence[Tensor]) -> tuple[int, ...]:
    """The places of all inputs of as many axes and of the same dtype as the first image, or as the first input."""
    first = inputs[lead(inputs)]
    return tuple(i for i, x in enumerate(inputs) if (len(x.shape), x.dtype) == (len(first.shape), first.dtype))


def placed(written: Iterable[Written], inputs: Sequence[Tensor], names: Sequence[str]) -> tuple[Placed, ...]:
    """The steps with the inputs that they are for; a transform, which may learn from each, once for every input.

    Raises Misfit for a name that is none of an input.
    """
    found: list[Placed] = []
    for each in written:
        named = each.to is not None
        places = (_place(each.to, names, len(inputs)),) if each.to is not None else alike(inputs)
        groups = [(i,) for i in places] if isinstance(each.step, Transform) else [places]
        found += [Placed(each.step, group, named=named) for group in groups]
    return tuple(found)


def _place(name: str, names: Sequence[str], count: int) -> int:
    """The place of an input by its name. Raises Misfit."""
    if name not in names[:count]:
        hint = did_you_mean(name, names[:count]) or f"There are: {', '.join(names[:count])}."
        raise Misfit(f"is for the input {name!r}, which is not there", hint)
    return list(names).index(name)


def parted(steps: Iterable[Placed]) -> tuple[tuple[Placed, ...], tuple[Placed, ...]]:
    """The transforms that come before augmentation, and those after: of each input, from the first that does not."""
    before, after, late = [], [], set[int]()
    for each in steps:
        if each.step.before_augment and late.isdisjoint(each.inputs):
            before.append(each)
        else:
            after.append(each)
            late.update(each.inputs)
    return tuple(before), tuple(after)


def way(steps: Iterable[Placed], inputs: Sequence[Tensor], target: Tensor | None, maps: Maps) -> Way:
    """What the steps make of inputs and target."""
    shapes, taken = list(inputs), list[Placed]()
    first = lead(inputs)
    for each in steps:
        step = each.step
        try:
            made = [step.shape(shapes[place]) for place in each.inputs]
            carries = _carries(each, shapes, target, first)
            for place, shape in zip(each.inputs, made, strict=True):
                shapes[place] = shape
            if carries and target is not None:
                target = step.carried(target, maps)
        except Misfit as misfit:
            return Way(tuple(taken), tuple(shapes), target, ((step, _several(misfit, inputs, each)),))
        taken.append(replace(each, carries=carries))
    return Way(tuple(taken), tuple(shapes), target)


def joined(own: Way, others: Mapping[str, Way]) -> Way:
    """One way for several targets: its steps carry each of the `others` that goes along with them."""
    faults = own.faults or next((each.faults for each in others.values() if each.faults), ())
    steps = own.steps
    if not faults:
        columns = zip(*([(name, step.carries) for step in each.steps] for name, each in others.items()), strict=True)
        pairs = zip(steps, columns, strict=True)
        steps = tuple(replace(step, others=tuple(n for n, carries in along if carries)) for step, along in pairs)
    return Way(steps, own.inputs, own.target, faults)


def _several(misfit: Misfit, inputs: Sequence[Tensor], each: Placed) -> Misfit:
    """The same, with what to do where the step does not suit one of several inputs."""
    if len(alike(inputs)) < 2 or each.named or misfit.hint:
        return misfit
    hint = "It is for all inputs that are alike; write {NAME: ...} with the name of an input for one of them."
    return Misfit(misfit.message, hint, field=misfit.field, code=misfit.code)


def _carries(each: Placed, inputs: Sequence[Tensor], target: Tensor | None, first: int) -> bool:
    """Whether the target goes along. Raises Misfit where what belongs together cannot be moved together."""
    step, x = each.step, inputs[first]
    if step.moves is False or first not in each.inputs:
        return False
    reaches = target is not None and step.reaches(x, target)
    if step.moves is None:
        if reaches:
            hint = "Write `moves = False` in its class, or derive it from netspec.plugins.Moving."
            raise Misfit("does not say whether it moves points, and the target lies on the image's grid", hint)
        return False
    if isinstance(step, Augmentation) and not each.named:
        _need_together(each, inputs, target, x, reaches)
    return reaches


def _need_together(each: Placed, inputs: Sequence[Tensor], target: Tensor | None, x: Tensor, reaches: bool) -> None:
    """Refuse an augmentation that would move images, and leave where it is what belongs to them. Raises Misfit."""
    grid, row = x.shape[-2:], f"augment: {{NAME: {each.step.said}}}"
    for place, other in enumerate(inputs):
        if place in each.inputs and other.shape[-2:] != grid:
            text = f"moves all images alike, and they are {show(grid)} and {show(other.shape[-2:])}"
            raise Misfit(text, f"Bring them to one size first, or move one input alone, by its name: {row}")
        if place not in each.inputs and len(other.shape) > 2 and other.shape[-2:] == grid:
            text = f"moves images of {show(x.shape[1:])}, and not the input of {show(other.shape[1:])} of {other.dtype}"
            raise Misfit(f"{text} on the same grid", f"To move one input alone, name it: {row}")
    if target is not None and len(target.shape) > 2 and not reaches and len(x.shape) == 4:
        text = f"moves images of {show(grid)}, and cannot move a target of {show(target.shape[1:])} with them"
        hint = "A target of the images' height and width goes along."
        raise Misfit(text, f"{hint} Where it does not say where things are, name the input that is moved: {row}")
