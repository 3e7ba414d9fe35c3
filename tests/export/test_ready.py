"""Every ready spec is exported as it starts, and its file is what it was when it is looked at again."""

from __future__ import annotations

from pathlib import Path

import pytest

import netspec
from netspec.runs.verifying import verify_file

SPECS = Path(__file__).parent.parent.parent / "specs"
SMALL = (
    "clip",
    "image_and_table",
    "lenet5_digits",
    "lstm_lm_small",
    "siamese",
    "super_resolution",
    "tabular",
    "vae_mnist",
)


def exported(name: str, file: Path) -> float:
    """The largest difference of a ready spec's file, when it is looked at again, as a part of the values."""
    report = netspec.load(SPECS / f"{name}.yaml").export(file)
    assert "traced" not in report.note
    again = verify_file(file).differences
    assert {each.what for each in again} == {"batch 1", "batch 2"}
    return max(report.relative, *(each.relative for each in again))


@pytest.mark.parametrize("name", SMALL)
def test_a_ready_spec_is_exported(name: str, tmp_path: Path) -> None:
    assert exported(name, tmp_path / "net.onnx") < 1e-5


def test_every_other_ready_spec_is_exported(tmp_path: Path) -> None:
    names = sorted({path.stem for path in SPECS.glob("*.yaml")} - {*SMALL})
    found = {name: exported(name, tmp_path / "net.onnx") for name in names}
    assert {name: far for name, far in found.items() if far > 1e-5} == {}


def test_only_a_comparison_is_done_without_the_data(tmp_path: Path) -> None:
    text = (
        "input: 4\nlayers: [fc 1]\ndata: {source: csv gone.csv target=y, scale_target: standard}\n"
        "train: {loss: mse, optimizer: sgd lr=0.1, epochs: 1}"
    )
    with pytest.raises(netspec.errors.DataError, match=r"gone\.csv does not exist"):
        netspec.loads(text).export(tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())
    report = netspec.loads(text.replace(", scale_target: standard", "")).export(tmp_path / "net.onnx")
    assert "the data is not there" in report.note
    assert "gone.csv does not exist" in report.note
