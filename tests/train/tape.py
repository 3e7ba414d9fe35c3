"""A double of a CUDA graph on the CPU: a tape of every operation of torch with its very tensors, played again.

What a graph does, it does: recording leaves no trace in memory or random numbers, numbers of Python stay as they were
when it was recorded, random numbers are drawn anew each time, results lie where they lay, and what has to wait for a
result cannot be recorded.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
import torch
from torch.optim import adadelta, adam, adamax, asgd, nadam, radam, rmsprop, rprop
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from netspec.runtime.device import cuda_graph
from netspec.runtime.train import recorded

T = TypeVar("T")
REFUSED = "operation not permitted when stream is capturing"
WAITING = {
    "_local_scalar_dense", "equal", "is_nonzero", "nonzero", "masked_select", "unique_dim", "_unique2", "bincount",
    "unique_consecutive", "repeat_interleave", "allclose",
}  # fmt: skip
"""Operations for whose results the processor waits."""
UNDECLARED = {"native_batch_norm": (3, 4)}
"""Arguments that operations write to without saying so: running means and variances."""
TAKEN_ALONG = {"cpu", "numpy", "tolist"}
"""What brings a tensor to the processor, and on the CPU is no operation."""


def waits(name: str, args: Any) -> bool:
    """Whether the processor would wait for this operation, as for its result's shape."""
    masks = name in ("index", "index_put", "index_put_") and any(
        x is not None and x.dtype in (torch.bool, torch.uint8) for x in args[1]
    )
    return name in WAITING or masks


def held(values: Any) -> list[torch.Tensor]:
    """The tensors in nested values."""
    return [x for x in tree_leaves(values) if isinstance(x, torch.Tensor)]


def place(x: torch.Tensor) -> int:
    """What memory a tensor lies in."""
    return x.untyped_storage().data_ptr()


class Watch(TorchDispatchMode):
    """Notes the operations that the processor would wait for."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.waited = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.waited |= waits(func.overloadpacket.__name__, args)
        return func(*args, **(kwargs or {}))


class Fences(TorchFunctionMode):
    """Refuses what would bring tensors to the processor, or numbers from it."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = getattr(func, "__name__", ""), kwargs or {}
        # Torch's optimizers write "cpu" where they mean the processor; a device is where the network is.
        brought = name in ("tensor", "as_tensor") and isinstance(kwargs.get("device"), torch.device)
        if brought or name in TAKEN_ALONG:
            raise RuntimeError(REFUSED)
        return func(*args, **kwargs)


class Tape(TorchDispatchMode):
    """Records operations while they run, and puts what they changed back."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.steps: list[tuple[Any, Any, Any, list[torch.Tensor], bool]] = []
        self.born: dict[int, torch.Tensor] = {}
        self.before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        if waits(name, args):
            raise RuntimeError(REFUSED)
        written = [
            x
            for number, argument in enumerate(func._schema.arguments)
            if (argument.alias_info is not None and argument.alias_info.is_write) or number in UNDECLARED.get(name, ())
            for x in held(args[number] if number < len(args) else kwargs.get(argument.name))
        ]
        for x in written:
            if place(x) not in self.born and place(x) not in self.before:
                storage = x.untyped_storage()
                self.before[place(x)] = storage, storage.clone()
        found = func(*args, **kwargs)
        given = {place(x) for x in held((args, kwargs))}
        # Views look at memory that others fill.
        made = [x for x in held(found) if place(x) not in given and x.numel()]
        self.born |= {place(x): x for x in made}
        if made or written:
            empty = name in ("empty", "empty_like", "empty_strided", "new_empty")
            self.steps.append((func, args, kwargs, held(found), empty))
        return found

    def undo(self) -> None:
        """Leave memory as it was before; what was made holds nothing yet."""
        for storage, before in self.before.values():
            storage.copy_(before)
        for x in self.born.values():
            if x.is_floating_point():
                x.detach().fill_(torch.nan)

    def play(self) -> None:
        """Do it all again, over the same memory."""
        with torch.no_grad():
            for func, args, kwargs, found, empty in self.steps:
                if empty:
                    continue
                for old, new in zip(found, held(func(*args, **kwargs)), strict=True):
                    if place(old) != place(new):
                        old.detach().copy_(new)


class Tapes:
    """Stands where a device has CUDA graphs. `seconds` is what a step is said to take."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.seconds = seconds
        self.captured, self.refused, self.launches = 0, 0, 0

    def __call__(self, device: torch.device) -> Tapes:
        return self

    def capture(self, compute: Callable[[], T]) -> tuple[Callable[[], None], T]:
        tape, random = Tape(), torch.get_rng_state()
        try:
            with Fences(), tape:
                found = compute()
        except RuntimeError:
            self.refused += 1
            raise
        finally:
            torch.set_rng_state(random)
            tape.undo()
        self.captured += 1

        def launch() -> None:
            self.launches += 1
            tape.play()

        return launch, found

    def waits(self, action: Callable[[], object]) -> bool:
        watch = Watch()
        with watch:
            action()
        return watch.waited

    def timed(self, action: Callable[[], T]) -> tuple[T, float]:
        return action(), self.seconds


@contextlib.contextmanager
def tapes(steps: int = 1) -> Iterator[Tapes]:
    """Within it the CPU records as a CUDA device does, so many steps to a launch."""
    found = Tapes(recorded.LONG / (steps + 0.5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(cuda_graph.RECORDING, "cpu", found)
        for module in (adadelta, adam, adamax, asgd, nadam, radam, rmsprop, rprop):
            patch.setattr(module, "_get_capturable_supported_devices", lambda *_, **__: ["cpu"])
        yield found
