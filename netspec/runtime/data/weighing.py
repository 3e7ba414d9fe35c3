"""Class weights of a loss, by the names of the classes or counted on the training part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from netspec.errors import DataError, UsageError
from netspec.losses.base import BALANCED, Loss
from netspec.losses.labels import one_answer
from netspec.tensors import Tensor as Described
from netspec.words import did_you_mean, printable

if TYPE_CHECKING:
    from netspec.runtime.data.split import Split

WEIGHTS: Final = ("weight", "pos_weight")
SHOWN: Final = 8
"""How many names are told."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What targets are compared with: the loss of a run and what its network gives."""

    loss: Loss
    """With class weights still as the spec has them."""
    predictions: tuple[Described, ...]
    """The network's outputs, batch first."""
    name: str = ""
    """What the loss is told by, where there are several."""
    target: str = ""
    """Which of several targets it compares with."""

    @property
    def one_answer(self) -> bool:
        """Whether the network says yes or no, once a sample."""
        return one_answer(self.loss, self.predictions)

    def takes(self, target: Described) -> bool:
        """Whether the loss can compare such a target with what the network gives."""
        return self.loss.accepts(self.predictions, target)


def weights_of(
    compared: Compared, train: Split, classes: Sequence[str], known: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """The weights of the loss that are given by name or counted, in order, with where they come `of`."""
    found = {}
    for field in WEIGHTS:
        asked = getattr(compared.loss, field, None) if field in compared.loss.fields else None
        if asked is None or isinstance(asked, tuple):
            continue
        names = weighed(compared, field, classes)
        if asked != BALANCED:
            found[field] = {"of": "names", "values": _by_name(asked, names, field)}
        elif known.get(field, {}).get("of") == BALANCED:
            found[field] = known[field]
        else:
            counted = _rarity(compared, train, names) if field == "weight" else _lack(train, names)
            found[field] = {"of": BALANCED, "values": counted}
    return found


def settled(loss: Loss, learnt: Mapping[str, Any]) -> Loss:
    """A loss with the weights that a run has learnt in place of those by name or to be counted. Raises UsageError."""
    weights: dict[str, tuple[float, ...]] = {}
    for field in WEIGHTS:
        asked = getattr(loss, field, None) if field in loss.fields else None
        if asked is None or isinstance(asked, tuple):
            continue
        if field not in learnt.get("weights", {}):
            raise UsageError(f"{loss.said} has {field} by the data's classes, which is not known here")
        weights[field] = tuple(learnt["weights"][field]["values"])
    return loss.replace(**weights)


def weighed(compared: Compared, field: str, classes: Sequence[str]) -> list[str]:
    """What each weight of a loss is for, by name."""
    loss, prediction = compared.loss, compared.predictions[0]
    if loss.target_kind == "class":
        count = loss.classes(prediction)
    elif compared.one_answer and len(classes) == 2:
        return [classes[1]]
    else:
        count = prediction.shape[-1] if len(prediction.shape) == 2 else 1
    count = count if isinstance(count, int) else len(classes)
    return [*classes[:count], *map(str, range(len(classes), count))]


def _by_name(asked: Mapping[str, float], names: Sequence[str], field: str) -> list[float]:
    """A weight for each of the `names`, 1 where none is `asked`. Raises DataError for a name that is not there."""
    for name in asked:
        if name not in names:
            hint = did_you_mean(name, names) or f"There are: {listed(names)}."
            raise DataError(f"{field} has no {printable(name)!r} to weigh. {hint}")
    return [asked.get(name, 1.0) for name in names]


def _rarity(compared: Compared, train: Split, names: Sequence[str]) -> list[float]:
    """For each class how many samples, or places, it would have if all had as many, for one that it has.

    Raises DataError.
    """
    counts = np.zeros(len(names), np.int64)
    for target in train.targets():
        if target.is_floating_point():
            raise DataError("weight=balanced counts class numbers, the target holds probabilities. Give the weights.")
        kept = target[(target >= 0) & (target < len(names)) & (target != compared.loss.ignored())]
        counts += np.bincount(kept.flatten().cpu().numpy(), minlength=len(names))
    _need_all(counts.tolist(), names, "weight")
    return [float(counts.sum()) / (len(names) * count) for count in counts.tolist()]


def _lack(train: Split, names: Sequence[str]) -> list[float]:
    """For each label how many samples of the training part say no for one that says yes. Raises DataError."""
    yes, whole = np.zeros(len(names), np.int64), 0
    for target in train.targets():
        rows = (target > 0.5).reshape(-1, len(names)).cpu().numpy()
        yes, whole = yes + rows.sum(0), whole + len(rows)
    _need_all(yes.tolist(), names, "pos_weight")
    if full := [name for name, count in zip(names, yes.tolist(), strict=True) if count == whole]:
        raise DataError(f"pos_weight=balanced: all samples that are trained on say {listed(full)}. Give the weights.")
    return [(whole - count) / count for count in yes.tolist()]


def _need_all(counts: Sequence[int], names: Sequence[str], field: str) -> None:
    """Refuse to count weights where a class has no sample. Raises DataError."""
    if missing := [name for name, count in zip(names, counts, strict=True) if not count]:
        text = f"{field}=balanced: the training part has no sample of {listed(missing)}"
        raise DataError(f"{text}, so its weight has no bound. Give weights by name, or take data that has some.")


def listed(names: Sequence[str]) -> str:
    """The first of many names."""
    return ", ".join(map(printable, names[:SHOWN])) + ", ..." * (len(names) > SHOWN)
