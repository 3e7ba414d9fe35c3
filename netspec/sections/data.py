"""The `data` section: where data comes from, how it is split, transformed and augmented."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from netspec.datasets.base import Dataset, Gives
from netspec.errors import At, Path, Problem
from netspec.language.calls import Lookup, construct, long_arguments, nothing, read_entry
from netspec.language.refusals import Refused
from netspec.machine import bytes_of
from netspec.records import Bool, Checked, Entry, Int, Maybe, Text, refuse
from netspec.sections.aim import Aim
from netspec.sections.base import NOTHING, Around, Key, Places, Section, entry_schema, unknown_keys
from netspec.sections.data_steps import read_steps, steps_schema
from netspec.sections.draw import Draw, read_draw
from netspec.tensors import Misfit, Tensor, sample
from netspec.transforms.base import TORCHS, Maps, Mixing, Step
from netspec.transforms.route import Chain, Placed, Way, Written, joined, parted, placed, way
from netspec.vocabulary import AUGMENTATIONS, DATASETS, TRANSFORMS

if TYPE_CHECKING:
    from netspec.losses.base import Loss

E_ = TypeVar("E_", bound=Entry)


def _share(value: Any) -> float:
    """A share of the samples from 0 up to, and without, 1, or a number of them."""
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or value < 0 or (isinstance(value, float) and value >= 1):
        raise refuse("a share such as 0.1, or a whole number of samples; files for a part are named in the source")
    share: float = value
    return share


def _fold(value: Any) -> tuple[int, int]:
    """`2 of 5` as the numbers 2 and 5."""
    found = _FOLD.fullmatch(value) if isinstance(value, str) else None
    place, folds = (int(found[1]), int(found[2])) if found else (0, 0)
    if not (1 <= place <= folds and folds >= 2):
        raise refuse("which of how many folds, as in 2 of 5")
    return place, folds


_FOLD: Final = re.compile(r"([1-9]\d{0,3}) of ([1-9]\d{0,3})", re.ASCII)
FOLD: Final = {"type": "string", "pattern": r"^[1-9][0-9]{0,3} of [1-9][0-9]{0,3}$"}
SHARE: Final = {"anyOf": [{"type": "number", "minimum": 0, "exclusiveMaximum": 1}, {"type": "integer", "minimum": 0}]}


class Split(Entry):
    """How much of the training data is held out. It depends on `seed` alone, so every run of a spec sees the same.

    Samples are drawn at random, those of one class in proportion. With `group` all samples of a group are in one
    part, with `time` the latest are held out. `fold` holds out one fold for validation, in place of a share: of folds
    drawn at random, or of groups, and each sample is in one of them; with `time` fold 2 of 5 trains on the first two
    of six stretches and is validated on the third.
    """

    val = Maybe(Checked("share or number of samples for validation", _share, SHARE, None))
    test = Maybe(Checked("share or number of samples for the test", _share, SHARE, None))
    seed = Int("which samples are held out", 0, ge=0, le=2**32 - 1)
    stratify = Bool("keep the proportions of the classes in every part", True)
    group = Maybe(Text("column of the source that names a group, which is in one part alone", None))
    time = Maybe(Text("column of the source that says when; what comes last is held out", None))
    fold = Maybe(Checked("the fold that is held out for validation, as in 2 of 5", _fold, FOLD, None, textual=True))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the source that it goes by."""
        return tuple(name for name in (self.group, self.time) if name is not None)


def held(share: float, total: int) -> int:
    """How many of `total` samples a share, or a number of samples, holds out."""
    return share if isinstance(share, int) else max(1, round(share * total))


