"""A run that was stopped and resumed ends with the very bits of one that never was."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest
import torch
from torch import nn

from netspec.errors import DataError, Interrupted
from netspec.runtime.data.mixing import Mixer
from netspec.runtime.data.split import Data, Steps
from netspec.runtime.store.run_folder import RunFolder
from netspec.runtime.train.history import History
from netspec.runtime.train.progress import Plan, Silent
from netspec.runtime.train.run import train
from netspec.sections.train_record import Train
from netspec.transforms.augment import Crop, Erase, Flip, Rotate
from netspec.transforms.colour import Jitter
from netspec.transforms.geometry import Reshape
from netspec.transforms.mixing import Mixup
from netspec.transforms.route import Placed
from tests.train.small import classes, convolution, digest, equal, perceptron, pictures, section

SPEC = "netspec: 1\n"


class StopAfter:
    """In the place of StopSignals: a signal that has come once its number was asked for so many times."""

    left = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    @property
    def number(self) -> int | None:
        StopAfter.left -= 1
        return 2 if StopAfter.left < 0 else None


Make = Callable[[], nn.Module]


def dropping() -> nn.Module:
    return perceptron(dropout=0.4, norm=True)


def never_stopped(train_: Train, data: Data, folder: Path, make: Make = perceptron) -> tuple[nn.Module, History]:
    module = make()
    with RunFolder.create(folder, SPEC) as run:
        return module, train(module, train_, data, run)


def stopped_and_resumed(
    train_: Train,
    data: Data,
    folder: Path,
    stops: list[int],
    monkeypatch: pytest.MonkeyPatch,
    make: Make = perceptron,
) -> tuple[nn.Module, History]:
    """The same run, stopped after each of `stops` steps and resumed with a fresh network and fresh random numbers."""
    with monkeypatch.context() as patch:
        patch.setattr("netspec.runtime.train.run.StopSignals", StopAfter)
        for number, stop in enumerate(stops):
            StopAfter.left = stop
            torch.manual_seed(1000 + number)
            with RunFolder.open(folder) if number else RunFolder.create(folder, SPEC) as run:
                with pytest.raises(Interrupted) as caught:
                    train(make(), train_, data, run, resume=bool(number))
                assert caught.value.exit_code == 130
    module = make()
    torch.manual_seed(5)
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    with RunFolder.open(folder) as run:
        return module, train(module, train_, data, run, resume=True)


def timeless(history: History) -> list[dict[str, Any]]:
    return [{k: v for k, v in r.items() if k not in ("seconds", "samples_per_s")} for r in history.records]


OPTIMIZERS = [
    "sgd lr=0.1 momentum=0.9",
    "adamw lr=0.01",
    "adam lr=0.01 amsgrad",
    "nadam lr=0.01",
    "radam lr=0.01",
    "rmsprop lr=0.01 momentum=0.9 centered",
    "adagrad lr=0.01",
    "adadelta",
    "adamax",
    "asgd lr=0.05",
    "rprop lr=0.01",
    "adafactor",
    "lbfgs lr=0.1 max_iter=2",
]
SCHEDULES: list[Any] = [
    None,
    "cosine warmup=3",
    "step 1 gamma=0.5",
    "multistep 1x2",
    "exponential 0.9 every=step",
    "onecycle max_lr=0.1 cycle_momentum=false",
    "cyclic base_lr=0.01 max_lr=0.1 step_size_up=3 cycle_momentum=false",
    "cosine_restarts 2",
    "plateau patience=0 threshold=10",
    "polynomial total_iters=3",
    {"sequential": {"schedulers": ["linear total_iters=5", "exponential 0.9"], "milestones": [5], "every": "step"}},
    {"chained": {"schedulers": ["constant total_iters=2", "exponential 0.9"]}},
]
REST: list[dict[str, Any]] = [
    {"accumulate": 2, "batch": 8},
    {"ema": 0.8},
    {"lookahead": {"every": 2, "keep": 0.7, "power": 3}},
    {"clip_grad": 0.5},
    {"precision": "bf16"},
    {"early_stop": "val.loss patience=2 min_delta=10"},
    {"metrics": ["accuracy"], "checkpoint": {"every": 1, "steps": 3}},
    {"evaluate": {"steps": 3}, "early_stop": "val.loss patience=4 min_delta=10"},
    {"evaluate": {"steps": 2, "every": 3}, "checkpoint": {"steps": 1}, "scheduler": "plateau patience=0 threshold=10"},
    {"evaluate": {"every": 2}, "ema": 0.8, "accumulate": 2, "batch": 8},
]
MAPS: list[dict[str, Any]] = [
    {"channels_last": False},
    {"channels_last": True, "ema": 0.8, "clip_grad": 0.5},
    {"precision": "bf16", "accumulate": 2, "batch": 8, "evaluate": {"steps": 3}},
]
CELLS = [{"optimizer": row} for row in OPTIMIZERS]
CELLS += [{"scheduler": row, "optimizer": "sgd lr=0.1 momentum=0.9"} for row in SCHEDULES]
CELLS += [{"optimizer": "adamw lr=0.01", **rest} for rest in REST]


@pytest.mark.parametrize("stops", [[6], [3, 4, 1]], ids=["once", "often"])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_resumed_to_the_bit(
    cell: dict[str, Any], stops: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With dropout and batch norm, stopped within epochs and, after the fourth step, while evaluating."""
    same_whether_stopped_or_not(section(epochs=4, **cell), classes(), stops, dropping, tmp_path, monkeypatch)


