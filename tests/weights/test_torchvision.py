"""The campaign over torchvision's networks tells equal ones from others and from those that it has no reference of."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.weights import torchvision
from tests.weights.torchvision import Network, main, spec_of

SPEC = "netspec: 1\nparams: {classes: 4}\ninput: 3x8x8\nlayers: [conv 4 k3, bn, relu, gap, fc $classes]\n"
COUNTS = {
    "resnext50_32x4d": 23_000_394,
    "wide_resnet50_2": 66_854_730,
    "mnasnet1_0": 3_115_122,
    "shufflenet_v2_x0_5": 352_042,
    "squeezenet1_1": 727_626,
}
"""As torchvision counts them with ten classes."""


@pytest.mark.parametrize("name", COUNTS)
def test_a_member_of_a_family_is_as_large_as_its_original(name: str) -> None:
    assert spec_of(name).graph.parameter_count == COUNTS[name]


@pytest.mark.parametrize("change", ["", "outputs", "weights"])
def test_it_tells_what_became_of_each(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "small.yaml").write_text(SPEC)
    monkeypatch.setattr(torchvision, "NETWORKS", {"small": Network(tmp_path / "small.yaml", size=8), "gone": None})
    net = spec_of("small").build().eval()
    weights = {name: t.clone() for name, t in net.state_dict().items()}
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    with torch.no_grad():
        y = net.double()(x)
    if change == "weights":
        del weights["fc1.bias"]
    save_file(weights, tmp_path / "small.safetensors")
    save_file({"x": x, "y": y + 1 if change == "outputs" else y}, tmp_path / "small.outputs.safetensors")
    assert main([str(tmp_path)]) == bool(change)
    said = capsys.readouterr().out
    assert {"": "equal", "outputs": "the outputs differ by 1", "weights": "does not load: the weights are"}[
        change
    ] in said
    assert "gone                         skipped: the folder has no reference of it" in said


def test_the_program_that_writes_references_names_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--reference", "refs"]) == 0
    said = capsys.readouterr().out
    compile(said, "reference.py", "exec")
    assert "FOLDER = 'refs'" in said
    assert "'inception_v3': ('aux_logits=False, init_weights=True', 96)" in said
