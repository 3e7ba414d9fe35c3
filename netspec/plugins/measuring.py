"""Shape inference by running: what a module of a plugin gives, measured on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import torch
from torch import nn

from netspec.dims import Dim, Size, named, names, substitute
from netspec.tensors import Dtype, Misfit, Tensor

DTYPES: Final[dict[Dtype, torch.dtype]] = {"float32": torch.float32, "int64": torch.int64, "bool": torch.bool}
TRIALS: Final = (3, 4, 6)
"""Sizes that stand for one that only the run decides: two tell a straight line, the third proves it."""


@lru_cache(maxsize=64)
def made(layer: Any) -> nn.Module:
    """The module with a layer's arguments. The random numbers of the run stay where they are. Raises Misfit."""
    with torch.random.fork_rng(devices=[]):
        try:
            module: nn.Module = layer.module(**layer.__dict__)
        except Exception as error:
            raise Misfit(f"cannot be made: {_said(error)}", code="plugin") from error
    return module.eval()


def parameters(self: Any) -> dict[str, tuple[int, ...]]:
    """The shapes of a layer's parameters, by name."""
    return {name: tuple(p.shape) for name, p in made(self).named_parameters()}


def buffers(self: Any) -> dict[str, tuple[int, ...]]:
    """The shapes of the buffers that a layer keeps in its state, by name."""
    module = made(self)
    return {name: tuple(b.shape) for name, b in module.named_buffers() if name in module.state_dict()}


def measured(self: Any, *inputs: Tensor) -> Any:
    """What comes out for these inputs, sizes of the run included. Raises Misfit."""
    unknown = sorted({name for x in inputs for size in x.shape for name in names(size)})
    base = dict.fromkeys(unknown, TRIALS[0])
    trials = [base, *({**base, name: trial} for name in unknown for trial in TRIALS[1:])]
    results = [_run(self, inputs, sizes) for sizes in trials]
    shapes = [_joined([result[i] for result in results], unknown) for i in range(len(results[0]))]
    return shapes[0] if len(shapes) == 1 else tuple(shapes)


def _run(layer: Any, inputs: Sequence[Tensor], sizes: Mapping[str, int]) -> list[Tensor]:
    """The outputs of a layer for zeros of these sizes. Raises Misfit with what the module said."""
    values: dict[str, Size] = dict(sizes)
    zeros = [torch.zeros([int(str(substitute(s, values))) for s in x.shape], dtype=DTYPES[x.dtype]) for x in inputs]
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        try:
            given = made(layer)(*zeros)
        except Misfit:
            raise
        except Exception as error:
            raise Misfit(f"cannot run on {', '.join(map(str, inputs))}: {_said(error)}", code="plugin") from error
    found = list(given) if isinstance(given, tuple | list) else [given]
    if not all(isinstance(x, torch.Tensor) for x in found):
        raise Misfit("gives something else than tensors", code="plugin")
    return [Tensor(tuple(x.shape), next(k for k, d in DTYPES.items() if d == x.dtype)) for x in found]


def _joined(found: Sequence[Tensor], unknown: Sequence[str]) -> Tensor:
    """One shape for what was found: each axis a straight line over the sizes of the run, or a Misfit."""
    first, rest = found[0], found[1:]
    if any(len(x.shape) != len(first.shape) for x in rest):
        raise Misfit("gives results of different ranks. Register it with a shape rule.", code="plugin")
    return first.with_shape(*(_axis([x.shape[i] for x in found], unknown, i) for i in range(len(first.shape))))


def _axis(sizes: Sequence[Any], unknown: Sequence[str], axis: int) -> Size:
    """A size of an output as an expression of the unknown ones, from a few measurements. Raises Misfit."""
    total: Size = sizes[0]
    for place, name in enumerate(unknown):
        second, third = sizes[1 + 2 * place : 3 + 2 * place]
        slope = second - sizes[0]
        if third - sizes[0] != slope * (TRIALS[2] - TRIALS[0]):
            text = f"gives an axis {axis} that follows {name} in no straight line. Register it with a shape rule."
            raise Misfit(text, code="plugin")
        line: Dim = named(name)
        total = total + slope * (line - TRIALS[0])
    return total


def _said(error: Exception) -> str:
    """What an exception says, in a line."""
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}".rstrip(": ")
