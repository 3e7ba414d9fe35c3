"""Slow weights beside those that are trained, from which training goes on every few steps."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from netspec.sections.train_record import Lookahead


class Slow:
    """The slow weights of a run of `total` steps, which begin as the network does."""

    def __init__(self, wanted: Lookahead, followed: Mapping[str, torch.Tensor], total: int) -> None:
        """`followed` are what is trained and what norms measure, floats by their names."""
        self.wanted, self.total = wanted, total
        self.fast = {name: tensor.detach() for name, tensor in followed.items()}
        self.held = {name: tensor.clone() for name, tensor in self.fast.items()}

    def after(self, step: int) -> None:
        """Meet behind this step, counted from 1, where one is due; behind the last the network has the slow weights."""
        met = step % self.wanted.every == 0
        slow, fast = list(self.held.values()), list(self.fast.values())
        if met:
            keep = self.wanted.keep * (step / self.total) ** self.wanted.power
            torch._foreach_lerp_(slow, fast, 1 - keep)
        if met or step == self.total:
            torch._foreach_copy_(fast, slow)

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take up the slow weights of a checkpoint."""
        for name, tensor in self.held.items():
            tensor.copy_(state[name])
