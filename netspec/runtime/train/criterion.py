"""A loss on what a network gives: what it is given of that, what it compares it with, and whether they go together.

It asks tensors for what torch's can do, and needs no torch: on arrays it is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from netspec.datasets.fit import described
from netspec.errors import At, DataError, Problem
from netspec.lint.loss_target import LossTarget
from netspec.losses.base import Array, Loss, limits
from netspec.runtime.data.units import Scale
from netspec.runtime.data.weighing import WEIGHTS, settled
from netspec.sections.objective import Term
from netspec.tensors import Misfit
from netspec.text.report import SpecError

if TYPE_CHECKING:
    from netspec.runtime.arrays.data import ArrayPart
    from netspec.runtime.data.mixing import Target
    from netspec.runtime.data.split import Split as TensorPart

    Split: TypeAlias = TensorPart | ArrayPart

Held = Callable[[list[float]], Array]
"""Makes numbers what the outputs of a network are."""
Make = Callable[[Loss], Any]
"""Makes what computes a loss."""


class Criterion:
    """One loss with the spec's arguments, on the outputs that it names, computed by `module`.

    Weights that the data decides, and the scale on which numbers are compared, are as a run has `learnt` them.
    """

    def __init__(self, term: Term, learnt: Mapping[str, Any], names: Sequence[str], held: Held, make: Make) -> None:
        """The loss; `names` are those of the network's outputs, where it gives them one after the other.

        What it is `held` and made of is that of the outputs that it meets.
        """
        self.term, self.names = term, names
        self.outputs, self.constant = term.outputs, term.constant
        of = learnt.get("losses", {}).get(term.name, {}) if term.name else learnt
        self.loss = loss = settled(term.loss, of)
        self.scale = Scale.of(of, held)
        self.module = make(loss)
        self.sums = getattr(loss, "reduction", "mean") == "sum"
        self.uneven = any(getattr(loss, name, None) is not None for name in WEIGHTS)
        """Whether samples may count differently: by weights, or because targets that `check` has met are skipped."""
        self._seen: set[int] = set()

    def given(self, outputs: Any) -> Sequence[Array] | None:
        """Those of the outputs that it takes; None where the network does not give them, as outside training."""
        if not self.outputs:
            return predictions(outputs)
        named = isinstance(outputs, Mapping) or hasattr(outputs, "own")
        held = outputs if named else dict(zip(self.names, predictions(outputs), strict=False))
        if self.term.within and self.constant is None and self.term.named_target not in held:
            return None
        found = [held[name] for name in self.outputs if name in held]
        return found if len(found) == len(self.outputs) else None

    def target(self, target: Target) -> Array:
        """The one of several targets of the data that it compares with; the first, where it compares with none."""
        if not isinstance(target, dict):
            return target
        return target[self.term.named_target or self.term.name] if self.term.takes_data else next(iter(target.values()))

    def compared(self, given: Sequence[Array], outputs: Any, target: Target) -> Array:
        """What it compares with the outputs that are `given`: a target of the data, a value of the step, or a number.

        What comes from the step gets no gradients.
        """
        if self.constant is not None:
            first = given[0].detach()
            classes = self.loss.target_kind == "class"
            shape = first.movedim(self.loss.class_axis(first.dim()), 1)[:, 0].shape if classes else first.shape
            found = first.new_full(shape, self.constant)
            return found.long() if classes else found
        if self.term.within:
            return outputs[self.term.named_target].detach()
        return self.target(target)

    def __call__(self, given: Sequence[Array], target: Array) -> Array:
        """The loss of one batch, a single number: a tensor without axes, on the device of the outputs.

        `given` is what the network gave for it, `target` is as the data has it, both batch first; a scaled target is
        scaled here.
        """
        first = given[0]
        if not_made(first):
            if not target.is_floating_point():
                return first.cross_entropy(target, self.module)
            given = (first.whole(),)
        target = self.scale.taken_out(target) if self.scale else target
        result = self.module(*self.loss.inputs(given, target))
        # AdaptiveLogSoftmaxWithLoss gives (output, loss).
        return result[-1] if isinstance(result, tuple) else result

    def share(self, target: Array) -> Any:
        """What a batch counts for in the mean over several; None where the loss is a sum.

        A number where every sample counts alike, else a tensor.
        """
        if self.sums:
            return None
        return self.loss.share(self.module, target) if self.uneven else len(target)

    def scores(self, given: Sequence[Array]) -> Array:
        """The first of its outputs as metrics take it: batch x classes, or numbers in the target's own units."""
        scores = self.loss.scores(self.module, given[0])
        return self.scale.put_back(scores) if self.scale else scores

    def check(self, given: Sequence[Array], target: Array, parts: Mapping[str, Split]) -> None:
        """Refuse outputs and targets that the loss cannot compare, before anything is updated.

        Shapes and dtypes are those of a batch; the values of the targets are looked at in every
        part of the data. Raises SpecError or DataError.
        """
        shapes = [described(p, open_batch=False) for p in given]
        try:
            self.loss.expect(shapes, described(target, open_batch=False))
        except Misfit as misfit:
            text = f"{self.loss.said} {misfit.message}"
            raise SpecError([Problem(LossTarget.code, text, At(self.term.path), misfit.hint)]) from None
        if not self.term.takes_data:
            return
        for name, part in parts.items():
            if id(part) not in self._seen:
                own = part.led_by(self.term.target or self.term.name)
                first = described(next(own.targets()), open_batch=False)
                low, high = self.loss.target_range(shapes, first)
                self.uneven |= self._check_fills(own, low, high)
                self.uneven |= check_values(name, own, self.loss, low, high)
                self._seen.add(id(part))

    def _check_fills(self, part: Split, low: float | None, high: float | None) -> bool:
        """Refuse points that come into a target from outside, of a class that there is not. Raises DataError.

        Returns whether some of them are skipped.
        """
        steps: Any = part.steps
        fills = set(steps.fills(part.target.dtype))
        for fill in fills - {self.loss.ignored()}:
            if (low is not None and fill < low) or (high is not None and fill > high):
                limits = " to ".join("any" if bound is None else f"{bound:g}" for bound in (low, high))
                text = f"mask_fill is {fill}, a class of {limits} is expected"
                raise DataError(f"{text}, or {self.loss.ignored()}, which the loss skips")
        return self.loss.ignored() in fills


