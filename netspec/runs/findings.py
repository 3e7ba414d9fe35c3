"""Findings: what the network of a run does on data whose targets are known, sample by sample."""

from __future__ import annotations

import base64
import io
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final, Literal

import numpy as np
import torch
from torch import nn

from netspec.layers.windows import CHANNELS
from netspec.runtime.data.split import Data, Split
from netspec.runtime.network.several_views import averaged
from netspec.runtime.train.criterion import Criterion, predictions
from netspec.runtime.train.loss import Objective
from netspec.runtime.train.tally import batch_size
from netspec.spec import Spec

SAMPLES: Final = 20_000
"""Samples that are looked at, at most: the first of the part."""
PLACES: Final = 5_000_000
"""Classes that are told apart at all places of these samples, at most."""
AT_ONCE: Final = 20_000_000
"""Numbers that the network is to give for a batch, at most, where a sample has fewer."""
MISTAKEN: Final = 12
"""Samples that are shown."""
CURVE: Final = 200
"""Points of a curve, at most."""
DOTS: Final = 600
"""Predictions of numbers that are shown beside what was true."""
BINS: Final = 10
"""Stretches of confidence that calibration is measured over."""
SIDE: Final = 96
"""Points that the picture of a sample has along its longer side, at most."""
SHOWN: Final = 8
"""Values of a sample that are shown, of one that is no image and no text."""
COLUMNS: Final = 6
"""Numbers of an output that are looked at one by one."""
NAMED: Final = 200
"""Classes that a table of confusions tells apart, at most."""

Array = np.ndarray[Any, Any]
Part = Literal["train", "val", "test"]


@dataclass(slots=True)
class _Gathered:
    """What was compared of one output: a row for each sample."""

    criterion: Criterion
    scores: list[Array] = field(default_factory=list)
    """Probabilities with the classes on the last axis, or numbers in the target's own units."""
    targets: list[Array] = field(default_factory=list)


def findings(spec: Spec, module: nn.Module, objective: Objective, data: Data, seconds: float = inf) -> dict[str, Any]:
    """What a network does on the validation data, or where nothing is held out on what it learnt from.

    `module` is in evaluation mode and on the device of the data; its `objective` says what outputs are compared with.
    After so many `seconds` no further batch is looked at.
    Plain data: the `part`, how many `samples` of it were looked at, and for each output that is compared with classes,
    labels or numbers what was found, by the name of its loss.
    """
    part: Part = "val" if data.val is not None else "train"
    split = data.val or data.train
    drawn = spec.experiment.data.draw if spec.experiment.data is not None else {}
    if drawn:  # what such a network is given says nothing of what it should give
        return {"part": part, "samples": 0, "of": len(split), "outputs": []}
    train = spec.experiment.train
    forward = averaged(module, train.evaluate.views if train is not None else None)
    gathered, count = _gather(forward, objective, split, len(spec.graph.inputs), seconds)
    shown = _Shown(spec, data, split)
    found = [_found(name, each, data.learnt, shown) for name, each in gathered.items()]
    return {"part": part, "samples": count, "of": len(split), "outputs": [each for each in found if each]}


def _gather(
    module: Callable[..., Any], objective: Objective, split: Split, taken: int, seconds: float
) -> tuple[dict[str, _Gathered], int]:
    """What each loss compares over the first samples of a part, and how many those are.

    `taken` is how many of the data's inputs the network takes. Losses that compare with something of the step, such
    as a teacher's outputs, or samples with each other, say nothing of a sample.
    """
    found: dict[str, _Gathered] = {}
    count, places, began = 0, 0, time.perf_counter()
    with torch.inference_mode():
        for inputs, target in split.batches(_size(module, split, taken)):
            outputs = module(*inputs[:taken])  # those behind are for further passes
            for criterion, given in objective.present(outputs):
                if criterion.loss.target_kind not in READ or not criterion.term.takes_data:
                    continue
                scores = criterion.scores(given)
                if criterion.loss.target_kind != "value":
                    scores = criterion.loss.probabilities(scores)
                own = criterion.compared(given, outputs, target)
                if criterion.loss.target_kind == "class":
                    if own.ndim == scores.ndim:  # a share for each class
                        own = own.argmax(1)
                    scores = scores.movedim(1, -1)
                each = found.setdefault(criterion.term.name, _Gathered(criterion))
                each.scores.append(scores.float().cpu().numpy())
                each.targets.append(own.cpu().numpy())
                places += scores.numel()
            count += len(inputs[0])
            if count >= SAMPLES or places >= PLACES or time.perf_counter() - began > seconds:
                break
    return found, count


