"""What ONNX Runtime makes of each operation's nodes is what torch computes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import netspec
from netspec.errors import ExportMismatch, UsageError
from netspec.runtime.export.emission import Emission
from netspec.runtime.export.export import export_network
from netspec.runtime.export.formats.onnx import NEWEST_OPSET, OLDEST_OPSET, ONNX
from netspec.runtime.export.onnx_emitted import write_emitted
from netspec.tensors import Tensor
from netspec.views.onnx import Unwritable, emit
from netspec.views.reference.examples import RESULT, network
from tests.drawn import MORE
from tests.export.campaign import RANDOM, drawn, problem
from tests.export.emitted import difference
from tests.layers.examples import CLASSES as LAYERS
from tests.ops.examples import CLASSES as OPERATIONS

every_class = pytest.mark.parametrize("cls", [*LAYERS, *OPERATIONS], ids=lambda cls: cls.__name__)
UNWRITTEN = {*RANDOM, "FractionalMaxPool2d", "FractionalMaxPool3d", "CrossMapLRN2d"}
"""Classes that are refused by name: they draw random numbers, or count channels as no other."""


@every_class
def test_an_operation_is_written_as_torch_computes_it(cls: Any) -> None:
    for op, inputs, text in islice(drawn(cls, 8 * MORE, 1), MORE):
        assert not problem(op, inputs, text)


@every_class
def test_every_class_has_a_form_or_is_refused(cls: Any) -> None:
    graph = network(cls)
    owned = {name: np.zeros(shape, np.float32) for name, shape in {**graph.parameters(), **graph.buffers()}.items()}
    for step in graph.root.walk():
        if step.op is not None and step.op.owned:
            owned.setdefault(step.path, np.zeros(0, np.int64))
    try:
        emit(graph, owned, opset=20, outputs=list(graph.outputs), metadata={})
    except Unwritable as error:
        assert cls.__name__ in UNWRITTEN
        assert str(error).startswith(f"{RESULT} ")
    else:
        assert cls.__name__ not in UNWRITTEN


AT_BOTH_ENDS = (
    *("GELU", "Upsample", "BatchNorm2d", "Mish", "GLU", "Mean", "Prod", "VectorNorm", "RMSNorm", "LayerNorm"),
    *("GroupNorm", "GRUCell", "LSTM", "MultiheadAttention", "SDPA", "CDist", "Pad", "GridSample", "Var", "Transformer"),
)


@pytest.mark.parametrize("opset", [OLDEST_OPSET, NEWEST_OPSET])
@pytest.mark.parametrize("cls", [c for c in (*LAYERS, *OPERATIONS) if c.__name__ in AT_BOTH_ENDS])
def test_the_oldest_and_the_newest_opset(cls: Any, opset: int) -> None:
    for op, inputs, _ in islice(drawn(cls, 8, 1), 2):
        assert not difference(op, inputs, opset)


def test_an_opset_that_is_not_known_here_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnx.defs.onnx_opset_version", lambda: 21)
    with pytest.raises(UsageError, match="knows opsets up to 21, not 23"):
        netspec.loads("input: 2\nlayers: [fc 3]\nexport: onnx opset=23").export(tmp_path / "net.onnx")


@pytest.mark.parametrize("ending", [".onnx", ".c"])
@pytest.mark.parametrize(
    "text",
    ["input: 2x3x5\nlayers: [interpolate scale_factor=1.3 mode=bilinear]",
     "input: 2x5x3x9\nlayers: [interpolate scale_factor=1.3 mode=trilinear]",
     "input: 2x3\nlayers: [interpolate scale_factor=1.3 mode=linear]"],
)  # fmt: skip
def test_an_axis_that_keeps_its_size_is_left_as_it_is(text: str, ending: str, tmp_path: Path) -> None:
    """A factor that is rounded away moves nothing, in torch's linear modes."""
    if ending == ".c" and shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    assert netspec.loads(text).export(tmp_path / f"net{ending}").relative < 1e-5


@pytest.mark.parametrize(
    ("row", "shapes"),
    [
        ("conv_transpose1d 8 k4 s2 p4 d6 output_padding=4", [(3, 8, 5)]),
        ("conv_transpose1d 8 k4 s2 p1 d3 output_padding=2", [(3, 8, 5)]),
    ],
)
def test_a_transposed_convolution_adds_more_than_it_cuts_off(row: str, shapes: list[tuple[int, ...]]) -> None:
    (step,) = netspec.loads(f"input: 8x5\nlayers: [{row}]").graph.root.steps
    assert step.op is not None
    assert not difference(step.op, [Tensor(shape) for shape in shapes])


def test_a_cosine_of_rows_and_one_row() -> None:
    (cls,) = (cls for cls in LAYERS if cls.__name__ == "CosineSimilarity")
    for ranks in ((2, 1), (1, 2), (3, 2)):
        assert not difference(cls(), [Tensor((3, 12, 12)[3 - rank :]) for rank in ranks])
    for sizes in (((3, 12), (12,)), ((3, 12), (1, 12)), ((5, 12), (4, 1, 12))):  # where the one has no such axis
        assert not difference(cls(dim=-2), [Tensor(size) for size in sizes])


