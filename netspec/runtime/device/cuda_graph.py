"""CUDA graphs: forward, loss and backward of a batch as one graph, recorded once, launched by a single call ever after.

On a GPU, the step of a small network is mostly the time that Python needs to launch some hundred kernels.
See https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import torch
from torch import nn

from netspec.errors import UsageError
from netspec.runtime.data.mixing import Batch, Target
from netspec.runtime.data.split import like, tensors
from netspec.runtime.device.process_group import World
from netspec.runtime.train.optimizers import gives_sparse
from netspec.sections.train_record import Train

KNOWN: Final = ("torch.nn.", "netspec.built.")
"""Where modules come from that compute the same whenever they are called: no Python of theirs depends on the call."""
WAITS: Final = "called a synchronizing CUDA operation"
"""What torch says where the processor waits for the device."""


class Found(NamedTuple):
    """What a batch gave besides gradients."""

    loss: torch.Tensor
    share: torch.Tensor | None = None
    """What it counts for in a mean over several; None where that is known by its samples."""
    parts: torch.Tensor | None = None
    """Of several losses each by itself, and what it counts for: 2 x losses. None where there is one."""


Compute = Callable[[tuple[torch.Tensor, ...], Target], Found]
"""Leaves the gradients of the parameters, which have none before."""


def unrecordable(module: nn.Module, train: Train, device: torch.device, world: World) -> str:
    """Why the steps of a run cannot be recorded; nothing where they can."""
    if device.type != "cuda":
        return "it computes on no CUDA device"
    if world.size > 1:
        return "several processes train it"
    if train.compile:
        return "compile records it in a way of its own"
    if train.accumulate > 1 or train.optimizer.needs_closure:
        return "a step takes several passes"
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
    """A graph with the tensors that it reads and writes each time."""

    graph: torch.cuda.CUDAGraph
    """One whole training step but for the optimizer."""
    fields: tuple[torch.Tensor, ...]
    """The inputs and the target that it reads, batch first."""
    gradients: tuple[torch.Tensor | None, ...]
    """One for each parameter, of its shape; None for one that has none."""
    found: Found

    def launch(self, fields: Sequence[torch.Tensor], parameters: Sequence[nn.Parameter]) -> Found:
        """Run the recorded step on these tensors, copied to where it reads, and hand out its gradients.

        `fields` are the inputs and the target of a batch, in the shapes that were recorded.
        """
        for mine, given in zip(self.fields, fields, strict=True):
            mine.copy_(given)
        self.graph.replay()
        for parameter, gradient in zip(parameters, self.gradients, strict=True):
            parameter.grad = gradient
        return self.found


class Recorder:
    """Computes the batches of a run, which have few shapes, and records how when it first meets one of a shape.

    A run that is resumed has recorded by its first step what one that was never stopped has recorded long ago: with
    another kernel somewhere, as a library may choose one while it records, they would not be the same to the bit.

    What looks at numbers on its way cannot be recorded: it goes on one kernel at a time. Where recording is
    `required`, UsageError is raised.
    """

    def __init__(self, module: nn.Module, parameters: Sequence[nn.Parameter], required: bool = False) -> None:
        """A computation changes the gradients of the `parameters`, the buffers of `module`, and nothing else."""
        self.module, self.parameters, self.required = module, parameters, required
        self.failed = False
        self._recordings: dict[Any, Recording] = {}
        self._pool: Any = None

    def __call__(self, compute: Compute, inputs: tuple[torch.Tensor, ...], target: Target) -> Found:
        """What `compute` does with this batch. It is the same each time. Raises UsageError."""
        fields = tensors((inputs, target))
        shape = tuple((x.shape, x.stride(), x.dtype) for x in fields)
        if shape not in self._recordings and not self.failed:
            reason = self._record(compute, shape, (inputs, target))
            if reason and self.required:
                raise UsageError(refusal(reason))
            self.failed = bool(reason)
        if self.failed:
            return compute(inputs, target)
        return self._recordings[shape].launch(fields, self.parameters)

    def _record(self, compute: Compute, shape: Any, batch: Batch) -> str:
        """Record the computation over batches like this one, without having done it in the end; or say why not."""
        mine = tuple(x.clone() for x in tensors(batch))
        given = like(batch, mine)
        with undone(self.module, self.parameters):
            # Torch's libraries set up in it, which must not be recorded.
            waits = self._waits(lambda: compute(*given))
        if waits:
            return "it looks at numbers on its way"
        graph, self._pool = torch.cuda.CUDAGraph(), self._pool or torch.cuda.graph_pool_handle()
        generator = torch.cuda.default_generators[mine[0].device.index]
        random = generator.clone_state()
        try:
            # What other threads do meanwhile, such as read the next batches, is not recorded.
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                found = compute(*given)
        except RuntimeError as error:
            generator.graphsafe_set_state(random)  # the other one still believes that it is recorded
            forget_gradients(self.parameters)
            return str(error.__context__ or error).partition("\n")[0]
        self._recordings[shape] = Recording(graph, mine, tuple(p.grad for p in self.parameters), found)
        return ""

    def _waits(self, action: Callable[[], object]) -> bool:
        """Do it, and see whether the processor has to wait for the device on the way."""
        action()  # what is made ready the first time may wait
        forget_gradients(self.parameters)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                action()
            finally:
                torch.cuda.set_sync_debug_mode("default")
        return any(WAITS in str(warning.message) for warning in seen)


@contextlib.contextmanager
def undone(module: nn.Module, parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """What a computation of gradients changes within it is afterwards as it was: on CUDA, and no gradients."""
    device = parameters[0].device
    random = torch.cuda.get_rng_state(device)
    buffers = [(x, x.clone()) for x in module.buffers()]
    try:
        yield
    finally:
        torch.cuda.set_rng_state(random, device)
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
        forget_gradients(parameters)


def forget_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Leave no parameter a gradient, so that a recording finds them as the first step does."""
    for parameter in parameters:
        parameter.grad = None
