"""Data parallelism (DDP) and sharding (FSDP): each process that trains has the whole network, or a part."""

from __future__ import annotations

import copy
import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from netspec.errors import UsageError
from netspec.runtime.device.process_group import World
from netspec.sections.train_record import Train

CONTAINERS: Final = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
"""What only holds other modules, and is no block by itself."""


class Whole:
    """In one process: the network itself."""

    def __init__(self, module: nn.Module) -> None:
        self.module: Any = module
        """Holds what is trained."""
        self.call: Any = module
        """Is called for a training step."""

    def will_backward(self, last: bool) -> None:
        """Say of the backward pass that follows whether it is the last one of its step."""

    def average(self, decay: float) -> AveragedModel:
        """A copy that follows the network's weights at a distance."""
        return AveragedModel(self.module, multi_avg_fn=_moving_average(decay), use_buffers=True)

    def gather(self, state: Any, everywhere: bool = False) -> Any:
        """A nested state with each tensor whole, in the main process or everywhere."""
        return state

    def scatter(self, state: dict[str, Any], like: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        """Whole tensors by name, each laid out as the tensor of that name in `like`."""
        return state

    def scatter_optimizer(self, state: dict[str, Any], parameters: Iterable[nn.Parameter]) -> dict[str, Any]:
        """The state of an optimizer, laid out as its parameters."""
        return state


class Replicated(Whole):
    """Whole in each of several processes, which exchange their gradients: torch's DistributedDataParallel."""

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        """Wrap the module in DistributedDataParallel, if anything in it learns."""
        super().__init__(module)
        self.begun = False
        if not any(p.requires_grad for p in module.parameters()):  # only the loss learns
            return
        # The statistics of BatchNorm are the same everywhere, so there is nothing to hand round before a step. What
        # says so has another name in newer torch.
        known = inspect.signature(DistributedDataParallel).parameters
        still = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
        # A step takes the same way through the network each time; what never gets a gradient is known after the first.
        options: dict[str, Any] = {still: False, "static_graph": True}
        devices = [device] if device.type == "cuda" else None
        self.call = DistributedDataParallel(module, device_ids=devices, gradient_as_bucket_view=True, **options)

    def will_backward(self, last: bool) -> None:
        """Let DDP exchange gradients in the last backward pass of a step alone."""
        # In the first step each pass exchanges its gradients, which comes to the same and lets DDP see them all.
        if self.call is not self.module:
            self.call.require_backward_grad_sync = last or not self.begun
        self.begun |= last


class Sharded(Whole):
    """In parts, which are put together block by block while they are needed: torch's FSDP2."""

    def __init__(self, module: nn.Module, device: torch.device, world: World) -> None:
        """Shard the parameters over all processes with FSDP2."""
        from torch.distributed.device_mesh import init_device_mesh

        self.world = world
        self.mesh = init_device_mesh(device.type, (world.size,))
        self.plain = module
        super().__init__(self._parted(module))

    def _parted(self, module: nn.Module) -> nn.Module:
        """A copy of `module` of which each process holds a part. Raises UsageError."""
        from torch.distributed.fsdp import fully_shard

        try:
            module = copy.deepcopy(module)
        except RuntimeError as error:  # the hooks of weight_norm_hook
            raise UsageError(f"fsdp parts a copy of the network, and torch cannot copy this one: {error}") from None
        for name, parameter in module.named_parameters():
            if not parameter.dim():
                raise UsageError(f"fsdp cannot part {name}, which is a single number. Write parallel: ddp.")
        for part in (*blocks(module), module):
            # FSDP notices a pass backward by its output, but not by a view that is overwritten afterwards.
            part.register_forward_hook(_cloned_views)
            # Only parts that are given up after every pass lie still between steps, to be measured and saved.
            fully_shard(part, mesh=self.mesh, reshard_after_forward=True)
        return module

    def will_backward(self, last: bool) -> None:
        """Let FSDP2 reduce-scatter gradients in the last backward pass of a step alone."""
        self.module.set_requires_gradient_sync(last)

    def average(self, decay: float) -> AveragedModel:
        """The moving average (EMA) of the weights, parted as they are."""
        averaged = AveragedModel(self.plain, multi_avg_fn=_by_kind(_moving_average(decay)), use_buffers=True)
        averaged.module = self._parted(self.plain)
        return averaged

    def gather(self, state: Any, everywhere: bool = False) -> Any:
        """Whole tensors, on the CPU, in place of the parts in a nested state; None for them where not asked."""
        from torch.distributed.tensor import DTensor

        match state:
            case DTensor():
                whole = state.full_tensor()
                return whole.cpu() if everywhere or self.world.main else None
            case dict():
                return {name: self.gather(value, everywhere) for name, value in state.items()}
            case list() | tuple():
                return type(state)(self.gather(value, everywhere) for value in state)
        return state

    def scatter(self, state: dict[str, Any], like: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        """Whole tensors by name, each process keeping its part."""
        return {name: _like(value, like[name]) if name in like else value for name, value in state.items()}

    def scatter_optimizer(self, state: dict[str, Any], parameters: Iterable[nn.Parameter]) -> dict[str, Any]:
        """An optimizer's state of whole tensors, parted as its parameters are."""
        held = state["state"]
        parted = {
            number: {k: _like(v, parameter) for k, v in held[number].items()}
            for number, parameter in enumerate(parameters)
            if number in held
        }
        return {**state, "state": parted}


def spread(module: nn.Module, train: Train, device: torch.device, world: World) -> Whole:
    """`module` as the spec wants it to lie in the processes. Raises UsageError for one that cannot."""
    if world.size == 1:
        return Whole(module.to(device))
    for name, part in module.named_modules():
        if isinstance(part, nn.SyncBatchNorm) and device.type == "cpu":
            text = f"{name} is a SyncBatchNorm, which torch trains in several processes on GPUs only"
            raise UsageError(f"{text}. Write bn: its statistics are those of all processes too.")
    return Sharded(module, device, world) if train.parallel == "fsdp" else Replicated(module.to(device), device)


def blocks(module: nn.Module) -> list[nn.Module]:
    """The outermost submodules of a kind that occurs several times, whose parameters are theirs alone."""
    kinds = Counter(type(m) for m in module.modules())
    uses = Counter(p for _, p in module.named_parameters(remove_duplicate=False))

    def found(parent: nn.Module) -> Iterator[nn.Module]:
        for child in parent.children():
            own = Counter(p for _, p in child.named_parameters(remove_duplicate=False))
            if any(child.children()) and kinds[type(child)] > 1 and not isinstance(child, CONTAINERS):
                if all(uses[p] == count for p, count in own.items()):
                    yield child
            else:
                yield from found(child)

    return list(dict.fromkeys(found(module)))


def _cloned_views(module: nn.Module, inputs: Any, outputs: Any) -> Any:
    """The outputs of a module, those that are views copied."""
    match outputs:
        case torch.Tensor():
            return outputs.clone() if outputs._is_view() else outputs
        case dict():
            return {name: _cloned_views(module, inputs, value) for name, value in outputs.items()}
        case tuple():
            return tuple(_cloned_views(module, inputs, value) for value in outputs)
    return outputs


def _like(value: Any, like: torch.Tensor) -> Any:
    """A whole tensor, laid out as `like` if it is as large."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(like, DTensor) or not isinstance(value, torch.Tensor) or value.shape != like.shape:
        return value
    # Every process has read the same file.
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements, src_data_rank=None)


def _moving_average(decay: float) -> Callable[..., None]:
    """torch's exponential moving average; what counts, such as a norm's batches, is taken as it is."""
    average = get_ema_multi_avg_fn(decay)

    def moved(averaged: Iterable[torch.Tensor], current: Iterable[torch.Tensor], count: Any) -> None:
        pairs = list(zip(averaged, current, strict=True))
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        if floats:
            average([a for a, _ in floats], [c for _, c in floats], count)
        for a, c in pairs:
            if not a.is_floating_point():
                a.copy_(c)

    return moved


def _by_kind(average: Callable[..., None]) -> Callable[..., None]:
    """`average` for tensors that lie in parts, and by itself for those that do not, such as buffers."""
    from torch.distributed.tensor import DTensor

    def both(averaged: Iterable[torch.Tensor], current: Iterable[torch.Tensor], count: Any) -> None:
        pairs = list(zip(averaged, current, strict=True))
        for parted in (True, False):
            chosen = [pair for pair in pairs if isinstance(pair[0], DTensor) is parted]
            if chosen:
                average([a for a, _ in chosen], [c for _, c in chosen], count)

    return both
