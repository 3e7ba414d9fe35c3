"""Penalties on parameters: added to the loss and to the gradients, to the bits of a hand-written loop, and resumed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import netspec
from netspec import SpecError
from netspec.penalties import L1, L2
from netspec.runtime.data.split import seeded
from netspec.runtime.train.penalties import Penalties
from netspec.runtime.train.run import train
from netspec.sections.penalties_of import Penalised
from netspec.views.training import text, training
from tests.train.small import DEVICE, classes, equal, perceptron, section
from tests.train.test_resume import same_whether_stopped_or_not

LINES = (
    Penalised("0.*", (L1(weight=1e-3), L2(weight=1e-2)), (), frozenset({"0.weight", "0.bias"})),
    Penalised("3.weight", (L1(weight=1e-2),), (), frozenset({"3.weight"})),
)
SPEC = """\
netspec: 1
input: 1x8x8
layers: {body: [conv 2 k3, bn, relu, flatten], head: linear 10}
data: digits
train: {loss: cross_entropy, optimizer: sgd lr=0.1, epochs: 1, batch: 512, device: cpu, penalties: LINES}
lint: {ignore: [bias-before-norm]}
"""


def linear(net: nn.Sequential, place: int) -> nn.Linear:
    found = net[place]
    assert isinstance(found, nn.Linear)
    return found


@pytest.mark.parametrize("optimizer", ["sgd lr=0.1 momentum=0.9", "adamw lr=0.01"])
def test_steps_are_those_of_a_hand_written_loop_to_the_bit(optimizer: str) -> None:
    mine, theirs, data = perceptron(), perceptron(), classes().to(DEVICE)
    history = train(mine, section(optimizer=optimizer, epochs=3).replace(penalties=LINES), data)
    parameters = theirs.parameters()
    momentum = torch.optim.SGD(parameters, 0.1, momentum=0.9, fused=True) if "sgd" in optimizer else None
    found = momentum or torch.optim.AdamW(parameters, 0.01, fused=True)
    (x,), y, losses = data.train.inputs, data.train.target, []
    for epoch in range(3):
        for rows in torch.randperm(len(x), generator=seeded(0, epoch)).split(16):
            found.zero_grad()
            loss = nn.functional.cross_entropy(theirs(x[rows]), y[rows])
            first, last = linear(theirs, 0), linear(theirs, 3)
            loss = loss + 1e-3 * (first.weight.abs().sum() + first.bias.abs().sum())
            loss = loss + 1e-2 * (first.weight.square().sum() + first.bias.square().sum())
            loss = loss + 1e-2 * last.weight.abs().sum()
            loss.backward()
            found.step()
            losses.append(loss.item())
    assert equal(mine, theirs)
    assert history.records[-1]["train.loss"] == pytest.approx(sum(losses[-4:]) / 4, rel=1e-6)


@pytest.mark.parametrize("more", [{}, {"accumulate": 2, "batch": 8}, {"optimizer": "lbfgs lr=0.1 max_iter=2"}], ids=str)
def test_a_resumed_run_ends_with_the_same_bits(
    more: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = section(epochs=2, **more).replace(penalties=LINES)
    same_whether_stopped_or_not(wanted, classes(), [3], perceptron, tmp_path, monkeypatch)


def test_batches_of_a_step_are_penalised_once() -> None:
    whole, parts = perceptron(), perceptron()
    train(whole, section(epochs=1).replace(penalties=LINES), classes())
    train(parts, section(epochs=1, batch=8, accumulate=2).replace(penalties=LINES), classes())
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_what_is_frozen_is_measured_and_gets_no_gradient() -> None:
    net = perceptron()
    net[0].requires_grad_(False)
    loss = Penalties(LINES, net.named_parameters()).added(torch.zeros((), device=DEVICE))
    assert loss > 0
    assert net[0].weight.grad is None
    assert net[3].weight.grad is not None


def test_a_spec_says_them_by_kind_and_by_pattern() -> None:
    spec = netspec.loads(SPEC.replace("LINES", '{conv: l2 1e-2, "*.weight": [l1 1e-4, {l2: {weight: 0.1}}]}'))
    assert spec.experiment.train is not None
    by_kind, by_name = spec.experiment.train.penalties
    assert by_kind.parameters == {"body.0.weight", "body.0.bias"}
    assert by_name.parameters == {"body.0.weight", "body.1.weight", "head.weight"}
    assert "L1 weight=0.0001 on *.weight" in text(training("net", spec.graph, spec.experiment))


@pytest.mark.parametrize(
    ("lines", "message", "hint"),
    [
        ('{"hed.weight": l1 1e-3}', "'hed.weight' matches no layer and no parameter", "head.weight"),
        (
            '{"fc.*": l1 1e-3}',
            "'fc.*' matches no layer and no parameter",
            "A group names a kind of layer, or a pattern",
        ),
        ("{head: l3 1e-3}", "there is no penalty 'l3'", "l1"),
        ("{head: l1}", "weight", "l1"),
        ("{head: l1 -1}", "greater than 0", ""),
        ("{lstm: l1 1}", "no layer with parameters is a lstm", "conv"),
        ("l2 1e-4", "penalties is a mapping", "conv"),
        ("{head: 3}", "expected the name of a penalty", "L1"),
    ],
)
def test_a_line_that_says_nothing_is_refused(lines: str, message: str, hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        netspec.loads(SPEC.replace("LINES", lines))
    assert message in str(caught.value)
    assert hint in str(caught.value)


def test_a_run_that_goes_on_has_the_same(tmp_path: Path) -> None:
    netspec.loads(SPEC.replace("LINES", "{head: l1 1e-3}")).train(tmp_path / "run")
    with pytest.raises(netspec.errors.UsageError, match=r"penalties\.head"):
        netspec.loads(SPEC.replace("LINES", "{head: l1 2e-3}")).train(tmp_path / "run", resume=True)


def test_a_penalty_on_what_is_frozen_is_told() -> None:
    frozen = SPEC.replace("LINES", "{body: l2 1e-2, head: l2 1e-2}") + "weights: {freeze: [body]}\n"
    (warning,) = netspec.loads(frozen).warnings
    assert warning.message == "the penalty on body changes nothing: all that it matches is frozen"
