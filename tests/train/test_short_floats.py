"""Short floats: where torch cannot compute in them, a run says so."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import netspec
from netspec.runtime.device.device import make_forward

SPEC = "input: 4\nlayers: [fc 2]\ntrain: {loss: mse, optimizer: sgd, epochs: 1, precision: bf16}\n"


class Lacking(nn.Module):
    """Has no kernel in short floats, as oneDNN has none of an LSTM on most processors."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.is_autocast_enabled("cpu") or x.isnan().any():
            raise RuntimeError("could not create a primitive. Run workload with more")
        return x


def test_what_torch_has_not_in_short_floats_is_told() -> None:
    train = netspec.loads(SPEC).experiment.train
    assert train is not None
    forward = make_forward(Lacking(), train, torch.device("cpu"), False)
    with pytest.raises(netspec.UsageError, match=r"in bfloat16 on .*: could not create a primitive\. Write precision"):
        forward(torch.zeros(1))
    with pytest.raises(RuntimeError):  # which has another cause
        forward(torch.full((1,), torch.nan))
