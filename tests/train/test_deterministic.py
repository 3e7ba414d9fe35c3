"""Kernels that give the same bits each time, and what is said where torch has none."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

from netspec.runtime.surroundings import deterministic, unrepeatable

TORCH_SAYS = (
    "nll_loss2d_forward_out_cuda_template does not have a deterministic implementation, but you set"
    " 'torch.use_deterministic_algorithms(True, warn_only=True)'."
)


def test_everything_is_put_back() -> None:
    with deterministic(True, pytest.fail):
        assert torch.get_deterministic_debug_mode() == 1
        assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_deterministic_debug_mode() == 0


def test_nothing_changes_where_it_is_not_wanted() -> None:
    with deterministic(False, pytest.fail):
        assert not torch.are_deterministic_algorithms_enabled()


def test_an_operation_without_such_a_kernel_is_told_of_once_and_in_plain_words() -> None:
    told: list[str] = []
    with deterministic(True, told.append):
        for _ in range(3):
            warnings.warn(TORCH_SAYS, stacklevel=1)
    (text,) = told
    assert text.startswith("torch has no deterministic kernel for nll_loss2d_forward_out_cuda_template here: a resumed")


def test_other_warnings_go_their_way() -> None:
    with deterministic(True, pytest.fail), pytest.warns(UserWarning, match="another"):
        warnings.warn("another", stacklevel=1)


def test_a_dropout_that_keeps_its_state_to_itself_is_named() -> None:
    net = nn.Sequential(nn.LSTM(8, 4, 2, dropout=0.1), nn.GRU(4, 4, 2), nn.Dropout(0.1))
    assert unrepeatable(net, torch.device("cuda")).startswith("cuDNN keeps the state of the dropout in 0 to itself")
    assert not unrepeatable(net, torch.device("cpu"))
    assert not unrepeatable(net[1:], torch.device("cuda"))
