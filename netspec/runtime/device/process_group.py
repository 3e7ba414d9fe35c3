"""The process group, the processes that train one network together: which one this is, and what they tell each other.

torchrun, or `netspec train --nproc`, starts them and says in the environment who each one is. All of them run
the same loop, each over its rows of every batch. What decides how the loop goes on is agreed here, so that
all take the same turn at the same step.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar

import torch
from torch import distributed as dist
from torch import nn

from netspec.errors import NetspecError
from netspec.windows import refuse_on_windows

T = TypeVar("T")

PATIENCE: Final = timedelta(minutes=10)
"""How long a process waits for another that is there but does not answer. One that has ended is noticed at once."""
LOST: Final = ("gloo", "Connection closed by peer", "Connection reset by peer", "Broken pipe", "NCCL")
"""What torch's errors say where another process is gone."""


class Elsewhere(NetspecError):
    """A fault of another process, which ends this one too."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class World:
    """One process alone. What several would have to exchange, it has."""

    rank = 0
    size = 1
    local = 0
    """Which of the processes of its own machine this one is."""

    @property
    def main(self) -> bool:
        """Whether screen and files belong to this process."""
        return self.rank == 0

    divided = False
    """Whether each process computes rows of its own of the batch at hand."""

    def share(self, count: int) -> slice:
        """Which rows of a batch of so many this process computes.

        A batch with fewer rows than processes is not divided: each of them computes it as a whole.
        """
        return slice(0, count)

    def begin_batch(self, count: int) -> slice:
        """The same for the batch at hand from now on, which `local_loss` and the statistics of norms ask for."""
        return self.share(count)

    def seed(self, seed: int) -> int:
        """The seed of this process's own random numbers, such as dropout's."""
        return seed

    def whole(self, share: torch.Tensor) -> torch.Tensor:
        """What all rows of the batch at hand count for in a mean over several, of which `share` is for its own."""
        return share

    def local_loss(
        self, loss: torch.Tensor, share: Any, whole: Any, predictions: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """This process's addend to the loss over all rows of the batch at hand, of which `loss` is that over its own.

        `share` is what its rows count for in a mean over several batches: a tensor where they count differently, and
        then `whole` is what all rows do; a number where they count alike; None where the loss is a sum.
        """
        return counted(loss, share, predictions)[0] if isinstance(share, torch.Tensor) else loss

    def backward(self, loss: torch.Tensor) -> None:
        """Have the gradients of the sum of all processes' losses, each a single number, computed."""
        loss.backward()

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Leave the same mean gradients in all processes, for parameters outside the network."""

    def sum(self, x: torch.Tensor) -> torch.Tensor:
        """The sum over all processes, in the shape of `x`; `x` itself may hold it."""
        return x

    def stacked(self, x: torch.Tensor) -> torch.Tensor:
        """The tensors of all processes, on a new first axis; all are of one shape."""
        return x.unsqueeze(0)

    def maximum(self, number: int) -> int:
        """The largest of the processes' numbers."""
        return number

    def from_main(self, value: T) -> T:
        """The main process's value."""
        return value

    def gathered(self, value: T) -> list[T]:
        """The values of all processes."""
        return [value]

    @contextlib.contextmanager
    def all_or_none(self) -> Iterator[None]:
        """Raises in every process, at its end, if a NetspecError ended it in any."""
        yield


