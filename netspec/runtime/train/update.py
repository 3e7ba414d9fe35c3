"""What a step does with its gradients: it clips them, moves the weights, and lets averages follow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn

from netspec.runtime.train.optimizers import Several

if TYPE_CHECKING:
    from netspec.runtime.train.state import State

COUNTLESS: Final = ("SGD", "Muon")
"""Optimizers that count no steps."""
MOST = 16
"""The most steps of a launch."""


class Update:
    """The update of a run; where steps may be recorded, the device reads the rate of each group from a tensor.

    It does so whether or not they are, because a rate of the processor's is rounded another way.
    """

    def __init__(self, state: State, clip: float | None) -> None:
        """`clip` is the largest norm of all gradients together; None leaves them as they are."""
        self.optimizer, self.parameters, self.clip = state.optimizer, state.trained, clip
        self.slow, self.averages, self.module = state.slow, state.averages, state.module
        parts = state.optimizer.parts if isinstance(state.optimizer, Several) else [state.optimizer]
        held = [(part, group) for part in parts for group in part.param_groups]
        moves = any(schedule.moves for schedule in state.schedules)
        reasons = [state.unrecordable, *(_reason(*each, moves) for each in held)]
        reasons += ["a schedule moves the momentum"] * any(schedule.moves_momentum for schedule in state.schedules)
        self.unrecordable = next(filter(None, reasons), "")
        """Why it cannot be recorded; nothing where it can."""
        self.plain = bool(state.unrecordable)
        """Whether it is made as if nothing ever were."""
        self.taking = [] if self.plain else [number for number, each in enumerate(held) if _takes_rate(*each)]
        """The numbers of the groups whose rates the device reads."""
        self.rates = torch.zeros(MOST, len(self.taking), device=state.device)
        """Steps of a launch x groups."""
        self._planned: list[list[float]] = []
        self._written: list[list[float]] = []
        self._constants: list[dict[str, Any]] = []
        self.clipped: torch.Tensor | None = None
        """The norm that the gradient of the newest step had before it was clipped, where it is."""

    def plan(self, place: int) -> None:
        """Note the rates as the schedules have set them, for a step of the next launch, counted from 0."""
        if self.plain:
            return
        self._planned[place:] = [[float(group["lr"]) for group in self._takers()]]
        if place:  # what a launch has as a number cannot move within it
            assert self.constants() == self._constants
        else:
            self._constants = self.constants()

    def write(self) -> None:
        """Have the device know the rates that were noted."""
        if not self._planned:
            self.plan(0)
        if self._planned != self._written:
            self._written = list(self._planned)
            self.rates[: len(self._written)].copy_(
                torch.tensor(self._written, pin_memory=self.rates.is_cuda), non_blocking=True
            )

    def __call__(self, step: int) -> None:
        """Take it; behind it so many steps of the run are done."""
        if self.taking:
            self.write()
        self.weights(0)
        self.behind(step)

    def shorten(self) -> None:
        """Clip the gradients, where the spec says so."""
        if self.clip is not None:
            self.clipped = nn.utils.clip_grad_norm_(self.parameters, self.clip)

    def weights(self, place: int) -> None:
        """Clip the gradients and move the weights, by the rates of one of the steps of a launch."""
        self.shorten()
        if not self.taking:
            self.optimizer.step()
            return
        with lent(self._takers(), self.rates[place]):
            self.optimizer.step()

    def behind(self, step: int) -> None:
        """Let slow weights and averages follow, when so many steps of the run are done."""
        if self.slow is not None:
            self.slow.after(step)
        for average in self.averages:
            average.update_parameters(self.module)

    def recorded(self, place: int) -> None:
        """What a recording has of it: all that the device does, where nothing depends on the step."""
        self.weights(place)
        if self.slow is None:
            for average in self.averages:
                average.follow(self.module)

    def launched(self, step: int, steps: int) -> None:
        """Do what is left to the processor behind recorded steps, when so many of the run are done."""
        if self.slow is not None:
            self.behind(step)
        else:
            for average in self.averages:
                average.n_averaged += steps

    def norm(self) -> torch.Tensor | None:
        """The norm that the newest step's gradient had before it was clipped; None where some of it is sparse."""
        return norm_of(self.parameters, self.clipped)

    def constants(self) -> list[dict[str, Any]]:
        """What the update reads on the processor, and must be as it was recorded: all options but rates in tensors."""
        found = [{k: v for k, v in group.items() if k != "params"} for group in self.optimizer.param_groups]
        for number in self.taking:
            del found[number]["lr"]
        return found

    def _takers(self) -> list[dict[str, Any]]:
        """The groups whose rates the device reads; a state that is taken up makes others of them."""
        groups = self.optimizer.param_groups
        return [groups[number] for number in self.taking]


def _takes_rate(optimizer: torch.optim.Optimizer, group: dict[str, Any]) -> bool:
    """Whether a rate may be a tensor on the device, for which the processor need not wait."""
    return bool(group.get("capturable") or (isinstance(optimizer, torch.optim.SGD) and group["fused"]))


def _reason(optimizer: torch.optim.Optimizer, group: dict[str, Any], moves: bool) -> str:
    """Why the update of a group cannot be recorded, where a schedule moves rates or not."""
    name = type(optimizer).__name__
    if _takes_rate(optimizer, group):
        return ""
    if name not in COUNTLESS:
        return f"{name} counts its steps on the processor"
    return f"{name} reads its rate, which a schedule moves, on the processor" if moves else ""


@contextlib.contextmanager
def lent(groups: Sequence[dict[str, Any]], rates: torch.Tensor) -> Iterator[None]:
    """Within it the groups have these rates, one each, in place of their own numbers."""
    own = [group["lr"] for group in groups]
    for group, rate in zip(groups, rates.unbind(), strict=True):
        group["lr"] = rate
    try:
        yield
    finally:
        for group, rate in zip(groups, own, strict=True):
            group["lr"] = rate


def norm_of(parameters: Iterable[nn.Parameter], known: torch.Tensor | None = None) -> torch.Tensor | None:
    """The norm of all gradients together, or one that is `known`; None where some are sparse, or only some spread.

    Where they are spread over processes, all of these call it together.
    """
    held = [known] if known is not None else [p.grad for p in parameters if p.grad is not None]
    spread = {hasattr(each, "to_local") for each in held}
    if len(spread) != 1 or any(each.is_sparse for each in held):
        return None
    norm: Any = nn.utils.get_total_norm(held)
    whole: torch.Tensor = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
    return whole.float()
