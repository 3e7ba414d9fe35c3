"""Benchmarks run, and their arithmetic is right; how long anything takes is not held to a bound here."""

from __future__ import annotations

import contextlib
import gc
import gzip
import itertools
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch

import netspec
from benchmarks import (
    bound,
    build,
    cold_check,
    expand,
    exporting,
    forward,
    generating,
    gpu,
    kinds,
    memory,
    resnet,
    streaming,
    training,
    whole_command,
)
from benchmarks.apart import apart
from benchmarks.ratios import Pairs, Row, Work, pairs, report, timed

SPECS = Path(__file__).parent.parent / "specs"


def test_works_take_turns_and_the_first_pair_is_left_out() -> None:
    order: list[str] = []
    costs = {"a": count(1), "b": count(10)}

    def work(name: str) -> float:
        order.append(name)
        return next(costs[name])

    found = pairs(lambda: work("a"), lambda: work("b"), 3)
    assert "".join(order) == "ba" + "ab" + "ba" + "ab"
    assert found == Pairs((2, 3, 4), (11, 12, 13))


def test_the_ratio_is_that_of_neighbours() -> None:
    found = Pairs((1, 30, 3), (2, 40, 3))
    assert found.ratio == 0.75
    assert found.fastest == 0.5


def test_timed_work_returns_the_seconds_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    clock: Iterator[float] = iter([10.0, 14.0])
    monkeypatch.setattr("benchmarks.ratios.time.perf_counter", lambda: next(clock))
    done: list[int] = []
    assert timed(lambda: done.append(1), times=4)() == 1.0
    assert len(done) == 4


@pytest.mark.parametrize(
    ("row", "code", "text"),
    [
        (Row("a", 1.02, at_most=1.02), 0, "at most 1.02"),
        (Row("a", 1.03, at_most=1.02), 1, "at most 1.02  MISSED"),
        (Row("a", 3.5, at_least=3.5), 0, "at least 3.5"),
        (Row("a", 3.4, at_least=3.5), 1, "at least 3.5  MISSED"),
        (Row("a", 9), 0, "a  9"),
        (Row("a", None, at_least=2, note="b is not installed"), 0, "a  not measured  at least 2  b is not installed"),
    ],
)
def test_a_missed_bound_ends_with_1(row: Row, code: int, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        report([Row("b", 0), row])
    assert end.value.code == code
    assert text in capsys.readouterr().out


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is timed in turns is done once, on one thread, and in this process, which has torch already.

    Streaming keeps its processes: it starts others, which are to end with them.
    """

    @contextlib.contextmanager
    def here(make: Callable[..., Work], *given: Any) -> Iterator[Work]:
        yield make(*given)

    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    for module in (kinds, resnet, training):
        monkeypatch.setattr(module, "apart", here)
    for module in (kinds, resnet, streaming, training):
        monkeypatch.setattr(module, "pairs", lambda first, second, times: Pairs((first(),), (second(),)))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Few images in a step, no process but the benchmark's own, and a package that is imported sooner than torch.

    What other tests have left is not looked through at each collection of garbage.
    """

    def peak(folder: Path, source: str, allowed: str) -> float:
        (folder / "spec.yaml").write_text(memory.SPEC.format(side=memory.SIDE, source=source, memory=allowed))
        return float(netspec.load(folder / "spec.yaml").train().history.records[0]["samples_per_s"])

    started = cold_check.process
    few = {name: replace(kind, batch=4, steps=2) for name, kind in kinds.KINDS.items()}
    monkeypatch.setattr(kinds, "KINDS", few)
    monkeypatch.setattr(resnet, "BATCH", 4)
    monkeypatch.setattr(resnet, "peak", lambda way, steps: resnet.WAYS[way](steps)())
    monkeypatch.setattr(memory, "peak", peak)
    monkeypatch.setattr(
        cold_check, "process", lambda kept, *words: started(kept, *(w.replace("torch", "decimal") for w in words))
    )
    gc.freeze()
    yield
    gc.unfreeze()


def test_work_apart_is_done_in_a_process_of_its_own() -> None:
    with apart(partial, os.getpid) as work:
        assert work() == work() != os.getpid()


def test_the_peak_is_that_of_a_process_of_its_own() -> None:
    assert 50 < resnet.peak("netspec", 1) < 20_000


@pytest.mark.usefixtures("together", "small")
@pytest.mark.parametrize(
    "measured",
    [
        lambda: cold_check.measure(1),
        lambda: build.measure(1, SPECS / "lenet5_tutorial.yaml"),
        lambda: expand.measure(1, (40, 80)),
        lambda: forward.measure(1, 1),
        lambda: generating.measure(1, 4),
        lambda: kinds.measure(1, ("MLP on a table", "char model"), 1),
        lambda: resnet.measure(1, 1),
        lambda: streaming.measure(1, 128, 1),
        lambda: memory.measure(0.002, "1MB", ["JPEG"]),
        lambda: exporting.measure(1, ("lenet5_tutorial",), 10),
    ],
    ids=[
        "cold_check",
        "build",
        "expand",
        "forward",
        "generating",
        "kinds",
        "resnet",
        "streaming",
        "memory",
        "exporting",
    ],
)
def test_every_benchmark_runs(measured: Callable[[], list[Row]]) -> None:
    rows = measured()
    assert all(row.found is not None and row.found > 0 for row in rows)
    assert any(row.target for row in rows)


def test_data_larger_than_its_memory_stays_outside_of_it() -> None:
    (streamed,), (held,) = (memory.measure(0.15, allowed, [".npy"]) for allowed in ("10MB", "1GB"))
    assert streamed.found is not None
    assert held.found is not None
    assert streamed.found < held.found - 0.05


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    """A folder with files like MNIST's four."""
    for part in ("train", "t10k"):
        images, labels = bytes(i % 251 for i in range(80 * 784)), bytes(i % 10 for i in range(80))
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(
            gzip.compress(struct.pack(">4I", 0x803, 80, 28, 28) + images)
        )
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(struct.pack(">2I", 0x801, 80) + labels))
    return tmp_path


