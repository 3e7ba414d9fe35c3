"""A run's folder, read again, measures what the run itself measured."""

from __future__ import annotations

from pathlib import Path

import pytest

import netspec
from netspec.api.run import Run

SPEC = """
netspec: 1
input: 1x8x8
layers: [fc 32, relu]
data: digits
train: {loss: LOSS, optimizer: adamw lr=1e-2, epochs: 2, checkpoint: {best: val.loss}}
"""


@pytest.mark.parametrize("loss", ["cross_entropy", "adaptive_log_softmax 32 10 cutoffs=4"])
def test_evaluating_a_run_gives_its_own_loss(loss: str, tmp_path: Path) -> None:
    """The second loss owns weights, which must come from the run as the network's do."""
    trained = netspec.loads(SPEC.replace("LOSS", f'"{loss}"')).train(tmp_path / "run")
    assert trained.history.best is not None
    found = Run.read(tmp_path / "run").evaluate()
    assert found["loss"] == pytest.approx(trained.history.best, rel=1e-5)
