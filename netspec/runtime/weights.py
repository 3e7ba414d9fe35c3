"""Weights as safetensors: the network's state_dict, and nothing that could run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from netspec.errors import DataError
from netspec.runtime.checkpoint import storable
from netspec.runtime.disk import write_file


def save_weights(weights: Mapping[str, torch.Tensor], path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write a state_dict to one file, whole or not at all. Raises UsageError where the disk refuses."""
    tensors = storable(dict(weights))
    write_file(path, lambda beside: save_file(tensors, beside, dict(metadata or {})))


def loss_file(weights: Path) -> Path:
    """Where the weights of a loss lie that has some of its own: beside the network's."""
    return weights.with_name(f"{weights.stem}.loss{weights.suffix}")


def load_weights(module: nn.Module, path: Path) -> dict[str, str]:
    """Put the weights of a file into `module`, name for name, and return the metadata. Raises DataError."""
    try:
        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
    except FileNotFoundError:
        raise DataError(f"there are no weights at {path}") from None
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path} holds no weights that can be read: {error}") from None
    _need_same(module.state_dict(), tensors, path)
    module.load_state_dict(tensors)
    return metadata


def _need_same(wanted: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor], path: Path) -> None:
    faults = [f"{name} is missing" for name in wanted if name not in found]
    faults += [f"{name} is not in the network" for name in found if name not in wanted]
    for name in wanted.keys() & found.keys():
        mine, other = tuple(wanted[name].shape), tuple(found[name].shape)
        if mine != other:
            faults.append(f"{name} is {mine} in the network and {other} in the file")
    if faults:
        more = f", and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise DataError(f"the weights in {path} are another network's: {'; '.join(faults[:5])}{more}")
