"""What int8 costs a network: what each of its outputs is right about before and after, on the same samples.

An output whose loss tells classes apart is measured by accuracy, one whose loss compares plain numbers by the part of
the target's variance that it explains. Where no output is either, how near the outputs stay is what counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch

from netspec.losses.base import Loss
from netspec.runtime.export.emission import Array, End
from netspec.runtime.export.onnx_int8 import away
from netspec.sections.objective import Term
from netspec.spec import Spec

NEARNESS: Final = "nearness"
ACCURACY: Final = "accuracy"
EXPLAINED: Final = "r2"
"""What an output is measured by; the last is the share of the target's variance that it explains."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What an output gives before it is quantised and after."""

    output: str
    """Its name, where there are several; else empty."""
    measure: str
    before: float
    after: float
    judged: bool = True
    """Whether it decides if a file is kept."""

    @property
    def drop(self) -> float:
        """How much less it is afterwards."""
        return self.before - self.after

    @property
    def told(self) -> str:
        """The same for a person."""
        name = f"{self.output}: " if self.output else ""
        return f"{name}{self.measure} {self.before:.4f} in float32, {self.after:.4f} in int8"


def costs(
    spec: Spec, ends: Mapping[int, End], targets: Sequence[Any], before: Sequence[Sequence[Array]], after: Any
) -> list[Cost]:
    """What int8 costs each output of a file, given all of its outputs for each batch, and what they are to be.

    Outputs that nothing tells to be right are `judged` only where that holds of all of them.
    """
    names, train = list(spec.graph.outputs), spec.experiment.train
    terms = train.answered(names) if train is not None else {}
    found = list[Cost]()
    for place, name in enumerate(names):
        pair = [[outputs[place] for outputs in each] for each in (before, after)]
        known = [_target_for(terms.get(name), target) for target in targets]
        measure, values = _measured(pair, known, ends.get(place), terms[name].loss if name in terms else None)
        found.append(Cost(name if len(names) > 1 else "", measure, *values))
    some = any(cost.measure != NEARNESS for cost in found)
    return [Cost(c.output, c.measure, c.before, c.after, not some or c.measure != NEARNESS) for c in found]


def _target_for(term: Term | None, target: Any) -> Array | None:
    """What of a batch's targets an output is compared with; None for nothing."""
    if term is None or term.constant is not None or not term.takes_data:
        return None
    if isinstance(target, dict):
        target = target.get(term.target_of(tuple(target)), next(iter(target.values())))
    return target.cpu().numpy() if isinstance(target, torch.Tensor) else None


def _measured(
    pair: Sequence[Sequence[Array]], targets: Sequence[Array | None], end: End | None, loss: Loss | None
) -> tuple[str, tuple[float, float]]:
    """What an output is measured by, and what that is before and after."""
    shares = [_share(right(x, y, end, loss) for x, y in zip(each, targets, strict=True)) for each in pair]
    if shares[0] is not None and shares[1] is not None:
        return ACCURACY, (shares[0], shares[1])
    explained = [_explained(each, targets, loss) for each in pair]
    if explained[0] is not None and explained[1] is not None:
        return EXPLAINED, (explained[0], explained[1])
    if end is not None and end.chooses:
        return NEARNESS, (1.0, float(np.mean([np.mean(a == b) for a, b in zip(*pair, strict=True)])))
    return NEARNESS, (1.0, 1.0 - away(pair[1], pair[0]))


def _share(right: Iterable[Array | None]) -> float | None:
    """The share that is right of all that counts; None where that is not known, or nothing counts."""
    found = list(right)
    flat = np.concatenate([x.reshape(-1) for x in found if x is not None] or [np.zeros(0)])
    return float(flat.mean()) if flat.size and all(x is not None for x in found) else None


def _explained(outputs: Sequence[Array], targets: Sequence[Array | None], loss: Loss | None) -> float | None:
    """The share of a target's variance that is explained; None for what is no plain number, or always the same."""
    pairs = [(x.astype(np.float64), y) for x, y in zip(outputs, targets, strict=True) if y is not None]
    if loss is None or not loss.scales or len(pairs) < len(outputs) or any(x.size != y.size for x, y in pairs):
        return None
    known = np.concatenate([y.reshape(len(y), -1) for _, y in pairs]).astype(np.float64)
    wrong = np.concatenate([x.reshape(len(y), -1) for x, y in pairs]) - known
    spread = float(np.square(known - known.mean(0)).sum())
    return 1 - float(np.square(wrong).sum()) / spread if spread else None


def numbers(output: Array, end: End | None) -> Array:
    """An output as numbers: of classes that are given by their names, those of their places."""
    if end is None or not end.names:
        return output
    known = {name: number for number, name in enumerate(end.names)}
    return np.array([known[x] for x in output.flat], np.int64).reshape(output.shape)


def right(output: Array, target: Array | None, end: End | None, loss: Loss | None) -> Array | None:
    """Whether the class is the right one, at each place that counts; None where the output tells no such classes."""
    if target is None:
        return None
    found: Array
    axis = end.axis if end is not None else loss.class_axis(output.ndim) if loss is not None else 1
    if loss is not None and loss.target_kind == "class" and target.dtype.kind == "f" and target.ndim > axis:
        target = target.argmax(axis)  # of a share for each class
    kept = target != loss.ignored() if loss is not None else np.ones(target.shape, bool)
    chosen = numbers(output, end)
    if target.dtype != np.int64:  # yes or no
        made = loss is not None and loss.wants == "probabilities"
        if loss is None or not (made or loss.activation == "sigmoid") or not np.isin(target, (0, 1)).all():
            return None
        least = 0.5 if end is not None and (end.chooses or end.activation == "sigmoid") else loss.yes_over
        found = chosen > least
        found = found.reshape(target.shape) if found.size == target.size else found
    elif chosen.dtype.kind == "f":
        if output.ndim != target.ndim + 1 or output.ndim < 2:
            return None
        found = output.argmax(axis)
    else:
        found = chosen
    return (found == target)[kept] if found.shape == target.shape else None
