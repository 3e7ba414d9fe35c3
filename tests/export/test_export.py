"""ONNX files: equal to the network at every size, readable, and absent where anything fails."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import nn

import netspec
from netspec.dims import BATCH
from netspec.errors import ExportFailed, ExportMismatch, NetspecError, UsageError
from netspec.runtime.export import example_inputs as examples
from netspec.runtime.export import onnx_graph
from netspec.runtime.export.export import export_network
from netspec.runtime.export.formats.onnx import ONNX
from netspec.runtime.export.metadata import metadata
from netspec.runtime.export.report import Report
from netspec.runtime.export.subject import Subject
from netspec.runtime.export.tolerance import difference
from netspec.tensors import Tensor
from tests.export.networks import CASES, Convolutional, Deciding, Freezing, H, Segmenting, TwoInputs, Unwritable, W

IMAGE = {"image": Tensor((BATCH, 1, 8, 8))}


def run(path: Path, *inputs: torch.Tensor) -> list[Any]:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [x.name for x in session.get_inputs()]
    return list(session.run(None, {n: x.numpy() for n, x in zip(names, inputs, strict=True)}))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, Path, Report, dict[str, str]]:
    """One network, exported while in training mode, as most tests look at it."""
    torch.manual_seed(0)
    network = Convolutional()
    network.bn1.eval()
    path = tmp_path_factory.mktemp("export") / "net.onnx"
    said = metadata("0.1.0", "Net", "netspec: 1\nname: Net\n", {"classes": ["a", "b", "c"], "transform": [None]})
    real = [(torch.rand(n, 1, 8, 8),) for n in (20, 20, 3)]
    report = export_network(
        network, IMAGE, path, ONNX(), outputs=["scores"], validation=real, name="Net", metadata=said
    )
    return network, path, report, said


def test_report(exported: Any) -> None:
    _, path, report, _ = exported
    assert [(d.what, d.samples) for d in report.differences] == [
        ("batch 1", 1),
        ("batch 2", 2),
        ("batch 5", 5),
        ("validation data", 43),
    ]
    assert 0 < report.relative < 1e-5
    assert (report.inputs, report.outputs) == ({"image": "batch x 1 x 8 x 8"}, {"scores": "batch x 3"})
    assert (report.bytes, report.facts["opset"]) == (path.stat().st_size, 20)
    assert list(path.parent.iterdir()) == [path]


def test_modes_are_restored_and_evaluation_was_exported(exported: Any) -> None:
    network, path, _, _ = exported
    assert network.training
    assert network.drop.training
    assert not network.bn1.training
    x = torch.rand(17, 1, 8, 8)
    network.eval()
    with torch.no_grad():
        expected = network(x)
    network.train()
    network.bn1.eval()
    assert np.allclose(run(path, x)[0], expected, atol=1e-5)


def test_names_are_readable_and_nothing_of_the_machine_is_inside(exported: Any) -> None:
    _, path, _, _ = exported
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert [n.name for n in model.graph.node][-3:] == ["head.0/Gemm", "head.1/Relu", "head.2/Gemm"]
    names = [i.name for i in model.graph.initializer]
    assert {"conv1.weight", "head.0.weight", "head.2.bias"} < set(names)
    assert not [n for n in names if n.startswith("val_")]
    content = path.read_bytes()
    for trace in (b".py", b"/home", b"site-packages", str(Path.cwd()).encode()):
        assert trace not in content


def test_metadata(exported: Any) -> None:
    _, path, _, said = exported
    model = onnx.load(path)
    assert {p.key: p.value for p in model.metadata_props if p.key != "netspec.manifest"} == said
    assert json.loads(said["netspec.classes"]) == ["a", "b", "c"]
    assert (model.producer_name, model.graph.name) == ("netspec", "Net")


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("name", CASES)
def test_networks_of_every_kind(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    case = CASES[name]
    torch.manual_seed(1)
    state = torch.get_rng_state()
    network = case.network()
    torch.set_rng_state(state)
    report = export_network(network, case.inputs, tmp_path / "net.onnx", ONNX(), outputs=list(case.outputs))
    assert report.relative < 1e-4
    # Whether tracing keeps the steps of a recurrent layer open depends on what the process has traced before.
    assert {name: shape.replace("T*batch", "?") for name, shape in report.outputs.items()} == case.outputs
    assert torch.equal(torch.get_rng_state(), state)
    assert capfd.readouterr() == ("", "")


def test_maps_of_any_size(tmp_path: Path) -> None:
    network, inputs = Segmenting(), {"x": Tensor((BATCH, 3, H, W))}
    report = export_network(network, inputs, tmp_path / "net.onnx", ONNX(), outputs=["mask", "middle"])
    assert report.inputs == {"x": "batch x 3 x H x W"}
    assert report.differences[-1].what == "batch 2, H 32, W 64"
    x = torch.rand(3, 3, 24, 40)
    assert np.allclose(run(tmp_path / "net.onnx", x)[0], network(x)["mask"].detach(), atol=1e-5)


@pytest.mark.parametrize("opset", [18, 23])
def test_opset_and_probabilities(opset: int, tmp_path: Path) -> None:
    network = Convolutional().eval()
    options = ONNX(opset=opset, output="probabilities")
    report = export_network(network, IMAGE, tmp_path / "net.onnx", options, outputs=["probabilities"])
    x = torch.rand(6, 1, 8, 8)
    (found,) = run(tmp_path / "net.onnx", x)
    assert report.facts["opset"] == opset
    assert np.allclose(found.sum(1), 1)
    assert np.allclose(found, network(x).softmax(1).detach(), atol=1e-6)


def test_one_output_becomes_a_probability_by_a_sigmoid(tmp_path: Path) -> None:
    network, case = TwoInputs(), CASES["two inputs"]
    export_network(network, case.inputs, tmp_path / "net.onnx", ONNX(output="probabilities"))
    inputs = torch.rand(4, 3, 8, 8), torch.rand(4, 12)
    assert np.allclose(run(tmp_path / "net.onnx", *inputs)[0], network(*inputs).sigmoid().detach(), atol=1e-6)


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short sequences: torch unrolls recurrent layers while it traces them."""
    monkeypatch.setattr(examples, "SIZES", (4, 6))


