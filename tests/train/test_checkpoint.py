"""Checkpoints are whole or not there, damage is always noticed, and the one before it is used."""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections import Counter
from math import inf, isnan, nan
from pathlib import Path
from typing import Any

import pytest
import torch

from netspec.errors import DataError, UsageError
from netspec.runtime.store.checkpoint import FILES, MANIFEST, Checkpoints, Damaged, check, read_state, write_state
from netspec.runtime.store.packing import pack, unpack
from netspec.runtime.store.run_folder import RunFolder
from netspec.runtime.train.run import train
from tests.train.small import classes, equal, perceptron, section


def state(number: int = 0) -> dict[str, Any]:
    torch.manual_seed(number)
    return {
        "weights": {"a": torch.randn(3, 4), "b": torch.zeros(0)},
        "number": number,
        "rates": (0.1, inf, [None, True]),
    }


def test_a_state_survives_to_the_bit() -> None:
    value = {
        "tensor": torch.tensor([1.5, nan, -0.0]),
        "tuple": (0.1, (2, "three")),
        "keys": {0: "a", 1: [False]},
        "counter": Counter({3: 2, 5: 1}),
        "float": 0.1 + 0.2,
        "nan": nan,
    }
    tensors: dict[str, torch.Tensor] = {}
    back = unpack(pack(value, "state", tensors), tensors)
    assert torch.equal(back.pop("tensor").view(torch.int32), torch.tensor([1.5, nan, -0.0]).view(torch.int32))
    assert isnan(back.pop("nan"))
    assert back == {k: v for k, v in value.items() if k not in ("tensor", "nan")}
    assert type(back["counter"]) is Counter


def test_what_is_no_plain_value_is_refused() -> None:
    with pytest.raises(TypeError, match="optimizer is a Random"):
        pack(random.Random(0), "optimizer", {})


def test_shared_and_sliced_tensors(tmp_path: Path) -> None:
    whole = torch.arange(10.0)
    write_state(tmp_path, {"a": whole, "b": whole, "c": whole[2:5], "d": whole.view(2, 5).t()})
    back = read_state(tmp_path)
    assert torch.equal(back["b"], whole)
    assert torch.equal(back["c"], whole[2:5])
    assert torch.equal(back["d"], whole.view(2, 5).t())


def test_the_newest_is_by_step_and_the_oldest_go(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, keep=2)
    for step in (100, 20, 3_000_000_000, 400):
        kept.save(step, 1, state(step % 1000))
    assert [p.name for p in kept.list()] == ["step-000000400-0001", "step-3000000000-0001"]
    found = kept.newest()
    assert found is not None
    assert found[1]["number"] == 0


def test_what_an_interrupted_save_left_is_no_checkpoint(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    kept.save(1, 0, state(1))
    shutil.copytree(tmp_path / "step-000000001-0000", tmp_path / ".step-000000002-0000.part")
    assert len(kept.list()) == 1
    kept.tidy()
    assert [p.name for p in tmp_path.iterdir()] == ["step-000000001-0000"]


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_every_flipped_byte_is_noticed(name: str, tmp_path: Path) -> None:
    write_state(tmp_path, state())
    whole = (tmp_path / name).read_bytes()
    places = random.Random(0).sample(range(len(whole)), min(60, len(whole)))
    for place in places:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << (place % 8)
        (tmp_path / name).write_bytes(flipped)
        with pytest.raises(Damaged):
            check(tmp_path)
    (tmp_path / name).write_bytes(whole)
    check(tmp_path)


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
@pytest.mark.parametrize("left", [0, 0.5, None])
def test_every_cut_is_noticed_and_the_one_before_is_taken(name: str, left: float | None, tmp_path: Path) -> None:
    said: list[str] = []
    kept = Checkpoints(tmp_path, warn=said.append)
    kept.save(1, 0, state(1))
    place = kept.save(2, 0, state(2)) / name
    if left is None:
        place.unlink()
    else:
        place.write_bytes(place.read_bytes()[: int(left * place.stat().st_size)])
    found = kept.newest()
    assert found is not None
    assert found[1]["number"] == 1
    assert len(said) == 1
    assert "step-000000002-0000 is damaged" in said[0]


def test_no_whole_one_is_an_error(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, warn=lambda text: None)
    assert kept.newest() is None
    (kept.save(1, 0, state(1)) / MANIFEST).unlink()
    with pytest.raises(DataError, match=r"no checkpoint in .* is whole"):
        kept.newest()


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_each_failing_sync_is_said_and_loses_nothing(
    reason: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Checkpoints(tmp_path, keep=2)
    kept.save(1, 0, state(1))
    fsync, calls = os.fsync, 0
    for failing in range(1, 6):
        calls = 0

        def refuse(handle: int, failing: int = failing) -> None:
            nonlocal calls
            calls += 1
            if calls == failing:
                raise OSError(reason, os.strerror(reason))
            fsync(handle)

        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(UsageError, match=os.strerror(reason)):
            kept.save(10 + failing, 0, state(2))
        monkeypatch.setattr(os, "fsync", fsync)
        found = kept.newest()
        assert found is not None
        assert kept.list()[0].name == "step-000000001-0000"


def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(tmp_path: Path) -> None:
    train_, data, whole = section(epochs=4, checkpoint={"every": 1}), classes(), perceptron(dropout=0.3)
    with RunFolder.create(tmp_path / "run", "") as run:
        train(whole, train_, data, run)
        newest = sorted(run.checkpoints.iterdir())[-1]
        (newest / FILES[0]).write_bytes(b"no tensors")
        again = perceptron(dropout=0.3)
        with pytest.warns(UserWarning, match="is damaged"):
            history = train(again, train_, data, run, resume=True)
        assert equal(whole, again)
        assert [r["epoch"] for r in run.records()] == [1, 2, 3, 4]
        assert history.records == run.records()
        check(newest)
