"""The losses of an epoch's steps, on the device, and what each of them counts for in a mean."""

from __future__ import annotations

from typing import Any

import torch

from netspec.runtime.train.forms import need_tensor
from netspec.runtime.train.loss import Objective


class Losses:
    """A loss for each step of an epoch, and of several losses each; what is read of them waits for the device."""

    def __init__(self, objective: Objective, steps: int, samples: int, count: int, device: torch.device) -> None:
        """Of an epoch of `steps` over `count` samples, of which a step takes `samples`, the last one what is left."""
        self.objective = objective
        self.each = torch.zeros(steps, device=device)
        self.shares = torch.full_like(self.each, samples)
        """What each counts for: its samples, where they do not count differently."""
        self.shares[-1] = count - (steps - 1) * samples
        self.parts = torch.zeros(steps, 2, len(objective.names), device=device)
        """Of several losses each, and what it counts for, step by step."""

    def note(self, at: int | slice, loss: torch.Tensor, share: torch.Tensor | None, parts: torch.Tensor | None) -> None:
        """Note the loss of a step, or of several; its share and those of several losses, where it has made them."""
        self.each[at] = loss
        if share is not None:
            self.shares[at] = share
        if parts is not None:
            self.parts[at] = parts

    def newest(self, index: int) -> float:
        """The loss of the newest of `index` steps; 0 where there is none."""
        return float(self.each[index - 1]) if index else 0.0

    def not_finite(self, index: int) -> tuple[int, float] | None:
        """The first of `index` steps whose loss is not finite, counted from 0, and that loss."""
        seen = self.each[:index]
        wrong = ~seen.isfinite()
        if not bool(wrong.any()):
            return None
        first = int(wrong.nonzero()[0])
        return first, float(seen[first])

    def means(self, begin: int, end: int) -> dict[str, float]:
        """The mean losses of some steps, each for its share: `loss`, and of several each: `aux.loss`."""
        steps = slice(begin, end)
        found = {"loss": _mean(self.each[steps], self.shares[steps], self.objective.sums)}
        for place, criterion in enumerate(self.objective.criteria if self.objective.several else ()):
            losses, shares = self.parts[steps, :, place].unbind(1)
            found[f"{criterion.term.name}.loss"] = _mean(losses, shares, criterion.sums)
        return found

    @property
    def _held(self) -> dict[str, torch.Tensor]:
        """What a saved state has of them, by its names there."""
        held = {"losses": self.each, "shares": self.shares}
        return held | ({"parts": self.parts} if self.objective.several else {})

    def state(self, index: int) -> dict[str, torch.Tensor]:
        """What is saved behind `index` steps."""
        return {name: tensor[:index] for name, tensor in self._held.items()}

    def need_alike(self, state: dict[str, Any], index: int) -> None:
        """Refuse a saved state that is not of the form of `index` steps. Raises ValueError."""
        for name, tensor in self._held.items():
            need_tensor(state[name], (index, *tensor.shape[1:]), tensor.dtype, name)

    def load(self, state: dict[str, Any], index: int) -> None:
        """Take up what was saved behind `index` steps."""
        for name, tensor in self._held.items():
            tensor[:index] = state[name].to(tensor.device)


def _mean(losses: torch.Tensor, shares: torch.Tensor, sums: bool) -> float:
    """The mean of losses over steps, each for its share, or for all samples where they are sums."""
    losses, shares = losses.double(), shares.double()
    total = losses.sum() if sums else (losses * shares).sum()
    whole = shares.sum()
    return float(total / whole.where(whole > 0, 1))
