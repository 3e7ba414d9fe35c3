"""A run goes on only as the experiment that it began as, and its folder says which one ran."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

import netspec
from netspec.errors import UsageError
from netspec.runtime.device.device import threads
from netspec.views.meaning import differences, meaning
from tests.cli.test_commands import run as command
from tests.train.small import DEVICE, data, digest

SPEC = """\
netspec: 1
input: 1x8x8
params: {width: 12}
blocks:
  unit c: [conv $c k3 same, relu]
layers:
  stem: [unit $width, unit $width]
  bn1: bn
  head: [flatten, fc 16, relu, dropout 0.1, fc 10]
init: {conv: kaiming_normal, fc: xavier_uniform}
data: {source: digits, split: {val: 0.2}, transform: normalize 0.5 0.5, augment: crop 8 pad=1}
train:
  loss: cross_entropy
  optimizer: adamw lr=0.01
  groups: {bn: weight_decay=0, "head.*": lr=0.02}
  epochs: 1
  max_steps: 4
  batch: 128
  metrics: [accuracy]
  device: DEVICE
""".replace("DEVICE", DEVICE)

OTHERS: dict[str, str] = {
    "layers.head=[flatten, fc 16, tanh, dropout 0.1, fc 10]": r"head\.2: ReLU\(\), now it has Tanh\(\)",
    "layers.head=[flatten, fc 16, relu, dropout 0.2, fc 10]": r"head\.3: Dropout\(p=0\.1\), now .*\(p=0\.2\)",
    "blocks={unit c: [conv $c k3 same, relu, relu6]}": r"without stem\.0\.2: ReLU6\(\), which it has now",
    "blocks={unit c: [conv $c k3 same padding_mode=circular, relu]}": "padding_mode='circular'",
    "defaults={bn: momentum=0.2}": r"bn1: BatchNorm2d\(num_features=12\), now it has .*momentum=0\.2",
    "init={conv: kaiming_uniform, fc: xavier_uniform}": r"stem\.0\.0\.weight: trained, first KaimingNormal",
    "weights={freeze: [stem]}": r"stem\.0\.0\.weight: trained, .* now it has frozen",
    "train.groups={bn: weight_decay=0.1, 'head.*': lr=0.02}": r"bn1\.weight: trained, weight_decay=0, now it has",
    "train.loss=cross_entropy label_smoothing=0.1": r"loss CrossEntropyLoss\(\), now it has",
    "train.optimizer=adamw lr=0.02": r"optimizer AdamW\(lr=0\.01\), now it has AdamW\(lr=0\.02\)",
    "train.scheduler=step 3": "scheduler none, now it has StepLR",
    "train.seed=5": "seed 0, now it has 5",
    "train.batch=64": "batch 128, now it has 64",
    "train.ema=0.9": "ema none, now it has 0.9",
    "data.transform=normalize 0.4 0.5": r"data\.transform Normalize\(mean=0\.5, std=0\.5\), now it has Normalize",
    "data.transform=[]": r"data\.transform Normalize\(mean=0\.5, std=0\.5\), now it has none",
    "data.augment=crop 8 pad=2": r"data\.augment Crop\(size=8, pad=1\), now it has Crop\(size=8, pad=2\)",
    "data.sample=balanced": r"without data\.sample 'balanced', which it has now",
    "data.split={val: 0.3}": "data.split",
}
SAME: dict[str, str] = {
    "a comment": SPEC.replace("  bn1: bn", "  # a comment\n  bn1: bn  # another"),
    "long forms": SPEC.replace("fc 16, relu", "{fc: {out_features: 16}}, relu").replace("bn1: bn", "bn1: BatchNorm2d"),
    "defaults written out": SPEC.replace("bn1: bn", "bn1: bn eps=1e-5 affine=true").replace("lr=0.02", "lr=2e-2"),
    "another order of keys": SPEC.replace("init: {conv: kaiming_normal, fc: xavier_uniform}\n", "")
    + "init: {fc: xavier_uniform, conv: kaiming_normal}\n",
    "computed": SPEC.replace("width: 12", "half: 6").replace("$width", "$(2*half)"),
    "longer, and otherwise watched": SPEC.replace("epochs: 1", "epochs: 7").replace("[accuracy]", "[f1, accuracy]"),
    "how data is read": SPEC.replace("data: {", "data: {workers: 0, memory: 1GB, "),
}


def kept(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "lock"}


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run, in a folder of its own."""
    root = tmp_path_factory.mktemp("begun")
    (root / "spec.yaml").write_text(SPEC)
    with threads(1):  # as in the tests
        netspec.load(root / "spec.yaml").train(root / "run")
    return root / "run"