class Comparison:
    """What is compared of a network: one loss of all that it gives, or several by name."""

    criteria: tuple[Criterion, ...]

    @cached_property
    def several(self) -> bool:
        """Whether losses are told by name besides their sum."""
        return any(criterion.term.name for criterion in self.criteria)

    @cached_property
    def sums(self) -> bool:
        """Whether a batch's loss is a sum over its samples, and no mean."""
        return all(criterion.sums for criterion in self.criteria)

    @property
    def uneven(self) -> bool:
        """Whether samples may count differently."""
        return any(criterion.uneven for criterion in self.criteria)

    @property
    def compares_samples(self) -> bool:
        """Whether a loss is that of a batch, whose samples it compares with each other."""
        return any(criterion.loss.compares_samples for criterion in self.criteria)

    def present(self, outputs: Any, player: str | None = None) -> list[tuple[Criterion, Sequence[Array]]]:
        """The losses, of a player where that is said, whose outputs are there, each with these: in training all are."""
        found = []
        for criterion in self.criteria:
            if player is None or player == criterion.term.player:
                given = criterion.given(outputs)
                if given is not None:
                    found.append((criterion, given))
        return found

    def check(self, outputs: Any, target: Target, parts: Mapping[str, Split], player: str | None = None) -> None:
        """Refuse outputs and targets that a loss, one of a player where that is said, cannot compare.

        Shapes and dtypes are those of a batch; the values of the targets are looked at in every part of the data.
        Raises SpecError or DataError.
        """
        for criterion, given in self.present(outputs, player):
            criterion.check(given, criterion.compared(given, outputs, target), parts)

    def joined(self, values: Sequence[Array]) -> Array:
        """What was gathered of batches in one piece, batch first."""
        raise NotImplementedError(type(self).__name__)

    def total_of(self, losses: Mapping[str, float]) -> float:
        """The weighted sum of several losses, by their names."""
        raise NotImplementedError(type(self).__name__)


def predictions(outputs: Any) -> Sequence[Array]:
    """What a network gave, one after the other: one, or the items of a tuple or a mapping. Each is batch first."""
    if hasattr(outputs, "shape"):
        return (outputs,)
    if hasattr(outputs, "own"):  # of a step with several networks
        own: Sequence[Array] = outputs.own
        return own
    return tuple(outputs.values()) if isinstance(outputs, Mapping) else tuple(outputs)


def not_made(scores: Any) -> bool:
    """Whether scores are those of a last layer that is held back: made a stretch of rows at a time, if at all."""
    return hasattr(scores, "stretches")


def check_values(name: str, part: Split, loss: Loss, low: float | None, high: float | None) -> bool:
    """Refuse targets that the loss takes for none, and name the first one's file and row. Raises DataError.

    Returns whether some of them are ignored.
    """
    rows, skips, ignored = 0, False, loss.ignored()
    for target in part.targets():
        wrong: Array = target != target
        if low is not None:
            wrong |= target < low
        if high is not None:
            wrong |= target > high
        if target.is_floating_point():
            wrong |= ~target.isfinite()
        strays = loss.strays(target)
        if strays is not None:
            wrong |= strays
        if ignored is not None:
            skipped = target == ignored
            wrong &= ~skipped
            skips |= bool(skipped.any())
        if bool(wrong.any()):
            place = wrong.nonzero()[0].tolist()
            value = target[tuple(place)].item()
            expected = limits(low, high)
            text = f"{part.origin.at(rows + place[0])} ({name} part): the target is {value}"
            count = f"{int(wrong.sum()):,} of the {wrong.numel():,} values there are wrong"
            way_out = part.origin.way_out or (_way_out(target, low) if high is not None and value > high else "")
            if strays is not None and bool(strays[tuple(place)]):
                expected, way_out = loss.instead
            raise DataError(f"{text}, {expected} is expected. {count}. {way_out}".rstrip())
        rows += len(target)
    return skips


def _way_out(target: Array, low: float | None) -> str:
    """What to do with maps whose values are too large, as those of masks of 0 and 255 are."""
    if target.ndim < 3:
        return ""
    if target.is_floating_point():
        return f"Save no as {low or 0:g} and yes as 1, as (y > 0) is."
    numbers = "numpy.unique(y, return_inverse=True)[1].reshape(y.shape)"
    return f"Classes are numbered from 0, as {numbers} does; ignore_index= of the loss skips a value."
