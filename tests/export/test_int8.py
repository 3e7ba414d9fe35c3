"""Files in int8: calibrated, measured on validation data, and refused where they cost too much."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import nn

import netspec
from netspec.errors import ExportMismatch, UsageError
from netspec.runs.verifying import verify_file
from netspec.views.onnx import scope

SPEC = """\
netspec: 1
name: Eight
input: 1x8x8
layers: [conv 8 k3, batchnorm, relu, flatten, fc 33, relu, fc 10]
data: digits
train: {loss: cross_entropy, optimizer: adamw lr=1e-2, epochs: 2, batch: 64, device: cpu}
export: {onnx: {dtype: int8}}
"""


RESIDUAL = """\
name: Residual
input: 1x8x8
blocks:
  basic c s=1:
    conv1: conv $c k3 s$s same nobias
    bn1: bn, relu
    conv2: conv $c k3 same nobias
    bn2: bn
    downsample: {when: s != 1 or in.c != c, layers: [conv(in) $c k1 s$s nobias, bn]}
    out: add(bn2 downsample), relu
layers: {stem: [conv 8 k3 same nobias, bn, relu], a: [basic 8], b: [basic 16 s2], c: [basic 32 s2], fc: 'gap, fc 10'}
data: digits
train: {loss: cross_entropy, optimizer: adamw lr=1e-2, epochs: 2, batch: 64, device: cpu}
export: {onnx: {dtype: int8, max_drop: 0.01}}
"""


@pytest.fixture(scope="module")
def trained() -> tuple[netspec.Spec, nn.Module]:
    spec = netspec.loads(SPEC)
    return spec, spec.train().module


@pytest.mark.parametrize("output", ["logits", "labels"])
def test_little_is_lost(output: str, trained: tuple[netspec.Spec, nn.Module], tmp_path: Path) -> None:
    spec, module = trained
    report = spec.over([f"export.onnx.output={output}"]).export(tmp_path / "a.onnx", module)
    said = re.search(r"accuracy (\S+) in float32, (\S+) in int8, on 359 samples", report.note)
    assert said is not None, report.note
    assert float(said[1]) - float(said[2]) <= 0.005 < 0.8 < float(said[1])
    assert report.compared == f"torch {torch.__version__}, before it was quantised"
    model = onnx.load(tmp_path / "a.onnx")
    (weight,) = [x for x in model.graph.initializer if x.name.startswith("fc1.weight") and x.name.endswith("quantized")]
    assert weight.data_type == onnx.TensorProto.INT8
    assert np.abs(numpy_helper.to_array(weight)).max() == 64, "more overflows where two products are added in 16 bits"
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    assert verify_file(tmp_path / "a.onnx").differences


def test_a_residual_network_loses_little(tmp_path: Path) -> None:
    spec = netspec.loads(RESIDUAL)
    said = re.search(r"accuracy (\S+) in float32, (\S+) in", spec.export(tmp_path / "a.onnx", spec.train().module).note)
    assert said is not None
    assert float(said[1]) - float(said[2]) <= 0.01 < 0.9 < float(said[1]), "three of 359"


def test_a_network_that_it_ruins_is_refused(trained: tuple[netspec.Spec, nn.Module], tmp_path: Path) -> None:
    """One unit that nothing reads takes all of the range, and leaves the others a step or two."""
    spec, _ = trained
    module = spec.build({name: x.clone() for name, x in trained[1].state_dict().items()})
    with torch.no_grad():
        module.get_parameter("fc1.bias")[32] = 1e5
        module.get_parameter("fc2.weight")[:, 32] = 0
    with pytest.raises(
        ExportMismatch, match=r"max_drop, 0\.005: accuracy .* in int8.*the outputs most: fc\d/"
    ) as caught:
        spec.export(tmp_path / "a.onnx", module)
    assert caught.value.exit_code == 6
    assert not list(tmp_path.iterdir())
    report = spec.over(["export.onnx.max_drop=1"]).export(tmp_path / "a.onnx", module)
    assert "in int8" in report.note


SEVERAL = """\
input: 4
layers:
  inner: [linear 16, relu]
  kind: [linear(inner) 9, relu, linear 3]
  size: [linear(inner) 9, relu, linear 1]
  sold: [linear(inner) 9, relu, linear 1]
