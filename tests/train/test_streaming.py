"""Data that stays in its files gives the very bits that the same data in memory gives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from netspec.datasets.rows import FileRows
from netspec.errors import DataError, Interrupted
from netspec.runtime.data.loading import load_data
from netspec.runtime.data.split import Data, Split, seeded
from netspec.runtime.data.streaming import Streamed
from netspec.runtime.store.run_folder import RunFolder
from netspec.runtime.train.run import train
from tests.data.writing import idx_bytes
from tests.data.writing import section as data_section
from tests.effort import HANGING
from tests.train.small import DEVICE, equal, section
from tests.train.test_resume import StopAfter

COUNT = 90
SIZE = 8
STEPS: dict[str, Any] = {
    "transform": ["resize 10", "standardize", "crop 8"],
    "augment": ["crop 8 pad=1", "flip", "rotate 10", "mixup"],
    "split": {"val": 20, "test": 10},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images, masks and classes, as raw .npy files."""
    random = np.random.RandomState(0)
    np.save(tmp_path / "x.npy", random.randint(0, 256, (COUNT, 3, SIZE, SIZE), dtype=np.uint8))
    np.save(tmp_path / "mask.npy", random.randint(0, 3, (COUNT, SIZE, SIZE), dtype=np.uint8))
    np.save(tmp_path / "y.npy", np.arange(COUNT) % 3)
    return tmp_path


def load(folder: Path, workers: int | None, target: str = "y", device: str = "cpu", **more: Any) -> Data:
    """The data in memory, or with workers streamed."""
    reading = {} if workers is None else {"memory": "1KB", "workers": workers}
    data = load_data(data_section({"source": f"npy x.npy {target}.npy", **reading, **more}), folder, device=device)
    assert type(data.train) is (Split if workers is None else Streamed)
    return data


def network() -> nn.Sequential:
    """Images to three classes, always the same weights."""
    torch.manual_seed(1)
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3)]
    return nn.Sequential(*layers, nn.Linear(4 * (SIZE - 2) ** 2, 3)).to(DEVICE)


def trained(data: Data, **values: Any) -> nn.Module:
    net = network()
    train(net, section(epochs=3, **values), data)
    return net


REPEATING = {"optimizer": "lbfgs lr=0.1 max_iter=2", "channels_last": False}
"""An optimizer that looks at every batch several times."""


@pytest.mark.parametrize("values", [{}, {"accumulate": 2}, REPEATING], ids=str)
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_the_same_bits(folder: Path, workers: int, values: dict[str, Any]) -> None:
    whole, streamed = (trained(load(folder, count, device=DEVICE, **STEPS), **values) for count in (None, workers))
    assert equal(whole, streamed)


