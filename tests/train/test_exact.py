"""Training gives the very bits that hand-written torch gives."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
import yaml
from torch import nn
from torch.optim import lr_scheduler

from netspec.runtime.data.split import Data, seeded
from netspec.runtime.train.evaluate import evaluate
from netspec.runtime.train.loss import Objective
from netspec.runtime.train.run import train
from netspec.vocabulary import OPTIMIZERS, SCHEDULERS
from tests.train.small import DEVICE, classes, equal, perceptron, section, stepped

OTHER = ("SparseAdam", "LBFGS", "Muon")
FUSED = [cls.__name__ for cls in OPTIMIZERS.classes() if "fused" in cls.fields and DEVICE in cls.fused_on]
PLAIN = [cls.__name__ for cls in OPTIMIZERS.classes() if cls.__name__ not in OTHER]


def by_hand(net: nn.Module, optimizer: torch.optim.Optimizer, data: Data, steps: int, after: Any = None) -> None:
    """Cross entropy, batches of 16 in the order of the seed 0: the loop that anyone would write."""
    criterion = nn.CrossEntropyLoss()
    data = data.to(DEVICE)
    (x,), y = data.train.inputs, data.train.target
    step = 0
    for epoch in range(steps):
        order = torch.randperm(len(y), generator=seeded(0, epoch))
        for rows in order.split(16):
            if step == steps:
                return
            optimizer.zero_grad()
            loss = criterion(net(x[rows]), y[rows])
            loss.backward()
            stepped(optimizer)
            step += 1
            if after:
                after(step, epoch, len(y))


def test_one_step_of_descent_is_weight_minus_rate_times_gradient() -> None:
    net, data = perceptron(), classes(16, val=0).to(DEVICE)
    before = [p.detach().clone() for p in net.parameters()]
    order = torch.randperm(16, generator=seeded(0, 0))
    nn.CrossEntropyLoss()(net(data.train.inputs[0][order]), data.train.target[order]).backward()
    gradients = [p.grad.clone() for p in net.parameters() if p.grad is not None]
    train(net, section(optimizer="sgd lr=0.01", epochs=1), data)
    for old, gradient, new in zip(before, gradients, net.parameters(), strict=True):
        assert torch.equal(new, torch.sub(old, gradient, alpha=0.01))


@pytest.mark.parametrize("name", PLAIN)
def test_optimizer(name: str) -> None:
    mine, theirs, data = perceptron(), perceptron(), classes()
    train(mine, section(optimizer=f"{name} lr=0.02", max_steps=10), data)
    (cls,) = OPTIMIZERS.find(name)
    kernel: dict[str, Any] = {"fused": True} if "fused" in cls.fields and DEVICE in cls.fused_on else {}
    by_hand(theirs, getattr(torch.optim, name)(theirs.parameters(), lr=0.02, **kernel), data, 10)
    assert equal(mine, theirs)


@pytest.mark.parametrize("name", FUSED)
def test_the_fused_kernel_is_the_default_and_can_be_declined(name: str) -> None:
    mine, theirs, data = perceptron(), perceptron(), classes()
    train(mine, section(optimizer=f"{name} lr=0.02 fused=false", max_steps=10), data)
    by_hand(theirs, getattr(torch.optim, name)(theirs.parameters(), lr=0.02, fused=False), data, 10)
    assert equal(mine, theirs)
    train(mine := perceptron(), section(optimizer=f"{name} lr=0.02", max_steps=10), data)
    for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
@pytest.mark.parametrize("row", ["sgd lr=0.1", "adagrad lr=0.1", "sparse_adam"])
def test_sparse_gradients_are_taken(row: str) -> None:
    """Torch's fused kernels refuse them, so none is chosen."""
    torch.manual_seed(1)
    bag, data = nn.EmbeddingBag(50, 3, sparse=True).to(DEVICE), classes()
    before = bag.weight.detach().clone()
    tokens = data.train.inputs[0].abs().mul(10).long()
    train(
        bag, section(optimizer=row, max_steps=2), replace(data, train=replace(data.train, inputs=(tokens,)), val=None)
    )
    assert not torch.equal(bag.weight, before)


