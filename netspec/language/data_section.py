"""The `data` section: where data comes from, how it is split, transformed and augmented."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from netspec.catalogue import Catalogue, Entry
from netspec.datasets.base import Dataset, Gives
from netspec.errors import At, Path, Problem
from netspec.fields import Bool, Checked, Int, Maybe, refuse
from netspec.language.calls import Lookup, Refused, construct, long_arguments, nothing, read_entry
from netspec.language.sections import NOTHING, Places, entries_schema, entry_schema, read_entries, unknown_keys
from netspec.layers.base import Misfit, Tensor, sample
from netspec.transforms.base import Augmentation, Mixing, Step, Transform
from netspec.vocabulary import AUGMENTATIONS, DATASETS, TRANSFORMS


def _share(value: Any) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or value < 0 or (isinstance(value, float) and value >= 1):
        raise refuse("a share such as 0.1, or a whole number of samples; files for a part are named in the source")
    share: float = value
    return share


SHARE: Final = {"anyOf": [{"type": "number", "minimum": 0, "exclusiveMaximum": 1}, {"type": "integer", "minimum": 0}]}


class Split(Entry):
    """How much of the training data is held out. It depends on `seed` alone, so every run of a spec sees the same."""

    val = Maybe(Checked("share or number of samples for validation", _share, SHARE, None))
    test = Maybe(Checked("share or number of samples for the test", _share, SHARE, None))
    seed = Int("which samples are held out", 0, ge=0, le=2**32 - 1)
    stratify = Bool("keep the proportions of the classes in every part", True)


def held(share: float, total: int) -> int:
    """How many of `total` samples a share, or a number of samples, holds out."""
    return share if isinstance(share, int) else max(1, round(share * total))


UNITS: Final = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_BYTES: Final = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]?B|)", re.IGNORECASE)


def _memory(value: Any) -> int:
    found = _BYTES.fullmatch(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else None
    if found is None:
        raise refuse("bytes, as in 500MB or 2GB")
    return int(float(found[1]) * UNITS[found[2].upper()])


MEMORY: Final = {"anyOf": [{"type": "string", "pattern": r"^\d+(\.\d+)? ?[KMGTkmgt]?[Bb]$"}, {"type": "integer"}]}


class Reading(Entry):
    """How data is read. It changes how long a run takes, and never what comes of it."""

    memory = Maybe(
        Checked(
            "how much data is held in memory, as in 2GB, by default half of what the machine has; what is larger is "
            "read from its files a batch at a time",
            _memory,
            MEMORY,
            None,
            textual=True,
        )
    )
    workers = Maybe(
        Int(
            "processes that read such data ahead, and decode images, by default one fewer than there are processors; "
            "0 reads in the process that trains",
            None,
            ge=0,
            le=256,
        )
    )


KEYS: Final = {
    "source": "where the data comes from",
    "split": "what is held out of the training data",
    "transform": "what is done to all data on its way to the network",
    "augment": "random changes to training data",
    **{name: field.sentence for name, field in Reading.fields.items()},
}


@dataclass(frozen=True, slots=True)
class DataSection:
    """The checked section. Transforms run on the first input; others pass as they are."""

    source: Dataset
    split: Split
    transform: tuple[Transform, ...] = ()
    augment: tuple[Augmentation, ...] = ()
    mixing: tuple[Mixing, ...] = ()
    reading: Reading = field(default_factory=Reading)
    source_at: At = field(default=At())

    @property
    def before(self) -> tuple[Transform, ...]:
        """The transforms that come before augmentation."""
        return self.transform[: self._cut()]

    @property
    def after(self) -> tuple[Transform, ...]:
        """The transforms that come after augmentation."""
        return self.transform[self._cut() :]

    def gives(self) -> Gives:
        """What the network is given, as far as it is known without reading the data. Raises Misfit."""
        gives = self.source.gives()
        if not gives.inputs:
            return gives
        first, *rest = gives.inputs
        return replace(gives, inputs=(self.shape(first), *rest))

    def trained_on(self) -> int | None:
        """The samples that are left to train on, where that is known without reading the data."""
        total = self.source.gives().count
        if total is None:
            return None
        val = self.source.default_val if self.split.val is None else self.split.val
        return total - sum(held(share, total) for share in (val, self.split.test) if share)

    def shape(self, x: Tensor) -> Tensor:
        """What the transforms make of an input, outside training. Raises Misfit."""
        return through(self.transform, x)

    def misfits(self, inputs: Sequence[Tensor]) -> list[tuple[Step, Misfit]]:
        """Every step that does not take what the steps before it make of a source's inputs, in use and in training."""
        found: dict[int, tuple[Step, Misfit]] = {}
        x = inputs[0]
        for steps in self.chains():
            x = inputs[0]
            for step in steps:
                try:
                    x = step.shape(x)
                except Misfit as misfit:
                    found.setdefault(id(step), (step, misfit))
                    break
        for mixing in self.mixing if not found else ():
            try:
                mixing.fit((x, *inputs[1:]))
            except Misfit as misfit:
                found[id(mixing)] = mixing, misfit
        return list(found.values())

    def chains(self) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        """All steps in order: those of validation and use, and those of training."""
        return self.transform, (*self.before, *self.augment, *self.after)

    def _cut(self) -> int:
        return next((i for i, step in enumerate(self.transform) if not step.before_augment), len(self.transform))


def through(steps: Sequence[Step], x: Tensor) -> Tensor:
    """What steps make of an input. Raises Misfit."""
    for step in steps:
        x = step.shape(x)
    return x


