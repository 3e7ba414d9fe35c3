"""Removing parametrizations: each wrapped weight becomes the plain tensor that it is in evaluation."""

from __future__ import annotations

import copy

from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.spectral_norm import SpectralNorm, remove_spectral_norm
from torch.nn.utils.weight_norm import WeightNorm, remove_weight_norm

from netspec.runtime.network.folding import folded


def copied(network: nn.Module) -> nn.Module:
    """A copy. What the older wraps computed last has a history that torch does not copy, and is computed anew."""
    for module in network.modules():
        for name, value in vars(module).items():
            if isinstance(value, Tensor) and value.grad_fn is not None:
                setattr(module, name, value.detach())
    return copy.deepcopy(network)


def unwrapped(network: nn.Module) -> nn.Module:
    """A network in evaluation that computes the same with plain weights: itself where nothing is wrapped, or a copy.

    Small matrices beside a weight are added to it.

    torch's `remove_parametrizations` would take the weight from the class that a copy shares with the original.
    """
    network = folded(network)
    if not any(parametrize.is_parametrized(module) or _hooks(module) for module in network.modules()):
        return network
    plain = copied(network)
    for module in plain.modules():
        if parametrize.is_parametrized(module):
            assert isinstance(module.parametrizations, nn.ModuleDict)
            weights = {name: getattr(module, name).detach().clone() for name in module.parametrizations}
            module.__class__ = parametrize.type_before_parametrizations(module)
            del module.parametrizations
            for name, weight in weights.items():
                module.register_parameter(name, nn.Parameter(weight))
        for hook in _hooks(module):
            (remove_weight_norm if isinstance(hook, WeightNorm) else remove_spectral_norm)(module, hook.name)
    return plain


def _hooks(module: nn.Module) -> list[WeightNorm | SpectralNorm]:
    """What the older wraps do to a module before it runs."""
    return [hook for hook in module._forward_pre_hooks.values() if isinstance(hook, WeightNorm | SpectralNorm)]
