"""`netspec check` of several specs, of one on standard input, and with warnings taken for errors."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tests.cli.test_commands import DIGITS, LENET, run

SOUND = "netspec: 1\ninput: 4\nlayers: [fc 3]\n"
WARNED = "netspec: 1\ninput: 1x8x8\nlayers: [fc 9, fc 2]\ntrain: {loss: mse, optimizer: adam}\n"
WRONG = "netspec: 1\ninput: 4\nlayers: [fcc 3]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"sound": SOUND, "warned": WARNED, "wrong": WRONG}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def given(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a text on standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_several_specs_are_all_checked(folder: Path) -> None:
    done = run("check", "sound.yaml", "wrong.yaml", "warned.yaml", cwd=folder)
    assert done.returncode == 3
    heads = (
        "sound.yaml: Net fits",
        "wrong.yaml:3:10  error",
        "\n1 error\n",
        "warned.yaml: Net fits",
        "3 specs, 1 with",
    )
    places = [done.stdout.index(head) for head in heads]
    assert places == sorted(places)
    whole = run("check", "sound.yaml", "warned.yaml", cwd=folder)
    assert whole.returncode == 0
    assert whole.stdout.endswith("\n2 specs, all fit together\n")


def test_the_last_word_on_one_spec_is_its_own(folder: Path) -> None:
    assert run("check", "sound.yaml", cwd=folder).stdout.count("\n") == 1
    assert run("check", "wrong.yaml", cwd=folder).stdout.endswith("\n\n1 error\n")


def test_each_row_of_json_names_its_file(folder: Path) -> None:
    done = run("check", "wrong.yaml", "sound.yaml", "warned.yaml", "--json", cwd=folder)
    assert done.returncode == 3
    rows = [(row["file"], row["severity"]) for row in json.loads(done.stdout)]
    assert ("wrong.yaml", "error") in rows
    assert {file for file, _ in rows} == {"wrong.yaml", "warned.yaml"}


def test_overrides_hold_for_each(folder: Path) -> None:
    done = run("check", "sound.yaml", "layers.0=fc 7", "warned.yaml", cwd=folder)
    assert done.returncode == 0, done.stdout
    assert "sound.yaml: Net fits together: 4 -> 7" in done.stdout
    assert "warned.yaml: Net fits together" in done.stdout


def test_what_is_a_spec_and_what_an_override(folder: Path) -> None:
    (folder / "lr=0.1").mkdir()
    (folder / "lr=0.1" / "spec.yaml").write_text(SOUND)
    assert run("check", "sound.yaml", "lr=0.1/spec.yaml", cwd=folder).stdout.endswith("2 specs, all fit together\n")

    assert "command line:1:6  error" in run("check", "sound.yaml", "name=sound.yaml", cwd=folder).stdout
    assert run("check", "sound.yaml", f"layers.0=fc {'9' * 300}", cwd=folder).returncode == 3
    nowhere = run("check", "sound.yaml", "nowhere.yaml", cwd=folder)
    assert nowhere.returncode == 3
    assert "nowhere.yaml  error[unreadable]" in nowhere.stdout
    assert "'epochs' is not path=value" in run("check", "sound.yaml", "epochs", cwd=folder).stdout


def test_limits_hold_for_each(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run("check", "sound.yaml", "warned.yaml", "--max-params", "50", cwd=folder)  # 15 and more than 500
    assert done.returncode == 3
    assert "sound.yaml: Net fits together" in done.stdout
    assert "warned.yaml:3:10  error[too-large]" in done.stdout
    assert done.stdout.endswith("\n2 specs, 1 with errors\n")
    for command in ("check", "summary", "build"):
        given(SOUND, monkeypatch)
        assert run(command, "-", "--max-params", "14").returncode == 3
        given(SOUND, monkeypatch)
        assert run(command, "-", "--max-params", "15").returncode == 0


def test_warnings_are_errors_where_it_is_strict(folder: Path) -> None:
    assert run("check", "warned.yaml", cwd=folder).returncode == 0
    done = run("check", "warned.yaml", "sound.yaml", "--strict", cwd=folder)
    assert done.returncode == 3
    assert "\n\n1 warning\n\nsound.yaml: Net" in done.stdout
    assert done.stdout.endswith("\n2 specs, 1 with errors\n")
    assert run("check", "warned.yaml", "--strict", "--json", cwd=folder).returncode == 3
    assert run("check", "sound.yaml", "--strict", cwd=folder).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["check", "-"], "-: Net fits together: 4 -> 3"),
        (["check", "-", "layers.0=fc 5"], "4 -> 5"),
        (["summary", "-"], "fc"),
        (["build", "-"], "nn.Linear(4, 3)"),
        (["graph", "-"], "<svg"),
        (["fmt", "-", "--long"], "out_features: 3"),
        (["diff", "-", LENET], "conv1"),
    ],
    ids=lambda v: " ".join(v[:2]) if isinstance(v, list) else "",
)
def test_a_spec_on_stdin(arguments: list[str], text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given(SOUND, monkeypatch)
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    assert text in done.stdout


def test_a_spec_on_stdin_extends_those_of_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given("netspec: 1\nextends: sound.yaml\nlayers: [fc 6]\n", monkeypatch)
    assert "4 -> 6" in run("check", "-", cwd=folder).stdout


def test_problems_on_stdin_have_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    given(WRONG, monkeypatch)
    done = run("check", "-")
    assert done.returncode == 3
    assert "<stdin>:3:10  error[unknown-op]" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["check", "-", "-"], "only one spec can be on stdin"),
        (["diff", "-", "-"], "only one of the two specs can be on stdin"),
        (["fmt", "-w", "-"], "has no file to be written to"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_what_stdin_cannot_be(arguments: list[str], text: str) -> None:
    done = run(*arguments)
    assert (done.returncode, text in done.stderr) == (2, True), done.stderr


def test_what_is_trained_is_a_file() -> None:
    done = run("train", "-")
    assert done.returncode == 3
    assert run("check", DIGITS, "--strict").returncode == 0


@pytest.mark.parametrize("count", ["-3", "nan", "inf", "M"])
def test_a_count_that_is_none(count: str, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text("input: 4\nlayers: [fc 3]\n")
    done = run("check", "net.yaml", "--max-params", count, cwd=tmp_path)
    assert done.returncode == 2
    assert f"'{count}' is not a number" in done.stderr
