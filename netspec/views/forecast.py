"""Forecast: the memory and the arithmetic of a training step before anything runs, and the largest batch that fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import prod
from typing import Any, Final, Protocol

from netspec import machine
from netspec.dims import Size, names, product, substitute
from netspec.errors import At, Problem, UsageError
from netspec.graph.model import Graph, Step
from netspec.graph.saved import Pass
from netspec.lint.base import Facts
from netspec.machine import shown_bytes
from netspec.saved import Held, Storage, Tape
from netspec.saved.peak import peak, weighing
from netspec.sections.experiment import Experiment
from netspec.sections.param_groups import OTHER, options_of
from netspec.sections.train_record import Train
from netspec.tensors import Tensor
from netspec.views.last_layers import STRETCH, last_steps
from netspec.views.table import plain
from netspec.views.training import untrained
from netspec.words import listed

BLOCKS: Final = {"cpu": 1, "cuda": 512}
"""The bytes that torch's allocator gives out at the least, and in multiples of."""
ITSELF: Final = {"cpu": 400 * 10**6, "cuda": 600 * 10**6}
"""About what torch takes for itself: its libraries in the memory of the machine, or its context on a GPU."""
MOST: Final = 2**30
"""The largest batch that is looked for."""


@dataclass(frozen=True)
class Course:
    """How a step goes."""

    tape: Tape
    held: tuple[Storage, ...]
    """What the loop holds on to during backward: what the network is given and what it gives."""


@dataclass(eq=False)
class Courses:
    """How a step may go, each worked out when it is asked for."""

    make: Callable[[Sequence[Step]], Course]
    last: Sequence[Step]
    """Last layers whose scores a loss may make."""

    @cached_property
    def whole(self) -> Course:
        """A step as the network is printed."""
        return self.make(())

    @cached_property
    def parted(self) -> Course:
        """A step in which the loss makes the scores of its last layers, which are more than a stretch of them."""
        return self.make(self.last)


@dataclass(frozen=True)
class Forecast:
    """What a step takes. Sizes are bytes, as formulas in B, the batch, and in the named sizes of the inputs."""

    name: str
    device: str
    """`cpu` or `cuda`."""
    precision: str
    batch: int
    sizes: Mapping[str, int]
    """The named sizes that are known."""
    parameters: int
    """Parameters and buffers."""
    gradients: int
    optimizer: int
    """What the optimizer holds between steps."""
    averages: int
    """Averages of the weights along the steps."""
    flops: Size | None
    """Floating point operations of a step; None where those of an operation are not known."""
    besides: tuple[str, ...]
    """What is left out besides operations of the network."""
    courses: Courses
    compiled: bool = False
    """Whether torch.compile decides what is kept, and this is the step as it runs without."""

    def course(self, batch: int) -> Course:
        """How a step of this batch goes."""
        sizes = {**self.sizes, "B": batch}
        shapes = [step.value.tensor.shape for step in self.courses.last if step.value.tensor is not None]
        counts = [substitute(product(shape), dict(sizes)) for shape in shapes]
        parts = any(isinstance(count, int) and count > _stretch(self.device) for count in counts)
        return self.courses.parted if parts else self.courses.whole

    @property
    def unknown(self) -> tuple[str, ...]:
        """What is left out, because it is not known what it keeps: with any, all is at least."""
        return tuple(dict.fromkeys((*self.course(self.batch).tape.unknown, *self.besides)))

    @property
    def saved(self) -> Size:
        """What forward keeps for backward, parameters apart, with the batch of the spec."""
        return self.course(self.batch).tape.bytes

    @property
    def fixed(self) -> int:
        """What no batch changes, and is there all the time."""
        return self.parameters + self.optimizer + self.averages

    @property
    def open(self) -> tuple[str, ...]:
        """The named sizes that are not known."""
        made = self.course(self.batch).tape.made_storages
        found = {name for storage in made for name in names(storage.bytes)}
        return tuple(sorted(found - {"B"} - set(self.sizes)))

    def peak(self, batch: int | None = None) -> int:
        """The most bytes that torch has at once in a step of this batch, itself apart."""
        batch = batch or self.batch
        course, weigh = self.course(batch), weighing({**self.sizes, "B": batch}, BLOCKS[self.device])
        most, _ = peak(course.tape, course.held, weigh)
        return self.fixed + max(most, self.gradients)

    def peak_formula(self) -> Size:
        """The same as a formula, for the moment at which it comes with the batch of the spec."""
        sizes = {**dict.fromkeys(self.open, 1), **self.sizes, "B": self.batch}
        course = self.course(self.batch)
        most, formula = peak(course.tape, course.held, weighing(sizes, 1))
        return self.fixed + (formula if most > self.gradients else self.gradients)

    def saved_bytes(self, batch: int) -> int:
        """What forward keeps for backward with this batch."""
        found = substitute(self.course(batch).tape.bytes, {**self.sizes, "B": batch})
        assert isinstance(found, int)
        return found

    def largest(self, room: int) -> int:
        """The largest batch whose tensors fit into so many bytes; 0 where none does."""
        low, high = 0, 1
        while high < MOST and self.peak(high) <= room:
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.peak(middle) <= room else (low, middle)
        return low

    def fitting(self, room: int) -> int:
        """The same for memory in which torch itself has to fit too."""
        return self.largest(room - ITSELF[self.device])

    def listed(self) -> dict[str, Any]:
        """Plain data for JSON: a number that depends on the run is a text such as `4*B*T`, an unknown one is null."""
        return {
            "device": self.device,
            "precision": self.precision,
            "batch": self.batch,
            "sizes": dict(self.sizes),
            "parameters": self.parameters,
            "gradients": self.gradients,
            "optimizer": self.optimizer,
            "averages": self.averages,
            "saved": plain(self.saved),
            "peak": plain(self.peak_formula()),
            "peak_at_batch": self.peak() if not self.open else None,
            "torch_itself": ITSELF[self.device],
            "exact": not self.unknown and not self.compiled,
            "unknown": list(self.unknown),
            "flops": plain(self.flops),
        }