@pytest.mark.parametrize(
    "row", ["sgd lr=0.1 momentum=0.9 nesterov weight_decay=0.01", "adamw lr=0.01 foreach", "adam amsgrad"]
)
def test_optimizer_with_arguments(row: str) -> None:
    known: dict[str, Any] = {
        "sgd": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01, "fused": True}),
        "adamw": (torch.optim.AdamW, {"lr": 0.01, "foreach": True}),
        "adam": (torch.optim.Adam, {"amsgrad": True, "fused": True}),
    }
    cls, arguments = known[row.split()[0]]
    row = row.replace("foreach", "foreach=true")
    mine, theirs, data = perceptron(), perceptron(), classes()
    train(mine, section(optimizer=row, max_steps=10), data)
    by_hand(theirs, cls(theirs.parameters(), **arguments), data, 10)
    assert equal(mine, theirs)


def test_sparse_adam() -> None:
    def bag() -> nn.Module:
        torch.manual_seed(1)
        return nn.EmbeddingBag(50, 3, sparse=True).to(DEVICE)

    data = classes()
    tokens = data.train.inputs[0].abs().mul(10).long()
    data = Data(type(data.train)((tokens,), data.train.target), None, None, ("input",), None)
    mine, theirs = bag(), bag()
    train(mine, section(optimizer="sparse_adam", max_steps=10), data)
    by_hand(theirs, torch.optim.SparseAdam(theirs.parameters()), data, 10)
    assert equal(mine, theirs)


def test_muon() -> None:
    def matrices() -> nn.Module:
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(8, 16, bias=False), nn.ReLU(), nn.Linear(16, 3, bias=False)).to(DEVICE)

    mine, theirs, data = matrices(), matrices(), classes()
    train(mine, section(optimizer="muon lr=0.02", max_steps=10), data)
    by_hand(theirs, torch.optim.Muon(theirs.parameters(), lr=0.02), data, 10)
    assert equal(mine, theirs)


def test_lbfgs() -> None:
    mine, theirs, data = perceptron(), perceptron(), classes(32, val=0).to(DEVICE)
    train(mine, section(optimizer="lbfgs lr=0.5 max_iter=4", batch=32, epochs=10), data)
    optimizer = torch.optim.LBFGS(theirs.parameters(), lr=0.5, max_iter=4)
    (x,), y = data.train.inputs, data.train.target
    for epoch in range(10):
        rows = torch.randperm(32, generator=seeded(0, epoch))

        def closure(rows: torch.Tensor = rows) -> torch.Tensor:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(theirs(x[rows]), y[rows])
            loss.backward()
            return loss

        optimizer.step(closure)
    assert equal(mine, theirs)


BY_HAND: dict[str, Any] = {
    "StepLR": lambda o, n: lr_scheduler.StepLR(o, 10, gamma=0.5),
    "MultiStepLR": lambda o, n: lr_scheduler.MultiStepLR(o, (30, 60, 80), gamma=0.2),
    "ExponentialLR": lambda o, n: lr_scheduler.ExponentialLR(o, 0.95),
    "ConstantLR": lambda o, n: lr_scheduler.ConstantLR(o, factor=0.5, total_iters=2),
    "LinearLR": lambda o, n: lr_scheduler.LinearLR(o, start_factor=0.1, total_iters=5),
    "PolynomialLR": lambda o, n: lr_scheduler.PolynomialLR(o, total_iters=20, power=2),
    "CosineAnnealingLR": lambda o, n: lr_scheduler.CosineAnnealingLR(o, n),
    "CosineAnnealingWarmRestarts": lambda o, n: lr_scheduler.CosineAnnealingWarmRestarts(o, 10, T_mult=2),
    "CyclicLR": lambda o, n: lr_scheduler.CyclicLR(o, 0.001, 0.01, step_size_up=200),
    "OneCycleLR": lambda o, n: lr_scheduler.OneCycleLR(o, 0.01, total_steps=n),
    "SequentialLR": lambda o, n: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, total_iters=5), lr_scheduler.ExponentialLR(o, 0.9)], [5]
    ),
    "ChainedScheduler": lambda o, n: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o, total_iters=2), lr_scheduler.ExponentialLR(o, 0.9)], optimizer=o
    ),
}


