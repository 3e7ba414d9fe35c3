"""Every loss takes a step on data of its kind: the one that torch's own loss module gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import netspec
from netspec.runtime.data.split import Data, Split, seeded
from netspec.runtime.train.run import train
from netspec.vocabulary import LOSSES
from tests.train.small import section

Call = Callable[[Any, Any, torch.Tensor], torch.Tensor]


class Several(nn.Module):
    """Two or three outputs of one linear layer, or one reshaped as `form` says."""

    def __init__(
        self, outputs: int, width: int = 3, form: Callable[[torch.Tensor], torch.Tensor] | None = None
    ) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.layer = nn.Linear(8, outputs * width)
        self.outputs, self.width, self.form = outputs, width, form

    def forward(self, x: torch.Tensor) -> Any:
        y: torch.Tensor = self.layer(x)
        if self.form is not None:
            return self.form(y)
        return y if self.outputs == 1 else y.split(self.width, 1)


def plain(module: Any, y: Any, t: torch.Tensor) -> torch.Tensor:
    loss: torch.Tensor = module(y, t)
    return loss


def clip(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Both directions of CLIP's scores, at a temperature of 0.1."""
    scores = nn.functional.normalize(one, dim=1) @ nn.functional.normalize(other, dim=1).t() / 0.1
    own = torch.arange(len(one))
    return (nn.functional.cross_entropy(scores, own) + nn.functional.cross_entropy(scores.t(), own)) / 2


