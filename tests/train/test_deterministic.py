"""Kernels that give the same bits each time, and what is said where torch has none."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

from netspec.runtime.device.device import deterministic, needs_leave, unrepeatable
from netspec.runtime.train.run import train
from tests.train.small import data, equal, section

TORCH_SAYS = {
    "nll_loss2d_forward_out_cuda_template": "{} does not have a deterministic implementation, but you set"
    " 'torch.use_deterministic_algorithms(True, warn_only=True)'.",
    "Flash Attention": "{} defaults to a non-deterministic algorithm. To explicitly enable determinism call"
    " torch.use_deterministic_algorithms(True, warn_only=False).",
}


def test_everything_is_put_back() -> None:
    with deterministic(True, pytest.fail):
        assert torch.get_deterministic_debug_mode() == 1
        assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_deterministic_debug_mode() == 0


def test_nothing_changes_where_it_is_not_wanted() -> None:
    with deterministic(False, pytest.fail):
        assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("name", TORCH_SAYS)
def test_an_operation_without_such_a_kernel_is_told_of_once_and_in_plain_words(name: str) -> None:
    told: list[str] = []
    with deterministic(True, told.append):
        for _ in range(3):
            warnings.warn(TORCH_SAYS[name].format(name), stacklevel=1)
    (text,) = told
    assert text.startswith(f"torch has no deterministic kernel for {name} here: a resumed")


def test_what_has_no_deterministic_kernel_is_found_out() -> None:
    with deterministic(True, pytest.fail):
        assert needs_leave(lambda: torch.zeros(3).put_(torch.tensor([0]), torch.ones(1)))
        assert not needs_leave(lambda: torch.zeros(3).add_(1))
        with pytest.raises(RuntimeError, match="must match"):
            needs_leave(lambda: torch.zeros(3) + torch.zeros(2))
        assert torch.get_deterministic_debug_mode() == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_attention_is_computed_by_deterministic_kernels(precision: str) -> None:
    def trained() -> nn.Module:
        torch.manual_seed(0)
        net = nn.Sequential(nn.TransformerEncoderLayer(64, 4, 64, dropout=0, batch_first=True), nn.Flatten(1))
        generator = torch.Generator().manual_seed(0)
        x, y = torch.randn(64, 256, 64, generator=generator), torch.randn(64, 256 * 64, generator=generator)
        train(net, section(loss="mse", precision=precision, device="cuda", epochs=3), data(x, y))
        return net

    assert equal(trained(), trained())


def test_other_warnings_go_their_way() -> None:
    with deterministic(True, pytest.fail), pytest.warns(UserWarning, match="another"):
        warnings.warn("another", stacklevel=1)


def test_a_dropout_that_keeps_its_state_to_itself_is_named() -> None:
    net = nn.Sequential(nn.LSTM(8, 4, 2, dropout=0.1), nn.GRU(4, 4, 2), nn.Dropout(0.1))
    assert unrepeatable(net, torch.device("cuda")).startswith("cuDNN keeps the state of the dropout in 0 to itself")
    assert not unrepeatable(net, torch.device("cpu"))
    assert not unrepeatable(net[1:], torch.device("cuda"))
