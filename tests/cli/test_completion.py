"""Shells complete commands, options and ready values: bash by running one, the others by what they ask and are told."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from unittest import mock

import pytest

from netspec.cli import COMPLETE, main
from netspec.cli.group import COMMANDS

SHELLS = ("bash", "zsh", "fish")


def netspec(**variables: str) -> tuple[object, str]:
    """The exit code of the command with these variables in its environment, and what it prints."""
    said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with mock.patch.dict(os.environ, variables), redirect_stdout(said), pytest.raises(SystemExit) as end:
        main([])
    said.flush()
    said.seek(0)
    return end.value.code, said.read()


def asked(shell: str, *words: str) -> list[str]:
    """What a shell is told when the last of these words is to be completed."""
    line = " ".join(("netspec", *words))
    variables = {COMPLETE: f"{shell}_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words))}
    if shell == "fish":
        variables |= {"COMP_CWORD": words[-1]}
    code, said = netspec(**variables)
    assert code == 0
    return said.splitlines()


def words(shell: str, told: list[str]) -> list[str]:
    """The words alone: bash is told `type,word`, zsh three lines for each, fish `type,word` and a help."""
    if shell == "zsh":
        return told[1::3]
    return [line.partition(",")[2].partition("\t")[0] for line in told]


@pytest.mark.parametrize("shell", SHELLS)
def test_what_a_shell_reads_names_the_command(shell: str) -> None:
    code, said = netspec(**{COMPLETE: f"{shell}_source"})
    assert code == 0
    assert "netspec" in said
    assert f"{COMPLETE}={shell}_complete" in said


def test_another_shell_is_not_known() -> None:
    assert netspec(**{COMPLETE: "csh_source"})[0] == 1


@pytest.mark.parametrize("shell", SHELLS)
def test_commands(shell: str) -> None:
    assert words(shell, asked(shell, "")) == list(COMMANDS)
    assert words(shell, asked(shell, "ex")) == ["explain", "export"]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (("check", "--str"), ["--strict"]),
        (("summary", "--d"), ["--depth"]),
        (("eval", "run", "--part", ""), ["train", "val", "test"]),
        (("launch", "net.yaml", "--print", "s"), ["slurm"]),
        (("init", "--template", "r"), ["resnet"]),
        (("ops", "conv2"), ["conv2d"]),
        (("nonsense", "che"), ["check"]),
    ],
    ids=lambda v: "",
)
def test_options_and_ready_values(shell: str, line: tuple[str, ...], expected: list[str]) -> None:
    assert words(shell, asked(shell, *line)) == expected


@pytest.mark.parametrize("command", ["check", "summary", "train", "sweep", "eval", "export", "fmt", "diff"])
def test_what_is_a_file_the_shell_completes(command: str) -> None:
    assert asked("bash", command, "spe") == ["file,spe"]


def test_a_plugin_is_not_run_to_complete(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    assert asked("bash", "check", "--plugin", str(plugin), "--jso") == ["plain,--json"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_itself_completes(tmp_path: Path) -> None:
    (tmp_path / "netspec").write_text(f'#!/bin/sh\nexec {sys.executable} -m netspec "$@"\n')
    (tmp_path / "netspec").chmod(0o755)
    script = f"""
PATH={tmp_path}:$PATH
eval "$({COMPLETE}=bash_source netspec)"
COMP_WORDS=(netspec init --template g) COMP_CWORD=3
$(complete -p netspec | sed 's/.*-F \\([^ ]*\\).*/\\1/') netspec g --template
echo "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["gpt"], done.stderr


@pytest.mark.parametrize(
    ("shell", "script"),
    [
        ("zsh", "autoload -U compinit; compinit -u; source /dev/stdin; whence -w _netspec_completion"),
        ("fish", "source; complete -C 'netspec init --template g'"),
    ],
)
def test_other_shells_read_it(shell: str, script: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    (tmp_path / "netspec").write_text(f'#!/bin/sh\nexec {sys.executable} -m netspec "$@"\n')
    (tmp_path / "netspec").chmod(0o755)
    done = subprocess.run(
        [shell, "-c", script],
        input=netspec(**{COMPLETE: f"{shell}_source"})[1], capture_output=True, text=True, check=False,
        env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)},
    )  # fmt: skip
    assert ("function" if shell == "zsh" else "gpt") in done.stdout, done.stderr