def nothing_left(folder: Path) -> bool:
    return not list(folder.iterdir())


def test_a_file_that_computes_something_else_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tidy = onnx_graph.tidy

    def damage(model: Any, *rest: Any) -> None:
        tidy(model, *rest)
        weight = model.graph.initializers["head.2.bias"]
        import onnx_ir as ir

        weight.const_value = ir.tensor(weight.const_value.numpy() + np.float32(0.01), name=weight.name)

    monkeypatch.setattr(onnx_graph, "tidy", damage)
    with pytest.raises(ExportMismatch, match=r"(?s)batch 1 +1 +0\.01 .*batch 5.*No file is written") as e:
        export_network(Convolutional(), IMAGE, tmp_path / "net.onnx", ONNX())
    assert e.value.exit_code == 6
    assert nothing_left(tmp_path)
    report = export_network(Convolutional(), IMAGE, tmp_path / "net.onnx", ONNX(atol=0.1))
    assert report.absolute == pytest.approx(0.01, rel=1e-3)


def test_a_tolerance_that_is_advised_helps(tmp_path: Path) -> None:
    """Where the difference is that of rounding, the advice is a wider tolerance, and with it the file is written."""
    with pytest.raises(ExportMismatch, match=r"raise atol or rtol under export\.onnx\."):
        export_network(Convolutional(), IMAGE, tmp_path / "net.onnx", ONNX(atol=0, rtol=0))
    for option in ({"atol": 1e-3, "rtol": 0}, {"atol": 0, "rtol": 1e-3}):
        assert export_network(Convolutional(), IMAGE, tmp_path / "net.onnx", ONNX(**option)).absolute < 1e-3


def test_no_tolerance_is_advised_for_what_is_no_rounding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    traced = onnx_graph.traced

    def other(network: nn.Module, *rest: Any) -> Any:
        network.bn1.weight.data.mul_(1.47)  # type: ignore[union-attr, operator]
        model = traced(network, *rest)
        network.bn1.weight.data.div_(1.47)  # type: ignore[union-attr, operator]
        return model

    monkeypatch.setattr(onnx_graph, "traced", other)
    with pytest.raises(ExportMismatch, match="That is no rounding: the file computes something else") as caught:
        export_network(Convolutional(), IMAGE, tmp_path / "net.onnx", ONNX())
    assert "atol or" not in str(caught.value)


