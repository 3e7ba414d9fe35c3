"""Several processes give the run of one, and what is saved by so many goes on with any other number."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from netspec.runtime.device.launch import launch
from tests.train.many import CASES, MOVES, REFUSED, part, run_all


@pytest.fixture(scope="module")
def by_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two processes have left what their runs ended with."""
    folder = tmp_path_factory.mktemp("many")
    for name, case in MOVES.items():
        part(case, folder / f"from one, {name}", False)
    assert launch(partial(run_all, folder), 2) == 0
    return folder


def near(a: Any, b: Any) -> None:
    """Demand that two results are equal but for rounding."""
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for name in a:
            near(a[name], b[name])
    elif isinstance(a, list):
        assert len(a) == len(b)
        for left, right in zip(a, b, strict=True):
            near(left, right)
    elif isinstance(a, float | torch.Tensor):
        torch.testing.assert_close(torch.as_tensor(b), torch.as_tensor(a), rtol=1e-3, atol=2e-5)
    else:
        assert a == b


@pytest.mark.parametrize("name", CASES)
def test_two_processes_end_like_one(name: str, by_two: Path) -> None:
    alone = CASES[name].run()
    for rank in range(2):
        near(alone, torch.load(by_two / f"{name}-{rank}.pt"))


@pytest.mark.parametrize("name", REFUSED)
def test_what_several_cannot_train_all_refuse(name: str, by_two: Path) -> None:
    for rank in range(2):
        assert REFUSED[name][1] in torch.load(by_two / f"{name}-{rank}.pt")["refused"]


def ends_like(whole: dict[str, Any], resumed: dict[str, Any]) -> None:
    """Demand the same weights and the same last record: the first part has one where it stopped."""
    near(whole["weights"], resumed["weights"])
    near(whole["records"][-1], resumed["records"][-1])


@pytest.mark.parametrize("name", MOVES)
def test_what_two_have_saved_one_takes_up(name: str, by_two: Path) -> None:
    ends_like(MOVES[name].run(), part(MOVES[name], by_two / f"from two, {name}", True))


@pytest.mark.parametrize("name", MOVES)
def test_what_one_has_saved_two_take_up(name: str, by_two: Path) -> None:
    whole = MOVES[name].run()
    for rank in range(2):
        ends_like(whole, torch.load(by_two / f"to two, {name}-{rank}.pt"))
