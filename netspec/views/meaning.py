"""What an experiment means, in words that are equal where two specs are the same experiment.

How a spec is written has no part in it: comments, short and long forms, defaults that are written out, computed
values. Nor has what may change between a stop and a resume, such as epochs, metrics, patience or the device.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from netspec.graph.groups import tensors
from netspec.graph.model import Graph, Level, Results, Step, Value, flat
from netspec.records import Record
from netspec.sections.aim import Aim
from netspec.sections.param_groups import options_of
from netspec.weights.freezing import STATISTICS, Frozen

if TYPE_CHECKING:
    from netspec.sections.data import DataSection
    from netspec.sections.experiment import Experiment
    from netspec.sections.train import Train
    from netspec.transforms.route import Written

Meaning = dict[str, str]
"""What each part of an experiment is, by the part's name."""
SHAPING: Final = ("batch", "accumulate", "loss", "optimizer", "ema", "clip_grad", "seed")
"""What of the train section shapes a run, besides its schedule and groups."""
BESIDE: Final = ("passes", "teacher", "players", "every")
"""What else does where a step runs more than the network once."""
TOLD: Final = 5
"""How many differences a message tells."""


def meaning(graph: Graph, experiment: Experiment) -> Meaning:
    """The parts of an experiment that a resumed run has in common with the run that was stopped."""
    found: Meaning = {}
    for name, words in chain(_network(graph), _parameters(graph, experiment.train)):
        found[name] = f"{found[name]}, then {words}" if name in found else words  # the calls of a chain have one name
    if experiment.data is not None:
        found |= data_words(experiment.data)
    if experiment.train is not None:
        found |= train_words(experiment.train)
    return found


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What is not the same, each as it goes on after "the run began"; empty where it is one experiment."""
    found = []
    for name in {**before, **now}:
        old, new = before.get(name), now.get(name)
        if old is None:
            found.append(f"without {name} {new}, which it has now")
        elif old != new:
            found.append(f"with {name} {_plain(old)}, now it has {_plain(new)}")
    if not found and list(before) != list(now):
        old, new = next((a, b) for a, b in zip(before, now, strict=True) if a != b)
        found.append(f"with {old} in the place where now it has {new}")
    return found


def _plain(value: str | None) -> str:
    """A value as a person has it."""
    return "none" if value in (None, "", "None") else str(value)


def refusal(found: list[str]) -> str:
    """What is said to a person who resumes a run with another experiment."""
    more = f"; and {len(found) - TOLD} more differences" if len(found) > TOLD else ""
    way_out = "Resume it with what it began with, or begin another"
    return f"the run began {'; '.join(found[:TOLD])}{more}. {way_out}."


def data_words(section: DataSection) -> Meaning:
    """What the data section says of the samples. How they are read, such as by how many workers, changes none."""
    augment = [*map(_placed, section.augment), *map(worded, section.mixing)]
    words = {"source": worded(section.source), "split": worded(section.split)}
    words |= {
        "transform": ", ".join(map(_placed, section.transform)) or "none",
        "augment": ", ".join(augment) or "none",
    }
    words |= {"draw": worded(dict(section.draw))} if section.draw else {}
    words |= {name: worded(value) for name in Aim.fields if (value := getattr(section.aim, name)) is not None}
    return {f"data.{name}": value for name, value in words.items()}


def _placed(written: Written) -> str:
    """A step, and the input that it is for where it names one."""
    return worded(written.step) + (f" of {written.to}" if written.to is not None else "")


def train_words(train: Train) -> Meaning:
    """What the train section says that shapes a run, whatever its length."""
    found = {"scheduler": worded(train.scheduler) if train.scheduler else "none"}
    if hasattr(train.scheduler, "monitor"):  # its rates follow from what is measured, and when
        found["evaluate"] = worded(train.evaluate)
    found |= {name: worded(getattr(train, name)) for name in SHAPING}
    if train.lookahead is not None:
        found["lookahead"] = worded(train.lookahead)
    if train.composed:
        found |= {name: worded(getattr(train, name)) for name in BESIDE}
    found |= {f"penalties.{each.key}": worded(each.penalties) for each in train.penalties}
    return found | {"precision": train.precision}


def parameter_words(frozen: bool, options: Mapping[str, Any]) -> str:
    """Whether a parameter is trained, and with which options of the optimizer."""
    words = (f", {key}={worded(options[key])}" for key in sorted(options))
    return "frozen" if frozen else f"trained{''.join(words)}"


def worded(value: Any) -> str:
    """A value as a text that equal values have alike, in every process."""
    match value:
        case Record():
            fields = [(name, held) for name, held in value.__dict__.items() if not _default(value, name, held)]
            order = {name: place for place, name in enumerate(value.fields)}
            fields.sort(key=lambda item: (order.get(item[0], len(order)), item[0]))
            return f"{type(value).__name__}({', '.join(f'{name}={worded(held)}' for name, held in fields)})"
        case float() if value.is_integer():
            return repr(int(value))
        case tuple() | list():
            return f"({', '.join(map(worded, value))})"
        case set() | frozenset():
            return f"({', '.join(sorted(map(worded, value)))})"
        case dict():
            return f"{{{', '.join(f'{key}: {worded(held)}' for key, held in value.items())}}}"
        case str() | bool() | int() | float() | None:
            return repr(value)
    return str(value)


def _default(record: Record, name: str, value: Any) -> bool:
    """Whether a value is what a record has where nothing is said."""
    field = record.fields.get(name)
    if field is None:
        return value in (None, ())
    return not field.required and worded(value) == worded(field.default)


def _network(graph: Graph) -> Iterator[tuple[str, str]]:
    """What a network computes, as pairs of a place and what is there."""
    for name, tensor in graph.inputs.items():
        yield f"input {name}:", f"{tensor} {tensor.dtype}"
    yield from _steps(graph.root)
    only = ", ".join(_named(v) for v in graph.results.values() if graph.only_in_training(v))
    yield "outputs:", _given(graph.root.outputs) + (f", in training only {only}" if only else "")
    for name, other in sorted(graph.ties.items()):
        yield f"{name}:", f"one tensor with {other}"
    for i, load in enumerate(graph.weights.loads):
        yield f"weights.load{f' {i + 1}' if i else ''}", load.said


def _steps(level: Level) -> Iterator[tuple[str, str]]:
    """What the steps of a level and of those inside it compute."""
    before: Value | None = None
    for step in level.steps:
        if not step.left_out:
            yield f"{step.path}:", _step(step, before)
        before = step.value.actual
        if step.body is not None and not step.again:
            yield from _steps(step.body)
            yield f"{step.path} gives:", _given(step.body.outputs)
    for name, other in level.aliases.items():
        path = f"{level.path}.{name}" if level.path else name
        yield f"{path}:", f"the module {other.path}"


def _step(step: Step, before: Value | None) -> str:
    """What a step does, and with what, unless that is just the value before."""
    what = worded(step.op) if step.op is not None else "level" if step.body is not None else ""
    given = [value.actual for value in step.inputs]
    inputs = " and ".join(map(_named, given)) if given != [before] else ""
    words = [what, f"of {inputs}" if inputs else ""]
    if step.body is not None and (route := step.body.route) is not None:
        words += [f"for {route.experts} experts each its own{', weighted' if route.weighted else ''}"]
    words += [f"wrapped in {step.wrap.told}" if step.wrap else ""]
    if step.body is not None and (scan := step.body.scan) is not None:
        words += [f"along axis {scan.axis}{' from its end' if scan.reverse else ''}"]
        words += [f"handing on {', '.join(map(_named, scan.nexts))}" if scan.nexts else ""]
    words += [f"as {step.member}" if step.member and step.member != step.name else ""]
    words += ["once more" if step.again else ""]
    if step.training is not None:
        passed = f", else {_named(step.passed)}" if step.passed is not None else ""
        words.append(f"in {'training' if step.training else 'evaluation'}{passed}")
    return " ".join(word for word in words if word)


def _given(results: Results | Mapping[str, Value] | None) -> str:
    """The values that a level gives."""
    if isinstance(results, Mapping):
        return ", ".join(f"{name} = {_named(value)}" for name, value in results.items())
    return ", ".join(map(_named, flat(results))) if results is not None else "nothing"


def _named(value: Value) -> str:
    """A value by its name and that of its level."""
    value = value.actual
    return f"{value.level.path}.{value.name}" if value.level.path else value.name


def _parameters(graph: Graph, train: Train | None) -> Iterator[tuple[str, str]]:
    """Every parameter in its order: whether it is trained, with which options of the optimizer, from which values."""
    plans = {
        f"{owner.path}.{tensor}".removeprefix("."): worded(initializer)
        for owner in graph.owners
        for tensor, (_, initializer) in owner.plan.items()
    }
    for tensor in tensors(graph):
        name = tensor.names[0]
        frozen = any(map(graph.weights.frozen, tensor.names))
        late = "" if frozen else thawing(graph.weights.freeze, tensor.names)
        options = options_of(name, train.groups) if train is not None and not frozen else {}
        first = f", first {plans[name]}" if name in plans else ""
        yield f"{name}:", late + parameter_words(frozen, options) + first
    for name in graph.buffers():
        if name.endswith(STATISTICS) and graph.weights.freeze.frozen([name]):
            path = name.removesuffix(STATISTICS).removesuffix(".")
            kept = graph.weights.freeze.holds(path, ())
            yield f"{name}:", thawing(graph.weights.freeze, [name]) + ("frozen" if kept else "trained")


def thawing(frozen: Frozen, names: Iterable[str]) -> str:
    """Until when a parameter of these names is frozen, as a sentence goes on; empty for one that never thaws."""
    untils = dict.fromkeys(str(until) for name in names if (until := frozen.until(name)))
    return f"frozen until the end of {' and '.join(untils)}, then " if untils else ""
