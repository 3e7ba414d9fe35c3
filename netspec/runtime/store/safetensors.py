"""Files of tensors in the format safetensors: a header in JSON, then the bytes of one tensor after the other.

safetensors itself reads them, once the header is found to be sound and to be what was asked for. It does not write
them: its files are of mode 0600, and have their metadata in another order each time.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch

from netspec.json_text import json_text
from netspec.weights.header import KINDS, METADATA

DTYPES: Final[dict[str, torch.dtype]] = {word: getattr(torch, name) for word, (name, _) in KINDS.items()}
"""What the format calls torch's dtypes."""
ALIGNED: Final = 8


def save_tensors(tensors: Mapping[str, torch.Tensor], path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors to one file, the same bytes for the same tensors. Raises OSError where the disk refuses.

    They may lie on any device and in any layout; the file has them contiguous, by name.
    """
    names = {dtype: name for name, dtype in DTYPES.items()}
    # The widest numbers come first, so that each tensor lies where its numbers may lie.
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header: dict[str, Any] = {METADATA: dict(sorted(metadata.items()))} if metadata else {}
    end = 0
    for name in order:
        tensor, begin = tensors[name], end
        end += tensor.numel() * tensor.element_size()
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json_text(header).encode()
    text += b" " * (-len(text) % ALIGNED)
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for name in order:
            whole = tensors[name].detach().cpu().contiguous()
            stream.write(whole.reshape(-1).view(torch.uint8).numpy().data)
