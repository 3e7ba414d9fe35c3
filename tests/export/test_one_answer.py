"""Networks that say the same of every sample, as heads of zeros do before training: their files are proven as well."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import netspec
from netspec.emit.c.layers import LAYERS as C_LAYERS
from netspec.emit.onnx.layers import LAYERS as ONNX_LAYERS
from netspec.errors import ExportMismatch, UsageError
from netspec.runs.answers import need_format, table
from netspec.runs.prediction import Prediction
from netspec.runtime.export import onnx_emitted

ZERO = "input: 4\nlayers: {a: 'linear 8, tanh', head: linear 3}\ninit: {'head.*': zeros}\n"


def test_it_is_compared_with_made_up_weights(tmp_path: Path) -> None:
    report = netspec.loads(ZERO).export(tmp_path / "net.onnx")
    batches = ["batch 1", "batch 2", "batch 5"]
    assert [d.what for d in report.differences] == [*batches, *(f"{each}, made-up weights" for each in batches)]
    assert [d.scale > 0.1 for d in report.differences] == [False] * 3 + [True] * 3
    held = {x.name: onnx.numpy_helper.to_array(x) for x in onnx.load(tmp_path / "net.onnx").graph.initializer}
    assert not held["head.weight"].any()
    report = netspec.loads(ZERO.replace("zeros", "normal")).export(tmp_path / "net.onnx")
    assert [d.what for d in report.differences] == batches


@pytest.mark.parametrize("ending", [".onnx", ".c"])
def test_a_file_that_computes_something_else_is_refused(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a head of zeros anything before it would do."""
    if ending == ".c":
        monkeypatch.setattr("netspec.views.c.network.LAYERS", _Other(C_LAYERS))
    else:
        monkeypatch.setattr("netspec.views.onnx.model.LAYERS", _Other(ONNX_LAYERS))
    with pytest.raises(ExportMismatch, match=r"batch 2, made-up weights .* differs"):
        netspec.loads(ZERO).export(tmp_path / f"net{ending}")
    assert not list(tmp_path.iterdir())


class _Other:
    """A table of rules that has another activation for tanh."""

    def __init__(self, table: object) -> None:
        self.table = table

    def of(self, cls: type) -> object:
        from netspec.layers.activation import Sigmoid, Tanh

        return self.table.of(Sigmoid if cls is Tanh else cls)  # type: ignore[attr-defined]


def test_the_part_of_the_data_is_named(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "data.npz", x=np.random.default_rng(0).normal(size=(40, 4)).astype("float32"), y=np.arange(40) % 3
    )
    text = "input: 4\nlayers: [linear 3]\ndata: {source: npz data.npzSPLIT}\n"
    more = "train: {loss: cross_entropy, optimizer: sgd lr=0.1, epochs: 1, device: cpu}\n"
    for split, name in ((", split: {val: 0}", "training data"), ("", "validation data")):
        (tmp_path / "net.yaml").write_text((text + more).replace("SPLIT", split))
        report = netspec.load(tmp_path / "net.yaml").export(tmp_path / "net.onnx")
        assert report.differences[-1].what == name
    run = netspec.load(tmp_path / "net.yaml", ["data.split={val: 0}"]).train(tmp_path / "run")
    assert run is not None
    assert netspec.Run.read(tmp_path / "run").export(tmp_path / "net.onnx").differences[-1].what == "training data"


def test_every_node_says_in_which_blocks_it_stands(tmp_path: Path) -> None:
    """As torch's own exporter does, for viewers that fold them."""
    text = (
        "name: Net\ninput: 4\nblocks: {unit: {a: 'linear 4, relu', out: add(a in)}}\n"
        "layers: {body: [unit x2], head: linear 3}"
    )
    netspec.loads(text).export(tmp_path / "net.onnx", proven=False)
    model = onnx.load(tmp_path / "net.onnx")
    onnx.checker.check_model(model, full_check=True)
    said = [{each.key: each.value for each in node.metadata_props}["namespace"] for node in model.graph.node]
    assert ": Net/body: list/body.1: unit/body.1.a: ReLU/Relu" in said
    assert ": Net/head: Linear/Gemm" in said or any(each.startswith(": Net/head: Linear/") for each in said)
    assert all(each.startswith(": Net/") for each in said)


def test_chosen_classes_of_several_places_are_columns(tmp_path: Path) -> None:
    graph = netspec.loads("input: int T\nlayers: {e: embedding 5 3}").graph
    need_format(tmp_path / "a.csv", graph, {"e"})
    with pytest.raises(UsageError, match="no row of a table can hold"):
        need_format(tmp_path / "a.csv", graph)
    found = Prediction({"e": np.array([["a", "b"], ["c", "a"]])}, None)
    assert list(table(found)) == [["row", "class 0", "class 1"], [0, "a", "b"], [1, "c", "a"]]


def test_what_is_too_large_for_one_file_stays_in_floats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_emitted, "ONE_FILE", 100)
    spec = netspec.loads("input: 8\nlayers: [linear 8]\nexport: {onnx: {dtype: float16}}")
    with pytest.raises(UsageError, match=r"288 bytes, and what makes files in float16 takes less than 100\. Keep"):
        spec.export(tmp_path / "a.onnx")


def test_what_float16_has_no_form_for_stays_in_float32(tmp_path: Path) -> None:
    """All of its step does: where a part of one did not, ONNX Runtime ended the process."""
    for layers in ("[lstm 4 batch_first, linear 3]", "[gru 4 batch_first, celu, linear 3]"):
        report = netspec.loads(f"input: Tx4\nlayers: {layers}\nexport: {{onnx: {{dtype: float16}}}}").export(
            tmp_path / "a.onnx"
        )
        assert report.relative < 1e-2
        kinds = {x.name: x.data_type for x in onnx.load(tmp_path / "a.onnx").graph.initializer}
        assert {kind for name, kind in kinds.items() if name.startswith(("lstm", "gru"))} == {onnx.TensorProto.FLOAT}
        assert kinds["linear1.weight"] == onnx.TensorProto.FLOAT16


def test_numbers_that_are_normalised_may_be_large(tmp_path: Path) -> None:
    """What float16 cannot hold before it is normalised is float32 there."""
    x = np.random.default_rng(0).normal(size=(40, 2)).astype("float32") * 1e6
    np.savez(tmp_path / "data.npz", x=x, y=x.sum(1, keepdims=True) / 1e6)
    (tmp_path / "net.yaml").write_text(
        "input: 2\nlayers: [linear 1]\ndata: {source: npz data.npz, transform: standardize}\n"
        "train: {loss: mse, optimizer: sgd lr=0.3, epochs: 3, batch: 8, device: cpu}\n"
        "export: {onnx: {preprocess: true, dtype: float16}}\n"
    )
    netspec.load(tmp_path / "net.yaml").train(tmp_path / "run")
    run = netspec.Run.read(tmp_path / "run")
    run.export(tmp_path / "a.onnx")
    from netspec.runs.onnx_model import OnnxModel

    (found,) = OnnxModel.read(tmp_path / "a.onnx").run({"input": x})
    np.save(tmp_path / "new.npy", x)
    wanted = run.predict(tmp_path / "new.npy").first
    assert np.abs(found - wanted).max() < 1e-2 * np.abs(wanted).max()
