"""The whole job in the file: samples as the source has them go in, classes come out; and files in float16."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

import netspec
from netspec.dims import BATCH
from netspec.emit.onnx.transforms import taken
from netspec.emit.onnx.writer import Wire, Writer
from netspec.errors import ExportMismatch, UsageError
from netspec.runs.verifying import verify_file, verify_run
from netspec.runtime.export.emission import End
from netspec.tensors import Tensor
from netspec.transforms.base import Transform
from netspec.transforms.geometry import ChannelsFirst, ChannelsLast, Crop, Pad, Reshape, Resize
from netspec.transforms.values import Normalize, Scale

SPEC = """\
netspec: 1
name: Whole
input: 1x12x10
layers: [conv 8 k3, relu, pool 2, fc 10]
data: {source: digits, transform: [resize 14 mode=bicubic, crop 12x10, standardize]}
train: {loss: cross_entropy, optimizer: adamw lr=1e-2, epochs: 1, batch: 128, device: cpu}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    (folder / "net.yaml").write_text(SPEC)
    netspec.load(folder / "net.yaml").train(folder / "run")
    return folder / "run"


def run(path: Path, *inputs: np.ndarray[Any, Any]) -> Any:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {x.name: v for x, v in zip(session.get_inputs(), inputs, strict=True)})[0]


def digits() -> np.ndarray[Any, Any]:
    """Real digits, as bytes."""
    from netspec.datasets import digits as module

    with np.load(Path(module.__file__).with_name("digits.npz")) as held:
        images = next(held[name] for name in held.files if held[name].ndim >= 3)
    return np.asarray(images.reshape(-1, 1, 8, 8), np.uint8)


@pytest.mark.parametrize("output", ["logits", "probabilities", "labels"])
def test_bytes_of_real_digits_go_in(output: str, trained: Path, tmp_path: Path) -> None:
    """The file makes of them what the run's own transforms, network and loss make of them."""
    read = netspec.Run.read(trained, [f"export={{onnx: {{preprocess: true, output: {output}}}}}"])
    report = read.export(tmp_path / "a.onnx")
    assert report.compared.startswith("outputs stored by training")
    assert report.inputs == {"input": "batch x 1 x 8 x 8"}
    images = digits()[:300]
    from netspec.runs.data import data_of

    steps = data_of(read.spec, False, read.learnt).steps
    (x,), _ = steps(((torch.from_numpy(images),), torch.empty(0)))
    with torch.no_grad():
        scores = read.module()(x)
    found = run(tmp_path / "a.onnx", images)
    if output == "labels":
        assert found.tolist() == [str(int(i)) for i in scores.argmax(1)]
    else:
        expected = scores.softmax(1) if output == "probabilities" else scores
        assert np.allclose(found, expected, atol=1e-4)
    assert verify_file(tmp_path / "a.onnx").differences


def test_floats_may_go_in(trained: Path, tmp_path: Path) -> None:
    given = "export={onnx: {preprocess: true, input: float32}}"
    netspec.Run.read(trained, [given]).export(tmp_path / "a.onnx")
    netspec.Run.read(trained, ["export={onnx: {preprocess: true}}"]).export(tmp_path / "b.onnx")
    images = digits()[:7]
    assert np.allclose(run(tmp_path / "a.onnx", images / np.float32(16)), run(tmp_path / "b.onnx", images), atol=1e-4)
    assert verify_file(tmp_path / "a.onnx").differences


def test_bytes_alone_where_transforms_would_be_left_out(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"resize.* changes what the file would take as bytes\. Write preprocess: true"
    ):
        netspec.Run.read(trained, ["export={onnx: {input: uint8}}"]).export(tmp_path / "a.onnx")


def test_float16(trained: Path, tmp_path: Path) -> None:
    sizes = {}
    for name, more in {"float32": "", "float16": ", dtype: float16", "all": ", dtype: float16, keep_io: false"}.items():
        read = netspec.Run.read(trained, [f"export={{onnx: {{opset: 18{more}}}}}"])
        assert read.export(tmp_path / f"{name}.onnx").relative < 1e-2
        model = onnx.load(tmp_path / f"{name}.onnx")
        sizes[name] = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
        kinds = {x.type.tensor_type.elem_type for x in (*model.graph.input, *model.graph.output)}
        assert kinds == ({onnx.TensorProto.FLOAT16} if name == "all" else {onnx.TensorProto.FLOAT})
        verify_file(tmp_path / f"{name}.onnx")
    assert sizes["float16"] < 0.6 * sizes["float32"]
    read = netspec.Run.read(trained, ["export={onnx: {dtype: float16, rtol: 1e-6}}"])
    with pytest.raises(ExportMismatch):
        read.export(tmp_path / "no.onnx")
    assert not (tmp_path / "no.onnx").exists()


def test_with_torch_the_same_file_is_written(trained: Path, tmp_path: Path) -> None:
    read = netspec.Run.read(trained, ["export={onnx: {preprocess: true, output: labels}}"])
    read.export(tmp_path / "a.onnx")
    report = read.export(tmp_path / "b.onnx", with_torch=True)
    assert report.compared == f"torch {torch.__version__}"
    one, other = (onnx.load(tmp_path / name).graph for name in ("a.onnx", "b.onnx"))
    assert one.SerializeToString() == other.SerializeToString()


