"""Architectures of the literature, read beside their originals, and printed as they were found good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

import netspec
from tests.code.style import assert_source_formatted
from tests.reviewed import assert_reviewed

HERE = Path(__file__).parent
PARAMETERS = {
    "conformer": 7_771_392,
    "distilbert": 66_362_880,
    "efficientnet_v2_s": 21_458_488,
    "ghostnet": 5_182_508,
    "gpt2": 124_439_808,
    "inception_v3": 23_834_568,
    "lraspp_mobilenet_v3_large": 3_221_538,
    "mamba": 53_702_400,
    "maxvit_t": 30_919_624,
    "mobilenet_v3_large": 5_483_032,
    "regnet_y_400mf": 4_344_144,
    "res2net50": 25_699_120,
    "resnest": 17_069_448,
    "shufflenet_v2": 2_278_604,
    "wav2vec2": 21_320,
    "wavenet": 284_640,
}
"""As the originals count theirs at these sizes, without the auxiliary head of Inception."""
SPECS = sorted((HERE / "architectures").glob("*.yaml"))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_an_architecture_is_printed_as_reviewed(path: Path) -> None:
    """Set NETSPEC_OVERWRITE_GOLDEN=1 to renew the files, and read the difference."""
    spec = netspec.load(path)
    assert spec.graph.parameter_count == PARAMETERS[path.stem]
    printed = spec.source()
    assert_source_formatted(printed)
    assert_reviewed(printed, HERE / "golden" / f"{path.stem}.py")


def _small(name: str, **params: int) -> Any:
    given = [f"params.{param}={value}" for param, value in params.items()]
    torch.manual_seed(0)
    return netspec.load(HERE / "architectures" / f"{name}.yaml", overrides=given).build().eval()


def test_the_scan_of_mamba_is_its_recurrence() -> None:
    net = _small("mamba", vocab=11, d=4, depth=1, state=3, rank=2)
    mixer = net.backbone.layers[0].mixer
    torch.nn.init.normal_(mixer.A_log)
    x = torch.randn(2, 7, 4)
    steps, gate = mixer.in_proj(x).chunk(2, dim=-1)
    steps = functional.silu(mixer.conv1d(steps.transpose(1, 2))[:, :, :7]).transpose(1, 2)
    rate, into, out = mixer.x_proj(steps).split([2, 3, 3], dim=-1)
    rate = functional.softplus(mixer.dt_proj(rate))
    state = torch.zeros(2, 8, 3)
    found = []
    for t in range(7):
        decay = torch.exp(rate[:, t, :, None] * -torch.exp(mixer.A_log))
        state = decay * state + rate[:, t, :, None] * into[:, t, None] * steps[:, t, :, None]
        found.append((state * out[:, t, None]).sum(-1))
    wanted = mixer.out_proj((torch.stack(found, 1) + steps * mixer.D) * functional.silu(gate))
    assert torch.allclose(mixer(x), wanted, atol=1e-5)


def test_the_windows_of_swin_are_built_with_their_tables() -> None:
    """The tables of windows are buffers, one of whole numbers and one of floats."""
    spec = netspec.loads(
        """
        input: 4x4x6
        layers:
          table: parameter 9x2
          index: relative_index 2
          bias: lookup(index table)
          mask: shift_mask 4x4 2 1
          out: linear(in) 3
        """
    )
    net = spec.build()
    assert net.index.dtype == torch.int64
    assert net.mask.shape == (4, 4, 4)
