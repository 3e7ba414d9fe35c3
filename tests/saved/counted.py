"""What torch really keeps of a forward pass for the backward one, counted, beside what the tape of a network says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import torch
from torch.autograd.graph import saved_tensors_hooks

from netspec.api.spec import Spec
from netspec.dims import Size, substitute
from netspec.graph.saved import kept
from netspec.saved import Tape
from netspec.tensors import Tensor

SIZES: dict[str, int] = {"B": 2, "T": 6, "N": 16, "P": 4, "S": 5}


def said(spec: Spec, *, pixelwise: bool = False, short: bool = False) -> Tape:
    """The tape of a network's pass in training."""
    tape = Tape(pixelwise=pixelwise, short=short)
    kept(spec.graph, tape)
    return tape


def at(size: Size, sizes: dict[str, int]) -> int:
    """A size in numbers."""
    found = substitute(size, dict(sizes))
    assert isinstance(found, int)
    return found


@dataclass(eq=False)
class _Kept:
    """What a place in the graph of backward holds, for as long as it does."""

    tensor: torch.Tensor


def counted(run: Callable[[], Any], lasting: Iterable[torch.Tensor]) -> int:
    """Bytes of all that is kept for what a computation gives, each piece of memory once, without those that last."""
    own = {each.untyped_storage()._cdata for each in lasting}
    kept: WeakSet[_Kept] = WeakSet()

    def pack(x: torch.Tensor) -> _Kept:
        each = _Kept(x.detach())
        kept.add(each)
        return each

    with saved_tensors_hooks(pack, lambda each: each.tensor):
        given = run()
    found = {each.tensor.untyped_storage()._cdata: each.tensor.untyped_storage().nbytes() for each in kept}
    del given
    return sum(size for place, size in found.items() if place not in own)


def inputs(spec: Spec, sizes: dict[str, int], *, pixelwise: bool = False) -> list[torch.Tensor]:
    """Inputs of a network."""
    return [_input(tensor, sizes, pixelwise) for tensor in spec.graph.inputs.values()]


def _input(tensor: Tensor, sizes: dict[str, int], pixelwise: bool) -> torch.Tensor:
    shape = [at(size, sizes) for size in tensor.shape]
    if tensor.dtype != "float32":
        return torch.zeros(shape, dtype=getattr(torch, tensor.dtype))
    x = torch.randn(shape)
    return x.contiguous(memory_format=torch.channels_last) if pixelwise and x.dim() == 4 else x


def really(spec: Spec, sizes: dict[str, int], *, pixelwise: bool = False, short: bool = False) -> int:
    """Bytes that a pass of the built network keeps."""
    net = spec.build().train()
    if pixelwise:
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    given = inputs(spec, sizes, pixelwise=pixelwise)
    with torch.autocast("cpu", torch.bfloat16, enabled=short):
        return counted(lambda: net(*given), [*net.parameters(), *net.buffers()])
