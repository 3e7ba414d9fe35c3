"""The forecast of a training step: what it says is what a step takes, and a step that does not fit is not begun."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import netspec
from netspec import machine
from netspec.errors import UsageError
from netspec.graph.saved import Pass
from netspec.runs.measuring import try_step
from netspec.runtime.train import trial
from netspec.views import last_layers
from netspec.views.forecast import Forecast, forecast, lacking, lines, need_sizes
from tests.cli.test_commands import DIGITS, run

ROOT = Path(__file__).parent.parent.parent
SPEC = """\
netspec: 1
name: Small
input: 1x8x8
layers: [conv 8 k3 same nobias, bn, relu, maxpool 2, conv 8 k3 same, silu, fc 10]
data: {source: digits}
train: {loss: ce, optimizer: adamw lr=1e-3, epochs: 1, batch: 32, device: cpu}
"""
TEXTS = """\
netspec: 1
inputs: {ids: int T}
layers: [embedding 9 8, linear 9]
train: {loss: ce axis=-1, optimizer: sgd lr=1, epochs: 1}
"""


def expected(*overrides: str, text: str = SPEC, sizes: dict[str, int] | None = None) -> Forecast:
    spec = netspec.loads(text, overrides)
    beside = {name: each.graph for name, each in spec.beside.items()}
    return forecast(spec.name, spec.graph, spec.experiment, beside, sizes)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["train.loss=ce label_smoothing=0.1", "train.optimizer=sgd lr=0.1 momentum=0.9", "train.ema=0.9"],
        ["train.lookahead={every: 3}"],
        ["train.optimizer=muon lr=0.1", 'train.groups={"*.bias": adamw, bn: adamw}'],
        ["train.channels_last=false", "train.reorder=false"],
        ["train.precision=bf16", "train.accumulate=2"],
    ],
    ids=str,
)
def test_forecast_and_fact(overrides: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "MOST", 1)
    found, fact = expected(*overrides), try_step(netspec.loads(SPEC, overrides))
    assert not found.unknown
    assert fact.saved == found.saved_bytes(fact.samples)
    assert found.peak(fact.samples) == pytest.approx(fact.peak, rel=0.1)
    assert fact.epoch_seconds > 0


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_scores_that_a_loss_makes_are_never_whole(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "MOST", 1)
    monkeypatch.setitem(last_layers.STRETCH, "cpu", 100)
    overrides = [f"train.precision={precision}", "layers=[flatten, fc 32, relu, fc 10]"]
    found, fact = expected(*overrides), try_step(netspec.loads(SPEC, overrides))
    assert fact.saved == found.saved_bytes(fact.samples)
    assert found.peak() == pytest.approx(fact.peak, rel=0.1 if precision == "float32" else 0.4)
    whole = expected(*overrides, "train.chunked_loss=false")
    assert whole.saved_bytes(32) > found.saved_bytes(32)
    assert whole.saved_bytes(10) == found.saved_bytes(10)  # no more than a stretch


def test_a_compiled_step_is_not_refused_for_what_it_takes_uncompiled() -> None:
    found = expected("train.compile=true")
    assert lacking(found, 0, "are free") is None
    assert lacking(expected(), 0, "are free") is not None
    assert any("torch.compile" in line for line in lines(found))
    assert not found.listed()["exact"]


def test_python_does_not_begin_it_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netspec.machine.free_memory", lambda: 0)
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads(SPEC).train()
    assert caught.value.problems[0].code == "too-large"


def test_the_largest_batch_is_the_last_that_fits() -> None:
    found = expected()
    batch = found.largest(10**7)
    assert found.peak(batch) <= 10**7 < found.peak(batch + 1)
    assert found.largest(1000) == 0
    assert lacking(found, 10**9, "are free") is None
    problem = lacking(expected("train.batch=5000"), 10**7, "are free")
    assert problem is not None
    assert f"write train.batch={batch}." in problem.hint
    assert "a batch of 5,000 needs" in problem.message


def test_a_gpu_gives_out_whole_blocks() -> None:
    cpu, gpu = expected(), expected("train.device=cuda")
    assert (cpu.device, gpu.device) == ("cpu", "cuda")
    assert gpu.peak(1) % 512 == gpu.fixed % 512
    assert gpu.saved == cpu.saved


def test_an_open_size_is_asked_for() -> None:
    found = expected(text=TEXTS)
    assert found.open == ("T",)
    assert "T is told by --size T=NUMBER" in next(lines(found))
    with pytest.raises(UsageError, match="--size T=NUMBER"):
        need_sizes(found)
    assert lacking(found, 0, "are free") is None
    for name, words in (
        ("B", "Open are: T. The batch is train.batch=NUMBER"),
        ("Q", "the inputs leave no size Q open"),
    ):
        with pytest.raises(UsageError, match=words):
            expected(text=TEXTS, sizes={name: 3})
    with pytest.raises(UsageError, match="None is open"):
        expected(sizes={"T": 3})
    known = expected(text=TEXTS, sizes={"T": 100})
    assert not known.open
    assert known.largest(10**6) > known.largest(10**5) > 0


def test_what_is_not_known_is_named() -> None:
    found = expected("layers=[fc 32 wrap=orthogonal, fc 10]")
    assert found.unknown == ("orthogonal",)
    assert any("at least" in line for line in lines(found))
    assert not expected("train.optimizer=adafactor").listed()["exact"]


def test_the_command() -> None:
    found = json.loads(run("summary", DIGITS, "--train", "--fit", "1GB", "--json").stdout)["forecast"]
    assert (found["saved"], found["exact"], found["fit"]["bytes"]) == ("50688*B + 4", True, 10**9)
    told = run("summary", DIGITS, "--train", "--fit", "1GB").stdout
    assert f"train.batch={found['fit']['batch']}" in told
    assert "too few even for one sample" in run("summary", DIGITS, "--train", "--fit", "1MB").stdout
    assert run("summary", DIGITS, "--fit", "1GB").returncode == 2
    assert run("summary", DIGITS, "--train", "--size", "T").returncode == 2


def test_a_step_that_does_not_fit_is_not_begun(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SPEC)
    done = run("train", "small.yaml", "--max-memory", "5MB", "train.batch=1000", cwd=tmp_path)
    assert done.returncode == 3
    assert "error[too-large]  a step with a batch of 1,000 needs" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["small.yaml"]
    batch = done.stderr.partition("write train.batch=")[2].partition(".")[0]
    tried = run("train", "small.yaml", "--max-memory", "5MB", f"train.batch={batch}", "--dry-run", cwd=tmp_path)
    assert tried.returncode == 0, tried.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["small.yaml"]


def test_a_dry_run_shows_forecast_and_fact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "MOST", 1)
    (tmp_path / "small.yaml").write_text(SPEC)
    found = json.loads(run("train", "small.yaml", "--dry-run", "--json", cwd=tmp_path).stdout)
    measured = found["measured"]
    assert measured["saved"] == measured["saved_forecast"] > 0
    assert measured["peak_forecast"] == found["forecast"]["peak_at_batch"]
    assert [p.name for p in tmp_path.iterdir()] == ["small.yaml"]


def test_a_step_is_worked_out_in_one_way_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(last_layers.STRETCH, "cpu", 100)
    ways: list[int] = []
    made = Pass.run

    def counted(self: Pass) -> Any:
        ways.append(len(self.held_back))
        return made(self)

    monkeypatch.setattr(Pass, "run", counted)
    found = expected("layers=[flatten, fc 32, relu, fc 10]")
    assert ways == []
    assert (found.peak() > 0, found.saved != 0, found.unknown) == (True, True, ())
    assert ways == [1]


RECURRENT = """\
netspec: 1
inputs: {x: int 16}
layers: [embedding 100 32, lstm 64 batch_first, gru 64 batch_first, linear 100]
data: {source: {text: {path: text.txt, length: 16, units: characters}}}
train: {loss: ce axis=-1, optimizer: adamw lr=1e-3, epochs: 1, batch: 16, device: cpu}
"""


def test_the_memory_that_recurrences_work_in_is_forecast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "MOST", 1)
    (tmp_path / "text.txt").write_text("to be or not to be " * 200)
    (tmp_path / "text.yaml").write_text(RECURRENT)
    spec = netspec.load(tmp_path / "text.yaml")
    found, fact = forecast(spec.name, spec.graph, spec.experiment, {}), try_step(spec)
    assert fact.saved == found.saved_bytes(fact.samples)
    assert found.peak(fact.samples) == pytest.approx(fact.peak, rel=0.1)


@pytest.mark.parametrize(
    ("told", "expected_"), [("flags : fpu avx2", False), ("flags: avx512bw avx512vl avx512dq", True), ("", True)]
)
def test_a_processor_without_short_convolutions_writes_out_windows(
    told: str, expected_: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor: 0\n{told}\n")
    monkeypatch.setattr("netspec.machine.CPUINFO", tmp_path / "cpuinfo")
    assert machine.computes_bf16() is expected_
    small, large = expected("train.precision=bf16"), expected("train.precision=bf16", "train.device=cuda")
    assert (small.peak(64) > large.peak(64) * 1.1) is not expected_
