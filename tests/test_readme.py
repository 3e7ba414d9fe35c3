"""The README says what is so: its commands, its printed code and its error are those of the program."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import netspec
from tests.effort import HANGING

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_continuous_integration_runs_the_readmes_test_command() -> None:
    install, test = re.findall(r"^    (python3 -m venv .*)$", README, re.MULTILINE)
    assert test == (ROOT / ".ci" / "run").read_text().splitlines()[-1]
    assert "-r requirements-dev.txt " in test
    assert "-r requirements.txt " in install
    assert "netspec train specs/lenet5_digits.yaml" in install
    pinned = re.search(r"^torch==(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    assert f"torch {pinned[1]} into the environment" in README


def test_the_first_spec_is_the_main_job() -> None:
    shown = re.search(r"```yaml\n(netspec: 1.*?)```", README, re.DOTALL)
    assert shown is not None
    assert shown[1] == (ROOT / "specs" / "lenet5_digits.yaml").read_text()
    assert len(shown[1].splitlines()) <= 12


def test_the_printed_class_is_what_build_prints() -> None:
    shown = re.search(r"```python\n(class LeNet5.*?)```", README, re.DOTALL)
    assert shown is not None
    assert netspec.load(ROOT / "specs" / "lenet5_digits.yaml").source().endswith(shown[1])


def test_the_error_is_what_check_says() -> None:
    text = (ROOT / "specs" / "lenet5_tutorial.yaml").read_text().replace("400->120", "256->120")
    text = "\n".join(line.partition("  #")[0].rstrip() for line in text.splitlines())
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads(text, name="lenet5.yaml")
    assert "\n".join("    " + line for line in str(caught.value).splitlines()) in README


def test_the_python_lines_run(tmp_path: Path) -> None:
    shown = re.search(r"## From Python\n\n```python\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    (tmp_path / "specs").symlink_to(ROOT / "specs")
    done = subprocess.run(
        [sys.executable, "-c", shown[1]], cwd=tmp_path, capture_output=True, text=True, timeout=HANGING, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "lenet5.onnx").is_file()
    assert (tmp_path / "runs" / "lenet5" / "best.safetensors").is_file()