class Several(World):
    """One of several processes. `local` is its number on its own machine."""

    def __init__(self, local: int) -> None:
        """`local` is the number of this process on its machine. torch.distributed has begun."""
        self.rank, self.size, self.local = dist.get_rank(), dist.get_world_size(), local
        self.group = dist.new_group(backend="gloo", timeout=PATIENCE)
        """For words between the processes, which must not wait for a device."""
        self.part = 1.0
        """The share of the batch at hand that this process's rows are."""

    def share(self, count: int) -> slice:
        """The rows of this process, as many as in each other or one more; where there are too few for all, all rows."""
        if count < self.size:
            return slice(0, count)
        first, behind = (rank * count // self.size for rank in (self.rank, self.rank + 1))
        return slice(first, behind)

    def begin_batch(self, count: int) -> slice:
        """The rows of this process, and from here on the part of the batch that they are."""
        rows = self.share(count)
        self.divided = count >= self.size
        self.part = (rows.stop - rows.start) / count if self.divided else 1 / self.size
        return rows

    def seed(self, seed: int) -> int:
        """Another seed in each process, for what it draws for its own rows."""
        return seed + 1_000_003 * self.rank

    def whole(self, share: torch.Tensor) -> torch.Tensor:
        """An all-reduce of the shares, where each process has rows of its own."""
        return self.sum(share.clone()) if self.divided else share

    def local_loss(
        self, loss: torch.Tensor, share: Any, whole: Any, predictions: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """The loss times the part of the batch that its rows are, so that all processes' add up to the batch's."""
        if share is None:
            return loss if self.divided else loss / self.size
        if not isinstance(share, torch.Tensor):  # every row counts alike
            return loss * self.part
        loss, counts = counted(loss, share, predictions)
        part = share / whole.where(whole > 0, 1) if self.divided else 1 / self.size
        return (loss * part).where(counts, 0)

    def backward(self, loss: torch.Tensor) -> None:
        # DDP and FSDP leave the mean of the processes' gradients.
        (loss * self.size).backward()

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """An all-reduce of each gradient that some process has, divided by their number."""
        for p in parameters:
            # What no process needed for its rows keeps none, so that the optimizer passes over it.
            if self.maximum(p.grad is not None):
                p.grad = self.sum(torch.zeros_like(p) if p.grad is None else p.grad).div_(self.size)

    def sum(self, x: torch.Tensor) -> torch.Tensor:
        """The sum over all processes of a tensor of one shape in all: an all-reduce, in place."""
        dist.all_reduce(x)
        return x

    def stacked(self, x: torch.Tensor) -> torch.Tensor:
        """An all-gather: processes x the shape of `x`."""
        found = x.new_empty((self.size, *x.shape))
        dist.all_gather(list(found), x)
        return found

    def maximum(self, number: int) -> int:
        """The largest of the numbers of all processes, exchanged on the CPU."""
        found = torch.tensor(number)
        dist.all_reduce(found, dist.ReduceOp.MAX, group=self.group)
        return int(found)

    def from_main(self, value: T) -> T:
        """The first process's value, pickled and broadcast."""
        held = [value]
        dist.broadcast_object_list(held, 0, group=self.group)
        return held[0]

    def gathered(self, value: T) -> list[T]:
        """The values of all processes in the order of their ranks, pickled and gathered."""
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value, group=self.group)
        return found

    @contextlib.contextmanager
    def all_or_none(self) -> Iterator[None]:
        """Where one process meets a problem within it, all of them raise: the one their own, the others Elsewhere."""
        fault: NetspecError | None = None
        try:
            yield
        except NetspecError as error:
            fault = error
        faults = self.gathered((fault.exit_code, str(fault)) if fault else None)
        if fault:
            raise fault
        for rank, other in enumerate(faults):
            if other:
                code, message = other
                raise Elsewhere(code, message if rank == 0 else f"process {rank}: {message}")


def counted(
    loss: torch.Tensor, share: torch.Tensor, predictions: Sequence[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """`loss` where its rows count for anything, else 0; and whether they do.

    A mean over nothing is 0/0, and so are its gradients.
    """
    counts = share > 0
    for prediction in predictions:
        if prediction.requires_grad:
            prediction.register_hook(lambda gradient: gradient.where(counts, 0))
    return loss.where(counts, 0), counts


ALONE: Final = World()


@contextlib.contextmanager
def joined() -> Iterator[World]:
    """The processes that the environment names, for as long as it is entered; one alone where it names none.

    Raises Elsewhere where another process ends before its time, and UsageError on Windows.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    refuse_on_windows("a run of several processes", "Start it by `netspec train` alone.")
    ours = not dist.is_initialized()
    if ours:
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    try:
        yield Several(int(os.environ.get("LOCAL_RANK", "0")))
    except RuntimeError as error:
        if not any(word in str(error) for word in LOST):
            raise
        raise Elsewhere(1, "another process of the run has ended, so this one ends too") from error
    finally:
        if ours:
            dist.destroy_process_group()