def _size(module: Callable[..., Any], split: Split, taken: int) -> int:
    """Samples in a batch: fewer than in evaluation where the network gives many numbers of each, as of many classes."""
    inputs, _ = split.batch(torch.arange(min(1, len(split))))
    numbers: int = sum(x.numel() for x in predictions(module(*inputs[:taken])))
    return max(1, min(batch_size(split, 64), AT_ONCE // max(1, numbers)))


def _found(name: str, gathered: _Gathered, learnt: Mapping[str, Any], shown: _Shown) -> dict[str, Any]:
    """What was found of one output; nothing where its scores and targets do not have one form."""
    scores, targets = np.concatenate(gathered.scores), np.concatenate(gathered.targets)
    kind = gathered.criterion.loss.target_kind
    own = learnt.get("losses", {}).get(name, {}) if name else learnt
    classes = learnt.get("classes")
    if name and (known := learnt.get("targets")):
        target = gathered.criterion.term.target_of((known["lead"],)) if known["lead"] else ""
        classes = known["classes"].get(target, classes if target in ("", known["lead"]) else None)
    if kind == "label" and "positive" in own and scores.size == len(scores):
        yes = scores.reshape(-1)
        scores, targets = np.stack([1 - yes, yes], -1), targets.reshape(-1).round().astype(np.int64)
        kind = "class"
    if kind == "class" and targets.shape != scores.shape[:-1]:
        return {}
    if kind != "class" and targets.shape != scores.shape:
        return {}
    return {"name": name, **READ[kind](scores, targets, classes, gathered.criterion, shown)}


# --- classes ------------------------------------------------------------------------------------


def _of_classes(
    scores: Array, targets: Array, classes: Sequence[str] | None, criterion: Criterion, shown: _Shown
) -> dict[str, Any]:
    """Confusions, calibration, curves of two classes and the most mistaken samples.

    `scores` are probabilities, samples x places x classes, `targets` class numbers, samples x places; places that the
    loss skips are left out. The most mistaken sample is the one whose true classes were held to be least likely: by
    the geometric mean over its places, which is the exponential of its negative cross-entropy.
    """
    count = scores.shape[-1]
    names = [*(classes or ())][:count]
    names += [f"class {i}" if classes else str(i) for i in range(len(names), count)]
    flat, truth = scores.reshape(-1, count), targets.reshape(-1).astype(np.int64)
    known = (truth >= 0) & (truth < count) & (truth != criterion.loss.ignored())
    chosen, sure = flat.argmax(-1), flat.max(-1)
    pairs, times = np.unique(truth[known] * count + chosen[known], return_counts=True)
    found: dict[str, Any] = {"kind": "class", "classes": names, "places": int(known.sum())}
    found["confusions"] = [[int(p) // count, int(p) % count, int(n)] for p, n in zip(pairs, times, strict=True)]
    found["calibration"] = _calibration(sure[known], (chosen == truth)[known])
    if count == 2:
        found["curves"] = _curves(flat[known, 1], truth[known] == 1)
    held = np.where(known, flat[np.arange(len(flat)), np.where(known, truth, 0)], 1.0).reshape(len(scores), -1)
    chance = np.exp(np.log(np.clip(held, 1e-12, None)).mean(1))
    wrong = (np.where(known, chosen != truth, False)).reshape(len(scores), -1)
    order = [int(i) for i in np.argsort(chance, kind="stable")[:MISTAKEN] if wrong[i].any()]
    alone = scores.ndim == 2
    found["mistaken"] = [
        {
            **shown.sample(i),
            "chance": float(chance[i]),
            **(
                {"truth": names[truth[i]], "said": names[chosen[i]], "share": float(sure[i])}
                if alone
                else {"wrong": int(wrong[i].sum()), "places": int(known.reshape(len(scores), -1)[i].sum())}
            ),
        }
        for i in order
    ]
    return found


def _calibration(sure: Array, right: Array) -> list[dict[str, float]]:
    """How often predictions are right for how sure they are, in stretches of equal width.

    The reliability diagram of Guo, Pleiss, Sun and Weinberger 2017, "On calibration of modern neural networks"; the
    mean difference of both, weighted by the counts, is the expected calibration error. `sure` is the probability of
    what was said, `right` whether it is true, both of one axis. Empty stretches are left out.
    """
    place = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    held = [(place == i) for i in range(BINS)]
    return [
        {"count": int(rows.sum()), "sure": float(sure[rows].mean()), "right": float(right[rows].mean())}
        for rows in held
        if rows.any()
    ]


def _curves(score: Array, yes: Array) -> dict[str, Any]:
    """The ROC and the precision-recall curve of the second of two classes, with the areas under them.

    `score` is its probability, `yes` whether it is true, both of one axis; equal scores are one threshold. The area
    under the ROC is exact, by trapezoids. Of precision and recall it is the average precision, the sum of precision
    over steps of recall, as scikit-learn has it; curves of more points are thinned after that. `share` is how often it
    is true, which is the precision of saying so always.
    """
    order = np.argsort(-score, kind="stable")
    score, yes = score[order], yes[order]
    ends = np.append(np.nonzero(np.diff(score))[0], len(score) - 1)  # equal scores are one threshold
    hits = np.cumsum(yes)[ends].astype(float)
    misses = (ends + 1 - hits).astype(float)
    positives, negatives = max(float(yes.sum()), 1e-9), max(float((~yes).sum()), 1e-9)
    recall, fall = np.append(0, hits / positives), np.append(0, misses / negatives)
    precision = hits / (ends + 1)
    area = float(((fall[1:] - fall[:-1]) * (recall[1:] + recall[:-1]) / 2).sum())
    average = float(((recall[1:] - recall[:-1]) * precision).sum())
    some = np.unique(np.linspace(0, len(ends), CURVE).round().astype(int))
    less = np.unique(np.linspace(0, len(ends) - 1, CURVE).round().astype(int))
    return {
        "roc": [[float(fall[i]), float(recall[i])] for i in some],
        "precision": [[float(recall[1:][i]), float(precision[i])] for i in less],
        "area": area,
        "average": average,
        "share": float(yes.mean()) if len(yes) else 0.0,
    }


# --- labels -------------------------------------------------------------------------------------


def _of_labels(
    scores: Array, targets: Array, classes: Sequence[str] | None, criterion: Criterion, shown: _Shown
) -> dict[str, Any]:
    """What is right and wrong of each of several labels at one half, and the most mistaken samples.

    `scores` are probabilities, `targets` 0 and 1, both samples x labels, or samples x places of a mask, whose places
    are taken together.
    """
    flat, truth = scores.reshape(len(scores), -1), targets.reshape(len(targets), -1) > 0.5
    said = flat > 0.5
    few = flat.shape[1] <= NAMED and scores.ndim == 2
    names = [*(classes or ())] if classes and len(classes) == flat.shape[1] else [str(i) for i in range(flat.shape[1])]
    if not few:  # a mask: every point says the same of something
        flat, truth, said, names = flat.reshape(-1, 1), truth.reshape(-1, 1), said.reshape(-1, 1), [""]
    labels = [
        {
            "name": name,
            "hits": int((said & truth)[:, i].sum()),
            "false": int((said & ~truth)[:, i].sum()),
            "missed": int((~said & truth)[:, i].sum()),
            "none": int((~said & ~truth)[:, i].sum()),
        }
        for i, name in enumerate(names)
    ]
    held = np.where(truth, flat, 1 - flat).reshape(len(scores), -1)
    chance = np.exp(np.log(np.clip(held, 1e-12, None)).mean(1))
    wrong = (said != truth).reshape(len(scores), -1).sum(1)
    order = [int(i) for i in np.argsort(chance, kind="stable")[:MISTAKEN] if wrong[i]]
    mistaken = [
        {**shown.sample(i), "chance": float(chance[i]), "wrong": int(wrong[i]), "places": int(held.shape[1])}
        for i in order
    ]
    return {"kind": "label", "labels": labels, "mistaken": mistaken}


# --- numbers ------------------------------------------------------------------------------------


def _of_values(
    scores: Array, targets: Array, classes: Sequence[str] | None, criterion: Criterion, shown: _Shown
) -> dict[str, Any]:
    """How far numbers are from what was true, in their own units, and the samples that are furthest.

    Both are samples x numbers, or of more axes. `explained` is the coefficient of determination, R²: one less the mean
    squared error over the variance of what is true; None where that is 0. Of more than a few numbers each is not
    looked at by itself.
    """
    said, truth = (x.reshape(len(x), -1).astype(np.float64) for x in (scores, targets))
    apart = said - truth
    columns = []
    each = range(apart.shape[1]) if apart.shape[1] <= COLUMNS else ()
    for i in each:
        some = np.unique(np.linspace(0, len(said) - 1, DOTS).round().astype(int))
        spread = float(((truth[:, i] - truth[:, i].mean()) ** 2).mean())
        counts, edges = np.histogram(apart[:, i], 24)
        columns.append(
            {
                "name": shown.label(i, apart.shape[1]),
                "mean": float(np.abs(apart[:, i]).mean()),
                "root": float(np.sqrt((apart[:, i] ** 2).mean())),
                "bias": float(apart[:, i].mean()),
                "explained": 1 - float((apart[:, i] ** 2).mean()) / spread if spread else None,
                "pairs": [[float(truth[j, i]), float(said[j, i])] for j in some],
                "counts": [int(n) for n in counts],
                "edges": [float(e) for e in edges],
            }
        )
    far = np.sqrt((apart**2).mean(1))
    order = [int(i) for i in np.argsort(-far, kind="stable")[:MISTAKEN]]
    alone = apart.shape[1] == 1
    mistaken = [
        {**shown.sample(i), **({"truth": _short(truth[i, 0]), "said": _short(said[i, 0])} if alone else {})}
        | {"apart": float(far[i])}
        for i in order
    ]
    return {"kind": "value", "columns": columns, "mean": float(np.abs(apart).mean()), "mistaken": mistaken}


READ: Final = {"class": _of_classes, "label": _of_labels, "value": _of_values}
"""What looks at an output, by what its target says."""


# --- samples ------------------------------------------------------------------------------------


class _Shown:
    """Samples as a person sees them: pictures, texts, or some of their values."""

    def __init__(self, spec: Spec, data: Data, split: Split) -> None:
        self.split, self.learnt, self.root = split, data.learnt, spec.root
        section = spec.experiment.data
        self.source = section.source if section is not None else None
        self.names: Sequence[str] = data.learnt.get("inputs", {}).get("names", ())

    def label(self, place: int, count: int) -> str:
        """What a number of the output is called."""
        columns = tuple(self.source.columns_of("")) if self.source is not None else ()
        return columns[place] if len(columns) == count else "" if count == 1 else str(place)

    def sample(self, row: int) -> dict[str, Any]:
        """Where a sample stands, and what it looks like: `picture`, `text` or `values`."""
        found: dict[str, Any] = {"where": self.split.origin.at(row, 0).replace(f"{self.root}{os.sep}", "")}
        values: list[str] = []
        for place, column in enumerate(self.split.inputs):
            x = column[row : row + 1][0]
            held = x.cpu().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)
            if "picture" not in found and (image := _image(held)) is not None:
                found["picture"] = _png(image)
            elif "text" not in found and (text := self._text(held)):
                found["text"] = text
            elif held.ndim <= 1:
                name = self.names[place] if place < len(self.names) else ""
                values += self._values(held.reshape(-1), name)
        if values and "picture" not in found:
            found["values"] = values[:SHOWN] + ["…"] * (len(values) > SHOWN)
        return found

    def _values(self, row: Array, name: str) -> Iterator[str]:
        """Some of the numbers of a sample in their own units, with the names of their columns where they have some."""
        columns = self.learnt.get("columns", {})
        numbers, categories = [*columns.get("numbers", ())], columns.get("categories", {})
        if row.dtype.kind == "i" and len(categories) == len(row):
            known = ["any other", *(text for texts in categories.values() for text in texts)]
            yield from (f"{head} {known[i]}" for head, i in zip(categories, row, strict=True) if i < len(known))
            return
        for step in self.learnt.get("transform", ()):
            by = (step or {}).get("Normalize", {})
            if row.dtype.kind == "f" and all(np.size(by.get(key)) == len(row) for key in ("mean", "std")):
                row = row * np.asarray(by["std"]) + np.asarray(by["mean"])
        heads = numbers if len(numbers) == len(row) else [name] if len(row) == 1 else [""] * len(row)
        yield from (f"{head} {_short(value)}".strip() for head, value in zip(heads, row, strict=True))

    def _text(self, row: Array) -> str:
        """A text whose tokens have names; empty for anything else."""
        tokens = self.learnt.get("classes") or ()
        lines = self.source is not None and self.source.said == "text"
        if not lines or row.ndim != 1 or row.dtype.kind != "i" or not len(row) or row.max() >= len(tokens):
            return ""
        names = [tokens[i] for i in row[:400]]
        return ("" if max(map(len, names)) == 1 else " ").join(names)


def _short(value: float) -> str:
    """A number in few digits."""
    return f"{float(value):.4g}"


def _image(x: Array) -> Array | None:
    """Bytes of height x width, or height x width x 3, of a sample that is an image; None of any other."""
    if x.ndim == 2 and min(x.shape) >= 4 and x.dtype.kind != "i":
        x = x[None]
    if x.ndim != 3:
        return None
    if x.shape[0] not in CHANNELS:
        if x.shape[2] not in CHANNELS:
            return None
        x = x.transpose(2, 0, 1)
    if min(x.shape[1:]) < 4:
        return None
    x = x[:3] if len(x) >= 3 else x[:1]
    x = x.astype(np.float32)
    low, high = float(x.min()), float(x.max())
    low = 0.0 if low >= 0 else low
    scaled = (x - low) / ((high - low) or 1.0) * 255
    step = max(1, -(-max(x.shape[1:]) // SIDE))
    return scaled[:, ::step, ::step].round().astype(np.uint8).transpose(1, 2, 0)


def _png(image: Array) -> str:
    """An image as the text of a PNG, in base64."""
    from PIL.Image import fromarray

    stream = io.BytesIO()
    fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode("ascii")