def test_training_mode_would_be_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    traced = onnx_graph.traced

    def in_training(network: nn.Module, *rest: Any) -> Any:
        network.bn1.running_mean.add_(1)  # type: ignore[union-attr, operator]
        model = traced(network, *rest)
        network.bn1.running_mean.sub_(1)  # type: ignore[union-attr, operator]
        return model

    monkeypatch.setattr(onnx_graph, "traced", in_training)
    with pytest.raises(ExportMismatch):
        export_network(Convolutional(), IMAGE, tmp_path / "net.onnx", ONNX())
    assert nothing_left(tmp_path)


def test_a_difference_on_validation_data_alone_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Subject, "_made_up", lambda *_: iter(()))
    real = [(torch.full((4, 1, 8, 8), 1e4),)]
    with pytest.raises(ExportMismatch, match="validation data"):
        export_network(Convolutional(), IMAGE, tmp_path / "net.onnx", ONNX(atol=0, rtol=0), validation=real)
    assert nothing_left(tmp_path)


def test_a_batch_that_tracing_fixed_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(ExportMismatch, match="1 x 5"):
        export_network(Freezing(), {"x": Tensor((BATCH, 5))}, tmp_path / "net.onnx", ONNX())
    assert nothing_left(tmp_path)


def test_what_onnx_does_not_have(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ExportFailed, match=r"torch cannot write this network as ONNX: .*eig") as caught:
        export_network(Unwritable(), {"x": Tensor((BATCH, 4, 4))}, tmp_path / "net.onnx", ONNX())
    assert caught.value.exit_code == 6
    assert nothing_left(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_inputs_that_the_network_does_not_take(tmp_path: Path) -> None:
    with pytest.raises(NetspecError, match="none of the sizes"):
        export_network(Convolutional(), {"image": Tensor((BATCH, 3, 8, 8))}, tmp_path / "net.onnx", ONNX())


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape(str(tmp_path / "no" / "net.onnx"))):
        export_network(Deciding(), {"x": Tensor((BATCH, 4))}, tmp_path / "no" / "net.onnx", ONNX())


def test_an_earlier_file_stays_when_the_new_one_fails(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"earlier")
    with pytest.raises(NetspecError):
        export_network(Freezing(), {"x": Tensor((BATCH, 5))}, path, ONNX())
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_differences() -> None:
    def apart(found: list[Any], expected: list[Any], dtype: str = "f4") -> tuple[float, float, bool]:
        d = difference("x", np.array(found, dtype), np.array(expected, dtype), atol=0.1, rtol=0.01)
        return round(d.absolute, 3), round(d.relative, 5), d.agrees

    assert apart([1.05, 200], [1, 200]) == (0.05, 0.00025, True)
    assert apart([1, 202], [1, 200]) == (2, 0.01, True)
    assert apart([1, 202.5], [1, 200]) == (2.5, 0.0125, False)
    assert apart([0.01], [0]) == (0.01, np.inf, True)
    assert apart([np.nan, np.inf, 1], [np.nan, np.inf, 1]) == (0, 0, True)
    assert apart([np.nan], [1]) == (np.inf, np.inf, False)
    assert apart([np.inf], [-np.inf]) == (np.inf, np.inf, False)
    assert apart([3], [3], "i8") == (0, 0, True)
    assert apart([30000], [30001], "i8") == (1, 0.00003, False)
    assert apart([], []) == (0, 0, True)


@pytest.mark.parametrize(
    "text",
    [
        "input: 4x5x9x8\nlayers: {q: linear 24, y: 'chunk 3 -1, sdpa(prev.0 prev.1 prev.2) heads=2 is_causal'}\n",
        "input: Tx9x8\nlayers: {m: buffer 2x9x9 init=normal, y: sdpa(in in in m) heads=2 scale=0.3, p: linear 3}\n",
        "input: Tx8\nlayers: {m: causal T, y: sdpa(in in in m), p: linear 3}\n",
    ],
)
def test_attention_over_any_number_of_axes_is_written(text: str, tmp_path: Path) -> None:
    netspec.loads(text).export(tmp_path / "net.onnx")


def test_export_is_a_row_as_well(tmp_path: Path) -> None:
    spec = netspec.loads("input: 8\nlayers: [fc 3]\nexport: onnx output=logits opset=19\n")
    assert spec.export(tmp_path / "net.onnx").facts["opset"] == 19
