"""What a command would write at its end is refused at its beginning, where it could not be written as it is called."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import pytest

import netspec
from netspec.cli import main
from netspec.cli.targets import Folder, Target
from netspec.vocabulary import EXPORTERS
from tests.cli.test_commands import DIGITS, run

EXPORTED = " or ".join(cls.extension for cls in EXPORTERS.classes())
COMMANDS = {
    ".py": ["build", DIGITS, "-o"],
    ".svg or .html or .png or .mmd or .dot": ["graph", DIGITS, "-o"],
    EXPORTED: ["export", DIGITS, "--onnx", "-o"],
    f"{EXPORTED} ": ["train", DIGITS, "--run", "run", "--export"],
    ".csv or .json or .npy or .npz": ["predict", "run", "x.npy", "-o"],
}


@pytest.mark.parametrize("name", ["out.gif", "out.pt", "out.v2", "no/out", "folder"])
@pytest.mark.parametrize("suffix", COMMANDS)
def test_nothing_runs_for_a_file_that_would_be_another(suffix: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    name = name if name != "no/out" else f"no/out{suffix.split()[0]}"
    done = run(*COMMANDS[suffix], name, cwd=tmp_path)
    said = {"no": "there is no folder no", "folder": "folder is a folder"}
    words = said.get(name.split("/")[0], f"{name} is not called {suffix.strip()}, and no other format is written")
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_a_folder_that_takes_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # a test may be run by whom nothing is refused
    done = run("train", DIGITS, "--run", "run", "--export", str(tmp_path / "x.onnx"), cwd=tmp_path)
    assert (done.returncode, "takes no files from you" in done.stderr) == (2, True), done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["net.svg", "net", "/dev/null"])
def test_what_has_no_suffix_or_is_no_file_is_taken(name: str) -> None:
    assert Target(".svg").convert(name, None, None) == Path(name)


def test_of_several_formats_one_must_be_named() -> None:
    with pytest.raises(click.BadParameter, match=r"x is not called \.npy or \.npz"):
        Target(".npy", ".npz").convert("x", None, None)


def test_python_is_told_too(tmp_path: Path) -> None:
    spec: Any = netspec.load(DIGITS)
    with pytest.raises(netspec.UsageError, match=r"x\.pt is not called \.onnx"):
        spec.export(tmp_path / "x.pt")


def ended(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main(tuple(map(str, arguments)))
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.mark.parametrize("name", ["net.ONNX", "net.Onnx"])
def test_what_is_taken_before_is_written_behind(name: str, tmp_path: Path) -> None:
    given = ("train.epochs=1", "train.max_steps=1", "--run", tmp_path / "run", "--export", tmp_path / name)
    assert ended("train", DIGITS, *given) == 0
    assert (tmp_path / name).is_file()


@pytest.mark.parametrize(("name", "said"), [("-", "/dev/stdout"), ("file/x.svg", "file is no folder")])
def test_a_name_that_would_mislead(name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(click.BadParameter, match=said):
        Target(".svg").convert(name, None, None)


@pytest.mark.parametrize("name", ["", "file", "file/runs/x"])
def test_a_folder_that_none_can_be(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(click.BadParameter, match="the name is empty" if not name else "file is no folder"):
        Folder().convert(name, None, None)
    assert Folder().convert("no/such/run", None, None) == Path("no/such/run")


@pytest.mark.parametrize(
    "words",
    [["eval"], ["predict", "RUN", "x.npy"], ["train", "--resume"], ["train", DIGITS, "--run"], ["build", DIGITS, "-o"]],
    ids=" ".join,
)
def test_a_name_that_no_file_can_have(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 300
    given = [long if word == "RUN" else word for word in words]
    assert ended(*given, *([] if "RUN" in words else [long])) == 2
    assert "is no name of a file here: File name too long" in capsys.readouterr().err