def forecast(
    name: str,
    graph: Graph,
    experiment: Experiment,
    beside: Mapping[str, Graph],
    sizes: Mapping[str, int] | None = None,
) -> Forecast:
    """The forecast of a spec that is trained; `sizes` are named sizes that the spec does not tell.

    Raises UsageError for a spec that is not trained, and for sizes that it does not leave open.
    """
    train = experiment.train
    if train is None:
        raise UsageError(untrained(name))
    device, facts = device_of(train), Facts(graph, experiment, beside=beside)
    optimizer, untold = _optimizer(graph, train)
    macs = graph.macs()
    return Forecast(
        name,
        device,
        train.precision,
        train.batch,
        {**_told(graph, facts), **_said(graph, sizes or {})},
        _weights(graph),
        4 * _count(graph),
        optimizer,
        _averages(graph, train),
        None if macs is None else macs * (6 * train.samples),
        (*(["further passes and networks of a step"] if train.composed else []), *untold),
        Courses(partial(_course, facts, train, device), last_steps(graph, train) if train.chunked_loss else ()),
        bool(train.compile),
    )


def _course(facts: Facts, train: Train, device: str, last: Sequence[Step]) -> Course:
    """How a step goes in which the loss makes the scores of these `last` layers."""
    maps = train.channels_last if train.channels_last is not None else _convolves(facts.graph)
    unrolls = device == "cpu" and not machine.computes_bf16()
    tape = Tape(short=train.precision == "bf16", cuda=device == "cuda", pixelwise=bool(maps), unrolls=unrolls)
    return Course(tape, _step(facts, tape, last, _stretch(device)))


def _optimizer(graph: Graph, train: Train) -> tuple[int, list[str]]:
    """Bytes that the optimizers hold between steps, and the optimizers of which that is not known."""
    held, unknown = 0, dict[str, None]()
    for path, shape in graph.trained().items():
        optimizer = options_of(path, train.groups).get(OTHER, train.optimizer)
        if (copies := optimizer.copies()) is None:
            unknown[optimizer.said] = None
        held += 4 * prod(map(int, shape)) * (copies or 0) + 4 * optimizer.counters
    return held, list(unknown)


def _averages(graph: Graph, train: Train) -> int:
    """Bytes of the averages of the weights, and of the slow ones beside those that are trained."""
    averaged = train.ema is not None or (train.teacher is not None and train.teacher.averaged)
    slow = 4 * _count(graph) + _buffers(graph, counters=0) if train.lookahead is not None else 0
    return (_weights(graph) if averaged else 0) + slow


def _count(graph: Graph) -> int:
    """How many numbers are trained."""
    return sum(prod(map(int, shape)) for shape in graph.trained().values())


def _stretch(device: str) -> int:
    """The scores that a loss makes at once."""
    return STRETCH.get(device, STRETCH["elsewhere"])


def device_of(train: Train) -> str:
    """Where a spec is trained on this machine: `cuda` or `cpu`."""
    if train.device == "auto":
        return "cuda" if machine.has_accelerator() else "cpu"
    return "cuda" if str(train.device).startswith("cuda") else "cpu"


