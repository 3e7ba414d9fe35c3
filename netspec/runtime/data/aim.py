"""The target: what it is taken for, yes and no of two classes, and all that the training part teaches of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import torch

from netspec.errors import DataError
from netspec.losses.base import BALANCED
from netspec.runtime.data.scale import learn
from netspec.runtime.data.split import Data, Split
from netspec.runtime.data.weighing import Compared, weighed, weights_of
from netspec.sections.aim import Aim
from netspec.words import printable

SHOWN: Final = 8
"""How many numbers are told."""


def aimed(data: Data, aim: Aim, compared: Sequence[Compared], known: Mapping[str, Any]) -> Data:
    """The data with all that its training part teaches of its targets, as plain data to keep with a run.

    What is learnt for one of several losses is kept by that loss's name. Raises DataError.
    """
    if not any(each.name for each in compared):
        return _aimed(data, aim, compared[0] if compared else None, known)
    first = data.led_by("")
    train = replace(data.train, strata=strata(first.train, first.classes or ())) if aim.sample else data.train
    before, losses, lines = known.get("losses", {}), dict[str, Any](), list(data.told)
    for each in compared:
        own = replace(data.led_by(each.target), learnt={}, told=())
        leads = each.target not in data.train.others
        scaled = aim.scale_target if each.loss.scales else None
        said = Aim(scale_target=scaled, positive=aim.positive if leads else None)
        done = _aimed(own, said, each, before.get(each.name, {}))
        if done.learnt:
            losses[each.name] = done.learnt
        lines += [f"{each.name}: {line}" for line in done.told]
    learnt = {**data.learnt, **({"losses": losses} if losses else {})}
    return replace(data, train=train, learnt=learnt, told=tuple(lines))


def _aimed(data: Data, aim: Aim, compared: Compared | None, known: Mapping[str, Any]) -> Data:
    """The data with all that its training part teaches of the target, as plain data to keep with a run.

    That are the `scale` of its numbers, the `weights` of the loss and the `positive` one of two classes, where there
    is such. `known` is what a run has learnt before, and empty where it begins. Raises DataError.
    """
    classes, learnt = data.classes or (), dict(data.learnt)
    if known and (aim.scale_target is not None) != ("scale" in known):
        was = "a scaled target" if "scale" in known else "the target as it is"
        raise DataError(f"the run was trained on {was}, data.scale_target says otherwise. Begin another run.")
    if aim.scale_target is not None:
        learnt["scale"] = known.get("scale") or learn(data.train, compared.loss if compared else None)
    weights = weights_of(compared, data.train, classes, known.get("weights", {})) if compared is not None else {}
    if weights:
        learnt["weights"] = weights
    answers = compared is not None and compared.one_answer
    if len(classes) == 2 and (answers or aim.positive is not None):
        learnt["positive"] = classes[1]
    train = replace(data.train, strata=strata(data.train, classes)) if aim.sample else data.train
    data = replace(data, train=train, learnt=learnt)
    return replace(data, told=(*data.told, *told(data, compared)))


def strata(train: Split, classes: Sequence[str]) -> tuple[torch.Tensor, ...]:
    """The samples of each class that the training part has, as their numbers: int64, one axis.

    Classes without a sample are left out. Raises DataError for a target of other than classes.
    """
    target = torch.cat([each.cpu() for each in train.targets()])
    if target.is_floating_point() and len(classes) == 2 and target.shape[1:] in ((), (1,)):
        target = (target.flatten() > 0.5).long()
    if not classes or target.dtype != torch.int64 or target.ndim != 1:
        raise DataError("sample: balanced draws from classes, one a sample, the target is no such. Drop data.sample.")
    found = [(target == number).nonzero().flatten() for number in range(len(classes))]
    return tuple(rows for rows in found if len(rows))


def told(data: Data, compared: Compared | None) -> Iterator[str]:
    """What a person should know of how the target is taken, before anything is trained."""
    classes = data.classes or ()
    if "positive" in data.learnt:
        no, yes = map(printable, classes)
        yield f"positive: {yes}, which is 1 and what binary metrics measure; negative: {no}"
        if compared is not None and compared.one_answer:
            yield from _missing(data, classes)
    if scale := data.learnt.get("scale"):
        pairs = [f"mean {m:.6g}, deviation {d:.6g}" for m, d in zip(*scale.values(), strict=True)]
        shown = "; ".join(pairs[:SHOWN]) + "; ..." * (len(pairs) > SHOWN)
        yield f"target: trained on with {shown} taken out; losses are of the scaled numbers, metrics in its own units"
    for field, weights in data.learnt.get("weights", {}).items():
        assert compared is not None
        pairs = [
            f"{printable(name)} {value:.4g}"
            for name, value in zip(weighed(compared, field, classes), weights["values"], strict=True)
        ]
        shown = ", ".join(pairs[:SHOWN]) + ", ..." * (len(pairs) > SHOWN)
        yield f"{field} of the loss{', counted on the training part' * (weights['of'] == BALANCED)}: {shown}"
    if data.train.strata:
        sizes = [len(rows) for rows in data.train.strata]
        each = len(data.train) // len(sizes)
        own = f"the rarest class has {min(sizes):,}, the largest {max(sizes):,}"
        yield f"samples: about {each:,} of each class in an epoch; {own}"


def _missing(data: Data, classes: Sequence[str]) -> Iterator[str]:
    """Which of the two classes a part has no sample of."""
    for name, part in (("training", data.train), ("val", data.val), ("test", data.test)):
        if part is None or len(part) < 2:
            continue
        found = {bool(yes) for target in part.targets() for yes in (target > 0.5).unique().tolist()}
        for yes in {False, True} - found:
            yield f"the {name} part has no sample of the class {printable(classes[yes])}"