def simclr(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """SimCLR's loss at a temperature of 0.5, a row of scores at a time in the same order of sums."""
    z = nn.functional.normalize(torch.cat([one, other]), dim=1)
    scores = (z @ z.t() / 0.5).fill_diagonal_(float("-inf"))
    return nn.functional.cross_entropy(scores, torch.tensor([*range(N, 2 * N), *range(N)]))


def soft(scores: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The divergence of softened probabilities at a temperature of 2, as torch's own tutorial weighs it."""
    own, wanted = scores.div(2).log_softmax(1), target.div(2).log_softmax(1)
    return nn.functional.kl_div(own, wanted, reduction="batchmean", log_target=True) * 4


def balanced(scores: torch.Tensor, chosen: int) -> torch.Tensor:
    """The auxiliary loss of Mixtral, as transformers' load_balancing_loss_func computes it for scores of all layers."""
    weights = scores.softmax(-1)
    mask = nn.functional.one_hot(weights.topk(chosen, dim=-1).indices, scores.shape[-1])
    return (mask.float().mean(0) * weights.mean(0).unsqueeze(0)).sum() * scores.shape[-1]


N = 16
GENERATOR = torch.Generator().manual_seed(0)
NUMBERS = torch.randn(N, 3, generator=GENERATOR)
LABELS = torch.randint(0, 2, (N, 3), generator=GENERATOR).float()
NAMES = torch.randint(0, 3, (N,), generator=GENERATOR)
SIGNS = LABELS * 2 - 1

Case = tuple[str, nn.Module, torch.Tensor, Callable[[], nn.Module], Call]
CASES: dict[str, Callable[[], Case]] = {
    "MSELoss": lambda: ("mse", Several(1), NUMBERS, nn.MSELoss, plain),
    "L1Loss": lambda: ("l1", Several(1), NUMBERS, nn.L1Loss, plain),
    "HuberLoss": lambda: ("huber delta=0.5", Several(1), NUMBERS, lambda: nn.HuberLoss(delta=0.5), plain),
    "SmoothL1Loss": lambda: ("smooth_l1 beta=0.5", Several(1), NUMBERS, lambda: nn.SmoothL1Loss(beta=0.5), plain),
    "PoissonNLLLoss": lambda: ("poisson", Several(1), NUMBERS.abs().round(), nn.PoissonNLLLoss, plain),
    "KLDivLoss": lambda: (
        "kl reduction=batchmean",
        Several(1, form=lambda y: y.log_softmax(1)),
        NUMBERS.softmax(1),
        lambda: nn.KLDivLoss(reduction="batchmean"),
        plain,
    ),
    "GaussianNLLLoss": lambda: (
        "gaussian_nll",
        Gaussian(),
        NUMBERS,
        nn.GaussianNLLLoss,
        lambda module, y, t: module(y[0], t, y[1]),
    ),
    "CrossEntropyLoss": lambda: (
        "ce label_smoothing=0.1 weight=1x2x3",
        Several(1),
        NAMES,
        lambda: nn.CrossEntropyLoss(torch.tensor([1.0, 2, 3]), label_smoothing=0.1),
        plain,
    ),
    "NLLLoss": lambda: ("nll", Several(1, form=lambda y: y.log_softmax(1)), NAMES, nn.NLLLoss, plain),
    "MultiMarginLoss": lambda: ("multi_margin p=2", Several(1), NAMES, lambda: nn.MultiMarginLoss(p=2), plain),
    "BCELoss": lambda: ("bce", Several(1, form=torch.sigmoid), LABELS, nn.BCELoss, plain),
    "BCEWithLogitsLoss": lambda: (
        "bce_logits pos_weight=1x2x3",
        Several(1),
        LABELS,
        lambda: nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 2, 3])),
        plain,
    ),
    "SoftMarginLoss": lambda: ("soft_margin", Several(1), SIGNS, nn.SoftMarginLoss, plain),
    "HingeEmbeddingLoss": lambda: ("hinge", Several(1, form=torch.abs), SIGNS, nn.HingeEmbeddingLoss, plain),
    "MultiLabelMarginLoss": lambda: (
        "multilabel_margin",
        Several(1),
        torch.tensor([[2, -1, -1], [0, 1, -1]]).repeat(N // 2, 1),
        nn.MultiLabelMarginLoss,
        plain,
    ),
    "MultiLabelSoftMarginLoss": lambda: (
        "multilabel_soft_margin",
        Several(1),
        LABELS,
        nn.MultiLabelSoftMarginLoss,
        plain,
    ),
    "CosineEmbeddingLoss": lambda: (
        "cosine_embedding",
        Several(2),
        SIGNS[:, 0],
        nn.CosineEmbeddingLoss,
        lambda module, y, t: module(*y, t),
    ),
    "MarginRankingLoss": lambda: (
        "margin_ranking margin=0.1",
        Several(2),
        SIGNS,
        lambda: nn.MarginRankingLoss(0.1),
        lambda module, y, t: module(*y, t),
    ),
    "TripletMarginLoss": lambda: (
        "triplet",
        Several(3),
        NAMES,
        nn.TripletMarginLoss,
        lambda module, y, t: module(*y),
    ),
    "TripletMarginWithDistanceLoss": lambda: (
        "triplet_distance",
        Several(3),
        NAMES,
        nn.TripletMarginWithDistanceLoss,
        lambda module, y, t: module(*y),
    ),
    "CTCLoss": lambda: (
        "ctc",
        Several(1, 20, form=lambda y: y.view(-1, 5, 4).transpose(0, 1).log_softmax(2)),
        torch.tensor([[1, 2], [3, 0]]).repeat(N // 2, 1),
        nn.CTCLoss,
        lambda module, y, t: module(y, t, torch.full((N,), 5), (t != 0).sum(1)),
    ),
    "AdaptiveLogSoftmaxWithLoss": lambda: (
        "adaptive_log_softmax 32 9 cutoffs=2x4",
        Several(1, 32),
        NAMES * 4,
        lambda: nn.AdaptiveLogSoftmaxWithLoss(32, 9, [2, 4]),
        lambda module, y, t: module(y, t).loss,
    ),
    "LinearCrossEntropyLoss": lambda: (
        "linear_cross_entropy 3 9",
        Several(1),
        NAMES * 4,
        lambda: nn.LinearCrossEntropyLoss(3, 9),
        plain,
    ),
    "InfoNCELoss": lambda: ("info_nce temperature=0.1", Several(2), NAMES, nn.Identity, lambda _, y, t: clip(*y)),
    "NTXentLoss": lambda: ("nt_xent temperature=0.5", Several(2), NAMES, nn.Identity, lambda _, y, t: simclr(*y)),
    "MeanLoss": lambda: ("mean maximise", Several(1), NAMES, nn.Identity, lambda _, y, t: -y.mean()),
    "LoadBalanceLoss": lambda: (
        "load_balance chosen=2",
        Several(1),
        NAMES,
        nn.Identity,
        lambda _, y, t: balanced(y, 2),
    ),
    "DistillationLoss": lambda: (
        "distillation temperature=2",
        Several(1),
        NUMBERS,
        nn.Identity,
        lambda _, y, t: soft(y, t),
    ),
}


class Gaussian(Several):
    """A mean and a variance."""

    def __init__(self) -> None:
        super().__init__(2)

    def forward(self, x: torch.Tensor) -> Any:
        mean, variance = super().forward(x)
        return {"mean": mean, "variance": variance.exp()}


def test_every_loss_has_a_case() -> None:
    assert sorted(CASES) == sorted(cls.__name__ for cls in LOSSES.classes())


@pytest.mark.parametrize("name", CASES)
def test_one_step(name: str) -> None:
    row, mine, target, make, call = CASES[name]()
    theirs = CASES[name]()[1]
    x = torch.randn(N, 8, generator=torch.Generator().manual_seed(1))
    train(mine, section(loss=row, batch=N, epochs=1), Data(Split((x,), target), None, None, ("input",), None))
    torch.manual_seed(0)  # a loss with weights of its own draws them under the run's seed
    module = make()
    rows = torch.randperm(N, generator=seeded(0, 0))
    optimizer = torch.optim.SGD([*theirs.parameters(), *module.parameters()], lr=0.1)
    outputs = theirs(x[rows])
    outputs = tuple(outputs.values()) if isinstance(outputs, dict) else outputs
    call(module, outputs, target[rows]).backward()
    optimizer.step()
    before = CASES[name]()[1].state_dict()
    for key, value in mine.state_dict().items():
        assert torch.equal(value, theirs.state_dict()[key])
        assert not torch.equal(value, before[key]) or "bias" in key


LAYERS = {
    "KLDivLoss": "[fc 3, log_softmax 1]",
    "NLLLoss": "[fc 3, log_softmax 1]",
    "BCELoss": "[fc 3, sigmoid]",
    "HingeEmbeddingLoss": "[fc 3, abs]",
    "GaussianNLLLoss": "{mean: fc 3, spread: fc(in) 3, variance: exp}\noutputs: [mean, variance]",
    "CosineEmbeddingLoss": "{a: fc 3, b: fc(in) 3}\noutputs: [a, b]",
    "MarginRankingLoss": "{a: fc 3, b: fc(in) 3}\noutputs: [a, b]",
    "TripletMarginLoss": "{a: fc 3, b: fc(in) 3, c: fc(in) 3}\noutputs: [a, b, c]",
    "TripletMarginWithDistanceLoss": "{a: fc 3, b: fc(in) 3, c: fc(in) 3}\noutputs: [a, b, c]",
    "CTCLoss": "[fc 20, unflatten 1 5x4, transpose 0 1, log_softmax 2]",
    "AdaptiveLogSoftmaxWithLoss": "[fc 32]",
    "InfoNCELoss": "{a: fc 3, b: fc(in) 3}\noutputs: [a, b]",
    "NTXentLoss": "{a: fc 3, b: fc(in) 3}\noutputs: [a, b]",
}
"""The network of each loss; without one it is a linear layer."""


@pytest.mark.filterwarnings("ignore:the train part has no sample")
@pytest.mark.parametrize("name", CASES)
def test_one_step_from_a_spec(name: str, tmp_path: Path) -> None:
    row, _, target, _, _ = CASES[name]()
    x = torch.randn(N, 8, generator=torch.Generator().manual_seed(1))
    np.savez(tmp_path / "d.npz", x=x.numpy(), y=target.numpy())
    (tmp_path / "s.yaml").write_text(
        f"netspec: 1\ninput: 8\nlayers: {LAYERS.get(name, '[fc 3]')}\n"
        f"data: {{source: npz d.npz, split: {{val: 0}}}}\n"
        f"train: {{loss: {row}, optimizer: sgd lr=0.1, batch: {N}, epochs: 1}}\n"
    )
    spec = netspec.load(tmp_path / "s.yaml")
    assert spec.warnings == ()
    torch.manual_seed(0)
    before = {name: p.clone() for name, p in spec.build().state_dict().items()}
    trained = spec.train()
    assert trained.history.steps == 1
    assert any(not torch.equal(p, before[name]) for name, p in trained.module.state_dict().items())
