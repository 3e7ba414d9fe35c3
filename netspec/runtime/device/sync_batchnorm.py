"""Synchronized batch normalisation: a batch that is divided has the mean and variance of the whole.

torch.nn.SyncBatchNorm does so on CUDA only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from netspec.errors import DataError
from netspec.runtime.data.split import Split
from netspec.runtime.device.process_group import World


def need_company(module: nn.Module, split: Split, batch: int) -> None:
    """Refuse samples of which the last batch holds one alone, where a BatchNorm then has one value a channel.

    Whether it has is tried out, and leaves the module as it was. Raises DataError.
    """
    if len(split) % batch != 1 or not any(isinstance(m, _BatchNorm) for m in module.modules()):
        return
    inputs, _ = split.batch(torch.zeros(1, dtype=torch.int64, device=split.device))
    place = next(chain(module.parameters(), module.buffers())).device
    buffers, training = [(buffer, buffer.clone()) for buffer in module.buffers()], module.training
    try:
        with torch.no_grad(), torch.random.fork_rng():
            module.train()(*(x.to(place) for x in inputs))
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        text = f"{len(split):,} samples in batches of {batch:,} leave one alone in the last"
        advice = "Write another train.batch, or hold out another share of the data"
        raise DataError(f"{text}, and a BatchNorm takes its statistics over at least two. {advice}.") from None
    finally:
        module.train(training)
        for buffer, before in buffers:
            buffer.copy_(before)


def forward(norm: _BatchNorm, world: World, x: torch.Tensor) -> torch.Tensor:
    """What `norm` gives for this process's rows `x` of the batch at hand: rows x channels x any more axes."""
    measures = norm.training or norm.running_mean is None
    if not (measures and world.divided):
        # SyncBatchNorm's own forward would divide it all the same, and on CUDA only.
        whole = _BatchNorm if isinstance(norm, nn.SyncBatchNorm) else type(norm)
        return whole.forward(norm, x)
    norm._check_input_dim(x)
    normal, mean, variance, count = Normalised.apply(x, norm.eps, world)  # type: ignore[no-untyped-call]
    if norm.training and norm.running_mean is not None:
        track(norm, mean, variance * count / (count - 1))
    if norm.affine:
        shape = (1, -1) + (1,) * (x.dim() - 2)
        normal = normal * norm.weight.view(shape) + norm.bias.view(shape)
    result: torch.Tensor = normal.to(x.dtype)
    return result


def tracked(norm: _InstanceNorm, world: World, x: torch.Tensor) -> torch.Tensor:
    """What `norm` gives for this process's rows `x`, its statistics moved by the samples of all processes.

    A step moves them by the mean over the samples, so each process's count for as much as it has samples.
    """
    result = type(norm).forward(norm, x)
    if norm.training and world.divided:
        with torch.no_grad():
            for held in (norm.running_mean, norm.running_var):
                assert held is not None
                parts = world.stacked(torch.cat([held, held.new_tensor([len(x)])]))
                held.copy_((parts[:, :-1] * parts[:, -1:]).sum(0) / parts[:, -1].sum())
    return result


@torch.no_grad()
def track(norm: _BatchNorm, mean: torch.Tensor, variance: torch.Tensor) -> None:
    """Move the running statistics, one number for each channel, as torch does."""
    assert norm.num_batches_tracked is not None
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.num_batches_tracked += 1
    share = 1 / norm.num_batches_tracked if norm.momentum is None else norm.momentum
    norm.running_mean += (mean - norm.running_mean) * share
    norm.running_var += (variance - norm.running_var) * share


class Normalised(torch.autograd.Function):
    """Each channel with mean 0 and variance 1 over all processes; also that mean, that variance and the count."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, eps: float, world: World) -> tuple[torch.Tensor, ...]:
        """The normalised `x`; then mean and variance (over n, not n - 1) of each channel, and the count n."""
        channels = (1, -1) + (1,) * (x.dim() - 2)
        axes = [axis for axis in range(x.dim()) if axis != 1]
        own = x.float()
        variance, mean = torch.var_mean(own, axes, correction=0)
        every = world.stacked(torch.cat([mean, variance, mean.new_tensor([x.numel() / x.shape[1]])]))
        means, variances, counts = every.split([len(mean), len(mean), 1], 1)
        count = counts.sum()
        mean = (means * counts).sum(0) / count
        variance = ((variances + (means - mean).square()) * counts).sum(0) / count
        scale = (variance + eps).rsqrt()
        normal = (own - mean.view(channels)) * scale.view(channels)
        ctx.save_for_backward(normal, scale, count)
        ctx.world, ctx.axes, ctx.channels, ctx.dtype = world, axes, channels, x.dtype
        ctx.mark_non_differentiable(mean, variance, count)
        return normal, mean, variance, count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor, *_: Any) -> tuple[torch.Tensor | None, ...]:
        """The gradient of the rows of this process, with what the statistics owe to them."""
        normal, scale, count = ctx.saved_tensors
        sums = torch.stack([gradient.sum(ctx.axes), (gradient * normal).sum(ctx.axes)])
        along, across = (part.view(ctx.channels) for part in ctx.world.sum(sums) / count)
        return ((gradient - along - normal * across) * scale.view(ctx.channels)).to(ctx.dtype), None, None


@contextlib.contextmanager
def joint_statistics(module: nn.Module, world: World) -> Iterator[None]:
    """Within it the norms of `module` take and keep their statistics over the rows of all processes."""
    norms = [m for m in module.modules() if keeps_statistics(m)] if world.size > 1 else []
    for norm in norms:
        joint: Any = tracked if isinstance(norm, _InstanceNorm) else forward
        norm.__dict__["forward"] = partial(joint, norm, world)
    try:
        yield
    finally:
        for norm in norms:
            del norm.__dict__["forward"]


def keeps_statistics(module: nn.Module) -> bool:
    """Whether a module's call in training takes, or keeps, statistics over the samples of a batch."""
    return isinstance(module, _BatchNorm) or (isinstance(module, _InstanceNorm) and module.track_running_stats)
