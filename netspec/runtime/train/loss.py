"""The loss: torch's module, and the check that data and network suit it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from netspec.errors import At, DataError, Problem, UsageError
from netspec.lint.loss_target import LossTarget
from netspec.losses.base import Loss
from netspec.runtime.data.scale import Scale
from netspec.runtime.data.split import Split, described
from netspec.runtime.data.weighing import WEIGHTS, settled
from netspec.runtime.network.weights import load_weights, loss_file
from netspec.tensors import Misfit
from netspec.text.report import SpecError


class Objective:
    """A loss of torch's with the spec's arguments, on the outputs of a network.

    Weights that the data decides, and the scale on which numbers are compared, are as a run has `learnt` them.
    """

    def __init__(self, loss: Loss, device: torch.device | str = "cpu", learnt: Mapping[str, Any] | None = None) -> None:
        """The loss on a device, with the class weights and the scale that the data has taught."""
        self.loss = loss = settled(loss, learnt or {})
        self.scale = Scale.of(learnt or {}, device)
        self.module = make_loss(loss).to(device)
        self.sums = getattr(loss, "reduction", "mean") == "sum"
        self.uneven = any(getattr(loss, name, None) is not None for name in WEIGHTS)
        """Whether samples may count differently: by weights, or because targets that `check` has met are skipped."""
        self._seen: set[int] = set()

    def __call__(self, outputs: Any, target: torch.Tensor) -> torch.Tensor:
        """The loss of one batch, a single number: a tensor without axes, on the device of the outputs.

        `outputs` are what the network gave, `target` is as the data has it, both batch first; a scaled target is
        scaled here.
        """
        target = self.scale.taken_out(target) if self.scale else target
        result = self.module(*self.loss.inputs(predictions(outputs), target))
        # AdaptiveLogSoftmaxWithLoss gives (output, loss).
        number: torch.Tensor = result[-1] if isinstance(result, tuple) else result
        return number

    def share(self, target: torch.Tensor) -> Any:
        """What a batch counts for in the mean over several; None where the loss is a sum.

        A number where every sample counts alike, else a tensor.
        """
        if self.sums:
            return None
        return self.loss.share(self.module, target) if self.uneven else len(target)

    def parameters(self) -> dict[str, torch.Tensor]:
        """The weights of the loss itself, which few losses have."""
        return self.module.state_dict() if self.loss.owns_parameters else {}

    def restore(self, weights: Path) -> None:
        """Take up the loss's own weights from beside a network's weights, if it has some. Raises DataError."""
        if self.loss.owns_parameters:
            load_weights(self.module, loss_file(weights))

    def scores(self, outputs: Any) -> torch.Tensor:
        """The first output as metrics take it: batch x classes, or numbers in the target's own units."""
        scores: torch.Tensor = self.loss.scores(self.module, predictions(outputs)[0])
        return self.scale.put_back(scores) if self.scale else scores

    def check(self, outputs: Any, target: torch.Tensor, parts: Mapping[str, Split]) -> None:
        """Refuse outputs and targets that the loss cannot compare, before anything is updated.

        Shapes and dtypes are those of a batch; the values of the targets are looked at in every
        part of the data. Raises SpecError or DataError.
        """
        given = [described(p, open_batch=False) for p in predictions(outputs)]
        try:
            self.loss.expect(given, described(target, open_batch=False))
        except Misfit as misfit:
            text = f"{self.loss.said} {misfit.message}"
            raise SpecError([Problem(LossTarget.code, text, At(("train", "loss")), misfit.hint)]) from None
        if not self.loss.takes_target:
            return
        for name, part in parts.items():
            if id(part) not in self._seen:
                first = described(next(part.targets()), open_batch=False)
                low, high = self.loss.target_range(given, first)
                self.uneven |= self._check_fills(part, low, high)
                self.uneven |= check_values(name, part, low, high, self.loss.ignored())
                self._seen.add(id(part))

    def _check_fills(self, part: Split, low: float | None, high: float | None) -> bool:
        """Refuse points that come into a target from outside, of a class that there is not. Raises DataError.

        Returns whether some of them are skipped.
        """
        fills = set(part.steps.fills(part.target.dtype))
        for fill in fills - {self.loss.ignored()}:
            if (low is not None and fill < low) or (high is not None and fill > high):
                limits = " to ".join("any" if bound is None else f"{bound:g}" for bound in (low, high))
                text = f"mask_fill is {fill}, a class of {limits} is expected"
                raise DataError(f"{text}, or {self.loss.ignored()}, which the loss skips")
        return self.loss.ignored() in fills


