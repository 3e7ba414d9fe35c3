"""Writes tensors to safetensors files."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file


def save_tensors(tensors: Mapping[str, torch.Tensor], path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors to one file. Raises OSError where the disk refuses."""
    try:
        save_file(storable(tensors), path, dict(metadata or {}))
    except SafetensorError as error:
        refused = re.search(r"os error (\d+)", str(error))
        if refused is None:
            raise
        raise OSError(int(refused[1]), os.strerror(int(refused[1]))) from None


def storable(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors as safetensors takes them: each whole, in order and with memory of its own."""
    seen: set[int] = set()
    own: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        tensor = tensor.contiguous()
        key = tensor.untyped_storage().data_ptr()
        whole = tensor.numel() * tensor.element_size() == tensor.untyped_storage().nbytes()
        own[name] = tensor if whole and key not in seen else tensor.clone()
        seen.add(key)
    return own
