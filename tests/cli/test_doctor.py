"""`netspec doctor` says what is here, and ends with 1 where netspec cannot work."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError

import pytest
import torch

from netspec.runtime.device import doctor
from tests.cli.test_commands import run

NEEDS = ["numpy>=1.26", "torch>=2.6", 'tensorboard>=2.15; extra == "tensorboard"', "pytest; extra == 'dev'"]


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What is installed, to be changed by a test."""
    found = {"numpy": "2.4.6", "torch": "2.13.0+cpu", "tensorboard": "2.20"}

    monkeypatch.setattr(doctor, "requires", lambda _: NEEDS)
    monkeypatch.setattr(doctor, "installed", found.get)
    return found


def test_all_is_well_here() -> None:
    done = run("doctor", "--json")
    assert done.returncode == 0, done.stdout
    found = json.loads(done.stdout)
    assert found["packages"]["torch"] == {"found": torch.__version__, "state": "fine", "extra": None}
    assert found["torch"]["devices"][0] == "cpu"
    assert found["torch"]["threads"] == torch.get_num_threads()


def test_an_extra_may_be_missing(versions: dict[str, str]) -> None:
    del versions["tensorboard"]
    done = run("doctor")
    assert done.returncode == 0
    assert "missing: pip install 'netspec-torch[tensorboard]'" in done.stdout
    assert "pytest" not in done.stdout


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (None, "missing: pip install 'numpy>=1.26'"),
        ("1.9.3", "too old, 1.26 is needed: pip install 'numpy>=1.26'"),
    ],
)
def test_what_is_needed_may_not(versions: dict[str, str], found: str | None, text: str) -> None:
    del versions["numpy"]
    if found:
        versions["numpy"] = found
    done = run("doctor")
    assert done.returncode == 1
    assert text in done.stdout


def test_a_broken_installation_is_found(versions: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        if name == "torch":
            raise OSError("libtorch.so: cannot open shared object file")

    monkeypatch.setattr(doctor, "import_module", broken)
    done = run("doctor")
    assert done.returncode == 1
    assert "cannot be imported: libtorch.so: cannot open shared object file" in done.stdout
    assert "devices" not in done.stdout


def test_netspec_itself_may_not_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def requires(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "requires", requires)
    done = run("doctor")
    assert done.returncode == 2
    assert "netspec-torch is not installed" in done.stderr
