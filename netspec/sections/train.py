"""The `train` section: how its keys are read, and what of them does not agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from netspec.catalogue import Catalogue
from netspec.errors import At, Path, Problem
from netspec.faults import Fault, Invalid
from netspec.language.calls import (
    Lookup,
    arguments,
    construct,
    long_arguments,
    long_value,
    nothing,
    raise_all,
    read_entry,
    single_call,
)
from netspec.language.refusals import Refused
from netspec.losses.base import Loss
from netspec.metrics.base import Metric, OfOutput
from netspec.records import Entry, Record
from netspec.sections.base import NOTHING, Around, Key, Section, entries_schema, entry_schema, unknown_keys
from netspec.sections.beside import in_turns, read_passes, read_players, read_teacher, settled
from netspec.sections.objective import Term, names_of, read_terms, terms_schema
from netspec.sections.param_groups import read_groups
from netspec.sections.penalties_of import read_penalties
from netspec.sections.train_record import Checkpoint, EarlyStop, Evaluate, Lookahead, Train
from netspec.vocabulary import LOSSES, METRICS, OPTIMIZERS, PENALTIES, SCHEDULERS
from netspec.words import did_you_mean

E_ = TypeVar("E_", bound=Entry)
R_ = TypeVar("R_", Checkpoint, Evaluate, Lookahead)
_REQUIRED: Final = {"loss": "cross_entropy", "optimizer": "adamw lr=1e-3"}
"""Keys that must be there, each as it may be."""
_PLAYING: Final[dict[str, Any]] = {
    "players": {"head": {"trains": "fc", "loss": {"fc": "cross_entropy"}, "optimizer": "sgd lr=0.1"}},
    "loss": {"fc": "cross_entropy"},
}
_BESIDE: Final[dict[str, Any]] = {"players": {"loss": _PLAYING["loss"]}, "every": _PLAYING}
"""What else has to be there for a key to mean something."""
_EXAMPLES: Final[dict[str, Any]] = {
    "groups": {"norm": "weight_decay=0"},
    "penalties": {"*.weight": "l2 1e-4"},
    "clip_grad": 1.0,
    "ema": 0.999,
    "lookahead": {"every": 5, "keep": 0.5},
    "passes": {"view": "augmented"},
    "teacher": "ema decay=0.999",
    "players": _PLAYING["players"],
    "every": 5,
    "max_steps": 10_000,
    "max_time": "2h",
    "threads": 4,
    "channels_last": True,
    "cuda_graph": False,
    "reorder": False,
    "chunked_loss": False,
}
_HELD: Final[dict[str, type[Record]]] = {
    "early_stop": EarlyStop,
    "evaluate": Evaluate,
    "checkpoint": Checkpoint,
    "lookahead": Lookahead,
}


class Training(Section):
    """Training: loss, optimizer, schedule, batches, epochs and what is measured."""

    key = "train"
    after = "data"
    sentence = "loss, optimizer and how long"
    example = "train: {loss: cross_entropy, optimizer: adamw}"
    forms = (dict,)
    network = False
    meant = ("training", "trainer")
    keys = {
        name: Key(
            *(field.sentence, _EXAMPLES.get(name), None, Train, _HELD.get(name), name in _REQUIRED),
            _BESIDE.get(name, {}),
        )
        for name, field in Train.fields.items()
    }
    entries = {
        ("loss",): LOSSES,
        ("loss", "*"): LOSSES,
        ("optimizer",): OPTIMIZERS,
        ("players", "*", "loss", "*"): LOSSES,
        ("players", "*", "optimizer"): OPTIMIZERS,
        ("scheduler",): SCHEDULERS,
        ("groups", "*", "optimizer"): OPTIMIZERS,
        ("groups", "*", "scheduler"): SCHEDULERS,
        ("penalties", "*"): PENALTIES,
        ("penalties", "*", "*"): PENALTIES,
        ("metrics",): METRICS,
        ("metrics", "*"): METRICS,
    }

    def read(self, value: Any, path: Path, around: Around) -> tuple[Train | None, list[Problem]]:
        return read_train(value, path, around.lookup)

    def classes(self, word: str, path: Path) -> list[type[Entry]]:
        return [EarlyStop] if path[1:2] == ("early_stop",) else super().classes(word, path)

    def schema(self) -> dict[str, Any]:
        schema = Train.json_schema()
        properties = schema["properties"]
        for key in ("evaluate", "checkpoint"):
            del properties[key]["default"]  # a record, and no plain data
        for key, catalogue in (("loss", LOSSES), ("optimizer", OPTIMIZERS), ("scheduler", SCHEDULERS)):
            properties[key] = entry_schema(catalogue, Train.fields[key].sentence)
        properties["loss"]["anyOf"].append(terms_schema(properties["loss"]))
        metrics = entries_schema(METRICS, Train.fields["metrics"].sentence)
        of_outputs = {"type": "object", "additionalProperties": {"anyOf": [*metrics["anyOf"]]}}
        properties["metrics"] = {**metrics, "anyOf": [*metrics["anyOf"], of_outputs]}
        for key in properties.keys() - {*_REQUIRED, "metrics"}:
            properties[key]["anyOf"].append(NOTHING)
        return {**schema, "required": list(_REQUIRED)}


def read_train(data: Any, path: Path, lookup: Lookup = nothing) -> tuple[Train | None, list[Problem]]:
    """Read the section from plain data at `path`: the record, or None with every problem found."""
    if not isinstance(data, dict):
        text = "train is a mapping"
        return None, [Problem("bad-value", text, At(path), "For example: {loss: cross_entropy, optimizer: adamw}")]
    reader = _Reader(path, lookup)
    for key, value in data.items():
        reader.take(key, value)
    reader.take_groups(data.get("groups"))
    reader.take_metrics(data.get("metrics"), data.get("loss"))
    meant = {did_you_mean(key, Train.fields) for key in data if key not in Train.fields}
    for key, example in _REQUIRED.items():
        if data.get(key) is None and not any(repr(key) in hint for hint in meant):
            sentence = Train.fields[key].sentence
            text, hint = f"train needs {key}: {sentence}", f"For example: {key}: {example}"
            reader.problems.append(Problem("missing-argument", text, At(path, on_key=True), hint))
    if reader.problems or not reader.sound:
        return None, reader.problems
    train = settled(Train(**reader.values))
    problems = reader.cross(train)
    return (None if problems else train), problems


class _Reader:
    """Collects the values of the section and everything that is wrong with them."""

    def __init__(self, path: Path, lookup: Lookup) -> None:
        """`path` is where the section stands, `lookup` finds parameters."""
        self.path, self.lookup = path, lookup
        self.values: dict[str, Any] = {}
        self.problems: list[Problem] = []
        self.sound = True
        """Whether everything could be read; what uses a broken param cannot, and has no problem of its own."""

    def take(self, key: str, value: Any) -> None:
        """Read one key of the section, and keep its value or its problems."""
        at = At((*self.path, key))
        if key not in Train.fields:
            self.problems += unknown_keys({key: value}, Train.fields, self.path)
            return
        if value is None or key in ("groups", "metrics"):
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

    def take_metrics(self, value: Any, loss: Any) -> None:
        """Read the metrics, which are those of one loss, or by the names of several."""
        if value is None:
            return
        try:
            self.values["metrics"] = self._metrics(value, (*self.path, "metrics"), names_of(loss))
        except Refused as refused:
            self._refuse(refused)

    def _refuse(self, refused: Refused) -> None:
        """Keep the problems of a value that cannot be read."""
        self.problems += refused.problems
        self.sound = False

    def _read(self, key: str, value: Any, at: At) -> Any:
        """The value of one key. Raises Refused."""
        readers: dict[str, Callable[[Any, Path], Any]] = {
            "loss": self._loss,
            "optimizer": lambda v, p: self._entry(v, p, OPTIMIZERS),
            "scheduler": lambda v, p: self._entry(v, p, SCHEDULERS),
            "early_stop": self._early_stop,
            "penalties": lambda v, p: read_penalties(v, p, self.lookup),
            "passes": read_passes,
            "teacher": lambda v, p: read_teacher(v, p, self.lookup),
            "players": lambda v, p: read_players(v, p, self.lookup),
            "evaluate": lambda v, p: self._record(v, p, Evaluate),
            "checkpoint": lambda v, p: self._record(v, p, Checkpoint),
            "lookahead": lambda v, p: self._record(v, p, Lookahead),
        }
        if key in readers:
            return readers[key](value, at.path)
        value = long_value(value, self.lookup, at, textual=Train.fields[key].textual)
        return _checked(key, value, at)

    def _entry(self, value: Any, path: Path, catalogue: Catalogue[E_], several: bool = False) -> E_:
        """An entry of a catalogue, with what it says against itself as a problem. Raises Refused."""
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

    def _loss(self, value: Any, path: Path) -> Loss | tuple[Term, ...]:
        """One loss, or those of several outputs by their names. Raises Refused."""
        return read_terms(value, path, self.lookup) if names_of(value) else self._entry(value, path, LOSSES)

    def _metrics(self, value: Any, path: Path, names: Sequence[str]) -> tuple[Metric, ...]:
        """The metrics, each at most once, of one loss or of each of several by their `names`. Raises Refused."""
        if not (names and isinstance(value, dict) and not (len(value) == 1 and METRICS.find(next(iter(value))))):
            return self._listed(value, path)
        found, refusals = list[Metric](), list[Refused]()
        for name, inner in value.items():
            try:
                if name not in names:
                    hint = did_you_mean(name, names) or f"There are: {', '.join(names)}."
                    at = At((*path, name), on_key=True)
                    raise Refused(Problem("unknown-value", f"there is no loss of an output {name!r}", at, hint))
                found += [OfOutput(metric=metric, of=name) for metric in self._listed(inner, (*path, name))]
            except Refused as refused:
                refusals.append(refused)
        raise_all(refusals)
        return tuple(found)

    def _listed(self, value: Any, path: Path) -> tuple[Metric, ...]:
        """One metric or a list of them, each at most once. Raises Refused."""
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
        """When to stop, from `val.loss patience=5` or from a mapping. Raises Refused."""
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
        """A record that is written as a mapping. Raises Refused."""
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
        return [*found, *self._parted(train), *in_turns(train, self.path)]

    def _momentum(self, train: Train) -> list[Problem]:
        """A schedule that moves the momentum of an optimizer which has none."""
        without = [each for each in train.optimizers if not each.has_momentum]
        hint = "Write cycle_momentum=false, or take sgd, rmsprop or one of the adams."
        return [
            Problem("contradiction", f"{scheduler.said} moves the momentum, {without[0].said} has none", At(at), hint)
            for at, scheduler in train.schedules
            if scheduler.moves_momentum and without
        ]

    def _overridden(self, train: Train) -> list[Problem]:
        """Options of a group that the schedule would set to one value for all parameters."""
        hint = "Take another scheduler, such as cosine, or leave it out of the group."
        found = []
        for group in train.groups:
            scheduler = group.schedule or train.scheduler
            lost = ["lr"] * (scheduler is not None and scheduler.sets_rate)
            lost += ["momentum", "betas"] * (scheduler is not None and scheduler.moves_momentum)
            moved = "that it moves" if group.schedule is not None else "parameters"
            for option in lost if scheduler is not None else ():
                if option in group.options:
                    text = f"{scheduler.said} sets {option} for all {moved}, so this one is lost"
                    found.append(Problem("contradiction", text, At(group.path), hint))
        return found

    def _watched(self, train: Train) -> list[Problem]:
        """Names of values that nothing measures."""
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
        """A plateau that waits for the worse."""
        monitor = getattr(train.scheduler, "monitor", None) or "val.loss"
        mode = getattr(train.scheduler, "mode", None)
        goal = train.goal(monitor)
        if mode not in ("min", "max") or mode == goal:
            return []
        better = "more" if goal == "max" else "less"
        text = f"{train.scheduler.said} has mode={mode}, {better} of {monitor} is better"
        return [Problem("contradiction", text, At((*self.path, "scheduler")), f"Write mode={goal}.")]

    def _parted(self, train: Train) -> list[Problem]:
        """What cannot be where each process holds a part of the network."""
        if train.parallel != "fsdp":
            return []
        refused = {
            "loss": _own_weights(train),
            "optimizer": next(
                (f"{each.said} needs whole parameters" for each in train.optimizers if not each.shardable), ""
            ),
            "penalties": train.penalties and "penalties are on whole parameters",
            "lookahead": train.lookahead and "lookahead takes a network that is whole",
            "compile": train.compile and "compile takes a network that is whole",
            "channels_last": train.channels_last and "channels_last turns weights around",
        }
        return [
            Problem("contradiction", f"{text}, fsdp parts them", At((*self.path, key)), "Write parallel: ddp.")
            for key, text in refused.items()
            if text
        ]


def _own_weights(train: Train) -> str:
    """Which loss has weights of its own; nothing where none has."""
    return next((f"{term.loss.said} has weights of its own" for term in train.terms if term.owns_parameters), "")


def _problem(fault: Fault, path: Path) -> Problem:
    """A fault of a record as a problem at its place in the spec."""
    on_key = fault.code == "unknown-argument"
    return Problem(fault.code, fault.told(str(path[-1])), At((*path, *fault.loc), on_key=on_key), fault.hint)


def _checked(key: str, value: Any, at: At) -> Any:
    """One plain value of the section, checked by itself, so that all faults are found at once. Raises Refused."""
    try:
        return Train(**{key: value}).__dict__[key]
    except Invalid as invalid:
        raise Refused(*(Problem(f.code, f.told("train"), at, f.hint) for f in invalid.faults)) from None