@pytest.mark.parametrize("every", ["step", "epoch"])
@pytest.mark.parametrize("name", BY_HAND)
def test_scheduler(name: str, every: str) -> None:
    (cls,) = SCHEDULERS.find(name)
    example = yaml.safe_load(cls.example)
    word, given = example.popitem() if isinstance(example, dict) else (example.split()[0], None)
    row: Any = {word: {**given, "every": every}} if given else f"{example.replace('warmup=500', '')} every={every}"
    momentum = "momentum=0.9" if name in ("CyclicLR", "OneCycleLR") else ""
    mine, theirs, data = perceptron(), perceptron(), classes()
    train(mine, section(optimizer=f"sgd lr=0.1 {momentum}", scheduler=row, epochs=5, max_steps=10), data)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9 if momentum else 0, fused=True)
    schedule = BY_HAND[name](optimizer, 10 if every == "step" else 5)

    def after(step: int, epoch: int, samples: int) -> None:
        if (every == "step" and step < 10) or (every == "epoch" and step % 4 == 0):
            schedule.step()

    by_hand(theirs, optimizer, data, 10, after)
    assert equal(mine, theirs)


def test_plateau() -> None:
    mine, theirs, data = perceptron(), perceptron(), classes().to(DEVICE)
    train(mine, section(scheduler="plateau patience=0 threshold=10", epochs=5), data)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, threshold=10)
    assert data.val is not None
    (x,), y = data.val.inputs, data.val.target

    def after(step: int, epoch: int, samples: int) -> None:
        if step % 4 == 0:
            with torch.no_grad():
                schedule.step(nn.functional.cross_entropy(theirs(x), y).item())

    by_hand(theirs, optimizer, data, 20, after)
    assert optimizer.param_groups[0]["lr"] < 0.1
    assert equal(mine, theirs)


def test_warm_up_rises_linearly_and_the_schedule_follows() -> None:
    mine, theirs, data = perceptron(), perceptron(), classes()
    train(mine, section(scheduler="cosine warmup=4", epochs=3), data)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1 * (1 / 5))
    schedule: Any = None

    def after(step: int, epoch: int, samples: int) -> None:
        nonlocal schedule
        if step < 4:
            optimizer.param_groups[0]["lr"] = 0.1 * ((step + 1) / 5)
        elif step == 4:
            optimizer.param_groups[0]["lr"] = 0.1
            schedule = lr_scheduler.CosineAnnealingLR(optimizer, 8)
        else:
            schedule.step()

    by_hand(theirs, optimizer, data, 12, after)
    assert equal(mine, theirs)


def test_accumulated_batches_are_one_large_batch() -> None:
    mine, theirs, data = perceptron(), perceptron(), classes(72, val=0)
    train(mine, section(batch=8, accumulate=2, epochs=2), data)
    train(theirs, section(batch=16, epochs=2), data)
    for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_clipped_gradients() -> None:
    mine, theirs, data = perceptron(), perceptron(), classes()
    train(mine, section(clip_grad=0.1, max_steps=10), data)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)

    def clip(*_: object) -> None:
        nn.utils.clip_grad_norm_(theirs.parameters(), 0.1)

    optimizer.register_step_pre_hook(clip)
    by_hand(theirs, optimizer, data, 10)
    assert equal(mine, theirs)