@pytest.fixture
def dead(begun: Path, tmp_path: Path) -> Path:
    """The folder of a run that was killed behind its first evaluation, before its first checkpoint."""
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("spec.yaml", "environment.json", "origin.json", "plugins.json", "data.json", "metrics.jsonl"):
        (folder / name).write_bytes((begun / name).read_bytes())
    (folder / "checkpoints").mkdir()
    (folder / "best.safetensors").write_text("of the dead run")
    return folder


@pytest.mark.parametrize("other", OTHERS)
def test_another_experiment_does_not_go_on(other: str, begun: Path) -> None:
    before = kept(begun)
    with pytest.raises(UsageError, match=f"the run began .*{OTHERS[other]}.*Resume it with what it began with"):
        netspec.loads(SPEC, [other]).train(begun, resume=True)
    assert kept(begun) == before


@pytest.mark.parametrize("rows", [slice(20, 30), slice(0, 1), slice(79, 80), slice(None)])
def test_other_inputs_are_other_data(rows: slice) -> None:
    x, y = torch.rand(80, 4), torch.arange(80) % 2
    other = x.clone()
    other[rows] += 1
    found = data(x, y, val=16).fingerprint()
    assert data(x.clone(), y, val=16).fingerprint() == found
    assert data(other, y, val=16).fingerprint() != found


@pytest.mark.parametrize("resume", [True, "auto"])
@pytest.mark.parametrize("other", ["train.seed=5", "params.width=16", "data.transform=normalize 0.4 0.5"])
def test_nor_where_no_checkpoint_was_written(resume: Any, other: str, dead: Path) -> None:
    before = kept(dead)
    with pytest.raises(UsageError, match="the run began with"):
        netspec.loads(SPEC, [other]).train(dead, resume=resume)
    assert kept(dead) == before


@pytest.mark.parametrize("resume", [True, "auto"])
def test_the_same_begins_again_where_no_checkpoint_was_written(resume: Any, dead: Path, begun: Path) -> None:
    with pytest.warns(UserWarning, match="stopped before its first checkpoint, so it begins again"):
        trained = netspec.loads(SPEC).train(dead, resume=resume)
    assert [r["step"] for r in trained.history.records] == [4]
    assert len((dead / "metrics.jsonl").read_text().splitlines()) == 1
    for name in ("best.safetensors", "last.safetensors"):
        assert digest(dead / name) == digest(begun / name)
    assert (dead / "spec.yaml").read_text() == SPEC


def test_a_run_whose_checkpoints_were_deleted_is_not_begun_again(dead: Path, begun: Path) -> None:
    (dead / "last.safetensors").write_bytes((begun / "last.safetensors").read_bytes())
    before = kept(dead)
    with pytest.raises(UsageError, match="has weights, and no checkpoint is left"):
        netspec.loads(SPEC).train(dead, resume="auto")
    assert kept(dead) == before


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_how_it_is_written_has_no_part_in_it(text: str) -> None:
    assert differences(_meaning(SPEC), _meaning(text)) == []


