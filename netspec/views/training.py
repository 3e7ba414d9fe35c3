"""Training summary: what a step is, how many there are, who moves how, and the learning rate. Nothing is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from math import prod
from typing import Any, Final

from netspec.errors import UsageError
from netspec.graph.groups import tensors
from netspec.graph.model import Graph
from netspec.records import Entry
from netspec.schedulers.base import Scheduler
from netspec.schedulers.curve import curve
from netspec.schedulers.plateau import ReduceLROnPlateau
from netspec.sections.beside import TEACHER, Player
from netspec.sections.experiment import Experiment
from netspec.sections.objective import Term
from netspec.sections.param_groups import OTHER, SCHEDULE, options_of
from netspec.sections.train_record import Train
from netspec.weights.freezing import EVER

ROWS: Final = 16
"""The most rates that are shown, besides the first and the last."""
NO_GRAPHS: Final[Mapping[str, Graph]] = {}
NAMES: Final = 4
"""The names of parameters that a line has room for."""


@dataclass(frozen=True, slots=True)
class Members:
    """Parameters with the same options of the optimizer."""

    options: Mapping[str, Any]
    """What differs from the options of the optimizer."""
    rate: float
    """The learning rate before any schedule."""
    parameters: tuple[str, ...]
    """Their names, as the state_dict has them."""
    count: int
    """The numbers that they hold."""


@dataclass(frozen=True, slots=True)
class Point:
    """The learning rates of one step: one for each group."""

    step: int
    """Counted from 1."""
    epoch: int
    """Counted from 1."""
    rates: tuple[float, ...]
    """In the order of the groups."""


@dataclass(frozen=True, slots=True)
class Playing:
    """Who takes turns with the network."""

    name: str
    loss: str
    """As rows, each by what it is told by."""
    optimizer: str
    every: int
    """Steps from one of its turns to the next."""
    parameters: tuple[str, ...]
    """The names of what it trains, in its own network where it has one."""
    count: int
    """The numbers that they hold."""


@dataclass(frozen=True, slots=True)
class Training:
    """A training, as far as it is known before it runs. What depends on the size of the data is None without it."""

    name: str
    loss: str
    """As a row, with its arguments."""
    optimizer: str
    """As a row, with its arguments."""
    scheduler: str
    moves: str
    """When the scheduler moves the rate."""
    epochs: int
    samples_per_step: int
    """Of all batches that one step adds up."""
    data: int | None
    """How many samples are trained on."""
    steps_per_epoch: int | None
    """Batches, the last of which may be smaller."""
    steps: int | None
    """In all epochs."""
    groups: tuple[Members, ...]
    frozen: int
    """The numbers that are not trained."""
    thawing: Mapping[str, int]
    """The numbers that begin to be trained on the way, by when: `epoch 3`."""
    rates: tuple[Point, ...]
    passes: Mapping[str, str]
    """The further passes of a step by name, and what each is over."""
    teacher: str
    """Whose outputs are targets; empty where there is no teacher."""
    players: tuple[Playing, ...]
    """In the order of their turns, before that of the network."""
    every: int
    """Steps from one turn of the network to the next."""

    def listed(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def untrained(name: str) -> str:
    """What is told of a spec without a train section, and what to say to see how it would be trained."""
    words = "train.loss=cross_entropy train.optimizer='sgd lr=0.1' train.epochs=1"
    return f"{name} is not trained: its spec has no train section. Write one, or say it here: {words}"


def training(
    name: str,
    graph: Graph,
    experiment: Experiment,
    samples: int | None = None,
    beside: Mapping[str, Graph] = NO_GRAPHS,
) -> Training:
    """The training of a spec. `samples` is the size of the training data where the spec does not tell it.

    `beside` are the networks of a teacher and of players.

    Raises UsageError for a spec that is not trained.
    """
    train = experiment.train
    if train is None:
        raise UsageError(untrained(name))
    count = samples or (experiment.data.trained_on() if experiment.data else None)
    groups, frozen = _groups(graph, train)
    steps = train.steps(count) if count else None
    per_epoch = train.per_epoch(count) if count else None
    scheduler = train.scheduler
    return Training(
        name,
        ", ".join([*map(_loss, train.terms), *_penalties(train)]),
        shown(train.optimizer),
        shown(scheduler) if scheduler else "",
        _moves(scheduler) if scheduler else "",
        train.epochs,
        train.samples,
        count,
        per_epoch,
        steps,
        groups,
        frozen,
        _thawing(graph),
        tuple(_points(train, groups, steps, per_epoch)) if steps and per_epoch else (),
        {each.name: ", ".join(each.over) or "the inputs, augmented anew" for each in train.passes},
        _teacher(train, beside),
        tuple(_playing(player, graph, beside) for player in train.players),
        train.every,
    )


def _teacher(train: Train, beside: Mapping[str, Graph]) -> str:
    """Who teaches: an average of the network, or another one."""
    if train.teacher is None:
        return ""
    if train.teacher.averaged:
        return f"an average of the network, of which each step keeps {train.teacher.decay:g}"
    other = beside[TEACHER]
    return f"{other.name}, {other.parameter_count:,} parameters, never trained"


def _playing(player: Player, graph: Graph, beside: Mapping[str, Graph]) -> Playing:
    """What a player trains, and by what."""
    if player.name in beside:
        shapes = beside[player.name].trained()
    else:
        shapes = {name: shape for name, shape in graph.trained().items() if player.owns(name)}
    loss, count = ", ".join(map(_loss, player.terms)), sum(prod(map(int, shape)) for shape in shapes.values())
    return Playing(player.name, loss, shown(player.optimizer), player.every, tuple(shapes), count)


def _penalties(train: Train) -> Iterator[str]:
    """What is added to the loss for parameters: `l1 1e-05 on fc.*.weight`."""
    for line in train.penalties:
        yield from (f"{shown(penalty)} on {line.key}" for penalty in line.penalties)


def _groups(graph: Graph, train: Train) -> tuple[tuple[Members, ...], int]:
    """The parameters by their options, those without any first, and how many numbers are frozen."""
    found: dict[tuple[tuple[str, Any], ...], dict[str, int]] = {(): {}}
    frozen, shapes = 0, graph.parameters()
    for tensor in tensors(graph):
        name = tensor.names[0]
        if graph.weights.freeze.frozen(tensor.names, *EVER):
            frozen += prod(shapes[name])
        elif not any(player.owns(each) for player in train.players for each in tensor.names):
            options = options_of(name, train.groups)
            found.setdefault(tuple(sorted(options.items())), {})[name] = prod(shapes[name])
    rate = train.optimizer.lr
    made = [
        Members(_told(dict(options)), _rate(dict(options), rate), tuple(sizes), sum(sizes.values()))
        for options, sizes in found.items()
        if sizes
    ]
    return tuple(made), frozen


def _told(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Options of a group as plain data."""
    return {name: shown(value) if isinstance(value, Entry) else value for name, value in options.items()}