def test_windows_of_padding_alone_are_refused() -> None:
    """torch gives minus infinity for them, and ONNX Runtime the least number that is none."""
    text = "input: 6x1\nlayers: [{MaxPool1d: {kernel_size: 2, stride: 1, padding: 1, dilation: 2}}]"
    graph = netspec.loads(text).graph
    with pytest.raises(Unwritable, match="has windows of padding alone"):
        emit(graph, {}, opset=20, outputs=["output"], metadata={})


def written(text: str, tmp_path: Path, *overrides: str) -> onnx.ModelProto:
    """The file of a spec, compared with its network and written without torch's exporter."""
    report = netspec.loads(text, list(overrides)).export(tmp_path / "net.onnx")
    assert not report.note
    return onnx.load(tmp_path / "net.onnx")


def test_what_only_training_reads_is_not_written(tmp_path: Path) -> None:
    text = (
        "input: 4\nlayers: {a: fc 4, noise: randn_like(a), more: 'mul(noise) 2, exp', z: add(a more) when training, "
        "inner: {b: fc 3, noise: randn_like(b), sum: add(b noise) when training, c: relu}}"
    )
    assert [node.name for node in written(text, tmp_path).graph.node] == ["a/Gemm", "inner.b/Gemm", "inner.c/Relu"]


def test_the_names_of_the_spec_stand_in_the_file(tmp_path: Path) -> None:
    model = written("input: 1x8x8\nlayers: {body: [conv 4 k3, relu], head: [fc 10]}", tmp_path)
    owned = [x.name for x in model.graph.initializer]
    assert owned == [
        "body.0.weight",
        "body.0.bias",
        "head.0.weight",
        "head.0.bias",
    ]
    names = [node.name for node in model.graph.node]
    assert names == ["body.0/Conv", "body.1/Relu", "head.0/Flatten", "head.0/Gemm"]
    assert [x.name for x in model.graph.value_info] == ["body.0/Conv", "body.1/Relu"]


@pytest.mark.parametrize("row", ["lstm 6 bidirectional num_layers=2", "gru 6", "rnn 6 nonlinearity=relu nobias"])
def test_the_steps_of_recurrent_layers_stay_open(row: str, tmp_path: Path) -> None:
    model = written(f"input: Tx5\nlayers: [{row} batch_first, linear 3]", tmp_path)
    (x,) = model.graph.input
    assert [size.dim_param or size.dim_value for size in x.type.tensor_type.shape.dim] == ["batch", "T", 5]


NETWORKS = {
    "reused": "input: 4\nlayers: {a: linear 4, b: relu, c: use a, d: [linear 4, tanh], e: use d}",
    "halved": "input: 3x4*Hx4*W\nlayers: [conv 4 k3 s2 p1, reshape B 4 -1, transpose 1 2, sum 1]",
    "outputs": "input: 4\nlayers: {a: linear 4, b: linear 3}\noutputs: {first: a, again: in, last: b}",
    "training": "input: 4\nlayers: {a: linear 4, noise: add(a a) when training, b: linear 3}",
    "tied": "input: int T\nlayers: {emb: embedding 7 4, out: linear 7 nobias}\ntie: {out.weight: emb.weight}",
    "normed": "input: 4\nlayers: {a: linear 4 wrap=weight_norm, n: layernorm}",
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str, tmp_path: Path) -> None:
    written(NETWORKS[name], tmp_path)


def test_a_file_is_the_same_when_it_is_written_again(tmp_path: Path) -> None:
    spec = netspec.loads("input: Tx6\nlayers: [transformer_encoder_layer 2 batch_first dim_feedforward=8, linear 3]")
    net = spec.build()
    for name in ("one", "two"):
        export_network(net, spec.graph.inputs, tmp_path / f"{name}.onnx", ONNX(), graph=spec.graph)
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()


def test_what_has_no_form_is_traced_and_said(tmp_path: Path) -> None:
    text = "input: 3x8x8\nlayers: {pad: pixel_shuffle 1, z: 'reshape B 1 3 8 8', up: pixel_shuffle 1}"
    report = netspec.loads(text).export(tmp_path / "net.onnx")
    assert report.note == "traced by torch, because up shuffles something else than a batch of maps"


def test_the_step_that_is_written_wrongly_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = netspec.loads("input: 4\nlayers: {a: linear 4, b: tanh, c: linear 4, d: relu, e: linear 2}")
    net = spec.build()

    def damaged(of: Emission, *rest: Any) -> Any:
        return write_emitted(replace(of, weights={**of.weights, "c.bias": of.weights["c.bias"] + 1}), *rest)

    monkeypatch.setattr("netspec.runtime.export.onnx_file.write_emitted", damaged)
    with pytest.raises(ExportMismatch, match=r"They begin to differ at c \(Linear\), by 1\."):
        export_network(net, spec.graph.inputs, tmp_path / "net.onnx", ONNX(), graph=spec.graph)
    assert not list(tmp_path.iterdir())


def test_no_torch_is_imported() -> None:
    code = "import sys, netspec.views.onnx; assert 'torch' not in sys.modules and 'onnx' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
