"""Device and precision of a run, its threads, and the order of a map's numbers in memory."""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Final

import torch
from torch import nn

from netspec.errors import UsageError
from netspec.machine import LARGEST_DEVICE
from netspec.runtime.device.process_group import ALONE, World
from netspec.runtime.network.stretches import Scores
from netspec.sections.train_record import Train

LACKING: Final = " (does not have a deterministic implementation|defaults to a non-deterministic algorithm)"
"""What torch says of an operation, behind its name, whose kernel may give other bits each time."""


def choose_device(word: str, world: World = ALONE) -> torch.device:
    """The device that `word` names; `auto` takes an accelerator if there is one. Raises UsageError.

    Of several processes on a machine each takes a CUDA device of its own.
    """
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if word == "auto":
        word = next(name for name in ("cuda", "mps", "cpu") if here[name])
    if not here[word]:
        raise UsageError(f"there is no {word} device here. Write device: auto, or cpu.")
    if world.size == 1 or word == "cpu":
        return torch.device(word)
    if word == "mps":
        raise UsageError("several processes compute on cuda or the cpu, not on mps. Write device: cpu.")
    if world.local >= torch.cuda.device_count():
        text = f"there are more processes on this machine than its {torch.cuda.device_count()} CUDA devices"
        raise UsageError(f"{text}. Start one for each, or write device: cpu.")
    torch.cuda.set_device(world.local)
    return torch.device(word, world.local)


