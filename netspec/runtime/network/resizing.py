"""Weights of another size made to fit: what each way to resize does to a tensor."""

from __future__ import annotations

import torch
from torch.nn import functional

from netspec.weights.resizing import differing, grid


def resized(tensor: torch.Tensor, word: str, shape: tuple[int, ...]) -> torch.Tensor:
    """A tensor of another shape, made in the way that `word` says and that `misfit` has found to fit."""
    axes = differing(tensor.shape, shape)
    if word in ("slice", "repeat"):
        for axis in axes:
            tensor = tensor.index_select(axis, torch.arange(shape[axis]) % tensor.shape[axis])
        return tensor
    wide = tensor.to(torch.float64 if tensor.dtype == torch.float64 else torch.float32)
    return _drawn(wide, word, shape, axes).to(tensor.dtype)


def _drawn(tensor: torch.Tensor, word: str, shape: tuple[int, ...], axes: list[int]) -> torch.Tensor:
    """The tensor grown or cut along `axes`, to `shape`, as the way called `word` does it; the dtype stays."""
    axis = axes[0]
    if word in ("mean", "extend"):
        kept = tensor if word == "extend" else tensor.narrow(axis, 0, 0)
        count = shape[axis] - kept.shape[axis]
        mean = tensor.mean(axis, keepdim=True)
        return torch.cat([kept, mean.expand(*shape[:axis], count, *shape[axis + 1 :])], axis)
    if len(axes) == 2:
        maps = tensor.movedim(axes, (-2, -1))
        flat = maps.reshape(1, -1, *maps.shape[-2:])
        drawn = functional.interpolate(flat, (shape[axes[0]], shape[axes[1]]), mode="bicubic", align_corners=False)
        return drawn.reshape(*maps.shape[:-2], *drawn.shape[-2:]).movedim((-2, -1), axes)
    last = tensor.movedim(axis, -1)
    flat = last.reshape(1, -1, last.shape[-1])
    if word == "stretch":
        drawn = functional.interpolate(flat, shape[axis], mode="linear", align_corners=False)
    else:
        found = grid(tensor.shape[axis], shape[axis])
        assert found is not None  # else `misfit` has refused it
        others, side, other = found
        places = flat[..., others:].reshape(1, -1, side, side)
        places = functional.interpolate(places, (other, other), mode="bicubic", align_corners=False)
        drawn = torch.cat([flat[..., :others], places.reshape(1, flat.shape[1], -1)], -1)
    return drawn.reshape(*last.shape[:-1], shape[axis]).movedim(-1, axis)
