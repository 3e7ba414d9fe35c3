"""Files of weights made up of a header alone: their tensors are holes that nobody reads."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

WIDTH = {"F32": 4, "I64": 8, "F16": 2}


def stored(path: Path, shapes: Mapping[str, tuple[int, ...]], dtype: str = "F32") -> Path:
    """A file of tensors with these shapes, whose numbers are zeros that take no room on the disk."""
    header: dict[str, Any] = {}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + prod(shape) * WIDTH[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        stream.truncate(stream.tell() + end)
    return path


def sharded(folder: Path, shards: Mapping[str, Mapping[str, tuple[int, ...]]], **more: str) -> Path:
    """A set of files with its index, in which `more` names other files for some tensors."""
    for name, shapes in shards.items():
        stored(folder / name, shapes)
    files = {tensor: name for name, shapes in shards.items() for tensor in shapes} | more
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": files}))
    return index
