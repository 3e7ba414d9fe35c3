"""Frozen parameters: they get no gradients, and what frozen modules have stored stays as it is."""

from __future__ import annotations

from functools import partial

from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.nn.utils.spectral_norm import SpectralNorm

from netspec.weights.freezing import EVER, STATISTICS, Frozen


def freeze(network: nn.Module, frozen: Frozen, epoch: float = 0, step: float = 0) -> None:
    """Take the gradients from what a spec freezes after so many epochs and steps, and give others theirs again.

    What a call in training would move besides is held: a norm whose parameters are all frozen, or whose statistics
    are, uses the statistics that it has stored, in training too, unless the spec lets them move; a weight that is
    frozen under a spectral norm keeps the vectors that this divides by.
    """
    named = _names(network)
    for parameter, called in named.items():
        if frozen.frozen(called):
            parameter.requires_grad_(not frozen.frozen(called, epoch, step))
    paths: dict[nn.Module, list[str]] = {}
    for path, module in network.named_modules(remove_duplicate=False):
        paths.setdefault(module, []).append(path)
    for module, places in paths.items():
        if not _moves(module):
            continue
        owned = list(module.parameters())
        still = bool(owned) and not any(p.requires_grad for p in owned)
        lets = any(frozen.moves(named[p]) for p in owned) and getattr(module, STATISTICS, None) is not None
        if any(frozen.keeps(path, epoch, step) for path in places) or (still and not lets):
            hold(module)
        elif module.__dict__.pop("train", None) is not None:
            module.train(network.training)


def later(network: nn.Module, frozen: Frozen) -> dict[str, str]:
    """When each parameter thaws that does, by the first of its names."""
    found = {}
    for called in _names(network).values() if frozen.whens else ():
        if whens := dict.fromkeys(str(until) for name in called if (until := frozen.until(name))):
            found[called[0]] = " ".join(whens)
    return found


def frozen_then(network: nn.Module, frozen: Frozen, epoch: float, step: float) -> set[nn.Parameter]:
    """The parameters that are frozen after so many epochs and steps."""
    return {p for p, called in _names(network).items() if frozen and frozen.frozen(called, epoch, step)}


def changing(network: nn.Module, frozen: Frozen) -> frozenset[str]:
    """The names of all that training changes one day: parameters that are trained, and what moves beside them."""
    if frozen.whens:
        freeze(network, frozen, *EVER)
    names = {name for name, p in network.named_parameters(remove_duplicate=False) if p.requires_grad}
    for path, module in network.named_modules(remove_duplicate=False):
        if _moves(module) and "train" not in module.__dict__:
            names |= {f"{path}.{name}".removeprefix(".") for name, _ in module.named_buffers()}
    if frozen.whens:
        freeze(network, frozen)
    return frozenset(names)


def _names(network: nn.Module) -> dict[nn.Parameter, list[str]]:
    """All names of each parameter."""
    names: dict[nn.Parameter, list[str]] = {}
    for name, parameter in network.named_parameters(remove_duplicate=False):
        names.setdefault(parameter, []).append(name)
    return names


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
