"""What a network says of samples, whatever computed it: probabilities of classes, or values. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from netspec.datasets.base import numbered
from netspec.displays import Displayed
from netspec.errors import DataError
from netspec.runtime.data.handed import Handed
from netspec.sections.objective import Term
from netspec.spec import Spec
from netspec.words import printable

Array = np.ndarray[Any, Any]
WORDS: Final = "U"
"""The kind of values that are classes by their names, chosen already."""
TOLD: Final = 5
"""Samples that a text of a prediction tells."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a network gives as one output, a row for each sample; the fields are those of a Prediction."""

    values: Array
    classes: tuple[str, ...] | None = None
    axis: int = 1
    labels: tuple[str, ...] = ()

    @property
    def shares(self) -> Array | None:
        """The probabilities with the classes on the last axis; None where nothing is chosen from classes."""
        if self.classes is None or self.values.ndim <= self.axis:
            return None
        return np.moveaxis(self.values, self.axis, -1)

    def places(self) -> Array | None:
        """The name of the likeliest class of each place of each sample; None where nothing is chosen from classes."""
        if self.values.dtype.kind == WORDS:
            return self.values
        shares = self.shares
        return None if shares is None else np.array(self.classes, dtype=object)[shares.argmax(-1)]

    def best(self, count: int) -> list[list[tuple[str, float]]] | None:
        """For each sample its likeliest classes with their probabilities; None where a sample has no one class."""
        if self.classes is None or self.values.ndim != 2 or self.axis != 1:
            return None
        order = np.argsort(-self.values, axis=1, kind="stable")[:, :count]
        pairs = zip(self.values, order, strict=True)
        return [[(self.classes[i], float(row[i])) for i in places] for row, places in pairs]


@dataclass(frozen=True, slots=True, repr=False)
class Prediction(Displayed):
    """What a network gives for samples, by the names of its outputs, a row for each sample.

    The first output holds probabilities where the loss knows some, those of `classes` on its `axis`, of no and yes too;
    these are their names, None where nothing is chosen from classes. `labels` names the values of the first output that
    are no choice: the target's columns, or labels of which several may hold. `names` says what each sample is called,
    by column: its file, its ids; nothing where only its number tells it from others. `told` is what one should know.
    """

    outputs: dict[str, np.ndarray[Any, Any]]
    """Samples first; probabilities where the loss knows such."""
    classes: tuple[str, ...] | None
    """The names of the classes, in the order of the axis that holds them."""
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    axis: int = 1
    """The axis of the classes."""
    labels: tuple[str, ...] = ()
    start: int = 0
    """The number of the first of them, for a piece of many."""
    told: tuple[str, ...] = ()
    """Lines for a person, about what was converted or looks odd."""
    answers: Mapping[str, Answer] = field(default_factory=dict)
    """What each output says, where several are trained by losses of their own; the first holds the fields above."""

    def __repr__(self) -> str:
        """How many samples it is of, and what is said of the first ones."""
        best = self.best(1)
        shapes = ", ".join(f"{name} {' x '.join(map(str, held.shape))}" for name, held in self.outputs.items())
        said = ", ".join(f"{name} {share:.1%}" for ((name, share),) in (best or ())[:TOLD])
        more = ", ..." if best and len(best) > TOLD else ""
        count = f"{len(self.first):,} sample{'' if len(self.first) == 1 else 's'}"
        return f"<Prediction of {count}: {said + more if best else shapes}>"

    @property
    def first(self) -> np.ndarray[Any, Any]:
        """The first output, samples first."""
        return next(iter(self.outputs.values()))

    @property
    def files(self) -> tuple[str, ...] | None:
        """The samples' own files, where each has one."""
        return tuple(self.names["file"]) if "file" in self.names else None

    @property
    def shares(self) -> np.ndarray[Any, Any] | None:
        """The probabilities with the classes on the last axis; None where nothing is chosen from classes."""
        return self._answer.shares

    def places(self) -> np.ndarray[Any, Any] | None:
        """The name of the likeliest class of each place of each sample; None where nothing is chosen from classes."""
        return self._answer.places()

    def best(self, count: int) -> list[list[tuple[str, float]]] | None:
        """For each sample its likeliest classes with their probabilities; None where a sample has no one class."""
        return self._answer.best(count)

    @property
    def _answer(self) -> Answer:
        """What the first output says."""
        return Answer(self.first, self.classes, self.axis, self.labels)


