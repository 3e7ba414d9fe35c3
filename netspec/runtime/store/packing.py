"""Serialization: a nested state cut into tensors and JSON, and put together again exactly, without pickle."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from math import isfinite
from typing import Any

import torch


def pack(value: Any, name: str, tensors: dict[str, torch.Tensor]) -> Any:
    """`value` as JSON; each tensor in it goes into `tensors` under a name that begins with `name`. Raises TypeError."""
    match value:
        case torch.Tensor():
            tensors[name] = value.detach()
            return {"$tensor": name}
        case bool() | int() | str() | None:
            return value
        case float():
            return value if isfinite(value) else {"$float": str(value)}
        case tuple():
            return {"$tuple": [pack(v, f"{name}.{i}", tensors) for i, v in enumerate(value)]}
        case list():
            return [pack(v, f"{name}.{i}", tensors) for i, v in enumerate(value)]
        case Counter():
            return {"$counter": sorted(value.items())}
        case dict() | OrderedDict() | defaultdict():
            return {"$dict": [[pack(k, name, tensors), pack(v, f"{name}.{k}", tensors)] for k, v in value.items()]}
    raise TypeError(f"{name} is a {type(value).__name__}, which no checkpoint can hold")


def unpack(packed: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """The value that `pack` was given. Raises ValueError."""
    if isinstance(packed, list):
        return [unpack(v, tensors) for v in packed]
    if not isinstance(packed, dict):
        return packed
    ((kind, inner),) = packed.items()
    match kind:
        case "$tensor":
            return tensors[inner]
        case "$float":
            return float(inner)
        case "$tuple":
            return tuple(unpack(v, tensors) for v in inner)
        case "$counter":
            return Counter(dict(inner))
        case "$dict":
            return {unpack(k, tensors): unpack(v, tensors) for k, v in inner}
    raise ValueError(f"{kind} is not a kind of value that a checkpoint holds")
