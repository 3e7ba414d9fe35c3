"""One operation by itself: what torch keeps of it, beside what it says."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import torch

from netspec.dims import substitute
from netspec.layers.base import Layer, Op
from netspec.saved import Held, Storage, Tape
from netspec.tensors import Tensor
from tests import written
from tests.layers import reference as layers
from tests.ops import reference as ops
from tests.saved.counted import SIZES, at, counted


def held(x: torch.Tensor, name: str = "") -> Held:
    """A tensor as a tape has it; one with a name lasts, as a parameter does."""
    dtype = str(x.dtype).removeprefix("torch.")
    storage = Storage(x.untyped_storage().nbytes(), bool(name), name)
    return Held(storage, tuple(x.shape), tuple(x.stride()), dtype, x.requires_grad)


def numbered(inputs: Sequence[Tensor]) -> list[Tensor]:
    """Inputs with numbers in place of sizes that only a run knows."""
    return [x.with_shape(*(substitute(size, dict(SIZES)) for size in x.shape)) for x in inputs]


def compared(
    op: Op, inputs: Sequence[Tensor], *, short: bool = False, pixelwise: bool = False, grad: bool = True
) -> tuple[int, int, list[str]]:
    """Bytes that torch keeps and those that the tape says, and what is not known.

    In `short` floats its inputs are in bfloat16, as a network's layers give them.
    """
    given = [_given(x, short, pixelwise).requires_grad_(grad and x.dtype == "float32") for x in inputs]
    tape, lasting = Tape(short=short, pixelwise=pixelwise), []
    names: dict[str, Any] = {f"x{number}": x for number, x in enumerate(given)}
    if isinstance(op, Layer):
        module = layers.build(op).train()
        if pixelwise:
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        own = dict(module.named_parameters()) | dict(module.named_buffers())
        tape.own, lasting = lambda name: held(own[name], name), [*own.values()]
        text = f"module({', '.join(written.arguments(op, [*names]))})"
        names["module"] = module
    else:
        text = written.called(op, [*names], "some" if op.needs_device else "")
        names |= {"some": torch.zeros(1), "self": SimpleNamespace(training=True)}
    with torch.autocast("cpu", torch.bfloat16, enabled=short):
        really = counted(lambda: ops.evaluate(text, written.helpers(op), **names), lasting)
    op.kept(tape, *(held(x) for x in given))
    return really, at(tape.bytes, {}), list(tape.unknown)


def _given(described: Tensor, short: bool, pixelwise: bool) -> torch.Tensor:
    """Numbers above 0 of this shape."""
    x = ops.sample(described)
    if described.dtype != "float32":
        return x
    x = x.abs().add(0.1).to(torch.bfloat16 if short else torch.float32)
    return x.contiguous(memory_format=torch.channels_last) if pixelwise and x.dim() == 4 else x
