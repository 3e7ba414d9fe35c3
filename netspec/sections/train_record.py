"""How a network is trained, as a record: what is minimised, how, for how long, and what is kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any, Final

from netspec.losses.base import Loss
from netspec.metrics.base import Metric
from netspec.optimizers.base import Optimizer
from netspec.records import Bool, Checked, Choice, Duration, Entry, Field, Float, Int, Record, Text, refuse
from netspec.schedulers.base import Scheduler
from netspec.sections.beside import TEACHER, Pass, Player, Teacher
from netspec.sections.objective import Term, alone
from netspec.sections.param_groups import OTHER, Group
from netspec.sections.penalties_of import Penalised


class EarlyStop(Entry):
    """Ends the run when a value has not improved for a number of evaluations."""

    words = ("early_stop",)
    example = "val.loss patience=5"

    monitor = Text("the value that is watched: val.loss, or val. and a metric", keyword=True)
    patience = Int("evaluations without improvement that are borne", 5, ge=1)
    min_delta = Float("by how much a value must be better to count", 0, ge=0)


class Evaluate(Record):
    """When the network is measured on the validation data. The end of a run always is."""

    example = "{steps: 500}"

    every = Int("epochs from one evaluation to the next", 1, ge=1)
    steps = Int("steps from one evaluation to the next, besides those at the ends of epochs", None, ge=1)
    views = Choice(
        "what the scores of an image are the mean over, in eval and predict too: flip, it and its mirror image; "
        "flip_shift, half of it both again, moved by a point up left and down right; null is the image alone",
        ("flip", "flip_shift"),
        None,
    )


class Checkpoint(Record):
    """When states to resume from are kept, how many, and by what the best weights are chosen."""

    example = "{keep: 3}"

    keep = Int("how many are kept", 3, ge=2)
    every = Int("epochs from one to the next; null is every evaluation, but for those within a few seconds", None, ge=1)
    steps = Int("steps from one to the next, besides those at the ends of epochs", None, ge=1)
    best = Text("the value that decides which weights are best; null is the first metric, else the loss", None)


class Lookahead(Record):
    """Slow weights beside those that are trained: every so many steps they come nearer, and training goes on from them.

    Behind the last step the network has the slow weights. Zhang et al. (2019); with a share that grows, Jordan (2024).
    """

    example = "{every: 5, keep: 0.5}"

    every = Int("steps from one meeting to the next", 5, ge=1)
    keep = Float("share of the slow weights that a meeting at the end of the run keeps", 0.5, ge=0, lt=1)
    power = Float("how that share grows: at step t of T it is keep times (t/T)^power; 0 is always keep", 0, ge=0)


def Part(
    sentence: str,
    cls: type[Any],
    default: Any = None,
    *,
    several: type[Any] | None = None,
    json: dict[str, Any] | None = None,
) -> Field[Any]:
    """A part of the section that has been read before: an entry of a catalogue, or a record; or `several` of a kind."""

    def check(value: Any) -> Any:
        items = value if isinstance(value, tuple) else (value,)
        wanted = several if several is not None and isinstance(value, tuple) else cls
        if not all(isinstance(item, wanted) for item in items):
            raise refuse(f"a {cls.__name__}")
        return value

    return Checked(sentence, check, json or {}, default)


def _row(noun: str) -> dict[str, Any]:
    """The JSON Schema of an entry that is described elsewhere."""
    long = {"type": "object", "minProperties": 1, "maxProperties": 1}
    return {"anyOf": [{"type": "string", "description": f"a {noun} with its arguments"}, long]}


_NAMED: dict[str, Any] = {"type": "object"}
_TEACHER: dict[str, Any] = {"type": ["string", "object"]}
_GROUPS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": ["string", "object"]}}


NEWEST: Final = "step"
"""The value of a record by which the newest weights are the best: of players that take turns no loss says so."""


class Train(Record):
    """How the network is trained."""

    loss = Part("what is minimised, or a loss for each output by its name", Loss, several=Term, json=_row("loss"))
    optimizer = Part("how a step is made of gradients", Optimizer, json=_row("optimizer"))
    groups = Part(
        "other options of the optimizer, or another one, by kind of layer or pattern of names", Group, (), json=_GROUPS
    )
    scheduler = Part("how the learning rate moves", Scheduler, json=_row("scheduler"))
    penalties = Part("what is added to the loss for parameters, by kind or pattern", Penalised, (), json=_GROUPS)
    passes = Part("further passes of the network in a step, by what their outputs are called", Pass, (), json=_NAMED)
    teacher = Part("another network, or an average of this one, whose outputs are targets", Teacher, json=_TEACHER)
    players = Part("who takes turns with the network, each with losses and an optimizer", Player, (), json=_NAMED)
    every = Int("steps from one turn of the network to the next, where there are players", 1, ge=1)
    epochs = Int("how often all training data is passed", 10, ge=1)
    batch = Int("samples in a step", 64, ge=1, le=2**31 - 1)
    metrics = Part("what is measured besides the loss", Metric, (), json={"type": ["array", "string"]})
    clip_grad = Float("the largest norm that a gradient may have; longer ones are shortened", None, gt=0)
    precision = Choice("the numbers that the network computes with", ("float32", "bf16"), "float32")
    evaluate = Part("when the validation data is measured", Evaluate, Evaluate(), json=Evaluate.json_schema())
    early_stop = Part("when to stop before the last epoch", EarlyStop, json={"type": ["string", "object"]})
    checkpoint = Part("what is kept to resume from", Checkpoint, Checkpoint(), json=Checkpoint.json_schema())
    seed = Int("what all random numbers of the run follow from", 0, ge=0)
    accumulate = Int("batches whose gradients are added up to one step", 1, ge=1, le=2**31 - 1)
    ema = Float("share of the averaged weights that each step keeps; null averages none", None, gt=0, lt=1)
    lookahead = Part(
        "weights that follow slowly, and that training begins anew from every few steps",
        Lookahead,
        json=Lookahead.json_schema(),
    )
    max_steps = Int("steps after which the run ends, whatever the epochs", None, ge=1)
    max_time = Duration("the time after which a run saves its state and ends; resumed, it has as much again", None)
    device = Choice("where to compute", ("auto", "cpu", "cuda", "mps"), "auto")
    threads = Int("threads on the CPU; null leaves the choice to torch", None, ge=1, le=4096)
    deterministic = Bool(
        "whether torch takes kernels that give the same bits each time, as a resume to the bit needs on a GPU", True
    )
    channels_last = Bool("whether maps are stored pixel by pixel; null where there are convolutions", None)
    parallel = Choice(
        "what each of several processes holds: ddp the network, fsdp a part of it", ("ddp", "fsdp"), "ddp"
    )
    compile = Bool("whether torch.compile makes a step faster, at the cost of a slow start", False)
    cuda_graph = Bool("whether a step on CUDA is recorded and launched as one; null where that can be done", None)
    reorder = Bool("whether a max pool behind a relu is computed before it, which takes less and changes no bit", True)
    chunked_loss = Bool(
        "whether a cross entropy behind the last linear layer takes a stretch of rows at a time, where all scores "
        "together are many: less memory, and sums in another order",
        True,
    )
    tensorboard = Bool("whether the metrics are written for TensorBoard too, into the run's folder", False)

    @property
    def terms(self) -> tuple[Term, ...]:
        """The losses of the network that are added up; a single one has no name."""
        return self.loss if isinstance(self.loss, tuple) else alone(self.loss)

    @property
    def all_terms(self) -> tuple[Term, ...]:
        """Those, and the losses of all players."""
        return (*self.terms, *(term for player in self.players for term in player.terms))

    @property
    def optimizers(self) -> tuple[Optimizer, ...]:
        """The optimizer of the network, and those that some groups have for themselves."""
        others = (group.options.get(OTHER) for group in self.groups)
        return (self.optimizer, *dict.fromkeys(each for each in others if each is not None))

    @property
    def composed(self) -> bool:
        """Whether a step runs more than the network once."""
        return bool(self.passes or self.teacher or self.players)

    @property
    def beside(self) -> dict[str, Teacher | Player]:
        """Those that have a network of their own, by what it is called."""
        found: dict[str, Teacher | Player] = {player.name: player for player in self.players}
        if self.teacher is not None:
            found[TEACHER] = self.teacher
        return {name: each for name, each in found.items() if each.spec is not None}

    def answered(self, outputs: Sequence[str]) -> dict[str, Term]:
        """The loss that says what an output of the network means, for each that one compares: the first that does."""
        found: dict[str, Term] = {}
        for term in self.terms:
            names = term.outputs or tuple(outputs)
            if names and all(name in outputs for name in names):
                found.setdefault(names[0], term)
        return found

    def measures(self, term: Term) -> bool:
        """Whether a loss is measured outside training too, as what no other draw and no average has a part in is."""
        names = [*term.outputs, term.named_target]
        gone = {each.name for each in self.passes if each.augmented}
        if self.teacher is not None and self.teacher.averaged:
            gone.add(TEACHER)
        return not any(part in gone for name in names for part in name.split(".")[:2])

    @property
    def samples(self) -> int:
        """Samples in a step, all its batches together."""
        return self.batch * self.accumulate

    def per_epoch(self, count: int) -> int:
        """The steps of an epoch over `count` samples."""
        return ceil(count / self.samples)

    def steps(self, count: int) -> int:
        """The steps of the whole run over `count` samples."""
        whole = self.per_epoch(count) * self.epochs
        return min(whole, self.max_steps or whole)

    @property
    def best(self) -> str:
        """The value that decides which weights are best."""
        named = [m.label for m in self.metrics if m.goal is not None]
        usual = NEWEST if self.players else "val.loss"
        return self.checkpoint.best or (f"val.{named[0]}" if named else usual)

    def goal(self, monitor: str) -> str:
        """Whether more (`max`) or less (`min`) of a value such as `val.accuracy` is better."""
        if monitor == NEWEST:
            return "max"
        label = monitor.partition(".")[2]
        return next((m.goal for m in self.metrics if m.label == label and m.goal), "min")

    def monitors(self) -> list[str]:
        """The values that may be watched."""
        labels = ["loss", *(m.label for m in self.metrics if m.goal is not None)]
        parts = [f"{part}.{term.name}.loss" for part in ("train", "val") for term in self.all_terms if term.name]
        return ["train.loss", *(f"val.{label}" for label in labels), *parts]