@pytest.mark.parametrize("clip", [None, 0.1])
def test_the_norm_of_a_gradient_is_that_before_it_is_clipped(clip: float | None) -> None:
    mine, theirs, data = perceptron(), perceptron(), classes()
    history = train(mine, section(clip_grad=clip, max_steps=10), data)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)
    norms: list[float] = []

    def note(*_: object) -> None:
        gradients = [p.grad for p in theirs.parameters() if p.grad is not None]
        norms.append(float(nn.utils.get_total_norm(gradients)))
        if clip is not None:
            nn.utils.clip_grad_norm_(theirs.parameters(), clip)

    optimizer.register_step_pre_hook(note)
    by_hand(theirs, optimizer, data, 10)
    assert [record["grad_norm"] for record in history.records] == [norms[r["step"] - 1] for r in history.records]
    assert len(set(norms)) == 10


def test_averaged_weights_are_what_the_run_ends_with() -> None:
    mine, theirs, data = perceptron(), perceptron(), classes()
    train(mine, section(ema=0.5, max_steps=3), data)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)
    states: list[torch.Tensor] = []
    by_hand(theirs, optimizer, data, 3, lambda *_: states.append(next(theirs.parameters()).detach().clone()))
    average = states[0]
    for state in states[1:]:
        average = average.lerp(state, 0.5)
    assert torch.equal(next(mine.parameters()), average)


def test_training_goes_on_from_slow_weights() -> None:
    """As airbench94 looks ahead: statistics too, with a share that grows, and the slow weights in the end."""
    mine, theirs, data = perceptron(norm=True), perceptron(norm=True), classes()
    train(mine, section(lookahead={"every": 3, "keep": 0.8, "power": 3}, max_steps=8), data)
    state = {name: x for name, x in theirs.state_dict().items() if x.is_floating_point()}
    slow = {name: x.clone() for name, x in state.items()}
    taken = 0

    def meet(*_: Any) -> None:
        nonlocal taken
        taken += 1
        for keep in [0.8 * (taken / 8) ** 3] * (taken % 3 == 0) + [1.0] * (taken == 8):
            for name, x in state.items():
                x.copy_(slow[name].lerp_(x, 1 - keep))

    by_hand(theirs, torch.optim.SGD(theirs.parameters(), lr=0.1), data, 8, meet)
    assert equal(mine, theirs)


@pytest.mark.parametrize("loss", [{"ce": {"weight": [1, 20, 5]}}, "ce ignore_index=1", "ce ignore_index=2"], ids=str)
def test_accumulated_batches_are_one_large_batch_where_samples_count_differently(loss: Any) -> None:
    data = classes(64, val=0)
    networks = []
    for values in ({"batch": 64}, {"batch": 4, "accumulate": 16}):
        networks.append(perceptron())
        train(networks[-1], section(loss=loss, epochs=3, **values), data)
    one, many = networks
    for a, b in zip(one.parameters(), many.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("loss", [{"ce": {"weight": [1, 20, 5]}}, "ce ignore_index=1"], ids=str)
@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_loss_of_an_epoch_is_the_mean_over_all_that_counts(loss: Any, accumulate: int) -> None:
    data = classes(50, val=0)
    (record,) = train(
        perceptron(), section(loss=loss, optimizer="sgd lr=0", batch=4, accumulate=accumulate, epochs=1), data
    ).records
    found = evaluate(perceptron(), data.train.to(DEVICE), Objective(section(loss=loss).loss, DEVICE))
    assert found is not None
    assert record["train.loss"] == pytest.approx(found["loss"], rel=1e-6)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_batch_that_counts_for_nothing_changes_nothing(accumulate: int) -> None:
    data = classes(16, val=0)
    blank = replace(data, train=replace(data.train, target=torch.full_like(data.train.target, 2)))
    network = perceptron()
    before = copy.deepcopy(network.state_dict())
    settings = section(loss="ce ignore_index=2", batch=8, accumulate=accumulate, epochs=1)
    assert train(network, settings, blank).records[0]["train.loss"] == 0
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_an_average_of_weights_counts_the_batches_of_a_norm() -> None:
    network = perceptron(norm=True)
    train(network, section(ema=0.5, max_steps=7), classes())
    assert int(network.get_buffer("1.num_batches_tracked")) == 7
