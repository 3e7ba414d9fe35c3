"""What torch does: an operation's own text, run on real tensors."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from netspec.dims import Size, substitute
from netspec.layers.base import Op
from netspec.tensors import Tensor
from tests import written

DTYPES = {"float32": torch.float32, "int64": torch.int64, "bool": torch.bool}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


def evaluate(text: str, helper: str = "", **names: Any) -> Any:
    """The value of a torch expression that an operation printed."""
    space = {"nn": nn, "F": F, "torch": torch, **names}
    exec(helper, space)
    return eval(text, space)


def sample(described: Tensor) -> torch.Tensor:
    """A random tensor of this shape and dtype; whole numbers are all 0, which every table holds."""
    shape = [int(str(size)) for size in described.shape]
    if described.dtype == "float32":
        return torch.randn(shape)
    return torch.zeros(shape, dtype=DTYPES[described.dtype])


def run(op: Op, inputs: Sequence[Tensor], training: bool = False) -> Any:
    """What the operation's text gives for random tensors; a source is given one for its device."""
    tensors = [sample(x) for x in inputs]
    names = {f"x{i}": tensor for i, tensor in enumerate(tensors)}
    like = "some" if op.needs_device else ""
    text = written.construct(op) if op.owned else written.called(op, [*names], like)
    this = SimpleNamespace(training=training)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return evaluate(text, written.helpers(op), self=this, some=torch.zeros(1), **names)


def described(result: Any) -> Any:
    """The shapes and dtypes of a result, nested as it is."""
    if isinstance(result, torch.Tensor):
        return Tensor(tuple(result.shape), NAMES[result.dtype])  # type: ignore[arg-type]
    return tuple(described(part) for part in result)


def with_sizes(shapes: Any, sizes: Mapping[str, Size]) -> Any:
    """The tensor, or tensors, with named dimensions replaced."""
    if isinstance(shapes, Tensor):
        return shapes.with_shape(*(substitute(size, dict(sizes)) for size in shapes.shape))
    return tuple(with_sizes(part, sizes) for part in shapes)
