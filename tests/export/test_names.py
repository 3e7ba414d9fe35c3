"""Names of inputs and outputs in an exported file."""

from __future__ import annotations

from pathlib import Path

import pytest

import netspec
from netspec.runs.verifying import verify_file
from netspec.runtime.export.export import export_network
from netspec.runtime.export.formats.onnx import ONNX


def test_an_input_may_be_called_output(tmp_path: Path) -> None:
    report = netspec.loads("inputs: {output: 4}\nlayers: [fc 2]\n").export(tmp_path / "a.onnx")
    assert list(report.outputs) == ["output_1"]


def test_an_output_may_have_the_name_of_an_input(tmp_path: Path) -> None:
    spec = netspec.loads("inputs: {x: 4, y: 4}\nlayers: {a: add(x y), b: fc 2}\noutputs: {x: b, x_1: a, y: b}\n")
    report = spec.export(tmp_path / "a.onnx")
    assert (list(report.inputs), list(report.outputs)) == (["x", "y"], ["x_2", "x_1", "y_1"])
    assert verify_file(tmp_path / "a.onnx").differences


def test_names_that_a_program_gives_are_its_own_to_mend(tmp_path: Path) -> None:
    spec = netspec.loads("input: 4\nlayers: [fc 2]\n")
    with pytest.raises(netspec.ExportFailed, match="input is both an input and an output"):
        export_network(spec.build(), spec.graph.inputs, tmp_path / "a.onnx", ONNX(), outputs=["input"])
    assert not (tmp_path / "a.onnx").exists()
