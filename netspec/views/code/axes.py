"""What the axes of a block's input are called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from netspec.graph.combining import Node, symbols
from netspec.graph.model import Level
from netspec.graph.symbols import node_of, replaced, size_symbol

CHANNELS: Final = {"in_channels", "num_features", "num_channels"}
"""The fields of layers that count the channels of a map, which lie behind the batch."""
FEATURES: Final = {"in_features", "normalized_shape", "embed_dim", "input_size", "d_model", "embedding_dim"}
"""The fields of layers that count what lies along the last axis."""
_WORDS: Final = {
    3: ("length", "features"),
    4: ("channels", "height", "width"),
    5: ("channels", "depth", "height", "width"),
}
"""By the rank of an input, behind the batch."""
_LETTERS: Final = {4: "BCHW", 5: "BCDHW"}


def is_last(level: Level, place: int, rank: int) -> bool:
    """Whether the channels of an input lie along its last axis: whether layers take that for what they work on."""
    if rank not in _LETTERS:
        return False
    found = [symbols(node) for node in _counted(level)]
    first, last = size_symbol(place, 1), size_symbol(place, rank - 1)
    return any(last in asked and first not in asked for asked in found)


def word(rank: int, axis: int, channels_last: bool) -> str:
    """The word for an axis behind the batch; empty where it has none."""
    words = _WORDS.get(rank, ())
    words = (*words[1:], words[0]) if channels_last else words
    return words[axis - 1] if axis and words else ""


def letters(rank: int, channels_last: bool) -> str:
    """A letter for each axis of a map or a volume, the batch included; empty for any other tensor."""
    known = _LETTERS.get(rank, "")
    return f"{known[0]}{known[2:]}{known[1]}" if known and channels_last else known


def _counted(level: Level) -> Iterator[Node]:
    """What layers in a level, and below it, count along the last axis, over the symbols of its block."""
    for step in level.steps:
        if step.body is not None:
            inner = _counted(step.body)
            yield from (replaced(node, step.body.bound) for node in inner) if step.body.kind == "block" else inner
        elif step.op is not None:
            yield from (node_of(getattr(step.op, name)) for name in FEATURES & step.op.fields.keys())
