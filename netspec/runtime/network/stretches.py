"""Scores of many classes a stretch of rows at a time: a last linear layer and its cross entropy, never whole in memory.

A language model over 50,000 tokens takes more memory for the scores of a batch, their logarithms and their gradients
than for all else. The layer is held back: in its place goes what it is given, and the loss multiplies a stretch of
rows, takes their loss and their gradients while they lie in the cache, and lets them go. Nothing is computed twice.

Sums over rows are made stretch by stretch, from the first to the last, so that losses and gradients equal those of
the layer and the loss run as they stand to rounding, and are the same bits each time. Scores that are no more than a
stretch are computed as the text has them, to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import prod
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from netspec.views.last_layers import STRETCH


class Scores(NamedTuple):
    """What a linear layer that is held back would give, classes on the last axis; whole only where it must be."""

    hidden: torch.Tensor
    """What the layer is given: any axes x features."""
    weight: torch.Tensor
    bias: torch.Tensor | None
    short: bool
    """Whether the layer computes in bfloat16."""

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the scores."""
        return (*self.hidden.shape[:-1], len(self.weight))

    @property
    def dtype(self) -> torch.dtype:
        """That of the scores, which losses are given as floats."""
        return torch.float32 if self.short else self.hidden.dtype

    @property
    def rows(self) -> int:
        """How many rows a stretch has."""
        return max(1, _most(self.hidden.device) // len(self.weight))

    def is_floating_point(self) -> bool:
        """Scores are."""
        return True

    def whole(self) -> torch.Tensor:
        """The scores themselves."""
        bias = None if self.bias is None else self.brought(self.bias)
        found = functional.linear(self.brought(self.hidden), self.brought(self.weight), bias)
        return found.float() if self.short else found

    def brought(self, x: torch.Tensor) -> torch.Tensor:
        """A tensor in the numbers that the layer computes with."""
        return x.bfloat16() if self.short else x

    def stretches(self, target: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The scores and their targets by and by, each with one axis of rows; all others before them are of size 1."""
        axes = (1,) * (self.hidden.dim() - 2)
        pairs = zip(self.hidden.flatten(0, -2).split(self.rows), target.flatten().split(self.rows), strict=True)
        for hidden, own in pairs:
            scores = self._replace(hidden=hidden).whole()
            yield scores.view(*axes, *scores.shape), own.view(*axes, -1)

    def cross_entropy(self, target: torch.Tensor, loss: nn.CrossEntropyLoss) -> torch.Tensor:
        """What torch's module gives for these scores and class numbers, one for each row."""
        hidden, classes = self.hidden.flatten(0, -2), target.flatten()
        found: torch.Tensor = _CrossEntropy.apply(hidden, self.weight, self.bias, classes, loss, self)  # type: ignore[no-untyped-call]
        return found


def _most(device: torch.device) -> int:
    """The scores of a stretch on a device."""
    return STRETCH.get(device.type, STRETCH["elsewhere"])


class _CrossEntropy(torch.autograd.Function):
    """The loss of torch's module over scores that are made here, with gradients that are made beside it."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        target: torch.Tensor,
        loss: nn.CrossEntropyLoss,
        scores: Scores,
    ) -> torch.Tensor:
        """The loss, without axes; `hidden` is rows x features, `target` a class number for each row."""
        wanted = ctx.needs_input_grad
        into_hidden = torch.empty_like(hidden) if wanted[0] else None
        into_weight = torch.empty_like(weight) if wanted[1] else None
        into_bias = torch.zeros_like(bias) if bias is not None and wanted[2] else None
        matrix, offset = scores.brought(weight), None if bias is None else scores.brought(bias)
        total = hidden.new_zeros((), dtype=scores.dtype)
        share = torch.ones_like(total) if loss.reduction == "sum" else _factors(target, loss, scores.dtype).sum()
        # Of rows that count for nothing the mean is 0/0, and no gradient comes of it. Short floats would round 1/share.
        part = 1 / share.where(share > 0, 1)
        ctx.part, part = (part, torch.ones_like(part)) if scores.short else (None, part)
        for start in range(0, len(hidden), scores.rows):
            rows = slice(start, start + scores.rows)
            given = scores.brought(hidden[rows])
            own, gradient, factor = _stretch(functional.linear(given, matrix, offset), target[rows], loss)
            total += own
            gradient, factor = scores.brought(gradient), factor * part
            if into_hidden is not None:
                into_hidden[rows] = (gradient @ matrix) * factor.unsqueeze(1)
            if into_weight is not None:
                _add_product(into_weight, gradient, given * scores.brought(factor.unsqueeze(1)), first=not start)
            if into_bias is not None:
                into_bias += gradient.t() @ scores.brought(factor)
        ctx.found = into_hidden, into_weight, into_bias
        return total / share

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        """The gradients that forward has made, times that of the loss; they are given away."""
        found, ctx.found = ctx.found, None
        gradient = gradient if ctx.part is None else gradient * ctx.part
        if gradient.device.type == "cpu" and gradient == 1:
            return (*found, None, None, None)
        return (*(None if x is None else x.mul_(gradient) for x in found), None, None, None)


def _factors(target: torch.Tensor, loss: nn.CrossEntropyLoss, kind: torch.dtype) -> torch.Tensor:
    """What each row counts for: the weight of its class, and nothing where it is skipped."""
    kept = target != loss.ignore_index
    return kept.to(kind) if loss.weight is None else (loss.weight[target.where(kept, 0)] * kept).to(kind)


def _stretch(
    scores: torch.Tensor, target: torch.Tensor, loss: nn.CrossEntropyLoss
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The sum of a stretch's losses, the gradient of each row, and what that is to be times.

    See https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html for the formula. The logarithm of
    the sum of exponentials is found from the largest score and its probability, which the softmax has made already.
    """
    kept = target != loss.ignore_index
    classes = target.where(kept, 0)
    scores = scores.float() if scores.dtype == torch.bfloat16 else scores
    factor = _factors(target, loss, scores.dtype)
    gradient = scores.softmax(1)
    total = scores.amax(1) - gradient.amax(1).log()
    smoothing, count = loss.label_smoothing, scores.shape[1]
    sure = 1 - smoothing
    each = sure * (total - scores.gather(1, classes.unsqueeze(1)).squeeze(1)) * factor
    if smoothing:
        spread = scores.sum(1) if loss.weight is None else scores @ loss.weight
        whole = count if loss.weight is None else loss.weight.sum()
        each += (total * whole - spread) * kept * (smoothing / count)
    if not smoothing:
        pulled = torch.full_like(factor, -1.0)
    elif loss.weight is None:
        pulled = torch.full_like(factor, -sure)
        gradient -= smoothing / count
    else:
        gradient *= (sure * factor + loss.weight.sum() * (smoothing / count)).unsqueeze(1)
        gradient -= loss.weight * (smoothing / count)
        pulled, factor = -sure * factor, kept.to(scores.dtype)
    gradient.scatter_add_(1, classes.unsqueeze(1), pulled.unsqueeze(1))
    return each.sum(), gradient, factor


def _add_product(total: torch.Tensor, gradient: torch.Tensor, given: torch.Tensor, *, first: bool) -> None:
    """Add the gradient of a weight by one stretch, in the weight's own numbers; the first is written."""
    if gradient.dtype != total.dtype:
        product = gradient.t() @ given
        total.copy_(product) if first else total.add_(product)
    else:
        torch.addmm(total, gradient.t(), given, beta=0 if first else 1, out=total)


def holding_back(call: Callable[..., Any], layers: Sequence[nn.Module]) -> Callable[..., Any]:
    """`call`, within which these linear layers give Scores, where their numbers would be more than a stretch.

    One with hooks, which are to see numbers, runs as it stands.
    """
    if not layers:
        return call

    small = set[tuple[torch.Size, ...]]()
    """The shapes of inputs for which no layer gives Scores, so that the next time nothing is held back."""

    def run(*inputs: torch.Tensor) -> Any:
        shapes = tuple([x.shape for x in inputs])
        if shapes in small:
            return call(*inputs)
        made: list[Scores] = []
        changed = [layer for layer in layers if not layer._forward_hooks and not layer._backward_hooks]
        for layer in changed:  # past what a module does when something is set, which takes longer than all else here
            layer.__dict__["forward"] = partial(_given, layer, made)
        try:
            found = call(*inputs)
        finally:
            for layer in changed:
                del layer.__dict__["forward"]
        if len(changed) == len(layers) and not made:
            small.add(shapes)
        return found

    return run


def _given(layer: nn.Module, made: list[Scores], hidden: torch.Tensor) -> Scores | torch.Tensor:
    """What a linear layer that is held back gives; Scores are added to those that are `made`."""
    assert isinstance(layer, nn.Linear)
    assert type(layer).forward is nn.Linear.forward, "a layer that does more than multiply"
    if prod(hidden.shape[:-1]) * layer.out_features <= _most(hidden.device):
        return functional.linear(hidden, layer.weight, layer.bias)
    made.append(Scores(hidden, layer.weight, layer.bias, torch.is_autocast_enabled(hidden.device.type)))
    return made[-1]
