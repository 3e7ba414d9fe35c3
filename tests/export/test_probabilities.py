"""Probabilities in an exported file are those that `predict` gives, whatever the loss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from safetensors.torch import save_file

import netspec
from netspec.api.run import Run
from netspec.losses.base import Loss
from netspec.losses.labels import BCELoss
from netspec.runs.int8_cost import right
from netspec.runs.predict import predict
from netspec.runtime.export.emission import End
from netspec.text.report import SpecError
from netspec.vocabulary import LOSSES

ROWS = {
    "CrossEntropyLoss": ("cross_entropy axis=-1", "fc 12, reshape B 4 3"),
    "NLLLoss": ("nll", "fc 3, log_softmax 1"),
    "MultiMarginLoss": ("multi_margin", "fc 3"),
    "BCELoss": ("bce", "fc 3, sigmoid"),
    "BCEWithLogitsLoss": ("bce_logits", "fc 3"),
    "SoftMarginLoss": ("soft_margin", "fc 3"),
    "MultiLabelSoftMarginLoss": ("multilabel_soft_margin", "fc 3"),
    "KLDivLoss": ("kl reduction=batchmean", "fc 3, log_softmax 1"),
    "CTCLoss": ("ctc", "fc 12, reshape B 4 3, log_softmax 2, transpose 0 1"),
}
"""A loss and the end of a network for each class of losses that knows probabilities."""
MOVED = {"CTCLoss": (1, 0, 2)}
"""Where `predict` has another order of axes: samples first."""
WITHOUT = "AdaptiveLogSoftmaxWithLoss", "LinearCrossEntropyLoss", "DistillationLoss"
"""They make the scores themselves, or take a target of their own that a teacher gives."""

SPEC = """\
netspec: 1
input: 5
layers: [{end}]
train: {{loss: {loss}, optimizer: sgd lr=0.1}}
export: {{onnx: {{output: probabilities}}}}
"""


def test_every_loss_that_knows_probabilities_is_tried() -> None:
    known: set[type[Loss]] = {entry for entry in LOSSES.classes() if entry.activation}
    assert {entry.__name__ for entry in known} == {*ROWS, *WITHOUT}


@pytest.mark.parametrize("name", ROWS)
def test_a_file_gives_what_predict_gives(name: str, tmp_path: Path) -> None:
    loss, end = ROWS[name]
    spec = netspec.loads(SPEC.format(loss=loss, end=end))
    torch.manual_seed(0)
    module = spec.build()
    for parameter in module.parameters():
        parameter.data *= 10
    x = torch.randn(6, 5)
    spec.export(tmp_path / "net.onnx", module)
    session = ort.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    np.save(tmp_path / "x.npy", x.numpy())
    (tmp_path / "spec.yaml").write_text(spec.text)
    save_file(module.state_dict(), tmp_path / "last.safetensors")
    found = found.transpose(MOVED.get(name, range(found.ndim)))
    assert np.allclose(found, predict(Run.read(tmp_path), [tmp_path / "x.npy"]).first, atol=1e-6)


SEVERAL = """\
netspec: 1
input: 3x4x4
layers:
  tail: {more}
  flat: flatten
  age: fc 1
  cls: fc(flat) 3
  yes: fc(flat) 2
