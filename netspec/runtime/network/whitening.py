"""Filters that whiten the patches which a convolution is given, computed from training data before the first step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import ceil
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from netspec.errors import UsageError
from netspec.runtime.data.split import Split

if TYPE_CHECKING:
    from netspec.initializers import Whitening
    from netspec.spec import Spec

BATCH = 50
"""Samples that are looked at together."""


def fill_from_data(module: nn.Module, spec: Spec, split: Split) -> list[str]:
    """Fill what the spec's `init` has computed from training data; a line for a person about each parameter.

    What the spec loads from a file stays as it is. Raises UsageError for a layer that the network does not come by.
    """
    wanted: dict[str, Whitening] = spec.graph.from_data()
    fit = spec.fitted() if wanted else None
    told = []
    for name, how in wanted.items():
        if fit is not None and name not in fit.fresh:
            continue
        whiten(module, name, how.eps, _spread(split, how.samples))
        count = min(how.samples, len(split))
        told.append(f"{name} whitens the patches of {count:,} training samples")
    return told


def whiten(module: nn.Module, name: str, eps: float, batches: Iterator[Sequence[torch.Tensor]]) -> None:
    """Give the convolution whose weight is called `name` filters that whiten what it is given for these inputs.

    Of a weight of 2n filters the first n are the eigenvectors of the patches' covariance with the largest eigenvalues,
    the largest last, divided by the root of eigenvalue + eps; the others their negatives.
    Sums are float64, on the CPU. Raises UsageError where the network does not come by the layer.
    """
    layer: Any = module.get_submodule(name.rpartition(".")[0])
    weight: torch.Tensor = layer.weight
    size = weight[0].numel()
    total, count = torch.zeros(size, size, dtype=torch.float64), 0
    for inputs in batches:
        found = _given(module, layer, [x.to(weight.device) for x in inputs])
        if found is None:
            raise UsageError(f"{name} is to whiten patches, and none comes to it. Take another initialiser for it.")
        patches = _patches(found.double().cpu(), weight.shape[2:], layer.dilation)
        total += patches.T @ patches
        count += len(patches)
    values, vectors = torch.linalg.eigh(total / count)
    half = len(weight) // 2
    directions = vectors.T[-half:]
    # An eigenvector is as good as its negative, and libraries differ in which they give.
    directions = directions * directions.gather(1, directions.abs().argmax(1, keepdim=True)).sign()
    filters = (directions / (values[-half:, None].clamp(min=0) + eps).sqrt()).view(half, *weight.shape[1:])
    with torch.no_grad():
        weight.copy_(torch.cat([filters, -filters]))


class _Reached(Exception):
    """A layer has been given its input, and what is behind it need not be computed."""


def _given(module: nn.Module, layer: nn.Module, inputs: Sequence[torch.Tensor]) -> torch.Tensor | None:
    """What a layer is given first where the network, in evaluation mode, is given `inputs`; None if it never is."""
    held: list[torch.Tensor] = []

    def reached(_: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        held.append(given[0])
        raise _Reached

    hook, training = layer.register_forward_pre_hook(reached), module.training
    try:
        with torch.inference_mode():
            module.eval()(*inputs)
    except _Reached:
        return held[0]
    finally:
        hook.remove()
        module.train(training)
    return None


def _patches(x: torch.Tensor, window: Sequence[int], dilation: Sequence[int]) -> torch.Tensor:
    """All patches inside maps (N, C, ...) as rows, in the order of a filter's weights; no padding is in any."""
    lengths = [n - d * (k - 1) for n, k, d in zip(x.shape[2:], window, dilation, strict=True)]
    shifted = []
    for place in product(*map(range, window)):
        at = [slice(d * k, d * k + n) for k, n, d in zip(place, lengths, dilation, strict=True)]
        inside: Any = (..., *at)
        shifted.append(x[inside])
    return torch.stack(shifted, 2).flatten(1, 2).flatten(2).transpose(1, 2).flatten(0, 1)


def _spread(split: Split, samples: int) -> Iterator[Sequence[torch.Tensor]]:
    """The inputs of so many samples, some from each stretch of a part, as the network is given them."""
    stretch = max(BATCH, ceil(len(split) * BATCH / samples))
    left = samples
    for inputs, _ in split.batches(stretch, lambda count: slice(0, min(count, BATCH))):
        yield [x[:left] for x in inputs]
        left -= len(inputs[0])
        if left <= 0:
            return
