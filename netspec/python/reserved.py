"""Names that the printed source uses itself, so that no network, class or variable there may have them."""

from __future__ import annotations

import builtins
import keyword
from typing import Final

PRINTED: Final = frozenset(
    {"self", "super", "torch", "nn", "F", "OrderedDict", "fnmatch", "math", "range", "float", "getattr", "setattr"}
    | {
        "enumerate",
        "zip",
        "isinstance",
        "int",
        "len",
        "max",
        "min",
        "round",
        "abs",
        "sum",
        "list",
        "reversed",
        "tuple",
        "slice",
        "next",
        "type",
    }
    | {"ValueError"}
)
"""Modules and functions that the source calls."""
HELPERS: Final = frozenset(
    {"LoraConv1d", "LoraConv2d", "LoraConv3d", "LoraEmbedding", "LoraLinear", "LoraMultiheadAttention"}
    | {"Permute", "Slice", "Transpose"}
    | {
        "attend",
        "causal_mask",
        "convolve_each",
        "drop_path",
        "relative_index",
        "shift_mask",
        "sincos",
        "straight_through",
    }
)
"""Functions and classes that the source defines above the network's; a test holds this against what needs them."""
BUILTINS: Final = frozenset(name for name in dir(builtins) if not name.startswith("_"))
"""What variables and arguments are not called, though no source may call it: Python's own functions."""
RESERVED: Final = set(PRINTED | HELPERS)
"""All of them, and the modules of plugins that the source imports."""


def is_class_name(name: str) -> bool:
    """Whether a network can be called so: a plain Python name that means nothing else in its source."""
    return name.isascii() and name.isidentifier() and not keyword.iskeyword(name) and name not in RESERVED