outputs: [age, cls, yes]
data: {{source: {{npz: {{path: d.npz, target: [age, cls, yes]}}}}, scale_target: standard}}
train: {{loss: {{yes: bce_logits, age: mse, cls: cross_entropy}}, optimizer: sgd lr=0.1, epochs: 1, device: cpu}}
export: {{onnx: {{output: probabilities}}}}
"""


@pytest.mark.parametrize(
    "more", ["identity", "[reshape B 1 3 4 4, pixel_shuffle 1, reshape B 3 4 4]"], ids=["written", "traced"]
)
def test_each_output_whose_loss_knows_probabilities_gives_them(more: str, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(24, 3, 4, 4)).astype("float32")
    cls = np.arange(24) % 3
    yes = np.stack([x[:, 0, 0, 0] > 0, x[:, 1, 0, 0] > 0], 1).astype("float32")
    np.savez(tmp_path / "d.npz", x=x, age=40 + 9 * x[:, :1, 1, 1], cls=cls, yes=yes)
    (tmp_path / "net.yaml").write_text(SEVERAL.format(more=more))
    netspec.load(tmp_path / "net.yaml").train(tmp_path / "run")
    run = Run.read(tmp_path / "run")
    report = run.export(tmp_path / "net.onnx")
    assert bool(report.note) == ("shuffle" in more)
    session = ort.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    found = dict(zip(run.spec.graph.outputs, session.run(None, {"input": x}), strict=True))
    np.save(tmp_path / "x.npy", x)
    expected = predict(run, [tmp_path / "x.npy"]).outputs
    for name, values in expected.items():
        assert np.allclose(found[name], values, rtol=1e-4, atol=1e-5), name
    assert np.allclose(found["cls"].sum(1), 1, atol=1e-5)
    assert ((found["yes"] > 0) & (found["yes"] < 1)).all()
    assert found["age"].mean() > 20


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ("{a: mse, b: l1}", "mse and l1 know no probabilities"),
        ("{a: mse, b: mse}", "mse knows no probabilities"),
        ("{a: mse, b: linear_cross_entropy 3 3}", "makes the scores in a layer of its own"),
        ("{a: mse, b: cross_entropy}", ""),
    ],
)
def test_several_losses_need_one_that_knows_probabilities(loss: str, said: str) -> None:
    text = (
        "input: 5\nlayers: {x: [fc 4, relu], a: fc 1, b: fc(x) 3}\noutputs: [a, b]\n"
        f"train: {{loss: {loss}, optimizer: sgd lr=0.1}}\nexport: {{onnx: {{output: probabilities}}}}\n"
    )
    found: list[str] = []
    try:
        netspec.loads(text)
    except netspec.SpecError as error:
        found = [p.message for p in error.problems]
    assert len(found) == bool(said)
    assert said in "".join(found)


@pytest.mark.parametrize(
    "end",
    ["fc 3, softmax 1", "fc 3, softmax 1, reshape B 3", "fc 3, log_softmax 1", "fc 1, sigmoid", "fc 1, logsigmoid"],
)
@pytest.mark.parametrize("output", ["probabilities", "labels"])
def test_what_holds_probabilities_is_given_as_it_is_where_no_loss_says_more(
    end: str, output: str, tmp_path: Path
) -> None:
    """A second softmax would make others of them, and a class is that of the largest."""
    spec = netspec.loads(
        f"input: 5\nlayers: [{end}]\nexport: {{onnx: {{output: {output}}}, py: {{output: probabilities}}}}"
    )
    module = spec.build().eval()
    spec.export(tmp_path / "net.onnx", module)
    session = ort.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    x = torch.randn(6, 5)
    with torch.no_grad():
        known = module(x).exp() if "log" in end else module(x)
    (found,) = session.run(None, {"input": x.numpy()})
    if output == "labels":
        wanted = (known > 0.5).long() if known.shape[1] == 1 else known.argmax(1)
        assert found.tolist() == wanted.tolist()
    else:
        np.testing.assert_allclose(found, known.numpy(), rtol=1e-4, atol=1e-6)
        assert spec.export(tmp_path / "net.py", module).relative < 1e-5


@pytest.mark.parametrize(("loss", "end"), [("nll", "fc 3, log_softmax 1"), ("multi_margin", "fc 3")])
def test_labels_are_chosen_for_each_loss_of_classes(loss: str, end: str, tmp_path: Path) -> None:
    spec = netspec.loads(SPEC.format(loss=loss, end=end).replace("probabilities", "labels"))
    module = spec.build().eval()
    spec.export(tmp_path / "net.onnx", module)
    session = ort.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    x = torch.randn(6, 5)
    (found,) = session.run(None, {"input": x.numpy()})
    assert found.tolist() == module(x).argmax(1).tolist()


def test_a_loss_is_not_missed_where_the_output_is_unknown() -> None:
    """What is wrong before it is told alone."""
    with pytest.raises(SpecError) as caught:
        netspec.loads(SPEC.format(loss="cross_entropy", end="fc 3, softmax"))
    assert [problem.code for problem in caught.value.problems] == ["missing-argument"]


@pytest.mark.parametrize(
    ("loss", "end"), [("bce", "fc 1, sigmoid"), ("bce_logits", "fc 1"), ("bce", "fc 1, sigmoid, squeeze 1")]
)
def test_yes_is_what_is_likelier_than_no(loss: str, end: str, tmp_path: Path) -> None:
    spec = netspec.loads(SPEC.format(loss=loss, end=end).replace("probabilities", "labels"))
    module = spec.build().eval()
    spec.export(tmp_path / "net.onnx", module)
    session = ort.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    x = torch.randn(200, 5)
    (found,) = session.run(None, {"input": x.numpy()})
    with torch.no_grad():
        known = module(x) > (0.5 if loss == "bce" else 0)
    assert found.tolist() == known.long().tolist()
    assert 0 < found.sum() < 200


def test_a_wrong_yes_is_as_far_off_as_its_probability_is_from_half() -> None:
    end, chances = End(chooses="yes", over=0.5), np.array([[0.2], [0.500001]], np.float32)
    assert end(chances).tolist() == [[0], [1]]
    assert end.apart("x", np.array([[0], [0]]), chances, 1e-5, 0).agrees
    assert end.apart("x", np.array([[1], [1]]), chances, 1e-5, 0).absolute == pytest.approx(0.3)


def test_the_accuracy_of_yes_and_no_counts_in_int8() -> None:
    found = right(np.array([[0.2], [0.7], [0.4]]), np.array([[0.0], [1.0], [1.0]], np.float32), None, BCELoss())
    assert found is not None
    assert found.ravel().tolist() == [True, True, False]
