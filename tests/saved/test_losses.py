"""What losses and optimizers keep, as they say it, is what torch keeps."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from netspec.losses.base import Loss
from netspec.runtime.train.loss import make_loss
from netspec.saved import Held, Storage, Tape
from netspec.vocabulary import LOSSES, OPTIMIZERS
from tests.saved.counted import at, counted

SCORES = torch.randn(6, 5)
CLASSES = torch.randint(0, 5, (6,))
MAPS = torch.randn(6, 5, 3, 2)
CASES: list[tuple[str, dict[str, Any], list[torch.Tensor], torch.Tensor | None]] = [
    ("cross_entropy", {}, [SCORES], CLASSES),
    ("cross_entropy", {}, [MAPS], torch.randint(0, 5, (6, 3, 2))),
    ("cross_entropy", {}, [MAPS.flatten(2)], torch.randint(0, 5, (6, 6))),
    ("cross_entropy", {"axis": -1}, [torch.randn(6, 3, 5)], torch.randint(0, 5, (6, 3))),
    ("cross_entropy", {"label_smoothing": 0.1}, [SCORES], CLASSES),
    ("cross_entropy", {"label_smoothing": 0.1, "reduction": "sum"}, [SCORES], CLASSES),
    ("cross_entropy", {"label_smoothing": 0.1, "weight": (1.0, 2.0, 1.0, 1.0, 1.0)}, [SCORES], CLASSES),
    ("cross_entropy", {}, [SCORES], torch.rand(6, 5)),
    ("nll", {}, [SCORES], CLASSES),
    ("bce_logits", {}, [SCORES], torch.rand(6, 5)),
    ("bce", {}, [torch.rand(6, 5)], torch.rand(6, 5)),
    *[(name, {}, [SCORES], torch.rand(6, 5)) for name in ("mse", "l1", "huber", "smooth_l1")],
    ("kl", {"reduction": "batchmean"}, [SCORES], torch.rand(6, 5)),
    ("kl", {"reduction": "batchmean", "log_target": True}, [SCORES], torch.rand(6, 5)),
    ("cosine_embedding", {}, [SCORES, torch.randn(6, 5)], torch.ones(6)),
    ("info_nce", {}, [SCORES, torch.randn(6, 5)], None),
    ("info_nce", {"learned": True, "symmetric": False}, [SCORES, torch.randn(6, 5)], None),
    ("nt_xent", {}, [SCORES, torch.randn(6, 5)], None),
    ("multi_margin", {}, [SCORES], CLASSES),
    ("soft_margin", {}, [SCORES], torch.ones(6, 5)),
    ("hinge", {}, [SCORES], torch.ones(6, 5)),
    ("multilabel_margin", {}, [SCORES], torch.randint(0, 5, (6, 5))),
    ("multilabel_soft_margin", {}, [SCORES], torch.rand(6, 5)),
    ("poisson", {}, [SCORES], torch.rand(6, 5)),
    ("poisson", {"log_input": False, "full": True}, [torch.rand(6, 5)], torch.rand(6, 5)),
    ("gaussian_nll", {}, [SCORES, torch.rand(6, 5)], torch.rand(6, 5)),
    ("gaussian_nll", {}, [SCORES, torch.rand(6)], torch.rand(6, 5)),
    ("margin_ranking", {}, [torch.randn(6), torch.randn(6)], torch.ones(6)),
    ("triplet", {}, [SCORES, torch.randn(6, 5), torch.randn(6, 5)], None),
    ("triplet", {"swap": True}, [SCORES, torch.randn(6, 5), torch.randn(6, 5)], None),
    ("triplet_distance", {"swap": True}, [SCORES, torch.randn(6, 5), torch.randn(6, 5)], None),
    ("ctc", {}, [torch.randn(7, 2, 5).log_softmax(-1)], torch.randint(1, 5, (2, 3))),
    ("ctc", {"reduction": "sum", "zero_infinity": True}, [torch.randn(7, 2, 5)], torch.randint(1, 5, (2, 3))),
    ("distillation", {"temperature": 2.0}, [SCORES], torch.randn(6, 5)),
    ("mean", {}, [SCORES], None),
    ("load_balance", {"chosen": 2}, [torch.randn(2, 3, 5)], None),
]
REASONS = {
    "AdaptiveLogSoftmaxWithLoss": "what its clusters keep depends on how many of a batch fall into each",
    "LinearCrossEntropyLoss": "torch takes its scores in parts of a size of its own choosing",
}
"""Why it is not said what a loss keeps."""


def test_every_loss_is_here_or_has_a_reason() -> None:
    held = {LOSSES.find(word)[0].__name__ for word, *_ in CASES}
    assert held.isdisjoint(REASONS)
    assert held | set(REASONS) == {cls.__name__ for cls in LOSSES.classes()}


def held(x: torch.Tensor, *, grad: bool = False) -> Held:
    dtype = str(x.dtype).removeprefix("torch.")
    return Held(Storage(x.untyped_storage().nbytes()), tuple(x.shape), tuple(x.stride()), dtype, grad)


@pytest.mark.parametrize(
    ("word", "options", "predictions", "target"), CASES, ids=[f"{case[0]}{number}" for number, case in enumerate(CASES)]
)
def test_a_loss(
    word: str, options: dict[str, Any], predictions: list[torch.Tensor], target: torch.Tensor | None
) -> None:
    (cls,) = LOSSES.find(word)
    loss = cls(**options)
    assert isinstance(loss, Loss)
    module, tape = make_loss(loss), Tape(own=lambda name: Held(Storage(4, True, name), (), (), grad=True))
    given = [x.detach().requires_grad_() for x in predictions]
    loss.kept(tape, *(held(x, grad=True) for x in given), *([held(target)] if target is not None else []))
    assert not tape.unknown
    lasting = [*module.parameters(), *module.buffers()]
    assert counted(lambda: module(*loss.inputs(given, target)), lasting) == at(tape.bytes, {})


@pytest.mark.parametrize(
    ("word", "options"),
    [
        *[(word, {}) for word in ("sgd", "adam", "adamw", "adamax", "nadam", "radam", "adagrad", "adadelta")],
        *[("rmsprop", {}), ("rprop", {}), ("asgd", {}), ("sgd", {"momentum": 0.9}), ("adamw", {"amsgrad": True})],
        ("rmsprop", {"momentum": 0.9, "centered": True}),
    ],
)
def test_an_optimizer(word: str, options: dict[str, Any]) -> None:
    (cls,) = OPTIMIZERS.find(word)
    said = cls(lr=0.01, **options)
    parameter = torch.nn.Parameter(torch.randn(10, 7))
    optimizer = getattr(torch.optim, cls.__name__)([parameter], lr=0.01, **options)
    parameter.grad = torch.randn(10, 7)
    optimizer.step()
    states = [x for x in optimizer.state[parameter].values() if torch.is_tensor(x)]
    copies = said.copies()
    assert copies is not None
    assert 4 * (copies * parameter.numel() + said.counters) == sum(x.numel() * x.element_size() for x in states)
