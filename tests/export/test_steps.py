"""Networks that ONNX has no words for: what is written otherwise, and which step is named where nothing can be."""

from __future__ import annotations

import re
from pathlib import Path

import onnx
import pytest
import torch

import netspec
from netspec.errors import ExportFailed
from netspec.graph.wrapping import WRAPS
from netspec.runtime.export.export import export_network
from netspec.runtime.export.formats.onnx import ONNX
from netspec.runtime.network.remove_parametrizations import copied, unwrapped


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("wrap", WRAPS)
def test_wrapped_weights_are_plain_in_the_file(wrap: str, tmp_path: Path) -> None:
    spec = netspec.loads(f"input: 3x8x8\nlayers: {{body: [conv 4 k3 wrap={wrap}, relu], head: fc 3 wrap={wrap}}}")
    net = spec.build()
    net(torch.randn(4, 3, 8, 8)).sum().backward()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    report = spec.export(tmp_path / "net.onnx", net)
    names = {initializer.name for initializer in onnx.load(report.path).graph.initializer}
    assert names - {"constant"} == {"body.0.weight", "body.0.bias", "head.weight", "head.bias"}
    assert list(net.state_dict()) == list(before)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    net(torch.randn(4, 3, 8, 8)).sum().backward()


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("wrap", WRAPS)
def test_a_copy_without_wraps_computes_the_same(wrap: str) -> None:
    net = netspec.loads(f"input: 6x8\nlayers: [conv_transpose1d 6 k3 wrap={wrap}]\n").build()
    x = torch.randn(2, 6, 8)
    net(x).sum().backward()
    net.eval()
    with torch.no_grad():
        wanted = net(x)
        plain = unwrapped(net)
        assert [name for name, _ in plain.named_parameters()] != [name for name, _ in net.named_parameters()]
        torch.testing.assert_close(plain(x), wanted)
        torch.testing.assert_close(copied(net)(x), wanted)
        torch.testing.assert_close(net(x), wanted)


def test_nothing_is_copied_where_nothing_is_wrapped() -> None:
    net = netspec.loads("input: 4\nlayers: [linear 3]\n").build()
    assert unwrapped(net) is net


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ("{body: {a: linear 4, noise: randn_like(a), s: add(a noise)}, b: fc 2}", "body.noise draws random numbers"),
        ("{a: rand_like, b: randn_like(in), c: add(a b)}", "a, b draw random numbers"),
    ],
)
def test_noise_that_is_not_for_training_alone_is_named(layers: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match=words) as caught:
        netspec.loads(f"input: 4\nlayers: {layers}\n").export(tmp_path / "net.onnx")
    assert "when training" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_noise_in_training_alone_is_left_out(tmp_path: Path) -> None:
    layers = "{mean: linear 4, noise: randn_like(mean), z: add(mean noise) when training}"
    assert netspec.loads(f"input: 4\nlayers: {layers}\n").export(tmp_path / "net.onnx").facts["nodes"] == 1


@pytest.mark.parametrize(
    ("shape", "layers", "step"),
    [
        ("3x8x8", "{body: [conv 4 k3, FractionalMaxPool2d 2 output_size=3]}", "body.1 (FractionalMaxPool2d)"),
        ("3x8x8", "{body: [conv 4 k3, {norm: CrossMapLRN2d 2}]}", "body.norm (CrossMapLRN2d)"),
    ],
)
def test_a_step_that_onnx_does_not_have_is_named(shape: str, layers: str, step: str, tmp_path: Path) -> None:
    with pytest.raises(ExportFailed) as caught:
        netspec.loads(f"input: {shape}\nlayers: {layers}\n").export(tmp_path / "net.onnx")
    assert f"torch cannot write {step} as ONNX: it has nothing for aten." in str(caught.value)


def test_so_is_one_that_only_torch_stumbles_over(tmp_path: Path) -> None:
    spec = netspec.loads("input: 4\nlayers: {a: linear 4, act: rrelu}")
    with pytest.raises(ExportFailed, match=re.escape("the step `F.rrelu(x, training=self.training)`")):
        export_network(spec.build(), spec.graph.inputs, tmp_path / "net.onnx", ONNX())