def told(
    spec: Spec,
    learnt: Mapping[str, Any],
    new: Handed,
    label: str,
    batches: Iterable[tuple[Mapping[str, Array], Mapping[str, tuple[Term, int]]]],
) -> Iterator[Prediction]:
    """What a network says of the samples in `label`, a batch at a time: of the first what a person should know, too.

    Each batch has what the network gives, samples first, probabilities where a loss knows some; and for each output
    that a loss compares that, with the axis of the classes. Raises DataError for what is no number.
    """
    train = spec.experiment.train
    start, several = 0, train is not None and any(term.name for term in train.terms)
    for outputs, known in batches:
        answers = {name: _answer(spec, learnt, values, *known.get(name, (None, 1))) for name, values in outputs.items()}
        first = next(iter(answers.values()))
        rows = slice(start, start + len(first.values))
        names = {name: column[rows] for name, column in new.names.items()}
        about: dict[str, Any] = {"names": names, "axis": first.axis, "labels": first.labels}
        held = {name: answer.values for name, answer in answers.items()}
        found = Prediction(held, first.classes, **about, told=new.told if not start else (), start=start,
                           answers=answers if several else {})  # fmt: skip
        _need_finite(found, label)
        yield found
        start = rows.stop


def called(new: Handed, label: str, row: int) -> str:
    """A sample of those in `label`, as a message calls it: its file, its line, its ids, or else its number."""
    return named(new.names, row) or f"{label}, row {row}"


def named(names: Mapping[str, Sequence[str]], row: int) -> str:
    """What a sample is called by these columns; empty where there are none."""
    return printable(", ".join(str(column[row]) for column in names.values()))


def joined(pieces: Iterable[Prediction]) -> Prediction:
    """What was said of all samples, from what was said of them in pieces."""
    first, *rest = pieces
    if not rest:
        return first
    found = [first, *rest]
    outputs = {name: np.concatenate([each.outputs[name] for each in found]) for name in first.outputs}
    answers = {
        name: replace(answer, values=np.concatenate([each.answers[name].values for each in found]))
        for name, answer in first.answers.items()
    }
    names = {name: [word for each in found for word in each.names[name]] for name in first.names}
    return replace(first, outputs=outputs, answers=answers, names=names)


def _answer(spec: Spec, learnt: Mapping[str, Any], values: Array, term: Term | None, axis: int) -> Answer:
    """What the values of an output say, which a loss compared in training."""
    if term is None or values.dtype.kind == WORDS:
        return Answer(values)
    target, own, classes = "", learnt, learnt.get("classes")
    if term.name:
        own = learnt.get("losses", {}).get(term.name, {})
        known = learnt.get("targets", {"lead": "", "classes": {}})
        target = term.target_of((known["lead"],)) if known["lead"] else ""
        classes = known["classes"].get(target, classes if target in ("", known["lead"]) else None)
    answers = "positive" in own and term.loss.target_kind == "label"
    if answers:  # as of two classes, of which yes is the second
        yes, axis = values.reshape(-1), 1
        values = np.stack([1 - yes, yes], 1)
    chosen = answers or term.loss.target_kind == "class"
    count = values.shape[axis] if chosen and values.ndim > axis else 0
    named = tuple(classes or numbered(count))
    named += tuple(f"class {i}" for i in range(len(named), count))  # that no sample has, and the network tells apart
    labels = () if term.loss.target_kind == "class" else _labels(spec, values, classes, target)
    return Answer(values, named if count else None, axis, labels)


def _labels(spec: Spec, values: Array, classes: Sequence[str] | None, target: str) -> tuple[str, ...]:
    """What the values of an output are called, where the run's data has a name for each."""
    section = spec.experiment.data
    if section is None or values.ndim != 2:
        return ()
    named = classes or section.source.columns_of(target)
    return tuple(named) if len(named) == values.shape[1] else ()


def _need_finite(found: Prediction, label: str) -> None:
    """Refuse to give what is no number. Raises DataError."""
    for name, values in found.outputs.items():
        if values.dtype.kind == WORDS:
            continue
        wrong = ~np.isfinite(values).reshape(len(values), -1).all(1)
        if wrong.any():
            row = int(wrong.argmax())
            sample = named(found.names, row) or f"row {found.start + row}"
            text = f"{label}: {name} is not finite for {sample}, one of {int(wrong.sum()):,} such samples"
            raise DataError(f"{text}. Are their values far from those of training?")