@contextlib.contextmanager
def reproducible(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Within it torch's random numbers follow from `seed`; afterwards they go on as if nothing had been.

    Build a network within it, and its first weights follow from the seed too.
    """
    devices = [torch.device(device)] if torch.device(device).type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield


@contextlib.contextmanager
def deterministic(wanted: bool, warn: Callable[[str], None]) -> Iterator[None]:
    """Within it torch takes kernels that give the same bits each time; `warn` is told of those that it lacks.

    See https://docs.pytorch.org/docs/stable/notes/randomness.html.
    """
    if not wanted:
        yield
        return
    # Read when cuBLAS begins its work: buffers of its own for every stream, so that sums always have one order.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    backend = torch.backends.cudnn
    memory: Any = torch.utils.deterministic
    before = torch.get_deterministic_debug_mode(), memory.fill_uninitialized_memory, backend.benchmark
    # The same as use_deterministic_algorithms, without an import of torch.compile's parts.
    torch.set_deterministic_debug_mode("warn")
    memory.fill_uninitialized_memory, backend.benchmark = False, False
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("default", message=f".*{LACKING}")
            warnings.showwarning = _lacks(warn, warnings.showwarning)
            yield
    finally:
        mode, memory.fill_uninitialized_memory, backend.benchmark = before
        torch.set_deterministic_debug_mode(mode)


@contextlib.contextmanager
def strictly() -> Iterator[None]:
    """Within it torch refuses an operation that has no deterministic kernel.

    Attention has one that torch takes only then.
    """
    before = torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode("error")
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before)


def needs_leave(action: Callable[[], object]) -> bool:
    """Whether `action` needs an operation that has no deterministic kernel, and stops there."""
    try:
        with strictly():
            action()
    except RuntimeError as error:
        if re.search(LACKING, str(error)):
            return True
        raise
    return False


def unrepeatable(module: nn.Module, device: torch.device) -> str:
    """What of the network no resumed run can repeat to the bit; nothing where there is no such thing."""
    own = [name for name, m in module.named_modules() if isinstance(m, nn.RNNBase) and m.dropout and m.num_layers > 1]
    if device.type != "cuda" or not own:
        return ""
    return f"cuDNN keeps the state of the dropout in {', '.join(own)} to itself: a resumed run drops other values"


def _lacks(warn: Callable[[str], None], show: Callable[..., None]) -> Callable[..., None]:
    """Shows warnings as `show` does, but torch's of an operation without a deterministic kernel in our own words."""
    told: set[str] = set()

    def shown(message: Warning | str, *others: Any) -> None:
        lacking = re.search(LACKING, str(message))
        if not lacking:
            show(message, *others)
        elif (name := str(message)[: lacking.start()].strip()) not in told:
            told.add(name)
            text = f"torch has no deterministic kernel for {name} here"
            warn(f"{text}: a resumed run may differ from one that was never stopped in its last bits")

    return shown


def free_on(device: str) -> int:
    """Bytes of memory that are free on a GPU; more than any has where that is not told."""
    if device == "cuda" and torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    return LARGEST_DEVICE


@contextlib.contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Within it torch computes with `count` threads."""
    before = torch.get_num_threads()
    try:
        if count is not None:
            torch.set_num_threads(count)
        yield
    finally:
        torch.set_num_threads(before)


def wants_channels_last(module: nn.Module, train: Train) -> bool:
    """Whether maps are stored pixel by pixel, which is faster wherever there are convolutions over maps."""
    if train.channels_last is not None:
        return train.channels_last
    return any(isinstance(m, nn.Conv2d | nn.ConvTranspose2d) for m in module.modules())


@contextlib.contextmanager
def arranged(module: nn.Module, channels_last: bool) -> Iterator[None]:
    """Within it the module's weights are stored pixel by pixel."""
    if channels_last:
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    try:
        yield
    finally:
        if channels_last:
            module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def make_forward(module: nn.Module, train: Train, device: torch.device, channels_last: bool) -> Callable[..., Any]:
    """The call of the network as the spec wants it: compiled, in short floats, with maps stored pixel by pixel."""
    forward = _compiled(module) if train.compile else module
    if train.precision == "bf16":
        forward = _short(forward, device)
    return _pixelwise(forward) if channels_last else forward


def _compiled(module: nn.Module) -> Callable[..., Any]:
    """The call of the module through torch.compile. Raises UsageError where the compiler gives up."""
    # Each shape is compiled for itself, so that what a step computes does not depend on the shapes met before it.
    compiled = torch.compile(module, dynamic=False)
    from torch._dynamo.exc import TorchDynamoException  # a second, which only those pay who compile

    def run(*inputs: torch.Tensor) -> Any:
        try:
            return compiled(*inputs)
        except TorchDynamoException as error:
            reason = str(error).partition("\n")[0]
            raise UsageError(f"torch cannot compile this network here: {reason}. Write compile: false.") from None

    return run


def _short(forward: Callable[..., Any], device: torch.device) -> Callable[..., Any]:
    """The call in bfloat16 where autocast deems it safe; what it returns is float32.

    Raises UsageError where torch cannot compute so here what it computes in float32.
    """

    def run(*inputs: torch.Tensor) -> Any:
        try:
            with torch.autocast(device.type, torch.bfloat16):
                outputs = forward(*inputs)
        except RuntimeError as error:
            if device.type != "cpu":  # elsewhere nothing may be tried while a step is recorded
                raise
            forward(*inputs)
            reason = str(error).partition("\n")[0].partition(". Run workload with")[0]
            text = f"torch cannot compute this network in bfloat16 on this machine's {device.type}: {reason}"
            raise UsageError(f"{text}. Write precision: float32.") from None
        return _floats(outputs)

    return run


def _floats(outputs: Any) -> Any:
    """Outputs as float32 again, so that losses and metrics add up exactly."""
    if isinstance(outputs, torch.Tensor):
        return outputs.float() if outputs.dtype == torch.bfloat16 else outputs
    if isinstance(outputs, Scores):  # which are made floats where they are made
        return outputs
    if isinstance(outputs, dict):
        return {k: _floats(v) for k, v in outputs.items()}
    return tuple(_floats(v) for v in outputs) if isinstance(outputs, tuple | list) else outputs


def _pixelwise(forward: Callable[..., Any]) -> Callable[..., Any]:
    """The call with maps stored channels_last: batch x channels x height x width, the channels next to each other."""

    def run(*inputs: torch.Tensor) -> Any:
        return forward(*(x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x for x in inputs))

    return run
