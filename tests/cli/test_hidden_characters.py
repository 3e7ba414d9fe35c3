"""Names of files that hold control characters: a terminal is never told what they say, and commands name the files."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from netspec.cli import main
from netspec.words import in_shell

SPEC = """
netspec: 1
name: Small
input: 1x8x8
layers: [fc 10]
data: digits
train: {loss: cross_entropy, optimizer: adamw lr=2e-3, epochs: 1, metrics: [accuracy], threads: 1}
"""
HIDDEN = "a\b\x1b[31m'\\ é"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / f"{HIDDEN}.yaml").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(arguments: Iterable[str], capfd: pytest.CaptureFixture[str]) -> str:
    """What a command says that ends well."""
    with pytest.raises(SystemExit) as ended:
        main(tuple(arguments))
    assert not ended.value.code
    said = capfd.readouterr()
    return said.out + said.err


def safe(said: str) -> bool:
    return not set(said) & {"\b", "\x1b"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", f"{HIDDEN}.yaml"),
        ("build", f"{HIDDEN}.yaml", "-o", f"{HIDDEN}.py"),
        ("graph", f"{HIDDEN}.yaml", "-o", f"{HIDDEN}.svg"),
        ("export", f"{HIDDEN}.yaml", "-o", f"{HIDDEN}.onnx"),
        ("init", f"{HIDDEN}2.yaml"),
        ("launch", f"{HIDDEN}.yaml", "--print", "slurm"),
        ("sweep", f"{HIDDEN}.yaml", "train.optimizer.lr=0.1,0.2", "--folder", HIDDEN),
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_commands_say_is_safe_to_show(
    arguments: tuple[str, ...], folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = told(arguments, capfd)
    assert "a" in said
    assert safe(said)


def test_the_next_commands_of_a_run_name_it(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said = told(("train", f"{HIDDEN}.yaml", "--run", HIDDEN), capfd)
    assert safe(said)
    assert f"next: netspec eval {in_shell(HIDDEN)}," in said


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash reads what is written for it")
@pytest.mark.parametrize("word", [HIDDEN, "plain", "two words", "a\nb", "\u202egnp", os.fsdecode(b"\xff1"), "it's", ""])
def test_a_shell_reads_the_word_that_was_meant(word: str) -> None:
    done = subprocess.run(["bash", "-c", f"printf %s {in_shell(word)}"], capture_output=True, check=True)
    assert done.stdout == os.fsencode(word)
    assert in_shell(word).isprintable()


def test_half_of_a_pair_is_shown_too() -> None:
    assert in_shell("a\ud800") == r"$'a\xed\xa0\x80'"


def test_problems_on_standard_error_show_no_colour_as_text(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Colours are put on once, after control characters were made visible."""
    Path("wrong.yaml").write_text(SPEC.replace("fc 10", "fcc 10"))
    for command in ("train", "build", "summary"):
        with pytest.raises(SystemExit) as ended:
            main([command, "wrong.yaml"])
        assert ended.value.code == 3
        said = capsys.readouterr().err
        assert "wrong.yaml:5:10  error[" in said
        assert "u001b" not in said