def make_loss(loss: Loss) -> nn.Module:
    """The module of torch.nn that `loss` names. Raises UsageError."""
    build = getattr(loss, "build", None)
    if build is not None:  # a plugin's own
        own: nn.Module = build()
        return own
    name = type(loss).__name__
    cls = getattr(nn, name, None)
    if cls is None:
        raise UsageError(f"this torch ({torch.__version__}) has no loss {name}. Install a newer one.")
    keywords = loss.keywords()
    for weight in WEIGHTS:
        if keywords.get(weight) is not None:
            keywords[weight] = torch.tensor(keywords[weight])
    module: nn.Module = cls(**keywords)
    return module


def predictions(outputs: Any) -> Sequence[torch.Tensor]:
    """The tensors that a network gave: one, or the items of a tuple or a mapping, in order. Each is batch first."""
    if isinstance(outputs, torch.Tensor):
        return (outputs,)
    return tuple(outputs.values()) if isinstance(outputs, Mapping) else tuple(outputs)


def check_values(name: str, part: Split, low: float | None, high: float | None, ignored: int | None) -> bool:
    """Refuse targets outside their range, and name the first one's file and row. Raises DataError.

    Returns whether some of them are `ignored`.
    """
    rows, skips = 0, False
    for target in part.targets():
        wrong = torch.zeros_like(target, dtype=torch.bool)
        if low is not None:
            wrong |= target < low
        if high is not None:
            wrong |= target > high
        if target.is_floating_point():
            wrong |= ~target.isfinite()
        if ignored is not None:
            skipped = target == ignored
            wrong &= ~skipped
            skips |= bool(skipped.any())
        if bool(wrong.any()):
            place = wrong.nonzero()[0].tolist()
            value = target[tuple(place)].item()
            limits = [f"at least {low:g}"] * (low is not None) + [f"at most {high:g}"] * (high is not None)
            text = f"{part.origin.at(rows + place[0])} ({name} part): the target is {value}"
            count = f"{int(wrong.sum()):,} of the {wrong.numel():,} values there are wrong"
            way_out = part.origin.way_out or (_way_out(target, low) if high is not None and value > high else "")
            raise DataError(f"{text}, {' and '.join(limits) or 'a number'} is expected. {count}. {way_out}".rstrip())
        rows += len(target)
    return skips


def _way_out(target: torch.Tensor, low: float | None) -> str:
    """What to do with maps whose values are too large, as those of masks of 0 and 255 are."""
    if target.ndim < 3:
        return ""
    if target.is_floating_point():
        return f"Save no as {low or 0:g} and yes as 1, as (y > 0) is."
    numbers = "numpy.unique(y, return_inverse=True)[1].reshape(y.shape)"
    return f"Classes are numbered from 0, as {numbers} does; ignore_index= of the loss skips a value."


def check_inputs(parts: Mapping[str, Split]) -> None:
    """Refuse inputs that are not finite, and name the first one's row. Raises DataError.

    What stays in its files was looked at when they were opened.
    """
    for name, part in parts.items():
        for number, x in enumerate(part.inputs):
            # A sum that is finite has only finite terms, and is far cheaper than looking at each of them.
            if not isinstance(x, torch.Tensor) or not x.is_floating_point() or bool(x.sum().isfinite()):
                continue
            bad = (~x.isfinite()).flatten(1).any(1) if x.dim() > 1 else ~x.isfinite()
            if bool(bad.any()):
                row = part.origin.at(int(bad.nonzero()[0]), number)
                which = f" in input {number + 1}" if len(part.inputs) > 1 else ""
                text = f"{row} ({name} part): a value{which} is not a finite number"
                raise DataError(f"{text}. {int(bad.sum()):,} of {len(x):,} rows hold such values.")
