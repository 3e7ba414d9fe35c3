"""What a checkpoint holds is of the form that the run itself would save: what is not is named, and never broadcast."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from netspec.errors import DataError
from netspec.runtime.store.checkpoint import Checkpoints, write_state
from netspec.runtime.store.run_folder import RunFolder
from netspec.runtime.train.run import train
from tests.train.small import classes, perceptron, section
from tests.train.test_resume import OPTIMIZERS

Damage = Callable[[dict[str, Any]], None]


def resumed_with(damage: Damage, folder: Path, **words: Any) -> None:
    """Train an epoch, change the state that was saved and sign it anew, and go on for another."""
    with RunFolder.create(folder, "") as run:
        train(perceptron(norm=True), section(epochs=1, **words), classes(), run)
        kept = Checkpoints(run.checkpoints)
        found = kept.newest()
        assert found is not None
        place, state = found
        damage(state)
        for path in place.iterdir():
            path.unlink()
        write_state(place, state)
        train(perceptron(norm=True), section(epochs=2, **words), classes(), run, resume=True)


def held(state: dict[str, Any], number: int = 0) -> dict[str, Any]:
    """What the optimizer holds of one of the parameters."""
    found: dict[str, Any] = state["optimizer"]["state"][number]
    return found


def at(state: Any, path: str) -> tuple[Any, Any]:
    """The mapping or list that a value of a state lies in, and its key there."""
    keys: list[Any] = [int(name) if name.isdecimal() else name for name in path.split("/")]
    for key in keys[:-1]:
        state = state[key]
    return state, keys[-1]


def put(path: str, change: Callable[[Any], Any]) -> Damage:
    """Change one value of a state."""

    def damage(state: dict[str, Any]) -> None:
        place, key = at(state, path)
        place[key] = change(place[key])

    return damage


def lost(path: str) -> Damage:
    """Leave one value of a state out."""

    def damage(state: dict[str, Any]) -> None:
        place, key = at(state, path)
        del place[key]

    return damage


def lost_everywhere(key: str) -> Damage:
    def damage(state: dict[str, Any]) -> None:
        for each in state["optimizer"]["state"].values():
            del each[key]

    return damage


ADAM: dict[str, tuple[Damage, str]] = {
    "one row": (
        put("optimizer/state/0/exp_avg", lambda x: x[:1]),
        r"of 0.weight: exp_avg is 1 x 8 of float32.* 16 x 8",
    ),
    "a number": (put("optimizer/state/0/exp_avg_sq", lambda x: x.sum()), "exp_avg_sq is a single number"),
    "turned": (put("optimizer/state/0/exp_avg", lambda x: x.t().contiguous()), "exp_avg is 8 x 16"),
    "flat": (put("optimizer/state/0/exp_avg", lambda x: x.flatten()), "exp_avg is 128 of"),
    "whole numbers": (put("optimizer/state/1/exp_avg", lambda x: x.long()), "0.bias: exp_avg is 16 of int64"),
    "halves": (put("optimizer/state/1/exp_avg", lambda x: x.half()), "exp_avg is 16 of float16"),
    "doubles": (put("optimizer/state/0/exp_avg_sq", lambda x: x.double()), "exp_avg_sq is 16 x 8 of float64"),
    "NaN": (put("optimizer/state/0/exp_avg", lambda x: x * torch.nan), "exp_avg holds NaN"),
    "a count of two": (put("optimizer/state/0/step", lambda x: torch.ones(2)), "step is 2 of float32"),
    "a text": (put("optimizer/state/0/step", lambda x: "x"), "step is no number"),
    "one value lost": (lost("optimizer/state/0/exp_avg"), "holds step, exp_avg_sq, and a run saves step, exp_avg,"),
    "all of them": (lost_everywhere("exp_avg_sq"), "holds step, exp_avg, and a run saves"),
    "one too many": (
        put("optimizer/state/0", lambda x: {**x, "more": x["step"]}),
        "holds step, exp_avg, exp_avg_sq, more",
    ),
    "a parameter lost": (lost("optimizer/state/4"), "lacks what the optimizer held of 4.weight"),
    "the last lost": (lost("optimizer/state/5"), "lacks what the optimizer held of 4.bias"),
    "a parameter before the first": (
        lambda state: state["optimizer"]["state"].update({-1: held(state)}),
        "not of these parameters",
    ),
    "groups in another order": (
        put("optimizer/param_groups", lambda x: [{**x[0], "params": x[0]["params"][::-1]}]),
        "groups",
    ),
    "one group lost": (put("optimizer/param_groups", lambda x: []), "param_groups"),
    "an average of one row": (lambda s: narrow(s["average"], "module.0.weight"), "average.module.0.weight is 1 x 8"),
    "an average lost": (put("average", lambda x: None), "average is there without train.ema, or missing with it"),
    "an average of halves": (lambda s: halve(s["average"], "module.4.bias"), "average.module.4.bias is 3 of float16"),
    "one of the average lost": (lambda s: s["average"].pop("module.4.bias"), "average has other names .*module.4.bias"),
    "statistics of halves": (lambda s: halve(s["module"], "1.running_var"), "module.1.running_var is 16 of float16"),
    "random numbers cut": (put("random", lambda x: [{**x[0], "cpu": x[0]["cpu"][:100]}]), "random.cpu is 100 of uint8"),
    "random numbers of floats": (put("random", lambda x: [{**x[0], "cpu": x[0]["cpu"].float()}]), "of float32"),
    "no random numbers": (put("random", lambda x: []), "random holds the state of no process"),
    "losses of columns": (put("losses", lambda x: torch.zeros(0, 3)), "losses is 0 x 3"),
    "shares of whole numbers": (put("shares", lambda x: x.long()), "shares is 0 of int64"),
    "another step": (put("position/step", lambda x: x + 1), "the position is not one of this run"),
    "rates of the schedule lost": (put("schedule/torch/base_lrs", lambda x: []), "schedule.torch.base_lrs"),
    "the schedule's own count lost": (lost("schedule/torch/last_epoch"), "schedule.torch lacks 'last_epoch'"),
}


def narrow(tensors: dict[str, torch.Tensor], name: str) -> None:
    tensors[name] = tensors[name][:1]


def halve(tensors: dict[str, torch.Tensor], name: str) -> None:
    tensors[name] = tensors[name].half()


@pytest.mark.parametrize("what", ADAM)
def test_a_state_of_another_form_is_named(what: str, tmp_path: Path) -> None:
    damage, named = ADAM[what]
    with pytest.raises(DataError, match=named):
        resumed_with(damage, tmp_path / "run", optimizer="adamw lr=0.01", ema=0.9, scheduler="exponential 0.9")


@pytest.mark.parametrize("row", OPTIMIZERS)
def test_what_each_optimizer_holds_is_known(row: str, tmp_path: Path) -> None:
    """The first tensor of some length is cut, and what is held of the first parameter is emptied."""

    def cut(state: dict[str, Any]) -> None:
        each = held(state)
        name = next(name for name, value in each.items() if isinstance(value, torch.Tensor) and value.dim())
        each[name] = each[name][:1].clone()

    with pytest.raises(DataError, match=r"the optimizer's state of 0\.weight: "):
        resumed_with(cut, tmp_path / "cut", optimizer=row)
    with pytest.raises(DataError, match=r"the optimizer's state of 0\.weight holds nothing, and a run saves "):
        resumed_with(lambda state: held(state).clear(), tmp_path / "emptied", optimizer=row)


def test_an_optimizer_that_holds_nothing(tmp_path: Path) -> None:
    resumed_with(lambda state: None, tmp_path / "as it was", optimizer="sgd lr=0.1")
    extra = put("optimizer/state", lambda x: {0: {"momentum_buffer": torch.zeros(16, 8)}})
    with pytest.raises(DataError, match="a run saves nothing"):
        resumed_with(extra, tmp_path / "more", optimizer="sgd lr=0.1")
