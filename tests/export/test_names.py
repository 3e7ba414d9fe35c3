"""Names of inputs and outputs in an exported file."""

from __future__ import annotations

from pathlib import Path

import pytest

import netspec


def test_an_input_may_be_called_output(tmp_path: Path) -> None:
    report = netspec.loads("inputs: {output: 4}\nlayers: [fc 2]\n").export(tmp_path / "a.onnx")
    assert list(report.outputs) == ["output_1"]


def test_an_output_with_the_name_of_an_input_is_refused(tmp_path: Path) -> None:
    spec = netspec.loads("inputs: {x: 4, y: 4}\nlayers: {a: add(x y), b: fc 2}\noutputs: {x: b, q: a}\n")
    with pytest.raises(netspec.ExportFailed, match="x is both an input and an output"):
        spec.export(tmp_path / "a.onnx")
    assert not (tmp_path / "a.onnx").exists()
