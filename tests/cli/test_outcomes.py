"""How commands end when something goes wrong that is no mistake in a spec, and what a terminal sees."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import netspec.api.spec
from netspec.cli import main
from netspec.cli.common import painted
from tests.cli.test_commands import run
from tests.effort import HANGING

ROOT = Path(__file__).parent.parent.parent
LENET = str(ROOT / "specs" / "lenet5_tutorial.yaml")
DIGITS = str(ROOT / "specs" / "lenet5_digits.yaml")


def ended(*arguments: str) -> object:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return caught.value.code


def broken(*_: object, **__: object) -> None:
    raise RuntimeError("the graph is upside down")


def test_a_fault_of_netspec_is_owned_up_to(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(netspec.api.spec, "load", broken)
    assert ended("check", LENET) == 1
    said = capsys.readouterr()
    assert "a fault of netspec" in said.err
    assert "RuntimeError: the graph is upside down" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    "arguments", [["--traceback", "check", LENET], ["check", LENET, "--traceback"], ["check", "--traceback", LENET]]
)
def test_where_a_fault_happened_is_shown_on_demand(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netspec.api.spec, "load", broken)
    with pytest.raises(RuntimeError, match="upside down"):
        main(arguments)


def test_what_a_spec_gets_wrong_is_no_fault_with_a_traceback_either(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("--traceback", "check", "nowhere.yaml") == 3
    assert "Traceback" not in capsys.readouterr().err


def test_traceback_takes_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("--traceback=no", "check", LENET) == 2
    assert "does not take a value" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_is_saved(number: int, code: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "netspec", "train", DIGITS, "train.epochs=1000", "--run", "run"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        about, first = process.stderr.readline(), process.stderr.readline()
        process.send_signal(number)
        _, said = process.communicate(timeout=HANGING)
    assert about.startswith("training on ")
    assert about.endswith(": 1,438 samples, 359 for validation, 61,706 parameters\n")
    assert first.split()[:2] == ["epoch", "1/1000"]
    assert process.returncode == code, said
    assert "Traceback" not in said
    assert list((tmp_path / "run" / "checkpoints").iterdir())


def test_colours_leave_the_words_as_they_are() -> None:
    report = "a.yaml:1:3  error[row]  what\n  1 | x y\n    |   ^\n  Try another."
    shown = painted(report)
    assert "\x1b[31m^\x1b[0m" in shown
    assert shown.replace("\x1b[0m", "").replace("\x1b[1m", "").replace("\x1b[31m", "") == report


def test_no_colours_where_no_terminal_is(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text("netspec: 1\ninput: 3\nlayers: [fcc 3]\n")
    done = subprocess.run(
        [sys.executable, "-m", "netspec", "check", str(spec)],
        capture_output=True, text=True, check=False, env={**os.environ, "TERM": "xterm-256color"},
    )  # fmt: skip
    assert done.returncode == 3
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("command", ["check", "summary", "build", "graph", "fmt", "train", "export"])
def test_a_refused_spec_is_reported_alike_by_every_command(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In plain lines where it goes into a file, and in colours, never as their escapes, on a terminal."""
    spec = tmp_path / "net.yaml"
    spec.write_text("netspec: 1\ninput: 4\nlayers: [fc 3 k]\n")
    done = run(command, str(spec))
    assert done.returncode == 3
    told = done.stdout + done.stderr
    assert told.startswith(f"{spec}:3:15  error[unknown-argument]  fc has no argument 'k'\n  3 | layers: [fc 3 k]\n")
    assert "\\u001b" not in told
    monkeypatch.setattr("netspec.cli.common._color", lambda: True)
    done = run(command, str(spec))
    assert "\x1b[31m" in done.stdout + done.stderr
    assert "\\u001b" not in done.stdout + done.stderr