@pytest.mark.parametrize("stops", [[6], [3, 4, 1]], ids=["once", "often"])
@pytest.mark.parametrize("cell", MAPS, ids=str)
def test_networks_over_maps(
    cell: dict[str, Any], stops: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_ = section(epochs=4, optimizer="adamw lr=0.01", **cell)
    same_whether_stopped_or_not(train_, pictures(), stops, partial(convolution, 0.4), tmp_path, monkeypatch)


@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning", "ignore:TensorFloat32")
def test_a_compiled_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last batch of an epoch is smaller than the others."""
    train_ = section(epochs=2, optimizer="adamw lr=0.01", compile=True, batch=24)
    same_whether_stopped_or_not(train_, classes(), [2], dropping, tmp_path, monkeypatch)


def same_whether_stopped_or_not(
    train_: Train, data: Data, stops: list[int], make: Make, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, whole_history = never_stopped(train_, data, folder / "whole", make)
    parts, parts_history = stopped_and_resumed(train_, data, folder / "parts", stops, monkeypatch, make)
    assert equal(whole, parts)
    assert timeless(whole_history) == timeless(parts_history)
    assert (whole_history.best, whole_history.best_epoch) == (parts_history.best, parts_history.best_epoch)
    for name in ("best.safetensors", "last.safetensors"):
        assert digest(folder / "whole" / name) == digest(folder / "parts" / name)


def test_augmented_and_mixed_batches_are_drawn_again_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = classes()
    augment = (Crop(size=(2, 4), pad=1), Flip(), Rotate(degrees=30), Erase(), Jitter(brightness=0.4, contrast=0.4))
    train = replace(
        plain.train,
        inputs=(plain.train.inputs[0].view(-1, 1, 2, 4),),
        steps=Steps(augment=tuple(map(Placed, augment)), after=(Placed(Reshape(sizes=[8])),)),
        mixer=Mixer((Mixup(),), 3),
    )
    data, train_ = replace(plain, train=train), section(epochs=4, accumulate=2, batch=8)
    whole, whole_history = never_stopped(train_, data, tmp_path / "whole")
    parts, parts_history = stopped_and_resumed(train_, data, tmp_path / "parts", [3, 4, 1], monkeypatch)
    unmixed, _ = never_stopped(train_, replace(plain, train=replace(train, mixer=None)), tmp_path / "unmixed")
    assert equal(whole, parts)
    assert not equal(whole, unmixed)
    assert timeless(whole_history) == timeless(parts_history)


def test_a_finished_run_resumes_to_its_end(tmp_path: Path) -> None:
    train_, data = section(epochs=2), classes()
    module, history = never_stopped(train_, data, tmp_path / "run")
    again = perceptron()
    with RunFolder.open(tmp_path / "run") as run:
        more = train(again, train_, data, run, resume=True)
    assert equal(module, again)
    assert more.records == history.records
    assert more.steps == history.steps


def test_other_data_is_refused(tmp_path: Path) -> None:
    train_ = section(epochs=2)
    never_stopped(train_, classes(80), tmp_path / "run")
    with RunFolder.open(tmp_path / "run") as run, pytest.raises(Exception, match="64 samples, now there are 44"):
        train(perceptron(), train_, classes(60), run, resume=True)


def test_the_plan_says_how_much_is_done(tmp_path: Path) -> None:
    plans = []

    class Listening(Silent):
        def start(self, plan: Plan) -> None:
            plans.append(plan)

    train_, data = section(epochs=2), classes()
    _, history = never_stopped(train_, data, tmp_path / "run")
    with RunFolder.open(tmp_path / "run") as run:
        train(perceptron(), train_, data, run, resume=True, progress=Listening())
    (plan,) = plans
    assert (plan.epochs, plan.steps, plan.total, plan.done, plan.samples) == (2, 4, 8, 8, 16)
    assert (plan.best.monitor, plan.best.best) == ("val.loss", history.best)


@pytest.mark.parametrize("change", ["targets", "inputs", "another split", "steps"])
def test_other_data_of_the_same_size_is_not_taken_up(change: str, tmp_path: Path) -> None:
    train_, data = section(epochs=2), classes()
    never_stopped(train_, data, tmp_path / "run")
    part, held = data.train, data.val
    assert held is not None
    swapped = torch.cat([held.inputs[0], part.inputs[0]]), torch.cat([held.target, part.target])
    other = {
        "targets": replace(data, train=replace(part, target=part.target.flip(0))),
        "inputs": replace(data, train=replace(part, inputs=(part.inputs[0] * 100,))),
        "another split": replace(
            data,
            train=replace(part, inputs=(swapped[0][: len(part)],), target=swapped[1][: len(part)]),
            val=replace(held, inputs=(swapped[0][len(part) :],), target=swapped[1][len(part) :]),
        ),
        "steps": replace(data, steps=Steps(after=(Placed(Reshape(sizes=[8])),))),
    }[change]
    with RunFolder.open(tmp_path / "run") as run, pytest.raises(DataError, match="the run began with other data"):
        train(perceptron(), train_, other, run, resume=True)
