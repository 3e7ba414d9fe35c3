"""The losses of an epoch: one a step or of several at once, their means, the first that is not finite."""

from __future__ import annotations

import pytest
import torch

from netspec.losses.classes import CrossEntropyLoss
from netspec.runtime.train.epoch_losses import Losses
from netspec.runtime.train.loss import Objective


def epoch() -> Losses:
    """Three steps over ten samples, four in each but the last."""
    cpu = torch.device("cpu")
    return Losses(Objective(CrossEntropyLoss(), cpu), steps=3, samples=4, count=10, device=cpu)


def test_each_step_counts_for_its_samples() -> None:
    losses = epoch()
    losses.note(slice(0, 2), torch.tensor([1.0, 2.0]), None, None)
    losses.note(2, torch.tensor(7.0), None, None)
    assert losses.newest(3) == 7.0
    assert losses.newest(0) == 0.0
    assert losses.means(0, 3) == {"loss": pytest.approx((4 * 1 + 4 * 2 + 2 * 7) / 10)}
    assert losses.means(1, 2) == {"loss": 2.0}


def test_the_first_that_is_not_finite_is_found_among_the_steps_so_far() -> None:
    losses = epoch()
    losses.note(slice(0, 3), torch.tensor([1.0, torch.inf, torch.nan]), None, None)
    assert losses.not_finite(1) is None
    assert losses.not_finite(3) == (1, torch.inf)


def test_a_saved_state_is_of_the_steps_so_far() -> None:
    losses, other = epoch(), epoch()
    losses.note(0, torch.tensor(3.0), torch.tensor(5.0), None)
    state = losses.state(1)
    other.need_alike(state, 1)
    other.load(state, 1)
    assert other.means(0, 1) == {"loss": 3.0}
    assert float(other.shares[0]) == 5.0
    with pytest.raises(ValueError, match="losses"):
        other.need_alike(state, 2)