def test_what_may_change_is_noted_and_the_former_spec_kept(begun: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    netspec.loads(SPEC).train(folder)
    longer = netspec.loads(SPEC, ["train.max_steps=6"])
    assert longer.train(folder, resume=True).history.steps == 6
    assert (folder / "spec.yaml").read_text() == longer.text
    assert (folder / "spec-1.yaml").read_text() == SPEC
    longer.train(folder, resume=True)
    assert not (folder / "spec-2.yaml").exists()


def test_a_spec_that_was_edited_in_the_folder_does_not_go_on(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    assert command("train", "spec.yaml", "--run", "run", cwd=tmp_path).returncode == 0
    spec = tmp_path / "run" / "spec.yaml"
    spec.write_text(SPEC.replace("fc 16, relu", "fc 16, tanh"))
    done = command("train", "--resume", "run", cwd=tmp_path)
    assert (done.returncode, "with head.2: ReLU(), now it has Tanh()" in done.stderr) == (2, True), done.stderr


def test_a_run_goes_on_without_a_spec(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    begun = command("train", "spec.yaml", "--run", "run", "--json", cwd=tmp_path)
    assert "next: netspec eval run, netspec predict run INPUT, netspec export run\n" in begun.stderr
    best = json.loads(begun.stdout)["val.accuracy"]
    said = f"best val.accuracy {best:.6g} in epoch 1, step 4; its weights are {Path('run/best.safetensors')}\n"
    assert said in begun.stderr
    for words, steps in (
        (["--resume", "run"], 4),
        (["--run", "run", "--resume"], 4),
        (["--resume", "run", "train.max_steps=5"], 5),
        (["spec.yaml", "--resume", "run", "train.max_steps=6"], 6),
        (["--resume", "spec.yaml", "--run", "run", "train.max_steps=7"], 7),
        (["--resume=run"], 7),
    ):
        done = command("train", *words, "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["steps"] == steps
        assert done.stderr.startswith("resumed after ")
    done = command("train", "spec.yaml", "--resume", "run", "train.max_steps=9", "train.seed=1", cwd=tmp_path)
    assert (done.returncode, "seed 0, now it has 1" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--resume"], "needs the folder of the run"),
        (["--resume", "nowhere"], "nowhere is not a run's folder"),
        (["--resume", "auto"], "needs the folder of the run"),
        (["--resume", "auto", "--run", "nowhere"], "name the SPEC"),
        ([], "name the SPEC"),
    ],
)
def test_a_run_that_is_not_named(words: list[str], text: str, tmp_path: Path) -> None:
    done = command("train", *words, cwd=tmp_path)
    assert (done.returncode, text in done.stderr) == (2, True), done.stderr


def test_python_needs_the_folder_too() -> None:
    with pytest.raises(UsageError, match="resume needs the folder"):
        netspec.loads(SPEC).train(resume=True)


def test_what_an_experiment_means_depends_on_no_hash_order() -> None:
    code = "import sys, netspec, json; from netspec.views.meaning import meaning; s = netspec.loads(sys.argv[1])\n"
    code += "print(json.dumps(meaning(s.graph, s.experiment)))"
    found = {
        subprocess.run(
            [sys.executable, "-c", code, SPEC], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1


def _meaning(text: str) -> Mapping[str, str]:
    spec = netspec.loads(text)
    return meaning(spec.graph, spec.experiment)


def test_nor_does_what_a_run_leaves(tmp_path: Path) -> None:
    """But for the time that it took, and how fast it was."""
    (tmp_path / "spec.yaml").write_text(SPEC)
    found = []
    for seed in ("1", "2"):
        words = ["train", "spec.yaml", "--run", f"run{seed}"]
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(netspec.__file__).parents[1])}
        subprocess.run([sys.executable, "-m", "netspec", *words], cwd=tmp_path, env=environment, check=True)
        left = kept(tmp_path / f"run{seed}")
        texts = {Path(name).name: data.decode() for name, data in left.items() if not name.endswith(".safetensors")}
        timeless = {n: re.sub(r'"(seconds|samples_per_s)"[:,] [0-9.]+', "", t) for n, t in texts.items()}
        assert len(timeless) == 10
        for name in ("manifest.json", "report.html"):  # one vouches for files with times in them, one tells the times
            del timeless[name]
        found.append((timeless, {Path(n).name: digest(Path(n)) for n in left if n.endswith(".safetensors")}))
    assert found[0] == found[1]
