"""State dicts in safetensors files: the network's weights, and nothing that could run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from netspec.errors import DataError
from netspec.files import kind, shown, write_file
from netspec.runtime.store.safetensors import Entry, read_header, save_tensors
from netspec.words import printable

F = TypeVar("F")
FLOATS: Final = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
WHOLE: Final = (torch.int8, torch.int16, torch.int32, torch.int64)

Weights = Mapping[str, torch.Tensor]
"""Tensors by their names in a state_dict."""


def save_weights(weights: Weights, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write a state_dict to one file, whole or not at all. Raises UsageError where the disk refuses."""
    write_file(path, lambda beside: save_tensors(weights, beside, metadata))


COUNT: Final = "num_batches_tracked"
"""A norm's count of batches. torch takes a plain state_dict without it too, as those of before its time are."""
VARIANCE: Final = "running_var"
STATISTICS: Final = ("running_mean", VARIANCE)
PICKLED: Final = (".pt", ".pth", ".bin", ".ckpt")
"""What files of weights are called that torch.save wrote."""


def loss_file(weights: Path) -> Path:
    """Where the weights of a loss lie that has some of its own: beside the network's."""
    return weights.with_name(f"{weights.stem}.loss{weights.suffix}")


def read_weights(path: Path, wanted: Weights | None = None) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The weights in a file, and its metadata. Raises DataError.

    Where it is known what is `wanted`, names, shapes and kinds of numbers are held against it before any is read.
    """
    if path.suffix in PICKLED and kind(path) == "file":
        way_out = "save_file(torch.load(FILE, weights_only=True), ...) of safetensors.torch converts it once"
        raise DataError(f"{shown(path)} is a file of pickle's, only safetensors are read: {way_out}.")
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
        open_to = not isinstance(own[name], nn.Parameter) and not name.endswith(STATISTICS)
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
        elif not _holds(wanted[name].dtype, found[name].dtype):
            kinds = [str(x[name].dtype).removeprefix("torch.") for x in (wanted, found)]
            faults.append(f"{name} is {kinds[0]} in the network and {kinds[1]} there, another kind of numbers")
    if faults:
        more = f", and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise DataError(f"{origin} are another network's: {'; '.join(faults[:5])}{more}")


def _holds(wanted: torch.dtype, found: torch.dtype) -> bool:
    """Whether numbers of one dtype can be meant by those of another: floats by floats, whole ones by narrower ones."""
    if wanted in FLOATS:
        return found in FLOATS
    return wanted == found or (wanted in WHOLE and found in WHOLE[: WHOLE.index(wanted)])
