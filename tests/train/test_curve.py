"""The rates that are told without torch are those that torch's schedulers give."""

from __future__ import annotations

from collections.abc import Iterator
from math import isclose
from typing import Any

import pytest
import torch
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from netspec.errors import UsageError
from netspec.language.calls import read_entry
from netspec.runtime.train.schedules import Schedule
from netspec.schedulers.base import Scheduler
from netspec.schedulers.curve import curve
from netspec.vocabulary import SCHEDULERS

BASE = 0.3


def of_torch(entry: Scheduler | None, steps: int, per_epoch: int, epochs: int, base: float) -> Iterator[float]:
    """The rates of a run, as the trainer has torch move them."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=base, momentum=0.9)
    schedule = Schedule(entry, optimizer, steps, epochs, "val.loss")
    for step in range(steps):
        schedule.before(step)
        yield optimizer.param_groups[0]["lr"]
        optimizer.step()
        schedule.after(step)
        if (step + 1) % per_epoch == 0:
            schedule.epoch()


def agree(entry: Scheduler | None, per_epoch: int, epochs: int, base: float = BASE) -> None:
    steps = per_epoch * epochs
    mine = list(curve(entry, base, steps, per_epoch, epochs))
    theirs = list(of_torch(entry, steps, per_epoch, epochs, base))
    assert len(mine) == steps
    for step, (a, b) in enumerate(zip(mine, theirs, strict=True)):
        assert isclose(a, b, rel_tol=1e-9, abs_tol=1e-12), (entry, step, a, b)


def read(value: Any) -> Scheduler:
    return read_entry(value, ("train", "scheduler"), SCHEDULERS)[0]


@pytest.mark.parametrize("every", [None, "step", "epoch"])
@pytest.mark.parametrize("warmup", [0, 7])
@pytest.mark.parametrize("cls", SCHEDULERS.classes(), ids=lambda c: c.__name__)
def test_every_example(cls: type[Scheduler], warmup: int, every: str | None) -> None:
    if cls.__name__ == "ReduceLROnPlateau" and every == "step":
        return  # refused
    entry = read(yaml.safe_load(cls.example)).replace(warmup=warmup, every=every)
    agree(entry, per_epoch=9, epochs=12)


def test_without_a_schedule_the_rate_stands_still() -> None:
    agree(None, per_epoch=3, epochs=2)


share = st.floats(0.05, 1)
count = st.integers(1, 12)
rate = st.floats(1e-4, 1)
KINDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "StepLR": {"step_size": count, "gamma": share},
    "MultiStepLR": {"milestones": st.lists(st.integers(0, 20), min_size=1, max_size=5).map(sorted), "gamma": share},
    "ExponentialLR": {"gamma": share},
    "ConstantLR": {"factor": share, "total_iters": count},
    "LinearLR": {"start_factor": share, "end_factor": st.floats(0, 1), "total_iters": count},
    "PolynomialLR": {"total_iters": count, "power": st.floats(0.5, 3)},
    "CosineAnnealingLR": {"T_max": st.none() | count, "eta_min": st.floats(0, 0.1)},
    "CosineAnnealingWarmRestarts": {"T_0": count, "T_mult": st.integers(1, 3), "eta_min": st.floats(0, 0.1)},
    "CyclicLR": {
        "base_lr": st.floats(0.001, 0.01),
        "max_lr": rate,
        "step_size_up": count,
        "step_size_down": st.none() | count,
        "mode": st.sampled_from(["triangular", "triangular2", "exp_range"]),
        "gamma": st.floats(0.5, 1),
    },
    "OneCycleLR": {
        "max_lr": rate,
        "pct_start": st.floats(0.1, 0.45),
        "anneal_strategy": st.sampled_from(["cos", "linear"]),
        "div_factor": st.floats(2, 30),
        "final_div_factor": st.floats(1, 1e4),
        "three_phase": st.booleans(),
    },
}


@st.composite
def plain(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(sorted(KINDS)))
    given = {field: draw(values) for field, values in KINDS[name].items()}
    return {name: {field: value for field, value in given.items() if value is not None}}


@st.composite
def composed(draw: st.DrawFn) -> dict[str, Any]:
    parts = draw(st.lists(plain(), min_size=1, max_size=3))
    parts = [p for i, p in enumerate(parts) if "OneCycleLR" not in p or not any("OneCycleLR" in q for q in parts[:i])]
    if draw(st.booleans()):
        return {"ChainedScheduler": {"schedulers": parts}}
    ends = draw(st.lists(st.integers(1, 15), min_size=len(parts) - 1, max_size=len(parts) - 1, unique=True))
    return {"SequentialLR": {"schedulers": parts, "milestones": sorted(ends)}} if ends else parts[0]


def test_every_scheduler_is_drawn() -> None:
    others = {"SequentialLR", "ChainedScheduler", "ReduceLROnPlateau"}
    assert {cls.__name__ for cls in SCHEDULERS.classes()} == set(KINDS) | others


@settings(max_examples=300, deadline=None)
@given(plain() | composed(), st.sampled_from([None, "step", "epoch"]), st.integers(0, 6), st.integers(12, 16), rate)
def test_any_schedule(value: dict[str, Any], every: str | None, warmup: int, epochs: int, base: float) -> None:
    try:
        agree(read(value).replace(every=every, warmup=warmup), per_epoch=3, epochs=epochs, base=base)
    except UsageError as refusal:  # of a cycle that torch cannot divide, which the next test looks at
        assume("pct_start" not in str(refusal))
        raise


def test_a_cycle_that_torch_cannot_divide_is_refused() -> None:
    entry = read("onecycle max_lr=1 pct_start=0.1")
    for rates in (curve, of_torch):
        with pytest.raises(UsageError, match="pct_start"):
            list(rates(entry, BASE, 10, 5, 2) if rates is curve else of_torch(entry, 10, 5, 2, BASE))


def test_a_part_without_a_rate_for_every_step_is_refused() -> None:
    entry = read({"chained": {"schedulers": ["onecycle max_lr=1 total_steps=3"]}})
    with pytest.raises(UsageError, match="has 3 rates, as a part it runs for 10"):
        list(curve(entry, BASE, 10, 5, 2))
    with pytest.raises(UsageError, match="total_steps"):
        list(of_torch(entry, 10, 5, 2, BASE))