def _rate(options: Mapping[str, Any], rate: float) -> float:
    """The learning rate of a group with these options, where that of the optimizer is `rate`."""
    found: float = options[OTHER].lr if OTHER in options else options.get("lr", rate)
    return found


def _thawing(graph: Graph) -> dict[str, int]:
    """How many numbers are frozen at first and trained later, by when."""
    found: dict[str, int] = {}
    shapes = graph.parameters()
    for tensor in tensors(graph):
        untils = [str(until) for name in tensor.names if (until := graph.weights.freeze.until(name))]
        if untils and not any(map(graph.weights.frozen, tensor.names)):
            found[untils[-1]] = found.get(untils[-1], 0) + prod(shapes[tensor.names[0]])
    return found


def _points(train: Train, groups: Sequence[Members], steps: int, per_epoch: int) -> Iterator[Point]:
    """The rates of the first and the last step, of the end of the warm-up, and of steps between them."""
    warmup = train.scheduler.warmup if train.scheduler else 0
    stride = per_epoch if steps <= per_epoch * ROWS else -(-steps // ROWS)
    chosen = {*range(0, steps, stride), warmup, steps - 1}
    own = [options_of(group.parameters[0], train.groups).get(SCHEDULE, train.scheduler) for group in groups]
    curves = [
        curve(scheduler, group.rate, steps, per_epoch, train.epochs)
        for scheduler, group in zip(own, groups, strict=True)
    ]
    for step, rates in enumerate(zip(*curves, strict=True)):
        if step in chosen:
            yield Point(step + 1, step // per_epoch + 1, rates)


def _loss(term: Term) -> str:
    """A loss, and of several what it is told by and what it counts: `box: SmoothL1Loss * 0.5`."""
    weight = " * learned" if term.learned else f" * {term.weight:g}" if term.weight != 1 else ""
    own = f" of {' and '.join(term.of)}" * (bool(term.of) and term.of != (term.name,))
    aim = f" against {term.target if term.constant is None else f'{term.constant:g}'}" * term.within
    return f"{term.name}: {shown(term.loss)}{own}{aim}{weight}" if term.name else shown(term.loss)


def _moves(scheduler: Scheduler) -> str:
    """When a schedule moves the rate."""
    if isinstance(scheduler, ReduceLROnPlateau):
        return "moves when a measured value stops improving, which no one knows before"
    return f"moves at every {scheduler.unit}"


def shown(entry: Entry) -> str:
    """An entry with what was said of it: `AdamW lr=0.002`."""
    return " ".join([type(entry).__name__, *(f"{name}={_value(value)}" for name, value in entry.given.items())])


def _value(value: Any) -> str:
    """An option as a spec has it."""
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return shown(value) if isinstance(value, Entry) else str(value).lower() if isinstance(value, bool) else str(value)


# --- as text ------------------------------------------------------------------------------------


def text(found: Training) -> str:
    """The training as lines of text."""
    return "\n".join(_lines(found))


def _lines(found: Training) -> Iterator[str]:
    """What a run will be, in lines."""
    yield f"loss       {found.loss}"
    yield f"optimizer  {found.optimizer}"
    for group in found.groups:
        options = "".join(f" {name}={_value(value)}" for name, value in group.options.items())
        by = " by" if OTHER in group.options else " with" if options else ""
        options = options.replace(f" {OTHER}=", " ")
        yield f"  {group.count:,} parameters{by}{options}: {_names(group.parameters)}"
    if found.frozen:
        yield f"  {found.frozen:,} parameters that are frozen"
    for when, count in found.thawing.items():
        yield f"  {count:,} of these parameters are frozen until the end of {when}"
    yield (
        f"scheduler  {found.scheduler}, {found.moves}" if found.scheduler else "scheduler  none, the rate stands still"
    )
    yield from _others(found)
    yield f"step       {found.samples_per_step:,} samples"
    if found.steps is None:
        yield f"run        {_epochs(found.epochs)}; how many steps, only the data tells: say --samples NUMBER"
        return
    yield (
        f"run        {found.steps:,} steps, {found.steps_per_epoch:,} an epoch over {found.data:,} samples, "
        f"{_epochs(found.epochs)}"
    )
    yield from ("", *_table(found))


def _others(found: Training) -> Iterator[str]:
    """What else a step runs, and who moves in it."""
    for name, over in found.passes.items():
        yield f"pass       {name}: {over}"
    if found.teacher:
        yield f"teacher    {found.teacher}"
    for player in found.players:
        often = f", every {player.every} steps" if player.every > 1 else ""
        yield f"player     {player.name}{often}: {player.loss}"
        yield f"  {player.count:,} parameters by {player.optimizer}: {_names(player.parameters)}"
    if found.players:
        often = f", every {found.every} steps" if found.every > 1 else ""
        yield f"turns      {', '.join(player.name for player in found.players)}, then the network{often}"


def _epochs(count: int) -> str:
    """`1 epoch`, `30 epochs`."""
    return f"{count:,} epoch{'s' if count != 1 else ''}"


def _names(names: Sequence[str]) -> str:
    """The first of many names."""
    listed = ", ".join(islice(names, NAMES))
    return f"{listed}, ..." if len(names) > NAMES else listed


def _table(found: Training) -> Iterator[str]:
    """The rates, a column for each group whose rate, or schedule of its own, is no other's before it."""
    moves = [(group.rate, group.options.get(SCHEDULE, "")) for group in found.groups]
    columns = [i for i, each in enumerate(moves) if each not in moves[:i]]
    heads = ["epoch", "step", *("learning rate" if i == 0 else _head(*moves[i]) for i in columns)]
    rows = [
        [f"{point.epoch:,}", f"{point.step:,}", *(f"{point.rates[i]:.4g}" for i in columns)] for point in found.rates
    ]
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, *rows]:
        yield "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))


def _head(rate: float, schedule: str) -> str:
    """What stands over the rates of a group: `from 0.1 by StepLR`."""
    return f"from {rate:g}" + (f" by {schedule.split()[0]}" if schedule else "")
