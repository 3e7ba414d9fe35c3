"""A network whose layers multiply whole numbers of 8 bits, as torch computes it, for files of it to be held to.

The rule is that of `views.c.quantising`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from netspec.runtime.data.scale import InOwnUnits
from netspec.runtime.export.subject import Inputs, Subject
from netspec.runtime.network.remove_parametrizations import copied, unwrapped
from netspec.views.c.quantising import LARGEST, rounded


def layers(network: nn.Module) -> dict[str, nn.Module]:
    """The layers that multiply by weights, by their paths."""
    kinds = (nn.Linear, _ConvNd)
    return {path: module for path, module in network.named_modules() if isinstance(module, kinds)}


def inner(subject: Subject) -> nn.Module:
    """The network itself, without what puts outputs back into their units."""
    network = subject.network
    return network.network if isinstance(network, InOwnUnits) else network


def calibrated(network: nn.Module, batches: Iterable[Inputs]) -> dict[str, float]:
    """What a step of 8 bits is for the input of each layer: the largest number that it is given, over 127.

    `batches` are of the training data. Layers that are never called by themselves, as those of torch's attention, are
    left out.
    """
    largest: dict[str, float] = {}

    def seen(path: str, module: nn.Module, inputs: Any) -> None:
        largest[path] = max(largest.get(path, 0.0), float(inputs[0].abs().max()))

    hooks = [module.register_forward_pre_hook(partial(seen, path)) for path, module in layers(network).items()]
    try:
        for inputs in batches:
            network(*(x.cpu() for x in inputs))
    finally:
        for hook in hooks:
            hook.remove()
    return {path: value / LARGEST for path, value in largest.items() if 0 < value < float("inf")}


def rounding(network: nn.Module, scales: Mapping[str, float]) -> nn.Module:
    """A copy of the network whose layers with a scale compute as they do in 8 bits."""
    plain = copied(unwrapped(network))
    for path, module in layers(plain).items():
        if path in scales:
            module.register_forward_pre_hook(partial(_cut, scales[path]))
            assert isinstance(module.weight, torch.Tensor)
            turned = module.weight.transpose(0, 1) if getattr(module, "transposed", False) else module.weight
            whole, steps = rounded(turned.detach().numpy())
            found = torch.from_numpy(whole * steps.reshape(-1, *[1] * (whole.ndim - 1))).float()
            module.weight.data.copy_(found.transpose(0, 1) if getattr(module, "transposed", False) else found)
    return plain


def _cut(step: float, module: nn.Module, inputs: Any) -> Any:
    """An input in whole steps, between -127 and 127 of them."""
    parts = (inputs[0] * (1 / step)).clamp(-LARGEST, LARGEST)
    return (parts.sign() * (parts.abs() + 0.5).floor() * step, *inputs[1:])