def read_data(data: Any, path: Path = ("data",), lookup: Lookup = nothing) -> tuple[DataSection | None, list[Problem]]:
    """The `data` section and everything that is wrong with it; None where that leaves no section.

    `data` is the source alone, as a row, or a mapping with the keys of KEYS.
    """
    if isinstance(data, str):
        return _section({"source": data}, path, lookup, {"source": path})
    if not isinstance(data, dict):
        hint = "For example: data: {source: digits}"
        return None, [Problem("bad-section", "data holds a source, alone or with split and transform", At(path), hint)]
    return _section(data, path, lookup, {key: (*path, key) for key in KEYS})


def _section(
    data: dict[str, Any], path: Path, lookup: Lookup, paths: dict[str, Path]
) -> tuple[DataSection | None, list[Problem]]:
    problems = unknown_keys(data, KEYS, path)
    source: Dataset | None = None
    split: Split | None = None
    if data.get("source") is None:
        hint = f"For example: source: {DATASETS.words()[0]}. There are: {', '.join(DATASETS.words())}."
        problems.append(Problem("no-source", "data has no source", At(path), hint))
    else:
        try:
            source, _ = read_entry(data["source"], paths["source"], DATASETS, lookup)
        except Refused as refused:
            problems += refused.problems
    reading: Reading | None = None
    try:
        split = _read_split(data.get("split"), (*path, "split"), lookup)
    except Refused as refused:
        problems += refused.problems
    try:
        given = {key: data[key] for key in Reading.fields if key in data}
        reading = construct(Reading, long_arguments(given, Reading, lookup, path, "data"), At(path))
    except Refused as refused:
        problems += refused.problems
    steps, wrong = _steps(data, "transform", path, TRANSFORMS, lookup)
    random, more = _steps(data, "augment", path, AUGMENTATIONS, lookup)
    augment = tuple(s for s, _ in random if isinstance(s, Augmentation))
    mixing = tuple(s for s, _ in random if isinstance(s, Mixing))
    problems += [*wrong, *more]
    whole = len(steps) == _count(data.get("transform")) and len(random) == _count(data.get("augment"))
    if source is None or split is None or reading is None or problems or not whole:
        return None, problems
    transform = tuple(s for s, _ in steps)
    section = DataSection(source, split, transform, augment, mixing, reading, At(paths["source"]))
    return section, _misfits(section, {id(step): places for step, places in (*steps, *random)})


def _count(value: Any) -> int:
    """How many entries stand under a key."""
    return len(value) if isinstance(value, list) else int(value is not None)


def _read_split(value: Any, path: Path, lookup: Lookup) -> Split:
    at = At(path)
    if value is None:
        return Split()
    if not isinstance(value, dict):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Refused(Problem("bad-value", "split holds the parts held out", at, "For example: split: {val: 0.1}"))
        value = {"val": value}
    given = long_arguments(value, Split, lookup, path, "split")
    split = construct(Split, given, at)
    if sum(s for s in (split.val, split.test) if isinstance(s, float)) >= 1:
        text = "split holds everything out, nothing is left to train on"
        raise Refused(Problem("split", text, at, "Parts are shares of 1: {val: 0.1, test: 0.1}"))
    return split


def _steps(
    data: dict[str, Any], key: str, path: Path, catalogue: Catalogue[Any], lookup: Lookup
) -> tuple[list[tuple[Any, Places]], list[Problem]]:
    """The steps under `key`; a step that belongs under the other key is told so."""
    if data.get(key) is None:
        return [], []
    entries, problems = read_entries(data[key], (*path, key), catalogue, lookup)
    other, others = ("augment", AUGMENTATIONS) if key == "transform" else ("transform", TRANSFORMS)
    told = []
    for problem in problems:
        word = problem.message.split("'")[1] if problem.code == f"unknown-{catalogue.noun}" else ""
        told.append(replace(problem, hint=f"It belongs under {other}.") if word and others.find(word) else problem)
    return entries, told


def _misfits(section: DataSection, places: dict[int, Places]) -> list[Problem]:
    """The steps that do not fit what the source is known to give, in use and in training."""
    inputs = section.source.gives().inputs
    if not inputs:
        return []
    problems = []
    for step, misfit in section.misfits(inputs):
        at = places[id(step)].get(misfit.field) or places[id(step)][None]
        problems.append(Problem(misfit.code, f"{type(step).__name__.lower()} {misfit.message}", at, misfit.hint))
    if not problems:
        use, training = (through(steps, inputs[0]) for steps in section.chains())
        if use != training:
            problems.append(_two_shapes(use, training, places[id(section.augment[-1])][None]))
    return problems


def _two_shapes(use: Tensor, training: Tensor, at: At) -> Problem:
    text = f"the network gets {sample(training.shape)} in training and {sample(use.shape)} otherwise"
    hint = "`crop` under transform cuts the middle out, after augmentation."
    return Problem("two-shapes", text, at, hint, severity="warning")


def data_schema() -> dict[str, Any]:
    """The JSON Schema of the section."""
    source = entry_schema(DATASETS, KEYS["source"])
    properties = {
        "source": source,
        "split": {"description": KEYS["split"], "anyOf": [SHARE, Split.json_schema(), NOTHING]},
        "transform": entries_schema(TRANSFORMS, KEYS["transform"]),
        "augment": entries_schema(AUGMENTATIONS, KEYS["augment"]),
        **Reading.json_schema()["properties"],
    }
    section = {"type": "object", "properties": properties, "required": ["source"], "additionalProperties": False}
    return {"description": "where the data comes from and how it is prepared", "anyOf": [source["anyOf"][0], section]}