def _weights(graph: Graph) -> int:
    """Bytes of parameters and buffers; the counters of batch norms are whole numbers."""
    return 4 * graph.parameter_count + _buffers(graph)


def _buffers(graph: Graph, counters: int = 8) -> int:
    """Bytes of buffers, each of the counters of batch norms so many."""
    return sum(
        (counters if name.endswith("num_batches_tracked") else 4) * prod(map(int, shape))
        for name, shape in graph.buffers().items()
    )


def _convolves(graph: Graph) -> bool:
    """Whether there are convolutions over maps, whose numbers a run stores pixel by pixel."""
    return any(
        step.op is not None and step.op.family == "convolution" and getattr(step.op, "dims", 0) == 2
        for step in graph.root.walk()
    )


def _step(facts: Facts, tape: Tape, last: Sequence[Step], stretch: int) -> tuple[Storage, ...]:
    """Put one step on a tape: the network and its losses, which make the scores of `last` layers themselves.

    Returns what the loop holds on to meanwhile.
    """
    run = Pass(facts.graph, tape, reorder=facts.train is not None and bool(facts.train.reorder), held_back=last)
    outputs = run.run()
    given = [run.of(value) for value in facts.graph.root.inputs.values()]
    makers = {step.value.actual: step for step in last}
    total: list[Held] = []
    targets: dict[str, Held] = {}
    for compared in facts.comparisons:
        try:
            predictions = [run.of(value) for value in compared.values]
        except KeyError:  # of a network beside
            continue
        maker = makers.get(compared.values[0].actual)
        if maker is not None:
            owned = [run.own(maker, name) for name in maker.parameters()]
            total.append(tape.linear_cross_entropy(predictions[0], owned, stretch))
            continue
        # What the network gives in short floats, losses take as float32.
        predictions = list(tape.full(*predictions))
        name = compared.term.target_of(facts.data.source.targets if facts.data else ())
        tensor = compared.target or _presumed(compared.loss, predictions)
        if name not in targets or compared.term.within:
            target = tape.new(tensor.shape, dtype=tensor.dtype)
            targets[name] = target
        tape.own = _of_loss
        takes = compared.loss.takes_target
        total.append(compared.loss.kept(tape, *predictions, *([targets[name]] if takes else [])))
    if len(total) > 1:
        tape.add(*total)
    held = dict.fromkeys(x.storage for x in (*given, *outputs.values(), *targets.values()))
    # Maps come channel by channel, and stay beside their copies that lie pixel by pixel.
    copied = [x.storage.bytes for x in given if tape.pixelwise and len(x.shape) == 4 and x.shape[1] != 1]
    return (*held, *(Storage(size) for size in copied))


def _of_loss(name: str) -> Held:
    """A parameter of a loss, a single number."""
    return Held(Storage(4, True, name), (), (), "float32", True)


def _presumed(loss: Any, predictions: list[Held]) -> Tensor:
    """The target of a loss of which the data tells nothing: a class for each place, or what it is compared with."""
    shape = predictions[0].shape
    if loss.kind == "class":
        axis = loss.class_axis(len(shape))
        return Tensor((*shape[:axis], *shape[axis + 1 :]), "int64")
    if len(predictions) > 1:
        return Tensor(shape[:1])
    return Tensor(shape)


def _told(graph: Graph, facts: Facts) -> dict[str, int]:
    """The named sizes of the inputs that the data tells."""
    found: dict[str, int] = {}
    for wanted, given in zip(graph.inputs.values(), facts.gives.inputs or (), strict=False):
        for size, known in zip(wanted.shape, given.shape, strict=False):
            if isinstance(known, int) and not isinstance(size, int) and str(size) in size.names and str(size) != "B":
                found[str(size)] = known
    return found


def _said(graph: Graph, sizes: Mapping[str, int]) -> Mapping[str, int]:
    """Sizes that are said. Raises UsageError for a name that no input has open, as the batch is none."""
    free = {name for tensor in graph.inputs.values() for size in tensor.shape for name in names(size)} - {"B"}
    for name in sizes:
        if name not in free:
            there = f"Open are: {listed(sorted(free))}." if free else "None is open."
            batch = " The batch is train.batch=NUMBER." * (name == "B")
            raise UsageError(f"--size {name}: the inputs leave no size {name} open. {there}{batch}")
    return sizes


# --- as text ------------------------------------------------------------------------------------