@pytest.mark.usefixtures("together")
def test_training_is_compared_with_every_peer_that_is_here(mnist: Path) -> None:
    *rows, share = training.measure(mnist, 1, (64,))
    assert share.name == "netspec, batch 64: share of the arithmetic bound"
    assert share.found is not None
    assert share.found > 0
    assert [row.name for row in rows] == [f"netspec / {peer.name}, batch 64" for peer in training.PEERS]
    for row, peer in zip(rows, training.PEERS, strict=True):
        if peer.package and not find_spec(peer.package):
            assert (row.found, row.note) == (None, f"{peer.package} is not installed")
        else:
            assert row.found is not None
            assert row.found > 0


def test_the_whole_command_runs(mnist: Path) -> None:
    whole_command.command(whole_command.own(mnist, 1))
    with pytest.raises(SystemExit, match="does not exist"):
        whole_command.command(whole_command.own(mnist / "nowhere", 1))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_its_figures_are_reported_as_not_measured() -> None:
    assert [row.found for row in gpu.measure(1)] == [None] * (len(gpu.CASES) + gpu.LAUNCHED + 4)


def test_what_a_gpu_is_compared_in_runs_on_a_cpu_too() -> None:
    rows = list(gpu.tried([case for case in gpu.CASES if "LeNet" in case.name or "U-Net" in case.name]))
    assert all(row.found for row in rows)
    assert len(rows) == 4


def test_a_bound_is_what_the_clock_says() -> None:
    clock = itertools.count()
    found = bound.measured(lambda: next(clock) / 1000, 1, 64)
    assert found.product == pytest.approx(2 * 64**3 * 1000)
    assert found.copy == pytest.approx(2 * 64 * 64 * 8 * 4 * 1000)
    spec = netspec.loads("netspec: 1\ninput: 64\nlayers: [linear 64]\n")
    row = bound.share("x", spec, 10, found)
    assert row.found == pytest.approx(6 * 64 * 64 * 10 / found.most)


def test_the_gpt_of_the_gpu_trains_both_ways() -> None:
    small = gpu.Text(vocab=50, length=6, width=8, heads=2, depth=1, batch=2, steps=2)
    assert all(way(small, False, "cpu")() > 0 for way in (gpu.gpt, gpu.nano))


@pytest.mark.parametrize("name", kinds.KINDS)
def test_both_of_a_pair_have_the_same_layers(name: str) -> None:
    kind = kinds.KINDS[name]
    printed = netspec.loads(f"netspec: 1\n{kind.layers}\n").graph.parameter_count
    assert printed == sum(p.numel() for p in kind.by_hand().parameters())
