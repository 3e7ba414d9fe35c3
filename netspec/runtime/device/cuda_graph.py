"""CUDA graphs: what is computed of tensors as one graph, recorded once, launched by a single call ever after.

On a GPU, the step of a small network is mostly the time that Python needs to launch some hundred kernels.
See https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import torch
from torch import nn

from netspec.runtime.device.process_group import World
from netspec.runtime.train.optimizers import gives_sparse
from netspec.sections.train_record import Train

KNOWN: Final = ("torch.nn.", "netspec.built.")
"""Where modules come from that compute the same whenever they are called: no Python of theirs depends on the call."""
WAITS: Final = "called a synchronizing CUDA operation"
"""What torch says where the processor waits for the device."""


T = TypeVar("T")
Fields = tuple[torch.Tensor, ...]
"""The tensors that something is computed of."""
Launch = Callable[[], None]
"""Computes again what was recorded, over the same memory."""


class Graphs(Protocol):
    """What records on a device."""

    def capture(self, compute: Callable[[], T]) -> tuple[Launch, T]:
        """Record a computation, without doing it, and what it gives: tensors that each launch fills anew.

        Raises RuntimeError, and leaves everything as it was, where something in it cannot be recorded.
        """

    def waits(self, action: Callable[[], object]) -> bool:
        """Do it, and see whether the processor has to wait for the device on the way."""

    def timed(self, action: Callable[[], T]) -> tuple[T, float]:
        """Do it: what it gave, and the seconds that the device took."""


class CudaGraphs:
    """Records on a CUDA device. All recordings of a run share the memory of what they need on the way."""

    def __init__(self, device: torch.device) -> None:
        """`device` may be without a number: the one that computes here."""
        self.device = device
        self._pool: Any = None

    def capture(self, compute: Callable[[], T]) -> tuple[Launch, T]:
        graph, self._pool = torch.cuda.CUDAGraph(), self._pool or torch.cuda.graph_pool_handle()
        number = torch.cuda.current_device() if self.device.index is None else self.device.index
        generator = torch.cuda.default_generators[number]
        random = generator.clone_state()
        try:
            # What other threads do meanwhile, such as read the next batches, is not recorded.
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                found = compute()
        except RuntimeError:
            generator.graphsafe_set_state(random)  # the other one still believes that it is recorded
            raise
        return graph.replay, found

    def waits(self, action: Callable[[], object]) -> bool:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                action()
            finally:
                torch.cuda.set_sync_debug_mode("default")
        return any(WAITS in str(warning.message) for warning in seen)

    def timed(self, action: Callable[[], T]) -> tuple[T, float]:
        torch.cuda.synchronize(self.device)
        begun = time.perf_counter()
        given = action()
        torch.cuda.synchronize(self.device)
        return given, time.perf_counter() - begun


RECORDING: Final[dict[str, Callable[[torch.device], Graphs]]] = {"cuda": CudaGraphs}
"""What records, by the kinds of device for which something does."""


def graphs_of(device: torch.device) -> Graphs | None:
    """What records on a device; None where nothing does."""
    made = RECORDING.get(device.type)
    return made(device) if made else None


def unrecordable(module: nn.Module, train: Train, device: torch.device, world: World) -> str:
    """Why the steps of a run cannot be recorded; nothing where they can."""
    if device.type not in RECORDING:
        return "it computes on no CUDA device"
    if world.size > 1:
        return "several processes train it"
    if train.compile:
        return "compile records it in a way of its own"
    if train.optimizer.needs_closure:
        return "its optimizer computes the loss as often as it likes"
    if train.players:
        return "players take turns in it"
    if reason := changeable(module):
        return reason
    for name, part in module.named_modules():
        if gives_sparse(part):
            return f"{name or 'the network'} gives sparse gradients"
        if isinstance(part, nn.RNNBase):
            return f"{name or 'the network'} is a {type(part).__name__}, for which cuDNN keeps a state of its own"
    return ""


def changeable(module: nn.Module) -> str:
    """Why a call of the network may do another thing each time; nothing where its Python is known not to."""
    for name, part in module.named_modules():
        if not type(part).__module__.startswith(KNOWN):
            return f"{name or 'the network'} is a {type(part).__name__}, whose Python may do another thing each time"
        if part._forward_hooks or part._forward_pre_hooks:
            return f"{name or 'the network'} has hooks, whose Python may do another thing each time"
    return ""


def refusal(reason: str) -> str:
    """What is said to a spec that insists on recording."""
    return f"a step cannot be recorded: {reason}. Leave cuda_graph out, or write cuda_graph: false."


@dataclass(frozen=True, slots=True)
class Recording:
    """A computation with the tensors that it reads and writes each time."""

    start: Launch
    fields: tuple[torch.Tensor, ...]
    """What it reads."""
    gradients: tuple[torch.Tensor | None, ...]
    """One for each parameter, of its shape, where it leaves one."""
    found: Any
    """What it gives, in tensors that each launch fills anew."""

    def launch(self, fields: Fields, parameters: Sequence[nn.Parameter]) -> Any:
        """Compute it of these tensors, which are copied to where it reads, and hand out its gradients.

        They are of the shapes that were recorded.
        """
        torch._foreach_copy_(self.fields, fields)
        self.start()
        for parameter, gradient in zip(parameters, self.gradients, strict=True):
            parameter.grad = gradient
        return self.found


class Recorder:
    """Records what is computed of tensors of a few shapes, when it first meets one of them.

    A run that is resumed has recorded by its first step what one that was never stopped has recorded long ago: with
    another kernel somewhere, as a library may choose one while it records, they would not be the same to the bit.
    """

    def __init__(self, graphs: Graphs, module: nn.Module, parameters: Sequence[nn.Parameter]) -> None:
        """A computation changes the gradients of the `parameters`, the buffers of `module`, and what it knows of."""
        self.graphs, self.module, self.parameters = graphs, module, parameters
        self._recordings: dict[Hashable, Recording] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._recordings

    def launch(self, key: Hashable, fields: Fields) -> Any:
        """What was recorded under that key, computed of these tensors."""
        return self._recordings[key].launch(fields, self.parameters)

    def warm(self, compute: Callable[[Fields], object], fields: Fields) -> str:
        """Try a computation that leaves gradients, so that libraries set up; nothing of it stays.

        Why it cannot be recorded; nothing where it can.
        """
        with undone(self.module, self.parameters):
            compute(fields)  # what is made ready the first time may wait
            forget_gradients(self.parameters)
            waits = self.graphs.waits(lambda: compute(fields))
        return "it looks at numbers on its way" if waits else ""

    def record(self, key: Hashable, compute: Callable[[Fields], object], fields: Fields) -> str:
        """Record a computation of tensors like these, without doing it; or say why not."""
        mine = tuple(x.clone() for x in fields)
        forget_gradients(self.parameters)
        try:
            start, found = self.graphs.capture(lambda: compute(mine))
        except RuntimeError as error:
            forget_gradients(self.parameters)
            return str(error.__context__ or error).partition("\n")[0]
        self._recordings[key] = Recording(start, mine, tuple(p.grad for p in self.parameters), found)
        return ""

    def forget(self, key: Hashable) -> None:
        """Give up a recording, and the memory of its gradients."""
        if self._recordings.pop(key, None) is not None:
            forget_gradients(self.parameters)


@contextlib.contextmanager
def undone(module: nn.Module, parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """What a computation of gradients changes within it is afterwards as it was, without gradients."""
    device = parameters[0].device
    buffers = [(x, x.clone()) for x in module.buffers()]
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            with torch.no_grad():
                for buffer, before in buffers:
                    buffer.copy_(before)
            forget_gradients(parameters)


def forget_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Leave no parameter a gradient, so that a recording finds them as the first step does."""
    for parameter in parameters:
        parameter.grad = None