def lines(found: Forecast) -> Iterator[str]:
    """The forecast as lines of text."""
    least = "at least " if found.unknown else ""
    yield f"memory     of a step on {found.device} in {found.precision}; B is the batch{_letters(found)}"
    yield f"  parameters  {shown_bytes(found.parameters)}, buffers among them"
    yield f"  gradients   {shown_bytes(found.gradients)}"
    yield f"  optimizer   {shown_bytes(found.optimizer)}"
    if found.averages:
        yield f"  averages    {shown_bytes(found.averages)}"
    if found.compiled:
        yield "  compiled    torch.compile decides what is kept: this is the step as it runs without"
    known = "" if found.open else f"; {shown_bytes(found.saved_bytes(found.batch))} at batch {found.batch:,}"
    yield f"  saved       {least}{found.saved} bytes{known}"
    known = "" if found.open else f"; {shown_bytes(found.peak())} at batch {found.batch:,}"
    itself = f"and about {shown_bytes(ITSELF[found.device])} for torch itself, the data apart"
    yield f"  peak        {least}{found.peak_formula()} bytes{known}, {itself}"
    if found.unknown:
        yield f"  unknown     what {', '.join(found.unknown)} keeps"
    if found.flops is not None:
        number = found.flops if isinstance(found.flops, int) else substitute(found.flops, dict(found.sizes))
        told = f"{number:.4g}" if isinstance(number, int) else str(number)
        yield f"compute    {told} floating point operations a step"


def _letters(found: Forecast) -> str:
    """What the other letters are."""
    told = [f"{name} is {size:,}" for name, size in found.sizes.items()]
    asked = [f"{name} is told by --size {name}=NUMBER" for name in found.open]
    return "".join(f", {each}" for each in (*told, *asked))


def need_sizes(found: Forecast) -> None:
    """Refuse a forecast in which a size is open. Raises UsageError."""
    if found.open:
        missing = ", ".join(found.open)
        raise UsageError(
            f"how much fits depends on {missing}, which the spec does not tell: say --size {found.open[0]}=NUMBER"
        )


def fitting(found: Forecast, room: int) -> Iterator[str]:
    """What fits into so many bytes."""
    batch, most = found.fitting(room), "at most " if found.unknown else ""
    if not batch:
        yield f"fits       no batch: {shown_bytes(room)} are too few even for one sample"
    else:
        yield f"fits       {most}batch {batch:,} into {shown_bytes(room)}: train.batch={batch}"


class Tried(Protocol):
    """What a step took that was tried."""

    @property
    def samples(self) -> int:
        """How many samples it was over."""
        ...

    @property
    def saved(self) -> int:
        """Bytes that forward kept for backward."""
        ...

    @property
    def peak(self) -> int:
        """The most bytes that tensors took at once."""
        ...

    @property
    def seconds(self) -> float:
        """How long it took."""
        ...

    @property
    def epoch_seconds(self) -> float:
        """About how long an epoch takes."""
        ...


def compared(found: Forecast, trial: Tried) -> dict[str, Any]:
    """A step that was tried, and its forecast, as plain data."""
    whole = not found.open
    return {
        "samples": trial.samples,
        "saved": trial.saved,
        "saved_forecast": found.saved_bytes(trial.samples) if whole else None,
        "peak": trial.peak,
        "peak_forecast": found.peak(trial.samples) if whole else None,
        "seconds": trial.seconds,
        "epoch_seconds": trial.epoch_seconds,
    }


def facts(found: Forecast, trial: Tried) -> Iterator[str]:
    """Forecast beside fact, for the step that was tried."""
    least = "at least " if found.unknown else ""
    told = compared(found, trial)
    yield f"tried      a step of {trial.samples:,} samples: {1000 * trial.seconds:.3g} ms"
    for name in ("saved", "peak"):
        known = told[f"{name}_forecast"]
        said = "unknown" if known is None else f"{least}{known:,}"
        yield f"  {name:<10}  {told[name]:,} bytes, forecast {said}"
    yield f"  epoch       about {trial.epoch_seconds:.3g} s of steps on this machine"


def lacking(found: Forecast, room: int, end: str) -> Problem | None:
    """The problem of a step whose tensors do not fit into so many bytes; `end` says where that limit comes from.

    Of a compiled step that is not known.
    """
    if found.open or found.compiled or (need := found.peak()) <= room:
        return None
    batch, least = found.largest(room), "at least " if found.unknown else ""
    text = f"a step with a batch of {found.batch:,} needs {least}{shown_bytes(need)}, {shown_bytes(room)} {end}"
    hint = f"The largest batch that fits is {batch:,}: write train.batch={batch}"
    if not batch:
        hint = "Not even a batch of 1 fits. Take smaller sizes"
    return Problem("too-large", text, At(("train", "batch")), f"{hint}.")
