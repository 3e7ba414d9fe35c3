"""Parameters and buffers of a network that was built, held against the graph that was checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import torch
from torch import nn

from netspec.graph.model import Graph
from netspec.ops.state import State

SHOWN: Final = 3
"""How many differences the message names."""

Shapes = Mapping[str, tuple[int, ...]]


class NotAsChecked(Exception):
    """A network that owns other tensors than its graph says: a fault of netspec, never of a spec."""


def need_as_checked(module: nn.Module, graph: Graph) -> None:
    """Refuse a module whose parameters and buffers have other names, shapes or order than the graph has.

    A name more is allowed for a tensor that has one of the graph's: a plugin may tie what is its own. Raises
    NotAsChecked with the first differences.
    """
    state = {n: t for n, t in module.state_dict(keep_vars=True).items() if isinstance(t, torch.Tensor)}
    found = list(_differences(state, graph))
    if found:
        more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise NotAsChecked(f"{graph.name} as it was built is not as it was checked: {'; '.join(found[:SHOWN])}{more}")


def _differences(state: Mapping[str, torch.Tensor], graph: Graph) -> Iterator[str]:
    """What a module holds otherwise than the graph says, tensor by tensor."""
    parameters, buffers = graph.parameters(), graph.buffers()
    held = {id(state[name]) for name in (*parameters, *buffers) if name in state}
    for kind, said in (("parameter", parameters), ("buffer", buffers)):
        yield from _unlike(kind, said, state)
    for name, tensor in state.items():
        if name not in parameters and name not in buffers and id(tensor) not in held:
            yield f"{name}, {_shown(tuple(tensor.shape))}, is not in the graph"
    for said in (parameters, buffers):
        place = {name: i for i, name in enumerate(name for name in state if name in said)}
        moved = next((n for i, n in enumerate(n for n in said if n in place) if place[n] != i), None)
        if moved is not None:
            yield f"{moved} stands in another place"
    yield from _other_kinds(state, graph)


def _unlike(kind: str, said: Shapes, state: Mapping[str, torch.Tensor]) -> Iterator[str]:
    """Tensors of one kind that the network lacks, or has with another shape or as another kind."""
    for name, shape in said.items():
        tensor = state.get(name)
        if tensor is None:
            yield f"the {kind} {name} is missing"
        elif tuple(tensor.shape) != tuple(shape):
            yield f"{name} is {_shown(tuple(tensor.shape))}, the graph has {_shown(shape)}"
        elif isinstance(tensor, nn.Parameter) is not (kind == "parameter"):
            yield f"{name} is no {kind}"


def _other_kinds(state: Mapping[str, torch.Tensor], graph: Graph) -> Iterator[str]:
    """Free parameters and buffers with another kind of number than the graph says."""
    for name, step in graph.root.owners():
        if isinstance(step.op, State) and name in state:
            floating = step.op.result() == "float32"
            if floating is not state[name].is_floating_point():
                yield f"{name} holds {state[name].dtype}, the graph has {step.op.result()}"


def _shown(shape: tuple[Any, ...]) -> str:
    """A shape as a person reads it."""
    return " x ".join(map(str, shape)) or "a single number"
