"""The train section: everything wrong with it is said at once, each at its place."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from netspec.sections.train import Training, read_train
from netspec.text.reader import read_text
from netspec.text.report import report

WHOLE = """
train:
  loss: cross_entropy label_smoothing=0.1
  optimizer: {AdamW: {lr: 3e-4, weight_decay: 0.01}}
  scheduler: cosine warmup=500
  epochs: $(2 * n)
  batch: 128
  metrics: [accuracy, f1]
  clip_grad: 1.0
  precision: bf16
  early_stop: val.f1 patience=5
  checkpoint: {keep: 4, best: val.accuracy}
  seed: 0
"""


def test_a_whole_section() -> None:
    train, problems = read_train(read_text(WHOLE).data["train"], ("train",), {"n": 5}.__getitem__)
    assert not problems
    assert train is not None
    assert (train.epochs, train.batch, train.checkpoint.keep, train.best) == (10, 128, 4, "val.accuracy")
    assert (train.optimizer.lr, train.scheduler.warmup, train.early_stop.patience) == (3e-4, 500, 5)
    assert train.goal("val.f1") == "max"
    assert train.goal("val.loss") == "min"


WRONG = [
    ("loss: cros_entropy", "4:9", "there is no loss 'cros_entropy'", "cross_entropy"),
    ("loss: ce smoothing=0.1", "4:12", "no argument 'smoothing'", "label_smoothing"),
    ("loss: ce label_smoothing=2", "4:12", "a number at least 0, at most 1", ""),
    ("loss: ce reduction=none", "4:12", "expected one of mean, sum", ""),
    ("loss: [ce]", "4:9", "expected the name of a loss", ""),
    ("optimizer: sgd lr=-1", "4:18", "lr is -1", ""),
    ("optimizer: {SGD: {lr: .inf}}", "4:25", "lr is inf", ""),
    ("optimizer: sgd momentum=-0.9", "4:18", "momentum is -0.9", ""),
    ("optimizer: adam betas=0.9x1.5", "4:19", "2 numbers of at least 0 and below 1", ""),
    ("optimizer: sgd nesterov", "4:18", "needs a momentum", ""),
    ("optimizer: adam foreach=true fused=true", "4:32", "exclude each other", ""),
    ("scheduler: cosine T_max=0", "4:21", "T_max is 0", ""),
    ("scheduler: {lambdalr: {}}", "4:15", "there is no scheduler", ""),
    ("scheduler: plateau monitor=val.acuracy", "4:14", "nothing measured is called", ""),
    ("scheduler: onecycle max_lr=1 epochs=3", "4:32", "needs steps_per_epoch", ""),
    ("metrics: [accuracy, accuracy]", "4:23", "accuracy is given twice", ""),
    ("metrics: acc", "4:12", "there is no metric 'acc'", ""),
    ("epochs: 0", "4:11", "epochs is 0", ""),
    ("batch: 1.5", "4:10", "batch is 1.5, expected a whole number", ""),
    ("seed: $(1/0)", "4:11", "zero", ""),
    ("precision: fp16", "4:14", "float32, bf16", ""),
    ("early_stop: val.los", "4:15", "nothing measured is called 'val.los'", "val.loss"),
    ("checkpoint: {keep: 1}", "4:22", "keep is 1", ""),
    ("chekpoint: {keep: 3}", "4:3", "no 'chekpoint'", "checkpoint"),
    ("evaluate: 500", "4:13", "evaluate is a mapping", "{steps: 500}"),
    ("evaluate: {step: 500}", "4:14", "no 'step'", "steps"),
    ("evaluate: {steps: 0}", "4:21", "steps is 0", ""),
    ("max_time: 2 hours", "4:13", "a time such as 45s, 30m, 2h", ""),
    ("max_time: 1:30", "4:13", "a time such as 45s, 30m, 2h", ""),
    ("max_time: 0", "4:13", "a time such as 45s, 30m, 2h", ""),
    ("ema: 1", "4:8", "less", ""),
]


@pytest.mark.parametrize(("line", "place", "words", "hint"), WRONG, ids=[w[0] for w in WRONG])
def test_wrong(line: str, place: str, words: str, hint: str) -> None:
    key = line.split(":")[0]
    rest = {"loss": "loss: ce", "optimizer": "optimizer: sgd", "epochs": "epochs: 1"} | {"x": "batch: 8"}
    others = [text for name, text in rest.items() if name != key and text.split(":")[0] != key]
    source = read_text("\n".join(["train:", f"  {others[0]}", f"  {others[1]}", f"  {line}"]), "x.yaml")
    train, problems = read_train(source.data["train"], ("train",))
    problems = [p for p in problems if p.code != "missing-argument"]
    assert train is None
    assert len(problems) == 1, problems
    text = report(problems, source)
    assert text.startswith(f"x.yaml:{place} ")
    assert words in text
    assert hint in problems[0].hint


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("0.5", 0.5), ("45s", 45), ("30m", 1800), ("1h30m", 5400), ("2d", 172_800)]
)
def test_times_have_units(text: str, seconds: float) -> None:
    train, problems = read_train(read_text(f"{{loss: ce, optimizer: sgd, max_time: {text}}}").data, ("train",))
    assert not problems
    assert train is not None
    assert train.max_time == seconds


def test_all_problems_come_at_once() -> None:
    train, problems = read_train({"optimizer": "sgd lr=-1", "epoch": 3, "metrics": ["acc", "f2"]}, ("train",))
    assert train is None
    assert [p.code for p in problems] == [
        "bad-argument",
        "unknown-key",
        "unknown-metric",
        "unknown-metric",
        "missing-argument",
    ]


def test_the_schema_is_json() -> None:
    schema = json.loads(json.dumps(Training().schema()))
    assert schema["required"] == ["loss", "optimizer"]
    assert schema["properties"]["epochs"]["anyOf"][0]["minimum"] == 1
    assert "CrossEntropyLoss" in json.dumps(schema) or "ce" in schema["properties"]["loss"]["anyOf"][1]["properties"]


def test_reading_imports_no_torch() -> None:
    script = "from netspec.sections.train import *; import sys; Training().schema(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_what_fsdp_cannot_part_is_said_at_its_place() -> None:
    data = {
        "loss": "adaptive_log_softmax 8 10 cutoffs=5",
        "optimizer": "lbfgs",
        "compile": True,
        "channels_last": True,
    }
    assert read_train(data, ("train",))[1] == []
    found = read_train({**data, "parallel": "fsdp"}, ("train",))[1]
    assert [p.at.path[1] for p in found] == ["loss", "optimizer", "compile", "channels_last"]
    assert {p.hint for p in found} == {"Write parallel: ddp."}