outputs: [kind, size, sold, inner]
data: {source: {npz: {path: data.npz, target: [kind, size, sold]}}, split: {val: 40}, scale_target: standard}
train: {loss: {kind: cross_entropy, size: mse, sold: bce_logits}, optimizer: adamw lr=1e-2, epochs: 12, device: cpu}
export: {onnx: {dtype: int8, max_drop: 0.03}}
"""


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> tuple[netspec.Spec, nn.Module]:
    folder = tmp_path_factory.mktemp("several")
    x = np.random.default_rng(0).uniform(-1, 1, (240, 4)).astype("float32")
    targets = {"kind": x[:, :3].argmax(1), "size": 50 + 9 * x.sum(1, keepdims=True), "sold": x[:, :1] > 0}
    np.savez(folder / "data.npz", x=x, **targets)
    (folder / "net.yaml").write_text(f"netspec: 1\nname: Several\n{SEVERAL}")
    spec = netspec.load(folder / "net.yaml")
    return spec, spec.train().module


@pytest.mark.parametrize("output", ["logits", "labels"])
def test_each_output_is_judged_by_what_its_loss_tells(
    output: str, several: tuple[netspec.Spec, nn.Module], tmp_path: Path
) -> None:
    """Classes by accuracy, numbers by what they explain; of an output without a loss it is told how near it stays."""
    spec, module = several
    note = spec.over([f"export.onnx.output={output}"]).export(tmp_path / "a.onnx", module).note
    said = re.findall(r"(\w+): (\w+) (\S+) in float32, (\S+) in int8", note)
    assert [each[:2] for each in said] == [
        ("kind", "accuracy"), ("size", "r2"), ("sold", "accuracy"), ("inner", "nearness"),
    ]  # fmt: skip
    assert note.endswith("in int8, on 40 samples")
    assert all(0.7 < float(before) < float(after) + 0.05 for *_, before, after in said), note


@pytest.mark.parametrize(("head", "output"), [("size", "logits"), ("kind", "labels")])
def test_one_output_that_is_ruined_refuses_the_file(
    head: str, output: str, several: tuple[netspec.Spec, nn.Module], tmp_path: Path
) -> None:
    spec, trained = several
    module = spec.build({name: x.clone() for name, x in trained.state_dict().items()})
    with torch.no_grad():
        module.get_parameter(f"{head}.0.bias")[8] = 1e5
        module.get_parameter(f"{head}.2.weight")[:, 8] = 0
    spec = spec.over([f"export.onnx.output={output}"])
    with pytest.raises(ExportMismatch, match=rf"max_drop, 0\.03: .*{head}: .*outputs most: {head}\."):
        spec.export(tmp_path / "a.onnx", module)
    assert not list(tmp_path.iterdir())


def test_it_needs_data(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="int8 is calibrated on training data"):
        netspec.loads("input: 2\nlayers: [linear 3]\nexport: onnx dtype=int8").export(tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("taken", "dtype"), [("uint8", np.uint8), ("float32", np.float32)])
def test_what_is_done_before_the_network_stays_in_floats(
    taken: str, dtype: type, trained: tuple[netspec.Spec, nn.Module], tmp_path: Path
) -> None:
    """It is calibrated with samples as they are before that, and gives what the network in int8 gives behind it."""
    spec, module = trained
    more = [f"export.onnx={{dtype: int8, preprocess: true, input: {taken}, output: probabilities}}"]
    report = spec.over(more).export(tmp_path / "a.onnx", module)
    assert "in int8, on 359 samples" in report.note
    nodes = onnx.load(tmp_path / "a.onnx").graph.node
    quantised = {name for node in nodes if node.op_type == "QuantizeLinear" for name in node.input}
    ends = [node for node in nodes if scope(node) == "(output)"]
    assert [node.op_type for node in ends] == ["Softmax"]
    assert not {*ends[0].output} & quantised
    session = onnxruntime.InferenceSession(str(tmp_path / "a.onnx"), providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).integers(0, 17, (6, 1, 8, 8)).astype(np.uint8)
    given = images if dtype is np.uint8 else images / np.float32(16)
    (found,) = session.run(None, {"input": given.astype(dtype)})
    with torch.no_grad():
        wanted = module.eval()(torch.from_numpy(images / np.float32(16))).softmax(1).numpy()
    assert np.abs(found - wanted).max() < 0.05
    assert verify_file(tmp_path / "a.onnx").differences
