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
from netspec.runs.predict import predict
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
