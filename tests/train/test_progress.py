"""How a run talks: one line an epoch on stderr, a live bar on a terminal, and no dynamo for it."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import pytest

from netspec.runtime.train.history import Watch
from netspec.runtime.train.progress import Lines, Live, Plan
from netspec.runtime.train.run import train
from netspec.runtime.train.telling import progress_for
from tests.train.small import DEVICE, classes, perceptron, section

RECORD = {
    "epoch": 3,
    "step": 30,
    "lr": 0.1,
    "train.loss": 0.5,
    "val.accuracy": 0.975,
    "seconds": 1.25,
    "samples_per_s": 12345.6,
}


def plan(done: int = 0) -> Plan:
    return Plan(15, 10, 150, done, 64, Watch("val.accuracy", "max"))


def test_a_line_an_epoch() -> None:
    stream = io.StringIO()
    train(perceptron(), section(epochs=12, metrics=["accuracy", "confusion"]), classes(), progress=Lines(stream))
    about, *lines = stream.getvalue().splitlines()
    assert about == f"training on {DEVICE}: 64 samples, 16 for validation, 195 parameters"
    assert len(lines) == 12
    assert lines[0].startswith("epoch  1/12  train.loss ")
    assert lines[0].endswith("  best")
    assert "confusion" not in stream.getvalue()


def test_the_line_of_an_epoch() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    lines.start(plan())
    lines.measured(RECORD, best=False)
    lines.measured({**RECORD, "step": 25}, best=True)
    values = "train.loss 0.5000  val.accuracy 0.9750  12,346 samples/s  1.2 s"
    assert stream.getvalue() == f"epoch  3/15  {values}\nepoch  3/15 step  5/10  {values}  best\n"


def test_a_resumed_run_says_so() -> None:
    stream = io.StringIO()
    Lines(stream).start(plan(done=70))
    Lines(stream).start(plan(done=73))
    assert stream.getvalue() == "resumed after epoch 7\nresumed after step 3 of epoch 8\n"


def test_no_bar_without_a_terminal() -> None:
    assert isinstance(progress_for(io.StringIO()), Lines)


def test_the_bar_and_the_lines_above_it() -> None:
    screen = io.StringIO()
    live = Live(screen)
    live.interval = 0.0
    train(perceptron(), section(epochs=2, metrics=["accuracy"]), classes(), progress=live)
    live.warn("something {odd}")
    shown = screen.getvalue()
    assert "epoch 1/2  train.loss" in shown
    assert "\x1b[33mwarning: something {odd}\x1b[0m" in shown
    assert (live.bar.n, live.bar.total) == (8, 8)
    bar = r"epoch 2/2 .*? 00:00  [\d,]+ samples/s  loss \d\S+  best 0\.\d{4}"
    assert re.search(bar, shown.rpartition("epoch 2/2  train.loss")[2])


def test_the_bar_has_no_colours_where_they_are_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    screen = io.StringIO()
    live = Live(screen)
    live.start(plan(done=70))
    live.warn("odd")
    live.close()
    assert "resumed after epoch 7\n" in screen.getvalue()
    assert "warning: odd\n" in screen.getvalue()
    assert "\x1b[3" not in screen.getvalue()


@pytest.mark.parametrize("row", ["adamw", "muon"])
def test_training_imports_no_dynamo(row: str) -> None:
    """Importing torch._dynamo costs more than a second, for nothing."""
    script = f"""
import sys
from torch import nn
from netspec.runtime.train.run import train
from tests.train.small import classes, section
net = nn.Sequential(nn.Linear(8, 3, bias=False))
train(net, section(optimizer={row!r}, scheduler="cosine warmup=2", epochs=1, clip_grad=1.0, ema=0.9), classes())
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
