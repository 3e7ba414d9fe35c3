"""The base of adapters: all that a run with small matrices beside its weights leaves as it is, and so does not save.

It is read again from the files that the spec names. What they do not have, or have in another size, the run keeps in
a file of its own, once. The weights that it saves say by a checksum which base they are for.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

import torch
from torch import nn

from netspec.errors import DataError
from netspec.files import kind, shown
from netspec.runtime.network.freezing import changing
from netspec.runtime.network.weights import Weights, give_weights, read_weights, save_weights, taken
from netspec.weights.fit import BASE, Fit
from netspec.weights.freezing import Frozen
from netspec.weights.header import read_header

OWN: Final = "base.safetensors"
"""What a run keeps of its base itself."""


def checksum(tensors: Mapping[str, torch.Tensor]) -> str:
    """What tells the tensors of one base from those of another: their names, shapes and bytes."""
    found = sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def base_of(module: nn.Module, frozen: Frozen) -> dict[str, torch.Tensor]:
    """The tensors of a network that training leaves as they are, by name."""
    kept = changing(module, frozen)
    return {name: tensor for name, tensor in module.state_dict().items() if name not in kept}


def is_partial(weights: Path) -> bool:
    """Whether a file has what was trained beside a base, and not that. Raises DataError where it cannot be read."""
    return BASE in read_header(weights).metadata


def save_own(module: nn.Module, frozen: Frozen, fit: Fit | None, folder: Path) -> None:
    """Write what of a base is in no file that the spec names as it is into a run's folder."""
    found = fit.taken if fit is not None else []
    held = module.state_dict(keep_vars=True)
    named = {id(held[each.name]) for each in found if not each.resize}
    own = {name: tensor for name, tensor in base_of(module, frozen).items() if id(held[name]) not in named}
    if own:
        save_weights(own, folder / OWN)


def put_together(
    module: nn.Module, frozen: Frozen, fit: Fit | None, folder: Path, adapters: Path | None = None
) -> None:
    """Give a network its base, and its adapters from a file; without one they are zeros. Raises DataError."""
    held = module.state_dict()
    names = base_of(module, frozen)
    found: dict[str, torch.Tensor] = {n: tensor for n, tensor in (taken(fit) if fit else {}).items() if n in names}
    if kind(folder / OWN):
        found |= read_weights(folder / OWN)[0]
    metadata: Mapping[str, str] = {}
    changed: Weights = {name: torch.zeros_like(tensor) for name, tensor in held.items() if name not in names}
    if adapters is not None:
        changed, metadata = read_weights(adapters)
    origin = f"the weights in {shown(adapters or folder)} and those of their base"
    give_weights(module, {**found, **changed}, origin)
    if adapters is not None and checksum(base_of(module, frozen)) != metadata[BASE]:
        text = f"the base of {shown(adapters)} is not the one that it was trained beside"
        raise DataError(f"{text}: the files that the spec loads have changed. Put there what they were.")
