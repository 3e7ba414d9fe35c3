"""Scores averaged over several views of an image: what is measured, predicted, refused, and told of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import netspec
from netspec.api.run import Run
from netspec.errors import UsageError
from netspec.runs.data import data_of
from netspec.runtime.network.several_views import averaged

SPEC = """\
netspec: 1
input: 1x8x8
layers: [conv 4 k3, relu, fc 10]
data: digits
train:
  loss: cross_entropy
  optimizer: adamw lr=1e-2
  epochs: 1
  batch: 256
  metrics: [accuracy]
  evaluate: {views: flip_shift}
"""


def by_hand(net: nn.Module, images: torch.Tensor, views: str) -> torch.Tensor:
    """As airbench94 evaluates."""

    def mirrored(x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = 0.5 * net(x) + 0.5 * net(x.flip(-1))
        return found

    if views == "flip":
        return mirrored(images)
    height, width = images.shape[2:]
    padded = functional.pad(images, (1,) * 4, "reflect")
    moved = [padded[:, :, n : n + height, n : n + width] for n in (0, 2)]
    return 0.5 * mirrored(images) + 0.5 * torch.stack(list(map(mirrored, moved))).mean(0)


@pytest.mark.parametrize("views", ["flip", "flip_shift"])
def test_views_are_those_of_the_recipe(views: str) -> None:
    torch.manual_seed(0)
    images = torch.randn(3, 2, 5, 7)
    net = nn.Sequential(nn.Flatten(), nn.Linear(70, 4))
    assert torch.allclose(averaged(net, views)(images), by_hand(net, images, views), atol=1e-6)
    assert averaged(net, None) is net
    with pytest.raises(UsageError, match="gives other than scores"):
        averaged(nn.Identity(), views)(images)


def test_a_run_measures_and_predicts_with_them_and_its_file_does_not(tmp_path: Path) -> None:
    trained = netspec.loads(SPEC).train(tmp_path / "run")
    run = Run.read(tmp_path / "run")
    data = data_of(run.spec, False)
    assert data.val is not None
    with torch.inference_mode():
        scores = by_hand(run.module(), data.val.inputs[0], "flip_shift")
    right = float((scores.argmax(1) == data.val.target).float().mean())
    wanted = float(functional.cross_entropy(scores, data.val.target))
    assert trained.history.best == pytest.approx(right)
    assert trained.history.records[-1]["val.loss"] == pytest.approx(wanted, rel=1e-5)
    assert run.evaluate()["loss"] == pytest.approx(wanted, rel=1e-5)
    np.save(tmp_path / "new.npy", (data.val.inputs[0] * 16).round().numpy().astype("uint8"))
    assert np.allclose(run.predict(tmp_path / "new.npy").first, scores.softmax(1).numpy(), atol=1e-5)
    report = run.export(tmp_path / "net.onnx")
    assert "sees each image once, not in the views flip_shift" in report.note


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("input: 1x8x8\nlayers: [conv 4 k3, relu,", "input: 8\nlayers: [", "no input is an image"),
        ("relu, fc 10", "relu, conv 10 k3", "other than one row of scores"),
        ("flip_shift", "mirror", "views is 'mirror'"),
    ],
)
def test_what_has_no_such_scores_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(netspec.SpecError, match=message):
        netspec.loads(SPEC.replace(old, new).replace("data: digits\n", ""))
