"""Frozen parameters: they get no gradients, and what frozen modules have stored stays as it is."""

from __future__ import annotations

from functools import partial

from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.nn.utils.spectral_norm import SpectralNorm

from netspec.sections.weights import Weights

STATISTICS = "running_mean"
"""What a norm is known by that stores statistics of the batches which it has met in training."""


def freeze(network: nn.Module, weights: Weights) -> None:
    """Take the gradients from what a spec freezes, and hold what a call in training would move besides.

    A norm whose parameters are all frozen, or whose statistics are, uses the statistics that it has stored, in
    training too; a weight that is frozen under a spectral norm keeps the vectors that this divides by.
    """
    for name, parameter in network.named_parameters(remove_duplicate=False):  # by whichever of its names
        if weights.frozen(name):
            parameter.requires_grad_(False)
    for path, module in network.named_modules(remove_duplicate=False):
        if _moves(module) and (_all_frozen(module) or weights.frozen(f"{path}.{STATISTICS}".removeprefix("."))):
            hold(module)


def hold(module: nn.Module) -> None:
    """Keep a module in evaluation mode, whatever the network around it is set to. A copy of it is held as well."""
    module.__dict__["train"] = partial(_still, module)
    module.eval()


def _still(module: nn.Module, mode: bool = True) -> nn.Module:
    """In the place of `train`: evaluation mode, also where training is asked for."""
    return nn.Module.train(module, False)


def _moves(module: nn.Module) -> bool:
    """Whether a call in training moves what the module has stored."""
    if getattr(module, STATISTICS, None) is not None:
        return True
    if any(isinstance(hook, SpectralNorm) for hook in module._forward_pre_hooks.values()):
        return True
    wraps = module.get_submodule("parametrizations").modules() if parametrize.is_parametrized(module) else ()
    return any(isinstance(wrap, _SpectralNorm) for wrap in wraps)


def _all_frozen(module: nn.Module) -> bool:
    """Whether the module has parameters, and none of them is trained."""
    found = list(module.parameters())
    return bool(found) and not any(p.requires_grad for p in found)
