"""How other people train the same LeNet on the same images: each file is one way, written as its users write it.

`epochs(images, labels, batch)` makes a function that trains for one epoch, on a network that goes on learning, and
returns the seconds between the epoch's first and last step: what a framework does before and after is not counted.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

import torch

Epochs = Callable[[torch.Tensor, torch.Tensor, int], Callable[[], float]]
"""Bytes as the files hold them, N x 28 x 28, class numbers, and the samples in a step."""

LR = 2e-3
"""AdamW's learning rate, everywhere."""


def keep_memory() -> None:
    """Keep freed memory for the next step, as netspec does; see mallopt(3)."""
    if sys.platform == "linux":
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-3, 1 << 30)
        libc.mallopt(-1, (1 << 31) - 1)
