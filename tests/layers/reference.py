"""What torch does: an operation's own text, run on real tensors."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from netspec.dims import Size, substitute
from netspec.layers.base import Layer
from netspec.tensors import Tensor
from tests import written

DTYPES = {"float32": torch.float32, "int64": torch.int64, "bool": torch.bool}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


TORCH = {"nn": nn, "F": F, "torch": torch}


def evaluate(text: str, **names: Any) -> Any:
    """The value of a torch expression that an operation printed."""
    return eval(text, {**TORCH, **names})


def with_sizes(tensor: Tensor, sizes: Mapping[str, Size]) -> Tensor:
    """The tensor with named dimensions replaced."""
    return tensor.with_shape(*(substitute(size, dict(sizes)) for size in tensor.shape))


def sample(described: Tensor) -> torch.Tensor:
    """A random tensor of this shape and dtype; whole numbers are all 0, which every table holds."""
    shape = [int(str(size)) for size in described.shape]
    if described.dtype == "float32":
        return torch.randn(shape)
    return torch.zeros(shape, dtype=DTYPES[described.dtype])


def build(op: Layer) -> nn.Module:
    """The module that the operation prints."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = evaluate(written.construct(op))
    assert isinstance(module, nn.Module)
    return module


def run_module(op: Layer, module: nn.Module, tensors: Sequence[torch.Tensor]) -> Any:
    """What the module gives for copies of these tensors, called as the operation says."""
    text = f"module({', '.join(written.arguments(op, [f'x{i}' for i in range(len(tensors))]))})"
    names: dict[str, Any] = {**TORCH, "module": module}
    exec(written.helpers(op), names)
    return seeded(lambda copies: evaluate(text, **names, **copies), tensors)


def run_function(text: str, tensors: Sequence[torch.Tensor], training: bool) -> Any:
    """What the stateless expression gives for copies of these tensors."""
    this = SimpleNamespace(training=training)
    return seeded(lambda copies: evaluate(text, self=this, **copies), tensors)


def seeded(call: Callable[[dict[str, torch.Tensor]], Any], tensors: Sequence[torch.Tensor]) -> Any:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call({f"x{i}": tensor.clone() for i, tensor in enumerate(tensors)})


def described(result: Any) -> Any:
    """The shapes and dtypes of a result, nested as it is."""
    if isinstance(result, torch.Tensor):
        return Tensor(tuple(result.shape), NAMES[result.dtype])  # type: ignore[arg-type]
    return None if result is None else tuple(described(part) for part in result)


def parameters(module: nn.Module) -> list[tuple[str, tuple[int, ...]]]:
    return [(name, tuple(p.shape)) for name, p in module.named_parameters()]


def buffers(module: nn.Module) -> list[tuple[str, tuple[int, ...]]]:
    return [(name, tuple(b.shape)) for name, b in module.named_buffers()]


def equal(left: Any, right: Any) -> bool:
    """Whether two results hold the same numbers, where nan is the same as nan."""
    if isinstance(left, torch.Tensor):
        return left.shape == right.shape and torch.allclose(left, right, rtol=0, atol=0, equal_nan=True)
    if left is None:
        return right is None
    return len(left) == len(right) and all(equal(a, b) for a, b in zip(left, right, strict=True))
