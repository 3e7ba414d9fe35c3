"""Training summary: what a step is, how many there are, who moves how, and the learning rate. Nothing is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from math import prod
from typing import Any, Final

from netspec.catalogue import Entry
from netspec.errors import UsageError
from netspec.graph.groups import tensors
from netspec.graph.model import Graph
from netspec.schedulers.base import Scheduler
from netspec.schedulers.curve import curve
from netspec.schedulers.plateau import ReduceLROnPlateau
from netspec.sections.experiment import Experiment
from netspec.sections.objective import Term
from netspec.sections.param_groups import options_of
from netspec.sections.train import Train
from netspec.weights.freezing import EVER

ROWS: Final = 16
"""The most rates that are shown, besides the first and the last."""
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

    def listed(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def training(name: str, graph: Graph, experiment: Experiment, samples: int | None = None) -> Training:
    """The training of a spec. `samples` is the size of the training data where the spec does not tell it.

    Raises UsageError for a spec that is not trained.
    """
    train = experiment.train
    if train is None:
        raise UsageError(f"{name} is not trained: its spec has no train section")
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
    )


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
        else:
            options = options_of(name, train.groups)
            found.setdefault(tuple(sorted(options.items())), {})[name] = prod(shapes[name])
    rate = train.optimizer.lr
    made = [
        Members(dict(options), dict(options).get("lr", rate), tuple(sizes), sum(sizes.values()))
        for options, sizes in found.items()
        if sizes
    ]
    return tuple(made), frozen


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
    curves = [curve(train.scheduler, group.rate, steps, per_epoch, train.epochs) for group in groups]
    for step, rates in enumerate(zip(*curves, strict=True)):
        if step in chosen:
            yield Point(step + 1, step // per_epoch + 1, rates)


def _loss(term: Term) -> str:
    """A loss, and of several what it is told by and what it counts: `box: SmoothL1Loss * 0.5`."""
    weight = " * learned" if term.learned else f" * {term.weight:g}" if term.weight != 1 else ""
    return f"{term.name}: {shown(term.loss)}{weight}" if term.name else shown(term.loss)


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
        yield f"  {group.count:,} parameters{' with' if options else ''}{options}: {_names(group.parameters)}"
    if found.frozen:
        yield f"  {found.frozen:,} parameters that are frozen"
    for when, count in found.thawing.items():
        yield f"  {count:,} of these parameters are frozen until the end of {when}"
    yield (
        f"scheduler  {found.scheduler}, {found.moves}" if found.scheduler else "scheduler  none, the rate stands still"
    )
    yield f"step       {found.samples_per_step:,} samples"
    if found.steps is None:
        yield f"run        {found.epochs:,} epochs; how many steps, only the data tells: say --samples NUMBER"
        return
    yield (
        f"run        {found.steps:,} steps, {found.steps_per_epoch:,} an epoch over {found.data:,} samples, "
        f"{found.epochs:,} epochs"
    )
    yield from ("", *_table(found))


def _names(names: Sequence[str]) -> str:
    """The first of many names."""
    listed = ", ".join(islice(names, NAMES))
    return f"{listed}, ..." if len(names) > NAMES else listed


def _table(found: Training) -> Iterator[str]:
    """The rates, a column for each group whose rate differs."""
    columns = [i for i, g in enumerate(found.groups) if g.rate not in [o.rate for o in found.groups[:i]]]
    heads = ["epoch", "step", *("learning rate" if i == 0 else f"from {found.groups[i].rate:g}" for i in columns)]
    rows = [
        [f"{point.epoch:,}", f"{point.step:,}", *(f"{point.rates[i]:.4g}" for i in columns)] for point in found.rates
    ]
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, *rows]:
        yield "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
