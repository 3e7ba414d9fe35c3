"""A trial: one step of a training, and what it took of memory and of time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.profiler import ProfilerActivity, profile

from netspec.errors import Diverged
from netspec.runtime.train.step import AT_ONCE, NotFinite
from netspec.streams import unheard

if TYPE_CHECKING:
    from collections.abc import Callable

    from netspec.runtime.train.loop import Trainer

SECONDS: Final = 1.0
"""For how long steps are taken to see how fast they are."""
MOST: Final = 200
"""The most steps that are taken for that."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What one step took."""

    samples: int
    """How many it was over."""
    saved: int
    """Bytes that forward kept for backward, those of parameters and buffers apart."""
    peak: int
    """The most bytes that tensors took at once, in the second step, when the optimizer holds what it will."""
    seconds: float
    """Of such a step, the fastest of several."""
    count: int
    """How many samples an epoch is over."""

    @property
    def epoch_seconds(self) -> float:
        """About how long the steps of an epoch take, without measuring."""
        return self.seconds / self.samples * self.count


def tried(trainer: Trainer) -> Trial:
    """Take the first step again and again for about a second, and leave nothing behind but the optimizer's state.

    Raises Diverged where its loss is not finite.
    """
    rows, stepper = trainer.first_batch(), trainer.stepper
    recorder, stepper.recorder = stepper.recorder, None  # what is recorded once is not kept anew
    hold_still(trainer)

    def step() -> None:
        take(trainer, rows)

    step()
    held = _held(trainer)
    saved = _saved(step, {each.untyped_storage().data_ptr() for each in held})
    peak = _peak(step, stepper.device, sum(_sizes(held + _states(trainer)).values()))
    stepper.recorder = recorder
    return Trial(len(rows), saved, peak, _fastest(step), trainer.state.count)


def take(trainer: Trainer, rows: torch.Tensor) -> None:
    """Take the first step with these samples, to its end. Raises Diverged where its loss is not finite."""
    try:
        trainer.stepper(rows, 0, 0)
    except NotFinite as fault:
        raise Diverged(f"in step 1 the loss is {fault.value}", f". {AT_ONCE}") from None
    if trainer.stepper.device.type == "cuda":
        torch.cuda.synchronize(trainer.stepper.device)


def hold_still(trainer: Trainer) -> None:
    """Have all updates be of nothing: hundreds of steps over one batch would diverge, or end in numbers near 0.

    One that looks for the length of its step needs a rate.
    """
    state = trainer.state
    for optimizer in (state.optimizer, *(turn.optimizer for turn in state.turns)):
        for group in optimizer.param_groups if not trainer.stepper.closure else ():
            group["lr"] = 0 * group["lr"]


def _held(trainer: Trainer) -> list[torch.Tensor]:
    """What is there all the time and no optimizer's: parameters and buffers, of losses and averages too."""
    state = trainer.state
    modules = [state.module, state.objective.module, *([state.average] if state.average is not None else [])]
    slow = state.slow.held.values() if state.slow is not None else ()
    return [*slow, *(each for m in modules for each in (*m.parameters(), *m.buffers()))]


def _states(trainer: Trainer) -> list[torch.Tensor]:
    """What the optimizer holds."""
    return [x for state in trainer.state.optimizer.state.values() for x in state.values() if torch.is_tensor(x)]


def _sizes(tensors: list[torch.Tensor]) -> dict[int, int]:
    """The bytes of the memory that tensors lie in, by where it begins."""
    return {each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in tensors}


def _saved(step: Callable[[], None], held: set[int]) -> int:
    """Bytes of all that a step keeps for backward, each piece of memory once."""
    found: dict[int, int] = {}
    kept: list[Any] = []  # so that no place in memory is given out twice

    def pack(x: torch.Tensor) -> torch.Tensor:
        storage = x.untyped_storage()
        if storage.data_ptr() not in held:
            found[storage._cdata] = storage.nbytes()
            kept.append(x.detach())
        return x

    with saved_tensors_hooks(pack, lambda x: x):
        step()
    return sum(found.values())


def _peak(step: Callable[[], None], device: torch.device, before: int) -> int:
    """The most bytes that tensors take at once during a step; `before` are there from the beginning."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        step()
        return torch.cuda.max_memory_allocated(device)
    with unheard(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        step()
    results: Any = seen.profiler.kineto_results
    events = [e for e in results.events() if e.name() == "[memory]"]
    most = now = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return before + most


def _fastest(step: Callable[[], None]) -> float:
    """Seconds of a step, the fastest of those that about a second has room for."""
    end, best = time.perf_counter() + SECONDS, float("inf")
    for _ in range(MOST):
        begun = time.perf_counter()
        step()
        now = time.perf_counter()
        best = min(best, now - begun)
        if now >= end:
            break
    return best
