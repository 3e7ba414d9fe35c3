"""Scans in an ONNX file: one node for each, right for every number of places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch

import netspec

SPEC = """\
netspec: 1
name: Scans
inputs: {x: 3xTx5}
layers:
  z: zeros Bx3x4
  zg: zeros Bx4
  one:
    scan: {over: x, axis: 2, carry: {a: z -> b, b: z -> n}, reverse: true}
    layers: {l: linear(x) 4, n: add(a b l), t: tanh}
  each:
    scan: {over: one, carry: {h: zg -> rows.g}}
    layers:
      g0: mul(h) 2
      rows: {scan: {over: one, carry: {g: g0}}, layers: {s: add(one g), g: mul(s) 0.5}}
  flat: {scan: {over: {row: each}, axis: 2}, layers: [linear 2, relu]}
outputs: {every: flat, last: one.a}
"""


BACKWARDS = SPEC[: SPEC.index("  each:")].replace("  zg: zeros Bx4\n", "") + "outputs: {every: one, last: one.a}\n"


def test_a_file_is_right_for_every_length(tmp_path: Path) -> None:
    """Backwards with two states."""
    assert_right(BACKWARDS, 1, tmp_path)


def test_a_file_of_scans_in_scans_is_right_for_every_length(tmp_path: Path) -> None:
    """Another inside one, and one without states."""
    assert_right(SPEC, 3, tmp_path)


def assert_right(text: str, scans: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net: Any = netspec.loads(text).build().eval()
    forward = type(net.one).forward
    report = netspec.loads(text).export(tmp_path / "scans.onnx", net)
    assert report.inputs == {"x": "batch x 3 x T x 5"}
    assert type(net.one).forward is forward
    graph = onnx.load(tmp_path / "scans.onnx").graph
    assert [node.op_type for node in graph.node].count("Scan") == scans
    session = ort.InferenceSession(str(tmp_path / "scans.onnx"), providers=["CPUExecutionProvider"])
    for batch, length in ((1, 1), (3, 7), (2, 30)):
        x = torch.randn(batch, 3, length, 5)
        every, last = session.run(None, {"x": x.numpy()})
        with torch.no_grad():
            wanted = net(x)
        np.testing.assert_allclose(every, wanted["every"].numpy(), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(last, wanted["last"].numpy(), rtol=1e-4, atol=1e-5)
