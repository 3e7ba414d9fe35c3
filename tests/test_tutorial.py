"""The PyTorch tutorial, as a spec: its parameters, its gradients, its update and its slips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import netspec
from netspec.runtime.data.split import Data, Split, seeded
from netspec.runtime.train.run import train
from netspec.sections.train import read_train

ROOT = Path(__file__).parent.parent
SPEC = ROOT / "specs" / "tutorial.yaml"
SHAPES = [
    *((6, 1, 5, 5), (6,), (16, 6, 5, 5), (16,)),
    *((120, 400), (120,), (84, 120), (84,), (10, 84), (10,)),
]


@pytest.fixture
def net() -> torch.nn.Module:
    torch.manual_seed(0)
    return netspec.load(SPEC).build()


def data(target: torch.Tensor) -> Data:
    torch.manual_seed(1)
    return Data(Split((torch.randn(4, 1, 32, 32),), target), None, None, ("input",), None)


def test_ten_parameter_tensors_in_order(net: torch.nn.Module) -> None:
    assert [tuple(p.shape) for p in net.parameters()] == SHAPES
    owners = list(dict.fromkeys(name.partition(".")[0] for name, _ in net.named_parameters()))
    assert owners == ["conv1", "conv2", "fc1", "fc2", "fc3"]


def test_counts_are_known_without_running() -> None:
    graph = netspec.load(SPEC).graph
    assert graph.parameter_count == 61_706
    assert graph.macs() == 416_520
    assert list(graph.parameters().values()) == SHAPES


def test_print_shows_the_five_children(net: torch.nn.Module) -> None:
    lines = str(net).splitlines()
    assert lines[0] == "Net("
    assert [line.strip().partition(":")[0] for line in lines[1:-1]] == ["(conv1)", "(conv2)", "(fc1)", "(fc2)", "(fc3)"]


def test_forward_and_gradients(net: torch.nn.Module) -> None:
    out = net(torch.randn(4, 1, 32, 32))
    assert out.shape == (4, 10)
    assert all(p.grad is None for p in net.parameters())
    net.zero_grad()
    out.backward(torch.randn(4, 10))
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def section(text: dict[str, Any]) -> Any:
    found, problems = read_train(text, ("train",), lambda name: None)
    assert not problems
    return found


def test_one_step_of_sgd_to_the_bit(net: torch.nn.Module) -> None:
    """The update is weight - 0.01 * gradient as torch's processors do it: one multiply-add, rounded once."""
    given = data(torch.randn(4, 10))
    by_hand = netspec.load(SPEC).build()
    by_hand.load_state_dict(net.state_dict())
    order = torch.randperm(4, generator=seeded(0, 0))
    inputs, target = given.train.batch(order)
    torch.nn.functional.mse_loss(by_hand(*inputs), target).backward()
    pairs = [(p.detach(), p.grad) for p in by_hand.parameters() if p.grad is not None]
    plain = {"loss": "mse", "optimizer": "sgd lr=0.01", "epochs": 1, "batch": 4, "channels_last": False}
    train(net, section(plain), given)
    for found, (weight, gradient) in zip(net.parameters(), pairs, strict=True):
        assert torch.equal(found.detach(), torch.add(weight, gradient, alpha=-0.01))
        torch.testing.assert_close(found.detach(), weight - 0.01 * gradient, rtol=2e-7, atol=1e-9)


def test_mse_never_broadcasts(net: torch.nn.Module) -> None:
    wrong = data(torch.randn(4, 1))
    with pytest.raises(netspec.NetspecError) as caught:
        train(net, section({"loss": "mse", "optimizer": "sgd lr=0.01", "epochs": 1}), wrong)
    assert "10" in str(caught.value)
    assert "1" in str(caught.value)


def test_the_flatten_slip_is_refused_at_its_place() -> None:
    text = SPEC.read_text().replace("fc 400->120", "fc 256->120")
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads(text, name="net.yaml")
    report = str(caught.value)
    assert len(caught.value.problems) == 1
    assert report.startswith("net.yaml:7:8  error[shape-mismatch]  fc1 declares 256 inputs, its input has 400")
    assert "16 x 5 x 5 = 400" in report