def _memory(value: Any) -> int:
    """Bytes, from a number or a text such as 2GB."""
    found = bytes_of(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else None
    if found is None:
        raise refuse("bytes, as in 500MB or 2GB")
    return found


MEMORY: Final = {"anyOf": [{"type": "string", "pattern": r"^\d+(\.\d+)? ?[KMGTkmgt]?[Bb]?$"}, {"type": "integer"}]}


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


@dataclass(frozen=True, slots=True)
class Ways:
    """What becomes of samples: in use, which is validation too, and in training."""

    use: Way
    """Without chance: validation, test and prediction."""
    training: Way
    """With the augmentation between the other steps."""
    early: int = 0
    """How many steps come before augmentation."""
    random: int = 0
    """How many steps are augmentation."""

    @property
    def in_use(self) -> Chain:
        """The steps outside training."""
        return self.use.steps[: self.early], (), self.use.steps[self.early :]

    @property
    def in_training(self) -> Chain:
        """The steps in training."""
        steps, end = self.training.steps, self.early + self.random
        return steps[: self.early], steps[self.early : end], steps[end:]

    @property
    def faults(self) -> list[tuple[Step, Misfit]]:
        """Every step that does not take what the steps before it make."""
        return list({id(step): (step, misfit) for step, misfit in (*self.training.faults, *self.use.faults)}.values())


@dataclass(frozen=True, slots=True)
class DataSection:
    """The checked section. A step is for all inputs that are alike, or for the one that it names."""

    source: Dataset
    """Where the samples come from."""
    split: Split
    """What is held out of them."""
    transform: tuple[Written, ...] = ()
    """The steps of every use, in order."""
    augment: tuple[Written, ...] = ()
    """The steps by chance, in training."""
    mixing: tuple[Mixing, ...] = ()
    """The ways of mixing samples of a batch, in training."""
    reading: Reading = field(default_factory=Reading)
    aim: Aim = field(default_factory=Aim)
    """What the target is taken for."""
    source_at: At = field(default=At())
    names: tuple[str, ...] = ()
    """The network's inputs, where they are known, and the data's as well."""
    maps: Maps = TORCHS
    draw: Mapping[str, Draw] = field(default_factory=dict)
    """How inputs of the network are drawn that are no data, by their names."""
    maps_of: Mapping[str, Maps] = field(default_factory=dict)
    """Of several targets, how each is moved that lies on an image's grid, by its name."""

    def gives(self) -> Gives:
        """What the network is given, as far as it is known without reading the data. Raises Misfit."""
        gives = self.source.gives()
        if not gives.inputs:
            return gives
        use = self.ways(gives.inputs, gives.target).use
        for _, misfit in use.faults:
            raise misfit
        return replace(gives, inputs=use.inputs, target=use.target)

    def trained_on(self) -> int | None:
        """The samples that are left to train on, where that is known without reading the data."""
        total, split = self.source.gives().count, self.split
        if total is None or split.columns:
            return None
        val = self.source.default_val if split.val is None else split.val
        shares = (split.test,) if split.fold else (val, split.test)
        left = total - sum(held(share, total) for share in shares if share)
        return left - len(range(split.fold[0] - 1, left, split.fold[1])) if split.fold else left

    def placed(self, inputs: Sequence[Tensor], names: Sequence[str] = ()) -> tuple[Placed, ...]:
        """The transforms with the inputs that they are for, by their `names` where the network's are not known.

        Raises Misfit for a name that is none of an input.
        """
        return placed(self.transform, inputs, self.names or names)

    def ways(
        self,
        inputs: Sequence[Tensor],
        target: Tensor | None,
        names: Sequence[str] = (),
        done: Sequence[Placed] | None = None,
        others: Mapping[str, Tensor] | None = None,
    ) -> Ways:
        """What becomes of a source's inputs and target, with the transforms that are `done`, or those as written.

        Of several targets the `others`, by their names, go along as the first does. Raises Misfit where a step is for
        an input that is not there.
        """
        transforms = self.placed(inputs, names) if done is None else done
        before, after = parted(transforms)
        augment = placed(self.augment, inputs, self.names or names)
        use, training = (
            self._way(steps, inputs, target, others or {}) for steps in ((*before, *after), (*before, *augment, *after))
        )
        return Ways(use, training, len(before), len(augment))

    def _way(
        self, steps: Sequence[Placed], inputs: Sequence[Tensor], target: Tensor | None, others: Mapping[str, Tensor]
    ) -> Way:
        """What these steps make of inputs and targets."""
        own = way(steps, inputs, target, self.maps)
        if not others:
            return own
        return joined(own, {n: way(steps, inputs, x, self.maps_of.get(n, TORCHS)) for n, x in others.items()})

    def misfits(
        self,
        inputs: Sequence[Tensor],
        target: Tensor | None,
        names: Sequence[str] = (),
        others: Mapping[str, Tensor] | None = None,
    ) -> list[tuple[Step, Misfit]]:
        """Every step that does not take what the steps before it make of a source's samples. Raises Misfit."""
        ways = self.ways(inputs, target, names, others=others)
        found = ways.faults
        for mixing in self.mixing if not found else ():
            try:
                mixing.fit(ways.training.inputs)
            except Misfit as misfit:
                found.append((mixing, misfit))
        return found


def read_data(
    data: Any,
    path: Path = ("data",),
    lookup: Lookup = nothing,
    names: Sequence[str] = (),
    maps: Maps = TORCHS,
    further: bool = False,
) -> tuple[DataSection | None, list[Problem]]:
    """The `data` section and everything that is wrong with it; None where that leaves no section.

    `data` is the source alone, as a row, or a mapping with the keys of Data. `names` are those of the network's inputs,
    `maps` says how the loss wants a target moved that lies on an image's grid, `further` whether the data may have
    inputs besides the network's.
    """
    if isinstance(data, str):
        return _section({"source": data}, path, lookup, {"source": path})
    if not isinstance(data, dict):
        hint = "For example: data: {source: digits}"
        return None, [Problem("bad-section", "data holds a source, alone or with split and transform", At(path), hint)]
    return _section(data, path, lookup, {key: (*path, key) for key in Data.keys}, tuple(names), maps, further)


def _section(
    data: dict[str, Any],
    path: Path,
    lookup: Lookup,
    paths: dict[str, Path],
    names: tuple[str, ...] = (),
    maps: Maps = TORCHS,
    further: bool = False,
) -> tuple[DataSection | None, list[Problem]]:
    """The `data` section of plain data, and everything that is wrong with it; `paths` say where its keys stand."""
    problems = [_as_source(problem) for problem in unknown_keys(data, Data.keys, path)]
    source: Dataset | None = None
    split: Split | None = None
    if data.get("source") is None and any("source: " in problem.hint for problem in problems):
        pass  # said where it stands
    elif data.get("source") is None:
        hint = f"For example: source: {DATASETS.words()[0]}. There are: {', '.join(DATASETS.words())}."
        problems.append(Problem("no-source", "data has no source", At(path), hint))
    else:
        try:
            source, _ = read_entry(data["source"], paths["source"], DATASETS, lookup)
        except Refused as refused:
            problems += refused.problems
    reading: Reading | None = None
    aim: Aim | None = None
    drawn: Mapping[str, Draw] = {}
    try:
        drawn = read_draw(data.get("draw"), (*path, "draw"), lookup, names)
    except Refused as refused:
        problems += refused.problems
    try:
        split = _read_split(data.get("split"), (*path, "split"), lookup)
    except Refused as refused:
        problems += refused.problems
    try:
        reading = _plain(Reading, data, path, lookup)
    except Refused as refused:
        problems += refused.problems
    try:
        aim = _plain(Aim, data, path, lookup)
    except Refused as refused:
        problems += refused.problems
    own = () if further or drawn else names
    transform, wrong, whole = read_steps(data.get("transform"), (*path, "transform"), TRANSFORMS, lookup, own)
    random, more, all_random = read_steps(data.get("augment"), (*path, "augment"), AUGMENTATIONS, lookup, own)
    problems += [*wrong, *more]
    if source is None or split is None or reading is None or aim is None or problems or not (whole and all_random):
        return None, problems
    augment = tuple(each.written for each in random if not isinstance(each.written.step, Mixing))
    mixing = tuple(each.written.step for each in random if isinstance(each.written.step, Mixing))
    steps = tuple(each.written for each in transform)
    about = (reading, aim, At(paths["source"]), own, maps, drawn)
    section = DataSection(source, split, steps, augment, mixing, *about)
    return section, _misfits(section, {id(each.written.step): each.places for each in (*transform, *random)})


def _as_source(problem: Problem) -> Problem:
    """The same, with what to write where the key that is not there is the word of a source."""
    key = str(problem.at.path[-1])
    return replace(problem, hint=f"It is a source: {{source: {{{key}: ...}}}}") if DATASETS.find(key) else problem


def _plain(cls: type[E_], data: dict[str, Any], path: Path, lookup: Lookup) -> E_:
    """The record of those keys of the section that are its fields. Raises Refused."""
    given = {key: data[key] for key in cls.fields if key in data}
    return construct(cls, long_arguments(given, cls, lookup, path, "data"), At(path))


def _read_split(value: Any, path: Path, lookup: Lookup) -> Split:
    """How the data is split, from a mapping or from one share. Raises Refused."""
    at = At(path)
    if value is None:
        return Split()
    if not isinstance(value, dict):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Refused(Problem("bad-value", "split holds the parts held out", at, "For example: split: {val: 0.1}"))
        value = {"val": value}
    given = long_arguments(value, Split, lookup, path, "split")
    split = construct(Split, given, at)
    if split.group is not None and split.time is not None:
        raise Refused(Problem("split", "split goes by group or by time, not by both", at, "Drop one of them."))
    if split.fold is not None and split.val is not None:
        raise Refused(Problem("split", "a fold is the validation part: val= is one too many", at, "Drop val."))
    if sum(s for s in (split.val, split.test) if isinstance(s, float)) >= 1:
        text = "split holds everything out, nothing is left to train on"
        raise Refused(Problem("split", text, at, "Parts are shares of 1: {val: 0.1, test: 0.1}"))
    return split


def _misfits(section: DataSection, places: dict[int, Places]) -> list[Problem]:
    """The steps that do not fit what the source is known to give, in use and in training."""
    gives = section.source.gives()
    if not gives.inputs or (section.names and len(section.names) != len(gives.inputs)):
        return []
    if not section.names and any(each.to is not None for each in (*section.transform, *section.augment)):
        return []  # what its inputs are called, only the data tells
    problems = []
    for step, misfit in section.misfits(gives.inputs, gives.target):
        at = places[id(step)].get(misfit.field) or places[id(step)][None]
        problems.append(Problem(misfit.code, f"{step.said} {misfit.message}", at, misfit.hint))
    if not problems and section.augment:
        ways = section.ways(gives.inputs, gives.target)
        for use, training in zip(ways.use.inputs, ways.training.inputs, strict=True):
            if use != training:
                return [_two_shapes(use, training, places[id(section.augment[-1].step)][None])]
    return problems


def _two_shapes(use: Tensor, training: Tensor, at: At) -> Problem:
    """The warning that the network is given other shapes in training than elsewhere."""
    text = f"the network gets {sample(training.shape)} in training and {sample(use.shape)} otherwise"
    hint = "`crop` under transform cuts the middle out, after augmentation."
    return Problem("two-shapes", text, at, hint, severity="warning")


class Data(Section):
    """The samples: source, split, steps of preparation, augmentation."""

    key = "data"
    after = "lint"
    sentence = "where the data comes from and how it is prepared"
    example = "data: {source: digits}"
    forms = (dict, str)
    network = False
    meant = ("dataset", "datasets")
    keys = {
        "source": Key("where the data comes from", required=True),
        "split": Key("what is held out of the training data", {"val": 0.1, "test": 0.1}, holds=Split),
        "transform": Key("what is done to all data on its way to the network; {NAME: ...} says for which input"),
        "augment": Key("random changes to training data; {NAME: ...} says of which input"),
        **{name: Key(field.sentence) for name, field in Aim.fields.items()},
        "draw": Key(
            "inputs of the network that are no data, but drawn anew in every step, by name: normal or uniform",
            {"input": "normal"},
        ),
        "memory": Key(Reading.fields["memory"].sentence, "2GB", field_of=Reading),
        "workers": Key(Reading.fields["workers"].sentence, 4, field_of=Reading),
    }
    entries = {
        (): DATASETS,
        ("source",): DATASETS,
        ("transform",): TRANSFORMS,
        ("augment",): AUGMENTATIONS,
    }

    def read(self, value: Any, path: Path, around: Around) -> tuple[DataSection | None, list[Problem]]:
        train = around.value("train")  # targets on an image's grid are moved as the loss takes them
        terms = [term for term in train.all_terms if term.takes_data] if train else []
        maps = _maps(terms[0].loss) if terms else TORCHS
        passes = [each for holder in (train, *train.players) for each in holder.passes] if train else []
        further = any(each.over for each in passes)
        section, problems = read_data(value, path, around.lookup, around.inputs, maps, further)
        if section is None or not section.source.targets:
            return section, problems
        of = {term.target_of(section.source.targets): _maps(term.loss) for term in reversed(terms)}
        return replace(section, maps_of={name: of.get(name, TORCHS) for name in section.source.targets}), problems

    def schema(self) -> dict[str, Any]:
        source = entry_schema(DATASETS, self.keys["source"].sentence)
        properties = {
            "source": source,
            "split": {"description": self.keys["split"].sentence, "anyOf": [SHARE, Split.json_schema(), NOTHING]},
            "transform": steps_schema(TRANSFORMS, self.keys["transform"].sentence),
            "augment": steps_schema(AUGMENTATIONS, self.keys["augment"].sentence),
            "draw": {"description": self.keys["draw"].sentence, "type": ["string", "object", "null"]},
            **Aim.json_schema()["properties"],
            **Reading.json_schema()["properties"],
        }
        section = {"type": "object", "properties": properties, "required": ["source"], "additionalProperties": False}
        return {"description": self.sentence, "anyOf": [source["anyOf"][0], section]}


def _maps(loss: Loss) -> Maps:
    """How a target that lies on an image's grid is moved: as the loss takes it."""
    kind, skipped = loss.target_kind, loss.ignored()
    return Maps(kind in ("class", "label"), skipped if kind == "class" or skipped is not None else 0)
