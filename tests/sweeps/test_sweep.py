"""Sweeps: what is trained and what is not, what a stopped sweep goes on with, and what is shown of it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch

import netspec
from netspec.cli import main
from netspec.errors import DataError, UsageError
from netspec.runs import train as experiment
from netspec.runs.train import Trained
from netspec.runtime.train.history import History
from netspec.sweeps import running
from netspec.sweeps.results import Sweep, table
from netspec.text.report import SpecError
from tests.cli.test_commands import run
from tests.effort import HANGING

SPEC = """
netspec: 1
name: Small
input: 1x8x8
params: {width: 4, depth: 1}
layers:
  - conv $width k3 same, relu
  - pool 2 x$depth
  - fc 10
data: digits
train: {loss: cross_entropy, optimizer: adamw lr=2e-3, epochs: 2, batch: 128, metrics: [accuracy], threads: 1}
"""


@pytest.fixture
def spec(tmp_path: Path) -> netspec.Spec:
    (tmp_path / "small.yaml").write_text(SPEC)
    return netspec.load(tmp_path / "small.yaml")


def ends(found: Sweep) -> list[str]:
    return [trial.end for trial in found.trials]


def test_few_combinations_are_all_tried(spec: netspec.Spec, tmp_path: Path) -> None:
    found = spec.sweep(["params.width=4,6", "train.optimizer.lr=1e-3,1e-2", "train.epochs=1"], folder=tmp_path / "s")
    assert (found.metric, found.goal) == ("val.accuracy", "max")
    assert ends(found) == ["trained"] * 4
    assert found.best is not None
    assert found.best.value == max(trial.value or 0 for trial in found.trials)
    assert found.trials[1].overrides == ("train.epochs=1", "params.width=4", "train.optimizer.lr=1e-2")
    place = found.run_of(found.trials[1])
    assert (place / "overrides.txt").read_text().split() == list(found.trials[1].overrides)
    assert netspec.load(place / "spec.yaml").experiment.train == spec.over(found.trials[1].overrides).experiment.train


def test_the_best_trial_can_be_repeated(spec: netspec.Spec, tmp_path: Path) -> None:
    found = spec.sweep(["params.width=4,6"], metric="val.loss", folder=tmp_path / "s")
    assert found.goal == "min"
    assert found.best is not None
    assert found.best.overrides[0] == "train.checkpoint.best=val.loss"
    again = spec.over(found.best.overrides).train()
    assert again.history.best == found.best.value


def test_what_cannot_be_trained_is_not(spec: netspec.Spec, tmp_path: Path) -> None:
    found = spec.sweep(["params.depth=1,4", "params.width=4,40"], folder=tmp_path / "s", max_params=3000)
    assert ends(found) == ["trained", "too large", "unfit", "unfit"]
    assert found.trials[1].reason == "6,810 parameters, more than 3,000"
    assert found.trials[2].reason == "pool4 has a window of 2, larger than its input's 1"
    assert not (found.run_of(found.trials[1]) / "metrics.jsonl").exists()
    limited = spec.sweep(["params.width=4,6"], folder=tmp_path / "m", max_macs=3000)
    assert [trial.reason for trial in limited.trials] == ["", "4,416 MACs, more than 3,000"]


def test_equal_networks_are_trained_once(spec: netspec.Spec, tmp_path: Path) -> None:
    values = ["params.width=4,0o4", "train.seed=0,1", "export.onnx.atol=1e-4,1e-5"]
    found = spec.sweep(values, folder=tmp_path / "s")
    assert ends(found) == ["trained", "same", "trained", "same", "same", "same", "same", "same"]
    assert found.trials[6].value == found.trials[2].value
    assert found.trials[6].reason == "the same as trial 3"


def test_a_range_is_drawn_the_same_way_again(spec: netspec.Spec, tmp_path: Path) -> None:
    values = ["train.optimizer.lr=1e-4..1e-1:log", "params.width=2..8"]
    whole = spec.sweep(values, trials=6, folder=tmp_path / "whole")
    spec.sweep(values, trials=2, folder=tmp_path / "parts")
    parts = spec.sweep(values, trials=6, folder=tmp_path / "parts")
    assert [trial.tried for trial in parts.trials] == [trial.tried for trial in whole.trials]
    assert [trial.value for trial in parts.trials] == [trial.value for trial in whole.trials]
    assert len({trial.overrides for trial in whole.trials}) == 6


def test_more_trials_leave_no_combination_out(spec: netspec.Spec, tmp_path: Path) -> None:
    values = ["params.width=2,4,6,8"]
    spec.sweep(values, trials=2, folder=tmp_path / "s")
    found = spec.sweep(values, folder=tmp_path / "s")
    assert {trial.overrides for trial in found.trials} == {(f"params.width={n}",) for n in (2, 4, 6, 8)}


def test_a_bad_trial_is_stopped_at_the_median(spec: netspec.Spec, tmp_path: Path) -> None:
    rates = ",".join(["1e-2", "2e-2", "3e-2", "4e-2", "5e-2", "1e-9"])
    found = spec.sweep([f"train.optimizer.lr={rates}"], folder=tmp_path / "s", prune=True)
    assert ends(found) == ["trained"] * 5 + ["pruned"]
    assert found.trials[5].reason == "worse than the median at epoch 1"


def test_what_training_cannot_do(spec: netspec.Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ordinary = experiment.train

    def train(given: netspec.Spec, *args: Any, **options: Any) -> Any:
        width = given.document.params["width"]
        if width == 5:
            raise DataError("the data is wet")
        if width == 6:
            raise torch.OutOfMemoryError
        if width == 7:
            history = History("val.accuracy", [{"epoch": 1}], best=float("inf"))
            return Trained(torch.nn.Identity(), history, None)
        return ordinary(given, *args, **options)

    monkeypatch.setattr(running, "train", train)
    with pytest.raises(DataError):
        spec.sweep(["params.width=5,4"], folder=tmp_path / "first")
    monkeypatch.setattr(running, "train", ordinary)
    assert ends(spec.sweep(["params.width=5,4"], folder=tmp_path / "first")) == ["trained", "trained"]
    monkeypatch.setattr(running, "train", train)
    values = ["params.width=4,5,6,7", "train.optimizer=adamw lr=1e-3,sgd lr=1e20 momentum=0.9"]
    with pytest.raises(DataError):
        spec.sweep(values, folder=tmp_path / "s")
    found = spec.sweep(values, folder=tmp_path / "s")
    assert ends(found) == ["trained", "diverged", "failed", "failed", *["too large"] * 2, *["diverged"] * 2]
    assert found.trials[2].reason == "the data is wet"
    assert found.trials[6].reason == "val.accuracy was never a finite number"


@pytest.mark.parametrize(
    ("values", "options", "error", "words"),
    [
        (["trian.epochs=1,2"], {}, SpecError, "Did you mean 'train'?"),
        (["train.optimizer.lrr=1e-3..1e-2"], {}, SpecError, "Did you mean train.optimizer.lr="),
        (["params.width=4,6"], {"metric": "val.acuracy"}, UsageError, "Did you mean 'val.accuracy'?"),
        (["train=1,2"], {}, SpecError, "train"),
    ],
)
def test_mistakes(
    values: list[str], options: dict[str, Any], error: type[Exception], words: str, spec: netspec.Spec, tmp_path: Path
) -> None:
    with pytest.raises(error) as caught:
        spec.sweep(values, folder=tmp_path / "s", **options)
    assert words in str(caught.value)
    assert not (tmp_path / "s" / "trials").exists()


def test_without_optuna_it_is_said_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SPEC)
    code = (
        "import sys; sys.modules['optuna'] = None\n"
        "from netspec.cli import main; main(['sweep', 'small.yaml', 'params.width=4,6'])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "netspec: a sweep needs the package optuna, which is not installed: pip install 'netspec-torch[sweep]'\n"
    )


def test_processes_that_train_together_do_not_sweep(
    spec: netspec.Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="by itself, as often as it is to work"):
        spec.sweep(["params.width=4,6"], folder=tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_a_folder_holds_one_sweep(spec: netspec.Spec, tmp_path: Path) -> None:
    spec.sweep(["params.width=4,6"], folder=tmp_path / "s", trials=0)
    with pytest.raises(UsageError, match="holds a sweep of another spec"):
        spec.sweep(["params.width=4,8"], folder=tmp_path / "s")


def test_a_damaged_journal_is_said_and_a_torn_line_mended(spec: netspec.Spec, tmp_path: Path) -> None:
    spec.sweep(["params.width=4,6"], folder=tmp_path / "s", trials=1)
    journal = tmp_path / "s" / "journal.log"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":4,"wor')
    assert ends(spec.sweep(["params.width=4,6"], folder=tmp_path / "s")) == ["trained", "trained"]
    journal.write_bytes(b"{]\n" + whole)
    with pytest.raises(DataError, match=r"journal.log is damaged"):
        spec.sweep(["params.width=4,6"], folder=tmp_path / "s")


def test_killed_stopped_and_joined(spec: netspec.Spec, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "netspec", "sweep", "small.yaml", "params.width=4,6,8", "train.epochs=60"]

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait_for(number: int, process: subprocess.Popen[str]) -> None:
        while not list(tmp_path.glob(f"sweeps/*/trials/{number}/metrics.jsonl")):
            assert process.poll() is None
            time.sleep(0.01)

    with start() as killed:
        wait_for(1, killed)
        killed.kill()
    with start() as stopped:
        wait_for(2, stopped)
        stopped.send_signal(signal.SIGINT)
        _, said = stopped.communicate(timeout=HANGING)
    assert stopped.returncode == 130, said
    assert "the same sweep goes on with trial 2" in said
    with start() as one, start() as other:
        outputs = [process.communicate(timeout=HANGING) for process in (one, other)]
    assert [one.returncode, other.returncode] == [0, 0], outputs
    found = spec.sweep(["params.width=4,6,8", "train.epochs=60"], folder=next(tmp_path.glob("sweeps/*")))
    assert ends(found) == ["trained"] * 3
    alone = spec.over(found.trials[1].overrides).train()
    assert alone.history.best == found.trials[1].value


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SPEC)
    arguments = ("sweep", "small.yaml", "params.width=4,6", "params.depth=1,4", "--metric", "val.loss")
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["trial", "val.loss", "params.width", "params.depth", "parameters", "epochs", "seconds"]
    assert lines[1].endswith("best")
    assert lines[3].endswith("larger than its input's 1")
    assert "trial 1 of 4  params.width=4 params.depth=1  val.loss " in done.stderr
    assert "netspec train small.yaml train.checkpoint.best=val.loss params.width=" in done.stderr
    shown = json.loads(run(*arguments, "--json", cwd=tmp_path).stdout)
    assert shown["command"].startswith("netspec train small.yaml")
    assert [trial["end"] for trial in shown["trials"]] == ["trained", "unfit", "trained", "unfit"]
    assert (tmp_path / shown["best"]["run"] / "best.safetensors").exists()


def test_the_picture_shows_every_trial(spec: netspec.Spec, tmp_path: Path) -> None:
    found = spec.sweep(["params.width=4,6,40", "train.optimizer.lr=1e-3,1e-2"], folder=tmp_path / "s", max_params=3000)
    svg = ElementTree.parse(tmp_path / "s" / "sweep.svg")
    panels = svg.findall("{*}g")
    assert [panel.findall("{*}text")[-1].text for panel in panels[1:]] == ["params.width", "train.optimizer.lr"]
    for panel in panels:
        assert len(panel.findall("{*}circle")) == 4
        assert len([p for p in panel.findall("{*}path") if p.find("{*}title") is not None]) == 2
    assert len(table(found).splitlines()) == 7


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0", b"[1]\n", b'{"values": NaN}\n', b"x" * 5_000_000, None])
def test_what_a_sweep_is_over_is_read_with_care(content: bytes | None, spec: netspec.Spec, tmp_path: Path) -> None:
    spec.sweep(["params.width=4,6"], folder=tmp_path / "s", trials=0)
    kept = tmp_path / "s" / "sweep.json"
    kept.unlink()
    if content is None:
        kept.mkdir()
    else:
        kept.write_bytes(content)
    with pytest.raises((UsageError, DataError), match=r"holds a sweep of another spec|sweep.json is a folder"):
        spec.sweep(["params.width=4,6"], folder=tmp_path / "s", trials=0)


def test_trials_of_no_known_sweep_are_not_taken_up(spec: netspec.Spec, tmp_path: Path) -> None:
    spec.sweep(["params.width=4,6"], folder=tmp_path / "s", trials=0)
    (tmp_path / "s" / "sweep.json").unlink()
    with pytest.raises(DataError, match=r"no sweep.json says of which"):
        spec.sweep(["params.width=7,8"], folder=tmp_path / "s", trials=0)


@pytest.mark.parametrize(
    "line", ["[1]", '{"a": 1}', '{"op_code": 99}', '{"op_code": 4, "trial_id": 7}', "null", "3", None]
)
def test_a_journal_that_no_sweep_wrote(line: str | None, spec: netspec.Spec, tmp_path: Path) -> None:
    spec.sweep(["params.width=4,6"], folder=tmp_path / "s", trials=0)
    journal = tmp_path / "s" / "journal.log"
    if line is None:
        journal.unlink()
        journal.mkdir()
    else:
        journal.write_text(f"{line}\n")
    with pytest.raises(DataError, match=r"journal.log is (damaged|a folder)"):
        spec.sweep(["params.width=4,6"], folder=tmp_path / "s", trials=0)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        (["train.optimizer.lr=1e30,1e31", "train.epochs=1"], 5),
        (["params.width=300,400", "--max-params", "10"], 3),
        (["params.width=4,6", "--trials", "0"], 0),
        (["params.width=4,6", "--metric", ""], 2),
    ],
)
def test_a_sweep_without_a_best_trial_is_no_success(values: list[str], code: int, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SPEC)
    with pytest.raises(SystemExit) as caught:
        main(["sweep", str(tmp_path / "small.yaml"), *values, "--folder", str(tmp_path / "s")])
    assert caught.value.code == code