def test_the_run_is_verified_with_all_of_it(trained: Path) -> None:
    netspec.Run.read(trained, ["export={onnx: {preprocess: true, output: labels}}"]).export(trained / "model.onnx")
    found = verify_run(netspec.Run.read(trained))
    assert [d.what for d in found.differences] == ["batch 1", "batch 2", "batch 5", "validation data"]
    (trained / "model.onnx").unlink()


def test_labels_of_what_chooses_no_class(tmp_path: Path) -> None:
    text = "input: 2\nlayers: [linear 3]\ntrain: {loss: mse, optimizer: sgd lr=0.1, epochs: 1}\n"
    with pytest.raises(UsageError, match=r"output: labels gives classes, and no loss of .* tells one class"):
        netspec.loads(f"{text}export: onnx output=labels").export(tmp_path / "a.onnx")


def test_a_class_that_is_as_good_as_the_best_is_no_difference() -> None:
    end, scores = End(chooses="one", names=("a", "b", "c")), np.array([[1.0, 1.0 + 1e-7, 0.0]], np.float32)
    assert end.apart("x", np.array(["a"], np.object_), scores, 1e-6, 0).agrees
    assert not end.apart("x", np.array(["c"], np.object_), scores, 1e-6, 0).agrees
    yes = End(chooses="yes", names=("no", "yes"))
    assert yes.apart("x", np.array(["no"], np.object_), np.array([1e-8], np.float32), 1e-6, 0).agrees
    assert not yes.apart("x", np.array(["no"], np.object_), np.array([1.0], np.float32), 1e-6, 0).agrees


STEPS: list[tuple[Transform, tuple[int, ...]]] = [
    *((Resize(size=size, mode=mode, antialias=smooth), (2, 17, 40))
      for size in (32, (5, 60)) for mode in ("bilinear", "bicubic", "area", "nearest") for smooth in (True, False)),
    (Pad(padding=(2, 1)), (2, 5, 4)),
    (Crop(size=(3, 4)), (1, 6, 7)),
    (Reshape(sizes=(3, 4)), (12,)),
    (ChannelsFirst(), (5, 4, 3)),
    (ChannelsLast(), (3, 5, 4)),
    (Normalize(mean=(0.1, 0.2), std=(0.5, 2.0)), (2, 3, 3)),
    (Normalize(mean=0.1, std=0.5), (7,)),
    (Scale(factor=2, offset=-1), (7,)),
]  # fmt: skip


@pytest.mark.parametrize(("step", "shape"), STEPS, ids=lambda x: x.said if isinstance(x, Transform) else "")
def test_a_transform_is_what_torch_computes(step: Transform, shape: tuple[int, ...]) -> None:
    raw = Tensor((BATCH, *shape))
    writer = Writer({}, {"x": raw}, 18, {})
    name = taken(writer, Wire("x", raw), [step], 255)
    helper = onnx.helper
    held = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in writer.initializers.items()]
    ends = [helper.make_tensor_value_info("x", 1, ["B", *shape])], [helper.make_tensor_value_info(name, 1, None)]
    graph = helper.make_graph(writer.nodes, "steps", *ends, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = torch.rand(3, *shape, generator=torch.Generator().manual_seed(0))
    assert np.allclose(session.run(None, {"x": x.numpy()})[0], step.apply(x), atol=2e-6)


def test_every_transform_has_a_form_or_learns_one() -> None:
    from netspec.emit.onnx.transforms import RULES
    from netspec.vocabulary import TRANSFORMS

    assert {cls for cls in TRANSFORMS.classes() if not cls.learns} == set(RULES)


def test_what_a_resize_moves_along_and_what_is_put_back_by_columns(tmp_path: Path) -> None:
    """A mask goes with its image in training, and stays out of the file; each column of a target has its own scale."""
    chance = np.random.default_rng(0)
    images = chance.integers(0, 255, (24, 3, 6, 10)).astype(np.uint8)
    np.savez(tmp_path / "masks.npz", x=images, y=chance.integers(0, 2, (24, 6, 10)))
    np.savez(tmp_path / "sizes.npz", x=images, y=chance.random((24, 2), np.float32) * np.array([1e3, 1], np.float32))
    both = {
        "masks": "layers: [conv 2 k1]\ntrain: {loss: cross_entropy, MORE}\ndata: {source: npz masks.npz, WAYS}",
        "sizes": "layers: [gap, fc 2]\ntrain: {loss: mse, MORE}\n"
        "data: {source: npz sizes.npz, scale_target: standard, WAYS}",
    }
    for name, text in both.items():
        more = {"MORE": "optimizer: sgd lr=1e-2, epochs: 1, device: cpu", "WAYS": "transform: [resize 4, standardize]"}
        for word, found in more.items():
            text = text.replace(word, found)
        (tmp_path / f"{name}.yaml").write_text(f"input: 3x4x4\n{text}\n")
        netspec.load(tmp_path / f"{name}.yaml").train(tmp_path / name)
        read = netspec.Run.read(tmp_path / name, ["export={onnx: {preprocess: true}}"])
        report = read.export(tmp_path / f"{name}.onnx")
        assert report.compared.startswith("outputs stored by training")
        assert [each.what for each in report.differences] == ["batch 1", "batch 2", "batch 5", "validation data"]
    np.save(tmp_path / "new.npy", images)
    found = run(tmp_path / "sizes.onnx", images)
    np.testing.assert_allclose(found, netspec.Run.read(tmp_path / "sizes").predict(tmp_path / "new.npy").first, 1e-4)
