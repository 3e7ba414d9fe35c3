"""What the `train:` section holds once it is read."""

from __future__ import annotations

from math import ceil
from typing import Any

from netspec.catalogue import Entry
from netspec.losses.base import Loss
from netspec.metrics.base import Metric
from netspec.optimizers.base import Optimizer
from netspec.records import Bool, Checked, Choice, Duration, Field, Float, Int, Record, Text, refuse
from netspec.schedulers.base import Scheduler
from netspec.sections.param_groups import Group


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


class Checkpoint(Record):
    """When states to resume from are kept, how many, and by what the best weights are chosen."""

    example = "{keep: 3}"

    keep = Int("how many are kept", 3, ge=2)
    every = Int("epochs from one to the next; null is every evaluation, but for those within a few seconds", None, ge=1)
    steps = Int("steps from one to the next, besides those at the ends of epochs", None, ge=1)
    best = Text("the value that decides which weights are best; null is the first metric, else the loss", None)


def Part(sentence: str, cls: type[Any], default: Any = None, *, json: dict[str, Any] | None = None) -> Field[Any]:
    """A part of the section that has been read before: an entry of a catalogue, or a record."""

    def check(value: Any) -> Any:
        items = value if isinstance(value, tuple) else (value,)
        if not all(isinstance(item, cls) for item in items):
            raise refuse(f"a {cls.__name__}")
        return value

    return Checked(sentence, check, json or {}, default)


def _row(noun: str) -> dict[str, Any]:
    long = {"type": "object", "minProperties": 1, "maxProperties": 1}
    return {"anyOf": [{"type": "string", "description": f"a {noun} with its arguments"}, long]}


_GROUPS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": ["string", "object"]}}


class Train(Record):
    """How the network is trained."""

    loss = Part("what is minimised", Loss, json=_row("loss"))
    optimizer = Part("how a step is made of gradients", Optimizer, json=_row("optimizer"))
    groups = Part("other options of the optimizer, by kind of layer or pattern of names", Group, (), json=_GROUPS)
    scheduler = Part("how the learning rate moves", Scheduler, json=_row("scheduler"))
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
    tensorboard = Bool("whether the metrics are written for TensorBoard too, into the run's folder", False)

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
        return self.checkpoint.best or (f"val.{named[0]}" if named else "val.loss")

    def goal(self, monitor: str) -> str:
        """Whether more (`max`) or less (`min`) of a value such as `val.accuracy` is better."""
        label = monitor.partition(".")[2]
        return next((m.goal for m in self.metrics if m.label == label and m.goal), "min")

    def monitors(self) -> list[str]:
        """The values that may be watched."""
        labels = ["loss", *(m.label for m in self.metrics if m.goal is not None)]
        return ["train.loss", *(f"val.{label}" for label in labels)]
