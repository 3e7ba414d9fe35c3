"""Folding: small matrices beside a weight are added to it, and the layer is torch's own again."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import nn

SMALL = ("lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B", "lora_dropout")
"""What a layer has beside what torch's own has."""


def is_changed(module: nn.Module) -> bool:
    """Whether small matrices stand beside the weight of a layer."""
    owns = "lora_A" in module._modules or "lora_embedding_A" in module._parameters
    kinds = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Embedding | nn.MultiheadAttention
    return owns and hasattr(module, "scaling") and isinstance(module, kinds)


def folded(network: nn.Module) -> nn.Module:
    """A network that computes the same without small matrices: itself where there are none, or a copy."""
    if not any(map(is_changed, network.modules())):
        return network
    plain = copy.deepcopy(network)
    for module in list(plain.modules()):
        if is_changed(module):
            _fold(module)
    return plain


@torch.no_grad()
def _fold(module: nn.Module) -> None:
    """Add the product of its small matrices to the weight of a layer, and take them away."""
    for owner, name, change in list(_changes(module)):
        weight = owner.get_parameter(name)
        owner.register_parameter(name, nn.Parameter(weight + change.view_as(weight), weight.requires_grad))
        for small in SMALL:
            owner._modules.pop(small, None)
            owner._parameters.pop(small, None)
    module.__class__ = type(module).__mro__[1]
    del module.scaling


def _changes(module: nn.Module) -> Iterator[tuple[nn.Module, str, torch.Tensor]]:
    """What is added to which weight: the product of two matrices, in which a convolution's window is flat."""
    scaling: float = module.scaling  # type: ignore[assignment]
    if isinstance(module, nn.Embedding):
        rows, columns = module.get_parameter("lora_embedding_A"), module.get_parameter("lora_embedding_B")
        yield module, "weight", rows.mT @ columns.mT * scaling
        return
    changed: list[tuple[nn.Module, str, float]] = [(module, "weight", scaling)]
    if isinstance(module, nn.MultiheadAttention):
        changed = [(module, "in_proj_weight", scaling), (module.out_proj, "weight", 2 * scaling)]  # as peft counts it
    for owner, name, times in changed:
        first, second = owner.get_parameter("lora_A.weight"), owner.get_parameter("lora_B.weight")
        yield owner, name, second.flatten(1) @ first.flatten(1) * times
