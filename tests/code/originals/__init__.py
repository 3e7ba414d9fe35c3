"""Networks of other libraries: the names and shapes of their tensors, and what they give for numbers made by a rule.

Each file names the class that it was taken from, at the sizes of the ready spec.
"""

from __future__ import annotations

import torch


def numbers(count: int, salt: int) -> torch.Tensor:
    """As many numbers between -1 and 1, the same on every machine: float64 of one axis."""
    counted = (torch.arange(count, dtype=torch.int64) + 1) * 40503 + salt * 9973
    return (counted * counted % 65521).double() / 32760.5 - 1


def filled(name: str, shape: tuple[int, ...], salt: int) -> torch.Tensor:
    """The numbers of a tensor by its name and shape: of a matrix scaled by its width, of a norm about 1."""
    found = numbers(int(torch.tensor(shape).prod()), salt).reshape(shape)
    if len(shape) > 1:
        scaled: torch.Tensor = found * (found[0].numel() / 2) ** -0.5
        return scaled
    shifted: torch.Tensor = found / 4 + ("norm" in name and name.endswith("weight"))
    return shifted
