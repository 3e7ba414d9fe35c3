"""The double of a CUDA graph does what a CUDA graph does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from tests.train.tape import REFUSED, Tapes


def test_recording_leaves_no_trace_and_a_launch_does_it_all_again() -> None:
    x, total, factor = torch.ones(3), torch.zeros(3), 2.0

    def compute() -> torch.Tensor:
        total.add_(x[:2].sum() * factor)
        return total * 10

    launch, found = Tapes().capture(compute)
    assert torch.equal(total, torch.zeros(3))
    assert found.isnan().all()
    factor = 100.0  # a number of Python's, which stays as it was
    launch()
    assert torch.equal(total, torch.full((3,), 4.0))
    x.fill_(5)
    launch()
    assert torch.equal(total, torch.full((3,), 24.0))
    assert torch.equal(found, total * 10)


def test_random_numbers_are_drawn_anew() -> None:
    torch.manual_seed(3)
    launch, found = Tapes().capture(lambda: torch.rand(4))
    drawn = []
    for _ in range(2):
        launch()
        drawn.append(found.clone())
    torch.manual_seed(3)
    assert torch.equal(torch.stack(drawn), torch.stack([torch.rand(4), torch.rand(4)]))


def test_gradients_and_statistics_are_those_of_a_pass() -> None:
    torch.manual_seed(0)
    net, x = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)), torch.randn(5, 3)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    launch, _ = Tapes().capture(lambda: net(x).square().sum().backward())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    recorded = [p.grad for p in net.parameters()]
    torch.manual_seed(1)
    launch()
    buffers = [b.clone() for b in net.buffers()]
    net.load_state_dict(before)
    net.zero_grad()
    torch.manual_seed(1)
    net(x).square().sum().backward()
    for mine, p in zip(recorded, net.parameters(), strict=True):
        assert mine is not None
        assert p.grad is not None
        assert torch.equal(mine, p.grad)
    assert all(map(torch.equal, buffers, net.buffers()))


WAITING: dict[str, Callable[[torch.Tensor], object]] = {
    "a number": lambda x: x.sum().item(),
    "a condition": lambda x: bool(x.sum() > 0),
    "a list": lambda x: x.tolist(),
    "a copy": lambda x: x.cpu(),
    "a shape": lambda x: x.nonzero(),
    "a mask": lambda x: x[x > 0],
    "a number of the processor": lambda x: x + torch.tensor(2.0, device=x.device),
}


@pytest.mark.parametrize("name", WAITING)
def test_what_waits_is_refused(name: str) -> None:
    x, tapes = torch.arange(4.0), Tapes()

    def compute() -> object:
        x.add_(1)
        return WAITING[name](x)

    with pytest.raises(RuntimeError, match=REFUSED):
        tapes.capture(compute)
    assert torch.equal(x, torch.arange(4.0))
    assert tapes.refused == 1


def test_what_waits_is_seen_as_well() -> None:
    x = torch.ones(3)
    assert Tapes().waits(lambda: x.sum().item())
    assert not Tapes().waits(lambda: x.sum())
