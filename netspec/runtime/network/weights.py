"""State dicts in safetensors files: the network's weights, and nothing that could run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from netspec.errors import DataError
from netspec.files import shown, write_file
from netspec.runtime.network.resizing import resized
from netspec.runtime.store.safetensors import save_tensors
from netspec.weights.fit import COUNT, Fit
from netspec.weights.freezing import STATISTICS
from netspec.weights.header import Entry, read_header
from netspec.weights.kinds import holds
from netspec.words import printable

F = TypeVar("F")

Weights = Mapping[str, torch.Tensor]
"""Tensors by their names in a state_dict."""


def save_weights(weights: Weights, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write a state_dict to one file, whole or not at all. Raises UsageError where the disk refuses."""
    write_file(path, lambda beside: save_tensors(weights, beside, metadata))


VARIANCE: Final = "running_var"
MEASURED: Final = (STATISTICS, VARIANCE)
"""What norms measure, which is finite."""


def loss_file(weights: Path) -> Path:
    """Where the weights of a loss lie that has some of its own: beside the network's."""
    return weights.with_name(f"{weights.stem}.loss{weights.suffix}")


def read_weights(path: Path, wanted: Weights | None = None) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The weights in a file, and its metadata. Raises DataError.

    Where it is known what is `wanted`, names, shapes and kinds of numbers are held against it before any is read.
    """
    header = read_header(path)
    if wanted is not None:
        need_same(wanted, _with_shared(wanted, header.tensors), f"the weights in {shown(path)}")
    try:
        # The file's tensors lie anywhere in memory, and sums over them depend on how they are aligned.
        return {name: tensor.clone() for name, tensor in load_file(path).items()}, header.metadata
    except (OSError, SafetensorError) as error:
        raise DataError(f"{shown(path)} holds no weights that can be read: {printable(str(error))}") from None


def load_weights(module: nn.Module, path: Path) -> dict[str, str]:
    """Put the weights of a file into `module`, name for name, and return the metadata. Raises DataError."""
    tensors, metadata = read_weights(path, module.state_dict(keep_vars=True))
    give_weights(module, tensors, f"the weights in {shown(path)}")
    return metadata


def start(module: nn.Module, fit: Fit) -> None:
    """Let `module` begin with the weights that fit it; what begins fresh stays as it is. Raises DataError."""
    own = module.state_dict()
    files = " and ".join(dict.fromkeys(shown(load.file) for load in fit.loads))
    give_weights(module, {**{name: own[name] for name in fit.fresh}, **taken(fit)}, f"the weights in {files}")


def taken(fit: Fit) -> dict[str, torch.Tensor]:
    """The tensors of the files that fit a network, by their names there. Raises DataError."""
    given: dict[str, torch.Tensor] = {}
    for path in dict.fromkeys(each.file for each in fit.taken):
        try:
            with safe_open(path, "pt") as file:
                for each in (each for each in fit.taken if each.file == path):
                    tensor = file.get_tensor(each.source)
                    given[each.name] = resized(tensor, each.resize, each.shape) if each.resize else tensor.clone()
        except (OSError, SafetensorError) as error:
            raise DataError(f"{shown(path)} holds no weights that can be read: {printable(str(error))}") from None
    return given


def give_weights(module: nn.Module, weights: Weights, origin: str = "the weights") -> None:
    """Let `module` use these very tensors as its own, name for name, each with the kind of number that it had.

    Its parameters stay the same objects, so that those which are tied stay tied; of a tensor with several names
    one is enough, and a norm's count of batches, which older files lack, begins at 0. Raises DataError where a tensor
    is missing, is one too many, has another shape or kind of numbers, is two different ones or is not finite; `origin`
    says in the message whose they are.
    """
    own = module.state_dict(keep_vars=True)
    for name, tensor in weights.items():
        if not isinstance(tensor, torch.Tensor):
            raise DataError(f"{origin} are no tensors: {name} is a {type(tensor).__name__}. torch.as_tensor makes one.")
    found = _with_shared(own, weights)
    need_same(own, found, origin)
    for first, *others in _shared(own):
        for other in others:
            if not torch.allclose(found[first], found[other].to(found[first]), rtol=0, atol=0, equal_nan=True):
                text = f"{first} and {other} are one tensor in the network and differ there"
                raise DataError(f"{origin} are another network's: {text}")
    need_finite(own, found, origin)
    for name, tensor in own.items():
        given = found.get(name, torch.zeros_like(tensor))
        tensor.data = given.detach().to(tensor.device, tensor.dtype)


def _with_shared(own: Weights, found: Mapping[str, F]) -> dict[str, F]:
    """What was found, under all names of each tensor that has several."""
    shared = {n: found[other] for names in _shared(own) for n in names for other in names if other in found}
    return {**shared, **found}


def _shared(own: Weights) -> list[list[str]]:
    """The names of each tensor that has several: safetensors saves such a tensor under one of them."""
    names: dict[int, list[str]] = {}
    for name, tensor in own.items():
        names.setdefault(id(tensor), []).append(name)
    return [group for group in names.values() if len(group) > 1]


def need_finite(own: Weights, found: Weights, origin: str) -> None:
    """Refuse weights that are not finite as the network holds them, and variances below 0.

    A buffer of another kind, such as a mask, may hold infinities. Raises DataError.
    """
    faults = []
    for name, tensor in found.items():
        if not tensor.is_floating_point():
            continue
        held = tensor.to(own[name].dtype)
        open_to = not isinstance(own[name], nn.Parameter) and not name.endswith(MEASURED)
        wrong = int((held.isnan() if open_to else ~held.isfinite()).sum())
        if wrong:
            faults.append(f"{name} ({wrong:,} of {tensor.numel():,})")
        elif name.endswith(VARIANCE) and (below := int((held < 0).sum())):
            text = f"{origin} hold variances below 0: {name} ({below:,} of {tensor.numel():,})"
            raise DataError(f"{text}. They are damaged, or of another layer: load others.")
    if faults:
        more = f", and {len(faults) - 5} more" if len(faults) > 5 else ""
        hint = "They were saved after a training that diverged, or are damaged: load others"
        raise DataError(f"{origin} hold numbers that are not finite: {', '.join(faults[:5])}{more}. {hint}.")


def need_same(wanted: Weights, found: Mapping[str, torch.Tensor | Entry], origin: str) -> None:
    """Refuse weights whose names, shapes or kinds of numbers are not those of the wanted ones. Raises DataError."""
    faults = [f"{name} is missing" for name in wanted if name not in found and not name.endswith(COUNT)]
    faults += [f"{name} is not in the network" for name in found if name not in wanted]
    for name in wanted:
        if name not in found:
            continue
        mine, other = tuple(wanted[name].shape), tuple(found[name].shape)
        if mine != other:
            faults.append(f"{name} is {mine} in the network and {other} there")
        elif not holds(*(kinds := [_kind(wanted[name]), _kind(found[name])])):
            faults.append(f"{name} is {kinds[0]} in the network and {kinds[1]} there, another kind of numbers")
    if faults:
        more = f", and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise DataError(f"{origin} are another network's: {'; '.join(faults[:5])}{more}")


def _kind(tensor: torch.Tensor | Entry) -> str:
    """Of its numbers, by torch's name."""
    return tensor.kind if isinstance(tensor, Entry) else str(tensor.dtype).removeprefix("torch.")
