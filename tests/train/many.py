"""Runs that one process and several must end alike, and what several processes of a test do."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn

import netspec
from netspec.errors import Diverged, UsageError
from netspec.penalties import L1, L2
from netspec.runtime.data.loading import load_data
from netspec.runtime.data.split import Data
from netspec.runtime.data.streaming import Streamed
from netspec.runtime.device.process_group import ALONE, World, joined
from netspec.runtime.network.freezing import hold
from netspec.runtime.store.run_folder import RunFolder
from netspec.runtime.train.history import Record
from netspec.runtime.train.networks import Inputs, Networks
from netspec.runtime.train.run import train
from netspec.sections.penalties_of import Penalised
from netspec.sections.train_record import Train
from tests.data.writing import section as data_section
from tests.drawn import MORE
from tests.train.headed import AUX, LEARNED, headed, ignoring, targets
from tests.train.small import classes, data, few_scores, perceptron, section

FILES: Final = Path(tempfile.mkdtemp())
atexit.register(shutil.rmtree, FILES)


@dataclass(frozen=True)
class Case:
    """A run that is small."""

    train: Train
    module: Callable[[], nn.Module] = perceptron
    data: Callable[[], Data] = classes
    networks: Callable[[Train], Networks] | None = None
    last: tuple[str, ...] = ()
    """Linear layers whose scores are made a few at a time."""
    spec: str = ""
    """The layers of a network whose spec says what is frozen, in place of the module."""

    def run(self, world: World = ALONE, run: RunFolder | None = None, **more: Any) -> dict[str, Any]:
        """Train, and return all that the run ended with."""
        torch.manual_seed(1)
        spec = netspec.loads(f"netspec: 1\ninput: 8\n{self.spec}\n") if self.spec else None
        module = self.module() if spec is None else spec.build()
        more |= {"frozen": spec.graph.weights.freeze} if spec is not None else {}
        networks = self.networks(self.train) if self.networks is not None else None
        about: dict[str, Any] = {"outputs": ("out",), "networks": networks} if networks is not None else {}
        about["last"] = self.last
        try:
            with few_scores() if self.last else nullcontext():
                history = train(module, self.train, self.data(), run, world=world, **about, **more)
        except Diverged as error:
            return {"diverged": str(error)}
        except UsageError as error:
            return {"refused": str(error)}
        return {"records": [kept(r) for r in history.records], "weights": module.state_dict(), "ended": history.ended}


def kept(record: Record) -> Record:
    return {name: value for name, value in record.items() if name not in ("seconds", "samples_per_s")}


def normed() -> nn.Module:
    return perceptron(norm=True)


def still() -> nn.Module:
    """A network whose norm is frozen."""
    net = perceptron(norm=True)
    hold(net[1].requires_grad_(False))
    return net


def beside(train_: Train) -> Networks:
    """A critic with a norm, where there is one, over the scores of a perceptron and over its points."""
    torch.manual_seed(2)
    critic = nn.Sequential(nn.Linear(3, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1), nn.Sigmoid())
    players = {player.name: critic for player in train_.players if player.spec is not None}
    given = dict.fromkeys(players, ("score",))
    return Networks(train_, Inputs(("input",), ("input",)), ("out",), None, players, given)


def still_headed() -> nn.Module:
    """A network with an auxiliary head, and without dropout, which each process draws for itself."""
    return headed(0.0)


def untroubled() -> nn.Module:
    """The same without that head."""
    return headed(0.0, aux=False)


def images() -> Data:
    rows = ["crop 8 pad=1", "flip", "erase", "mixup 0.4"]
    found = load_data(data_section({"source": "digits", "augment": rows, "split": {"val": 40}}), Path())
    return Data(found.train, found.val, None, found.names, found.classes, found.steps)


def streamed() -> Data:
    """The same, read from files; as long as the process lasts."""
    found = load_data(data_section("digits"), Path())
    np.save(FILES / "x.npy", (found.train.inputs[0] * 16).byte().numpy())
    np.save(FILES / "y.npy", found.train.target.numpy())
    rows = ["crop 8 pad=1", "flip", "erase", "mixup 0.4"]
    reading = {"memory": "20KB", "workers": 1}
    spec = {"source": "npy x.npy y.npy", "augment": rows, "split": {"val": 40}, **reading}
    read = load_data(data_section(spec), FILES)
    assert isinstance(read.train, Streamed)
    return read


def convolutions() -> nn.Module:
    torch.manual_seed(2)
    layers = [
        nn.Conv2d(1, 6, 3, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 6, 3, bias=False),
        nn.BatchNorm2d(6, momentum=None),
    ]
    return nn.Sequential(*layers, nn.ReLU(), nn.Flatten(), nn.Linear(96, 10))


def by_sample(held: bool = False) -> nn.Module:
    """A network whose norm keeps statistics of single samples, or uses those that it has."""
    torch.manual_seed(2)
    norm = nn.InstanceNorm2d(6, affine=True, track_running_stats=True)
    if held:
        hold(norm.requires_grad_(False))
    return nn.Sequential(nn.Conv2d(1, 6, 3), norm, nn.ReLU(), nn.Flatten(), nn.Linear(216, 10))


def half_ignored() -> Data:
    """Samples of which a third has a target that is skipped, so that some rows count for nothing."""
    found = classes(val=16)
    target = found.train.target.clone()
    target[torch.arange(len(target)) % 3 == 0] = -100
    return data(torch.cat([found.train.inputs[0], found.val.inputs[0]]), torch.cat([target, found.val.target]), 16)  # type: ignore[union-attr]


def outlier() -> Data:
    """Samples of which one is so large that the squared error over it is infinite."""
    x = torch.ones(80, 8)
    x[37] = 3e38
    return data(x, torch.zeros(80, 3))


def blocked() -> nn.Module:
    """Two blocks of one kind, between layers of their own."""
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(8, 12), Block(), Block(), nn.Linear(12, 3))


class Scale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.tensor(1.0))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.norm, self.fc2 = nn.Linear(12, 20, bias=False), nn.BatchNorm1d(20), nn.Linear(20, 12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = x + self.fc2(self.norm(self.fc1(x)).relu())
        return result


def features() -> nn.Module:
    torch.manual_seed(4)
    return nn.Sequential(nn.Linear(8, 12), nn.Tanh())


PENALISED = Penalised("*.weight", (L1(weight=1e-2), L2(weight=0.1)), (), frozenset({"0.weight", "3.weight"}))
ALL: dict[str, Any] = {
    "optimizer": "adamw lr=0.01",
    "scheduler": "cosine warmup=5",
    "batch": 7,
    "accumulate": 3,
    "clip_grad": 0.05,
    "ema": 0.8,
    "epochs": 4,
    "metrics": ["accuracy", "f1", "roc_auc", "confusion"],
}
CRITIC: Final[dict[str, Any]] = {
    "spec": {"input": 3, "layers": ["fc 1"]},
    "passes": {"fake": "out", "again": "out"},
    "loss": {"fake": "bce target=0", "again": "bce target=1 weight=0.3"},
    "optimizer": "adam lr=0.01",
}
PLAYING: Final[dict[str, Any]] = {
    "players": {"critic": CRITIC},
    "loss": {"out": "cross_entropy", "fooled": "bce of=critic.fake target=1 weight=0.5"},
}
TAUGHT: Final[dict[str, Any]] = {
    "teacher": "ema decay=0.9",
    "passes": {"second": "input"},
    "loss": {"out": "cross_entropy", "agree": {"mse": None, "of": "second", "target": "teacher"}},
}
CASES: dict[str, Case] = {
    "players": Case(section(**PLAYING, epochs=2, batch=15, every=2), normed, networks=beside),
    "taught": Case(section(**TAUGHT, epochs=2, batch=15), normed, networks=beside),
    "lora": Case(
        section(optimizer="adamw lr=0.01", batch=8, accumulate=2, ema=0.8, epochs=2),
        spec='layers: [linear 16, bn, relu, linear 3]\nwrap: {"*": lora rank=2}\nweights: {train: [bn1]}',
    ),
    "penalties": Case(section(clip_grad=0.05, epochs=2).replace(penalties=(PENALISED,))),
    "plain": Case(section(epochs=3, optimizer="sgd lr=0.1 momentum=0.9")),
    "uneven": Case(section(epochs=3, batch=15)),
    "one row left": Case(section(epochs=3, batch=21)),
    "batch of one": Case(section(epochs=1, batch=1, max_steps=9)),
    "sum": Case(section(epochs=3, loss="ce reduction=sum", optimizer="sgd lr=0.01", batch=21, accumulate=2)),
    "ignored": Case(section(epochs=3, loss="ce weight=1x2x3", batch=5), data=half_ignored),
    "ignored, in pieces": Case(section(epochs=3, loss="ce weight=1x2x3", batch=5, accumulate=3), data=half_ignored),
    "weighted one by one": Case(section(epochs=1, loss="ce weight=1x2x3", batch=1, accumulate=4)),
    "everything": Case(section(**ALL)),
    "norm": Case(section(**ALL | {"batch": 10, "optimizer": "sgd lr=0.1 momentum=0.9"}), normed),
    "norm uneven": Case(section(epochs=3, batch=15), normed),
    "frozen norm": Case(section(epochs=3, batch=15), still),
    "few scores": Case(
        section(epochs=2, loss="ce weight=1x2x3 label_smoothing=0.1", batch=9, accumulate=2, ema=0.8, metrics=["f1"]),
        data=half_ignored,
        last=("3",),
    ),
    "lbfgs": Case(section(epochs=1, optimizer="lbfgs lr=0.1", batch=32)),
    "loss that learns": Case(
        section(epochs=3, loss="adaptive_log_softmax 12 3 cutoffs=1", optimizer="adamw lr=0.01"), features
    ),
    "several losses": Case(
        section(epochs=2, loss=AUX, batch=20, metrics={"cls": "accuracy", "box": "mae"}), still_headed, targets
    ),
    "several losses, ignored, in pieces": Case(
        section(epochs=2, loss=AUX, batch=5, accumulate=3), still_headed, ignoring
    ),
    "several losses, learned": Case(section(epochs=2, loss=LEARNED, batch=15, accumulate=2), untroubled, targets),
    "not finite": Case(section(loss="mse", batch=32), data=outlier),
    "early stop": Case(section(epochs=30, early_stop="val.loss patience=1", optimizer="sgd lr=2")),
    "images": Case(section(epochs=1, batch=50, optimizer="adamw lr=0.003", metrics=["accuracy"]), convolutions, images),
    "statistics of samples": Case(section(epochs=1, batch=101, max_steps=8), by_sample, images),
    "frozen statistics of samples": Case(section(epochs=1, batch=101, max_steps=4), partial(by_sample, True), images),
    "streamed": Case(section(epochs=2, batch=50, optimizer="adamw lr=0.003"), convolutions, streamed),
    "fsdp": Case(section(**ALL | {"batch": 10}, parallel="fsdp"), blocked),
    "fsdp momentum": Case(section(epochs=3, batch=15, optimizer="sgd lr=0.1 momentum=0.9", parallel="fsdp"), blocked),
    "fsdp images": Case(
        section(epochs=1, batch=50, optimizer="adamw lr=0.003", max_steps=5, parallel="fsdp"), convolutions, images
    ),
}
OPTIMIZERS = ("adam amsgrad", "nadam", "radam", "rmsprop centered", "adagrad", "adadelta", "adamax", "asgd")
CASES |= {
    f"fsdp {row}": Case(section(epochs=1, batch=21, optimizer=row, parallel="fsdp"), partial(perceptron, 0.0))
    for row in OPTIMIZERS[: 2 * MORE]
}
MOVES: dict[str, Case] = {
    "ddp": Case(section(**ALL | {"scheduler": None, "checkpoint": {"steps": 1}})),
    "fsdp": Case(
        section(**ALL | {"batch": 10, "scheduler": None, "checkpoint": {"steps": 1}}, parallel="fsdp"), blocked
    ),
}
"""Runs that are begun with one number of processes and ended with another."""

REFUSED: dict[str, tuple[Case, str]] = {
    "statistics on a GPU alone": (
        Case(section(device="cpu"), lambda: nn.Sequential(nn.Linear(8, 3), nn.SyncBatchNorm(3))),
        "1 is a SyncBatchNorm",
    ),
    "players of one network": (
        Case(
            section(players={"head": {"trains": "3", "loss": {"out": "ce"}, "optimizer": "adam"}}, loss={"out": "ce"}),
            networks=beside,
        ),
        "players of one network cannot take turns",
    ),
    "single number": (Case(section(parallel="fsdp"), lambda: nn.Sequential(nn.Linear(8, 3), Scale())), "1.by"),
    "hook": (
        Case(section(parallel="fsdp"), lambda: nn.Sequential(nn.utils.weight_norm(nn.Linear(8, 3)))),
        "cannot copy",
    ),
}
"""What several processes cannot train, and what they say of it."""


def part(case: Case, folder: Path, resume: bool, world: World = ALONE) -> dict[str, Any]:
    """The first steps of a case, or the rest of them."""
    if not resume:
        case = replace(case, train=Train(**{**case.train.__dict__, "max_steps": 5}))
    open_ = partial(RunFolder.open, folder) if resume else partial(RunFolder.create, folder, "")
    with open_() if world.main else nullcontext() as run:
        return case.run(world, run, resume=resume)


def run_all(folder: Path) -> None:
    """Run every case as one of several processes; each leaves what it ended with in a file of its own."""
    torch.set_num_threads(1)
    with joined() as world:
        for name, case in CASES.items():
            torch.save(case.run(world), folder / f"{name}-{world.rank}.pt")
        for name, (case, _) in REFUSED.items():
            torch.save(case.run(world), folder / f"{name}-{world.rank}.pt")
        for name, case in MOVES.items():
            part(case, folder / f"from two, {name}", False, world)
            found = part(case, folder / f"from one, {name}", True, world)
            torch.save(found, folder / f"to two, {name}-{world.rank}.pt")
    sys.exit(0)
