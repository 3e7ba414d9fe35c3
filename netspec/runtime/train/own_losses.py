"""Modules of the losses that torch.nn does not have."""

from __future__ import annotations

from math import log
from typing import Final

import torch
from torch import nn
from torch.nn import functional

HIGHEST: Final = 100.0
"""What the inverse of a learned temperature is at most, as in CLIP."""


class InfoNCELoss(nn.Module):
    """The cross entropy of which rows of two outputs belong together, a single number."""

    def __init__(
        self, temperature: float = 0.07, learned: bool = False, symmetric: bool = True, normalize: bool = True
    ) -> None:
        super().__init__()
        self.temperature, self.symmetric, self.normalize = temperature, symmetric, normalize
        self.logit_scale = nn.Parameter(torch.tensor(log(1 / temperature))) if learned else None

    def forward(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """The loss of two outputs, both batch x features."""
        if self.normalize:
            one, other = functional.normalize(one, dim=1), functional.normalize(other, dim=1)
        if self.logit_scale is not None:
            scores = self.logit_scale.exp().clamp(max=HIGHEST) * one @ other.t()
        else:
            scores = one @ other.t() / self.temperature
        own = torch.arange(len(one), device=one.device)
        loss = functional.cross_entropy(scores, own)
        return (loss + functional.cross_entropy(scores.t(), own)) / 2 if self.symmetric else loss


class NTXentLoss(nn.Module):
    """The normalized temperature-scaled cross entropy of two outputs, a single number."""

    def __init__(self, temperature: float = 0.5) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """The loss of two outputs, both batch x features."""
        rows = functional.normalize(torch.cat([one, other]), dim=1)
        scores = rows @ rows.t() / self.temperature
        scores = scores.masked_fill(torch.eye(len(rows), dtype=torch.bool, device=rows.device), float("-inf"))
        own = torch.arange(len(rows), device=rows.device).roll(len(one))
        return functional.cross_entropy(scores, own)


class MeanLoss(nn.Module):
    """The mean of an output, or that taken away."""

    def __init__(self, maximise: bool = False) -> None:
        super().__init__()
        self.maximise = maximise

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """The loss of an output of any shape, a single number."""
        return -values.mean() if self.maximise else values.mean()


class LoadBalanceLoss(nn.Module):
    """How unevenly a router spreads tokens over experts, a single number."""

    def __init__(self, chosen: int = 1) -> None:
        super().__init__()
        self.chosen = chosen

    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        """The loss of scores with the experts on the last axis, over all tokens on the others."""
        likely = scores.flatten(0, -2).softmax(1)
        experts = likely.shape[1]
        choices = functional.one_hot(likely.topk(self.chosen).indices, experts).to(likely.dtype)
        return experts * (choices.mean(0) * likely.mean(0)).sum()


class DistillationLoss(nn.Module):
    """The divergence of softened probabilities from a teacher's, a single number: a sum over the classes."""

    def __init__(self, temperature: float = 1.0, dim: int = 1) -> None:
        super().__init__()
        self.temperature, self.dim = temperature, dim

    def forward(self, scores: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """The loss of scores and a teacher's scores of the same shape, a mean over all but the classes."""
        soft, wanted = (functional.log_softmax(x / self.temperature, self.dim) for x in (scores, target))
        loss = functional.kl_div(soft, wanted, reduction="sum", log_target=True)
        return loss / (scores.numel() // scores.shape[self.dim]) * self.temperature**2