@pytest.mark.parametrize("workers", [[0, 1, 2], [2, 0, 1]], ids=str)
def test_resumed_within_an_epoch_with_other_workers(
    folder: Path, workers: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained(load(folder, None, device=DEVICE, **STEPS))
    net = network()
    monkeypatch.setattr("netspec.runtime.train.run.StopSignals", StopAfter)
    for number, (count, steps) in enumerate(zip(workers, (2, 3, 1000), strict=True)):
        StopAfter.left = steps
        net, data = nn.Sequential(*network()), load(folder, count, device=DEVICE, **STEPS)
        with RunFolder.open(tmp_path / "run") if number else RunFolder.create(tmp_path / "run", "") as run:
            if steps < 1000:
                with pytest.raises(Interrupted):
                    train(net, section(epochs=3), data, run, resume=bool(number))
            else:
                train(net, section(epochs=3), data, run, resume=True)
    assert equal(whole, net)


def test_a_process_may_take_its_share_of_every_batch(folder: Path) -> None:
    whole, streamed = load(folder, None, **STEPS).train, load(folder, 2, **STEPS).train
    order = whole.order(seeded(3))
    assert torch.equal(order, streamed.order(seeded(3)))

    def share(count: int) -> slice:
        return slice(count // 2, count)

    steps = order.split(16)
    streamed.expect(steps, share)
    for step in steps:
        given, expected = (part.batch(step, seeded(1), share(len(step))) for part in (streamed, whole))
        assert torch.equal(given[0][0], expected[0][0])
        assert torch.equal(given[1], expected[1])
    for (xs, y), (others, other) in zip(streamed.batches(16, share), whole.batches(16, share), strict=True):
        assert torch.equal(xs[0], others[0])
        assert torch.equal(y, other)


def test_what_was_not_expected_is_read_all_the_same(folder: Path) -> None:
    whole, streamed = load(folder, None).train, load(folder, 1).train
    rows = torch.tensor([5, 3, 3, 70])
    streamed.expect([torch.tensor([1, 2]), torch.tensor([4])])
    for wanted in (rows, torch.tensor([1, 2]), rows[:1], torch.tensor([4]), rows):
        assert torch.equal(streamed.batch(wanted)[0][0], whole.batch(wanted)[0][0])
    streamed.expect([rows])
    assert torch.equal(streamed.batch(rows)[0][0], whole.batch(rows)[0][0])


def test_batches_larger_than_the_memory_that_is_shared(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netspec.runtime.data.prefetch.SLOT", 7 * 3 * SIZE * SIZE)
    whole, streamed = load(folder, None).train, load(folder, 2).train
    steps = whole.order(seeded(0)).split(25)
    streamed.expect(steps)
    for step in steps:
        assert torch.equal(streamed.batch(step)[0][0], whole.batch(step)[0][0])


def test_targets_may_be_large_too(folder: Path) -> None:
    whole, streamed = (load(folder, count, target="mask") for count in (None, 1))
    assert isinstance(streamed.train.target, type(streamed.train.inputs[0]))
    assert streamed.target == whole.target

    def net() -> nn.Module:
        torch.manual_seed(0)
        return nn.Conv2d(3, 3, 1)

    nets = [net(), net()]
    for one, data in zip(nets, (whole, streamed), strict=True):
        train(one, section(epochs=1, deterministic=False), data)
    # A GPU adds up the losses of a map's points in any order.
    one, other = (net.state_dict()["weight"] for net in nets)
    assert equal(*nets) if DEVICE == "cpu" else torch.allclose(one, other)


def test_targets_that_stay_in_their_file_are_checked_before_the_first_step(folder: Path) -> None:
    np.save(folder / "mask.npy", np.full((COUNT, SIZE, SIZE), 3, np.uint8))
    with pytest.raises(DataError, match=r"row 0 \(train part\): the target is 3, at least 0 and at most 2"):
        train(nn.Conv2d(3, 3, 1), section(epochs=1), load(folder, 0, target="mask"))


def test_the_smallest_fields_are_held(folder: Path) -> None:
    reading = {"memory": "13KB", "split": {"val": 20}}
    data = load_data(data_section({"source": "npy x.npy mask.npy", **reading}), folder)
    assert data.val is not None
    assert type(data.train) is type(data.val) is Streamed
    assert [type(x).__name__ for x in (*data.val.inputs, data.val.target)] == ["Tensor", "Picked"]


def test_numbers_that_are_none_are_found_without_holding_the_file(folder: Path) -> None:
    x = np.zeros((COUNT, 4), np.float32)
    x[77, 2] = np.nan
    np.save(folder / "x.npy", x)
    with pytest.raises(DataError, match=r"x\.npy, row 77: found nan"):
        load(folder, 1)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_is_cut_short_meanwhile_is_named(folder: Path, workers: int) -> None:
    data = load(folder, workers)
    os.truncate(folder / "x.npy", 3 * SIZE * SIZE * 40)
    with pytest.raises(DataError, match=r"x\.npy has become shorter"):
        trained(data)


def test_a_worker_that_is_killed_ends_the_run_and_keeps_the_checkpoint(folder: Path, tmp_path: Path) -> None:
    data = load(folder, 2)
    assert isinstance(data.train, Streamed)
    reader = data.train.reader

    class Killing(nn.Sequential):
        steps = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            Killing.steps += self.training
            if Killing.steps == 8 and self.training:
                reader._workers[1].process.kill()
            given: torch.Tensor = self[0](x)
            return given

    with RunFolder.create(tmp_path / "run", "") as run:
        with pytest.raises(DataError, match=r"killed by SIGKILL.*memory runs out") as caught:
            train(Killing(network()), section(epochs=9, checkpoint={"every": 1}), data, run)
        assert Killing.steps < 8 + 6  # it doesn't train on what it had asked for
        assert caught.value.exit_code == 4
        assert [p.name[:14] for p in run.checkpoints.iterdir()] == ["step-000000006"]


def test_workers_are_gone_when_their_data_is(folder: Path) -> None:
    data = load(folder, 2)
    assert isinstance(data.train, Streamed)
    trained(data)
    processes = [worker.process for worker in data.train.reader._workers]
    assert [process.poll() for process in processes] == [None, None]
    del data
    assert [process.poll() for process in processes] == [0, 0]


def test_a_worker_does_without_torch() -> None:
    code = "import sys, netspec.runtime.data.worker; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


SPEC = """\
netspec: 1
input: 3x8x8
layers: [fc 3]
data: {source: npy x.npy y.npy, memory: 1KB, workers: 2}
train: {loss: cross_entropy, optimizer: sgd lr=0.01, epochs: 100000}
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_group_is_the_masters_to_answer(folder: Path, number: signal.Signals) -> None:
    """As Ctrl-C on a terminal, or a cluster's end of time, sends it."""
    (folder / "spec.yaml").write_text(SPEC)
    command = [sys.executable, "-m", "netspec", "train", "spec.yaml", "--run", "run"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr is not None
        while " 3/" not in process.stderr.readline():
            assert process.poll() is None
        os.killpg(process.pid, number)
        said = process.communicate(timeout=HANGING)[1]
    assert process.returncode == 128 + number
    assert "resume goes on from there" in said
    assert "Traceback" not in said


def test_packed_data_larger_than_its_memory_is_refused(folder: Path) -> None:
    np.savez_compressed(folder / "packed.npz", x=np.load(folder / "x.npy"), y=np.arange(COUNT))
    section_ = data_section({"source": "npz packed.npz", "memory": "10KB"})
    with pytest.raises(DataError, match=r"takes 18 KB of memory, data\.memory allows 10 KB.*as \.npy"):
        load_data(section_, folder)


def test_every_format_that_lies_unpacked_in_its_file_can_stay_there(folder: Path) -> None:
    x, y = np.load(folder / "x.npy"), np.arange(COUNT) % 3
    np.savez(folder / "plain.npz", x=x, y=y)
    (folder / "images").write_bytes(idx_bytes(x))
    (folder / "labels").write_bytes(idx_bytes(y))
    for source in ("npy x.npy y.npy", "npz plain.npz", "idx images labels"):
        part = load_data(data_section({"source": source, "memory": "1KB", "split": {"val": 0}}), folder).train
        assert isinstance(part.inputs[0], FileRows)
        (given,), target = part.batch(torch.tensor([9, 8, 0]))
        assert torch.equal(given, torch.from_numpy(x[[9, 8, 0]]).float().div_(255))
        assert target.tolist() == [0, 2, 0]
