"""Whole steps that are recorded, and several to a launch: all that comes of a run is the same to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn

from netspec.errors import Diverged, Interrupted, UsageError
from netspec.runtime.data.split import Data, Split, Steps
from netspec.runtime.train import recorded
from netspec.runtime.train import run as running
from netspec.runtime.train.loop import Trainer
from netspec.runtime.train.update import Update
from netspec.transforms.augment import Flip
from netspec.transforms.route import Placed
from netspec.vocabulary import OPTIMIZERS, SCHEDULERS
from tests.train.small import classes, convolution, equal, perceptron, pictures, section
from tests.train.tape import REFUSED, Tapes, tapes
from tests.train.test_penalties import LINES
from tests.train.test_recorded import Looking
from tests.train.test_resume import StopAfter, never_stopped, stopped_and_resumed, timeless
from tests.train.test_step_networks import RECIPES, folder, written

__all__ = ["folder"]  # a fixture
TIMES = ("seconds", "samples_per_s")
ON_THE_PROCESSOR = ("Adagrad", "Adafactor")
"""Optimizers that torch cannot record."""
VALUES: dict[str, Any] = {"optimizer": "adamw lr=0.01", "epochs": 2, "batch": 8}
TAIL = 4
BIASES = {"0.bias": "adamw lr=0.01", "3.bias": "adamw lr=0.01"}


def points() -> Data:
    """Six steps and a smaller one to an epoch."""
    return classes(48 + TAIL + 16)


def dropping() -> nn.Module:
    return perceptron(0.3, norm=True)


def trained(module: nn.Module, given: Data, more: Any = None, **values: Any) -> tuple[Any, Any, Trainer]:
    """All of the state that a run ends with, its records, and what trained."""
    kept = list[Trainer]()

    class Kept(Trainer):
        def __init__(self, *args: Any, **others: Any) -> None:
            super().__init__(*args, **others)
            kept.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "Trainer", Kept)
        wanted = section(**VALUES | values).replace(**more or {})
        wanted = wanted.replace(groups=tuple(replace(g, parameters=frozenset({g.key})) for g in wanted.groups))
        history = running.train(module, wanted, given)
    (trainer,) = kept
    state = {key: value for key, value in trainer.state.pack().items() if key != "seconds"}
    return state, [{k: v for k, v in record.items() if k not in TIMES} for record in history.records], trainer


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def held_alike(
    make: Callable[[], nn.Module] = perceptron, given: Callable[[], Data] = points, steps: int = 3, **values: Any
) -> tuple[Tapes, recorded.Recorded]:
    """Train recorded and not, hold all that comes of it alike, and give what recorded."""
    with tapes(steps) as played:
        state, records, trainer = trained(make(), given(), **values)
        plain, plain_records, other = trained(make(), given(), **values, cuda_graph=False)
    assert other.stepper.recorder is None
    assert trainer.stepper.recorder is not None
    assert records == plain_records
    for key in plain:
        assert same(state[key], plain[key]), key
    return played, trainer.stepper.recorder


def test_what_is_launched() -> None:
    """The first step is by itself, the second tells how long one takes, the last tells the norm of its gradient."""
    played, recorder = held_alike(steps=2)
    assert (recorder.most, played.refused) == (2, 0)
    # Gradients of the first step, a step, two steps, and the smaller one with its norm.
    assert played.captured == 4
    assert played.launches == (1 + 1 + 2 + 1) + (3 + 1)
    assert held_alike(steps=1)[0].launches == 14


@pytest.mark.parametrize(
    "name", [c.__name__ for c in OPTIMIZERS.classes() if c.__name__ not in ("SparseAdam", "LBFGS", "Muon")]
)
def test_every_optimizer_with_a_schedule(name: str) -> None:
    played, recorder = held_alike(optimizer=f"{name} lr=0.02", scheduler="cosine warmup=3")
    assert recorder.updates is (name not in ON_THE_PROCESSOR)
    assert (recorder.most, played.refused) == (3 if recorder.updates else 1, 0)


@pytest.mark.parametrize(
    ("values", "updates"),
    [
        ({"optimizer": "sgd lr=0.1 momentum=0.9 dampening=0.1 foreach=true"}, True),
        ({"optimizer": "sgd lr=0.1 momentum=0.9 foreach=true", "scheduler": "exponential 0.9"}, False),
        ({"optimizer": "adam lr=0.1 amsgrad foreach=true", "scheduler": "exponential 0.9"}, True),
        ({"optimizer": "adam lr=0.1 foreach=false"}, False),
        ({"optimizer": "muon lr=0.02", "groups": BIASES}, True),
        ({"optimizer": "muon lr=0.02", "groups": BIASES, "scheduler": "exponential 0.9"}, False),
        ({"optimizer": "adamw lr=0.1", "groups": {"0.bias": {"lr": 0.5}}, "scheduler": "exponential 0.9"}, True),
    ],
    ids=str,
)
def test_how_an_update_is_made(values: dict[str, Any], updates: bool) -> None:
    played, recorder = held_alike(**values)
    assert (recorder.updates, played.refused) == (updates, 0)


@pytest.mark.parametrize("cls", SCHEDULERS.classes(), ids=lambda cls: cls.__name__)
def test_every_schedule(cls: Any) -> None:
    _, recorder = held_alike(optimizer="sgd lr=0.1 momentum=0.9", scheduler=yaml.safe_load(cls.example))
    assert recorder.updates is (cls.__name__ not in ("OneCycleLR", "CyclicLR"))  # they move the momentum


def flipped() -> Data:
    found = pictures()
    return replace(found, train=replace(found.train, steps=Steps(augment=(Placed(Flip()),))))


def bytes_of() -> Data:
    """Points as bytes, which a recording makes floats of."""
    found = points()

    def as_bytes(part: Split) -> Split:
        return replace(part, inputs=((part.inputs[0] * 40 + 128).clamp(0, 255).to(torch.uint8),))

    return replace(found, train=as_bytes(found.train), val=as_bytes(found.val) if found.val else None)


FEATURES: dict[str, dict[str, Any]] = {
    "clipping": {"clip_grad": 0.1},
    "an average": {"ema": 0.9},
    "accumulation": {"accumulate": 2, "clip_grad": 0.1, "ema": 0.9},
    "samples that count differently": {"loss": "ce weight=1x2x3", "accumulate": 2},
    "penalties": {"make": perceptron, "more": {"penalties": LINES}},
    "slow weights": {"lookahead": {"every": 3}, "ema": 0.9},
    "evaluation between": {"evaluate": {"steps": 5}, "checkpoint": {"steps": 4}},
    "short floats": {"precision": "bf16"},
    "an end on the way": {"max_steps": 10},
    "an early stop": {"early_stop": "val.loss patience=1 min_delta=9", "epochs": 9},
    "augmentation": {"make": lambda: convolution(0.3), "given": flipped, "accumulate": 2},
    "bytes": {"given": bytes_of},
}


@pytest.mark.parametrize("name", FEATURES)
def test_every_feature(name: str) -> None:
    played, recorder = held_alike(**{"make": dropping, **FEATURES[name]})
    assert (recorder.updates, played.refused) == (True, 0)
    assert recorder.most == (1 if name == "slow weights" else 3)


@pytest.mark.parametrize("title", ["siamese", "views", "distillation", "mean teacher"])
def test_several_networks_and_losses(title: str, folder: Path) -> None:
    spec = written(folder, RECIPES[title])
    with tapes(2) as played:
        mine, theirs = spec.train(), written(folder, RECIPES[title] + "  cuda_graph: false\n").train()
    assert equal(mine.module, theirs.module)
    assert played.launches > 6
    assert played.refused == 0


@pytest.mark.parametrize(
    "values", [{"ema": 0.9, "scheduler": "cosine"}, {"optimizer": "sgd lr=0.1 momentum=0.9"}], ids=str
)
def test_resumed_to_the_bit(values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = section(**VALUES | {"epochs": 3} | values)
    with tapes(3) as played:
        plain, told = never_stopped(wanted.replace(cuda_graph=False), points(), tmp_path / "plain", dropping)
        whole, history = never_stopped(wanted, points(), tmp_path / "whole", dropping)
        parts, again = stopped_and_resumed(wanted, points(), tmp_path / "parts", [3, 5], monkeypatch, dropping)
    assert played.launches
    assert equal(whole, parts)
    assert equal(whole, plain)
    assert timeless(history) == timeless(again) == timeless(told)


def test_a_signal_ends_a_run_behind_a_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netspec.runtime.train.run.StopSignals", StopAfter)
    StopAfter.left = 2
    with tapes(3), pytest.raises(Interrupted, match="step 5"):
        trained(perceptron(), points())


def test_a_loss_that_is_not_finite_is_found_in_its_step() -> None:
    def told(**values: Any) -> str:
        with tapes(3), pytest.raises(Diverged) as caught:
            trained(perceptron(), points(), optimizer="sgd lr=1e8", **values)
        return str(caught.value)

    assert "in step 4 " in told()
    assert told() == told(cuda_graph=False)


def looking() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(*list(perceptron(0.3))[:3], Looking(0.3), nn.Linear(16, 3))


def test_what_looks_at_numbers_goes_on_one_kernel_at_a_time() -> None:
    played, recorder = held_alike(looking)
    assert recorder.failed
    assert not played.captured
    with tapes(), pytest.raises(UsageError, match="it looks at numbers on its way"):
        trained(looking(), points(), cuda_graph=True)


def test_an_update_that_cannot_be_recorded_is_told_where_recording_is_asked_for() -> None:
    with tapes(), pytest.warns(UserWarning, match="one kernel at a time: Adagrad counts its steps on the processor"):
        trained(perceptron(), points(), optimizer="adagrad lr=0.1", cuda_graph=True)


def test_an_update_that_fails_while_it_is_recorded_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adafactor looks at the count of its steps."""
    begun = Update.__init__

    def hopeful(self: Update, *args: Any) -> None:
        begun(self, *args)
        self.unrecordable = ""

    monkeypatch.setattr(Update, "__init__", hopeful)
    played, recorder = held_alike(dropping, optimizer="adafactor lr=0.02")
    assert played.refused == 1
    assert not recorder.updates
    assert not recorder.failed
    with tapes(), pytest.warns(UserWarning, match=REFUSED):
        trained(perceptron(), points(), optimizer="adafactor lr=0.02", cuda_graph=True)


def test_batches_that_would_take_too_much_memory_together_are_not_laid_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "HELD", 100)
    played, recorder = held_alike(convolution, flipped, accumulate=2)
    assert recorder.failed
    assert not played.captured
    assert not held_alike(convolution, flipped)[1].failed


def test_several_steps_wait_in_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "ROOM", 2 * 8 * (16 * 4 + 8))
    assert held_alike(convolution, flipped, steps=9)[1].most == 2
