"""Reads the `train:` section: what is minimised, how, for how long, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from netspec.catalogue import Catalogue, Entry
from netspec.errors import At, Path, Problem
from netspec.language.calls import (
    Lookup,
    Refused,
    arguments,
    construct,
    long_arguments,
    long_value,
    nothing,
    raise_all,
    read_entry,
    single_call,
)
from netspec.metrics.base import Metric
from netspec.records import Fault, Invalid
from netspec.sections.base import NOTHING, entries_schema, entry_schema, unknown_keys
from netspec.sections.param_groups import read_groups
from netspec.sections.train import Checkpoint, EarlyStop, Evaluate, Train
from netspec.vocabulary import LOSSES, METRICS, OPTIMIZERS, SCHEDULERS
from netspec.words import did_you_mean

E_ = TypeVar("E_", bound=Entry)
EXAMPLES = {"loss": "loss: cross_entropy", "optimizer": "optimizer: adamw lr=1e-3"}
R_ = TypeVar("R_", Checkpoint, Evaluate)


def read_train(data: Any, path: Path, lookup: Lookup = nothing) -> tuple[Train | None, list[Problem]]:
    """Read the section from plain data at `path`: the record, or None with every problem found."""
    if not isinstance(data, dict):
        text = "train is a mapping"
        return None, [Problem("bad-value", text, At(path), "For example: {loss: cross_entropy, optimizer: adamw}")]
    reader = _Reader(path, lookup)
    for key, value in data.items():
        reader.take(key, value)
    reader.take_groups(data.get("groups"))
    meant = {did_you_mean(key, Train.fields) for key in data if key not in Train.fields}
    for key in ("loss", "optimizer"):
        if data.get(key) is None and not any(repr(key) in hint for hint in meant):
            sentence = Train.fields[key].sentence
            text, hint = f"train needs {key}: {sentence}", f"For example: {EXAMPLES[key]}"
            reader.problems.append(Problem("missing-argument", text, At(path, on_key=True), hint))
    if reader.problems or not reader.sound:
        return None, reader.problems
    train = Train(**reader.values)
    problems = reader.cross(train)
    return (None if problems else train), problems


class _Reader:
    """Collects the values of the section and everything that is wrong with them."""

    def __init__(self, path: Path, lookup: Lookup) -> None:
        self.path, self.lookup = path, lookup
        self.values: dict[str, Any] = {}
        self.problems: list[Problem] = []
        self.sound = True
        """Whether everything could be read; what uses a broken param cannot, and has no problem of its own."""

    def take(self, key: str, value: Any) -> None:
        at = At((*self.path, key))
        if key not in Train.fields:
            self.problems += unknown_keys([key], Train.fields, self.path)
            return
        if value is None or key == "groups":
            return
        try:
            self.values[key] = self._read(key, value, at)
        except Refused as refused:
            self._refuse(refused)

    def take_groups(self, value: Any) -> None:
        """Read the groups, whose options are those of the optimizer, once that is read."""
        optimizer = self.values.get("optimizer")
        if value is None or optimizer is None:
            return
        try:
            self.values["groups"] = read_groups(value, (*self.path, "groups"), optimizer, self.lookup)
        except Refused as refused:
            self._refuse(refused)

    def _refuse(self, refused: Refused) -> None:
        self.problems += refused.problems
        self.sound = False

    def _read(self, key: str, value: Any, at: At) -> Any:
        readers: dict[str, Callable[[Any, Path], Any]] = {
            "loss": lambda v, p: self._entry(v, p, LOSSES),
            "optimizer": lambda v, p: self._entry(v, p, OPTIMIZERS),
            "scheduler": lambda v, p: self._entry(v, p, SCHEDULERS),
            "metrics": self._metrics,
            "early_stop": self._early_stop,
            "evaluate": lambda v, p: self._record(v, p, Evaluate),
            "checkpoint": lambda v, p: self._record(v, p, Checkpoint),
        }
        if key in readers:
            return readers[key](value, at.path)
        value = long_value(value, self.lookup, at, textual=Train.fields[key].textual)
        return _checked(key, value, at)

    def _entry(self, value: Any, path: Path, catalogue: Catalogue[E_], several: bool = False) -> E_:
        entry, given = read_entry(value, path, catalogue, self.lookup, several)
        find = getattr(entry, "problems", list)
        whole = At(path)
        found = [
            Problem(
                "contradiction",
                f"{given.word or type(entry).__name__}: {field} {text}",
                given.places.get(field, whole),
                f"{field}: {entry.fields[field].sentence}." if field in entry.fields else "",
            )
            for field, text in find()
        ]
        if found:
            raise Refused(*found)
        return entry

    def _metrics(self, value: Any, path: Path) -> tuple[Metric, ...]:
        items = value if isinstance(value, list) else [value]
        found: dict[str, Metric] = {}
        refusals: list[Refused] = []
        for i, item in enumerate(items):
            try:
                entry = self._entry(item, (*path, i) if isinstance(value, list) else path, METRICS, several=True)
            except Refused as refused:
                refusals.append(refused)
                continue
            if entry.label in found:
                problem = Problem("twice", f"{entry.label} is given twice", At((*path, i)), "Keep one of them.")
                refusals.append(Refused(problem))
            found[entry.label] = entry
        raise_all(refusals)
        return tuple(found.values())

    def _early_stop(self, value: Any, path: Path) -> EarlyStop:
        if isinstance(value, str):
            call = single_call(value, path)
            given = arguments(replace(call, op=""), EarlyStop, self.lookup, path)
            given.values.setdefault("monitor", call.op)
        elif isinstance(value, dict):
            given = long_arguments(value, EarlyStop, self.lookup, path)
        else:
            text = "expected a value and its patience"
            raise Refused(Problem("bad-value", text, At(path), f"As: {EarlyStop.example}"))
        return construct(EarlyStop, given, At(path))

    def _record(self, value: Any, path: Path, cls: type[R_]) -> R_:
        if not isinstance(value, dict):
            raise Refused(Problem("bad-value", f"{path[-1]} is a mapping", At(path), f"As: {cls.example}"))
        textual = {name for name, field in cls.fields.items() if field.textual}
        plain = {k: long_value(v, self.lookup, At((*path, k)), textual=k in textual) for k, v in value.items()}
        try:
            return cls(**plain)
        except Invalid as invalid:
            raise Refused(*(_problem(fault, path) for fault in invalid.faults)) from None

    def cross(self, train: Train) -> list[Problem]:
        """What the parts do not agree on."""
        found = [*self._momentum(train), *self._overridden(train), *self._watched(train), *self._plateau(train)]
        return [*found, *self._parted(train)]

    def _momentum(self, train: Train) -> list[Problem]:
        scheduler = train.scheduler
        if scheduler is None or not scheduler.moves_momentum or train.optimizer.has_momentum:
            return []
        text = f"{scheduler.called()} moves the momentum, {train.optimizer.called()} has none"
        hint = "Write cycle_momentum=false, or take sgd, rmsprop or one of the adams."
        return [Problem("contradiction", text, At((*self.path, "scheduler")), hint)]

    def _overridden(self, train: Train) -> list[Problem]:
        """Options of a group that the schedule would set to one value for all parameters."""
        scheduler = train.scheduler
        if scheduler is None:
            return []
        lost = ["lr"] * scheduler.sets_rate + ["momentum", "betas"] * scheduler.moves_momentum
        name = scheduler.called()
        hint = "Take another scheduler, such as cosine, or leave it out of the group."
        return [
            Problem("contradiction", f"{name} sets {option} for all parameters, so this one is lost", At(g.path), hint)
            for g in train.groups
            for option in lost
            if option in g.options
        ]

    def _watched(self, train: Train) -> list[Problem]:
        watched = [
            ("early_stop", train.early_stop and train.early_stop.monitor),
            ("checkpoint", train.checkpoint.best),
            ("scheduler", getattr(train.scheduler, "monitor", None)),
        ]
        known = train.monitors()
        problems = []
        for key, monitor in watched:
            if monitor and monitor not in known:
                hint = did_you_mean(monitor, known) or f"There are: {', '.join(known)}."
                text = f"nothing measured is called {monitor!r}"
                problems.append(Problem("unknown-value", text, At((*self.path, key)), hint))
        return problems

    def _plateau(self, train: Train) -> list[Problem]:
        monitor = getattr(train.scheduler, "monitor", None) or "val.loss"
        mode = getattr(train.scheduler, "mode", None)
        goal = train.goal(monitor)
        if mode not in ("min", "max") or mode == goal:
            return []
        better = "more" if goal == "max" else "less"
        text = f"{train.scheduler.called()} has mode={mode}, {better} of {monitor} is better"
        return [Problem("contradiction", text, At((*self.path, "scheduler")), f"Write mode={goal}.")]

    def _parted(self, train: Train) -> list[Problem]:
        """What cannot be where each process holds a part of the network."""
        if train.parallel != "fsdp":
            return []
        refused = {
            "loss": train.loss.owns_parameters and f"{train.loss.called()} has weights of its own",
            "optimizer": not train.optimizer.shardable and f"{train.optimizer.called()} needs whole parameters",
            "compile": train.compile and "compile takes a network that is whole",
            "channels_last": train.channels_last and "channels_last turns weights around",
        }
        return [
            Problem("contradiction", f"{text}, fsdp parts them", At((*self.path, key)), "Write parallel: ddp.")
            for key, text in refused.items()
            if text
        ]


def _problem(fault: Fault, path: Path) -> Problem:
    on_key = fault.code == "unknown-argument"
    return Problem(fault.code, fault.told(str(path[-1])), At((*path, *fault.loc), on_key=on_key), fault.hint)


def _checked(key: str, value: Any, at: At) -> Any:
    """One plain value of the section, checked by itself, so that all faults are found at once. Raises Refused."""
    try:
        return Train(**{key: value}).__dict__[key]
    except Invalid as invalid:
        raise Refused(*(Problem(f.code, f.told("train"), at, f.hint) for f in invalid.faults)) from None


def train_schema() -> dict[str, Any]:
    """The JSON Schema of the section."""
    schema = Train.json_schema()
    properties = schema["properties"]
    for key in ("evaluate", "checkpoint"):
        del properties[key]["default"]
    for key, catalogue in (("loss", LOSSES), ("optimizer", OPTIMIZERS), ("scheduler", SCHEDULERS)):
        properties[key] = entry_schema(catalogue, Train.fields[key].sentence)
    properties["metrics"] = entries_schema(METRICS, Train.fields["metrics"].sentence)
    required = ["loss", "optimizer"]
    for key in properties.keys() - {*required, "metrics"}:
        properties[key]["anyOf"].append(NOTHING)
    return {**schema, "required": required}
