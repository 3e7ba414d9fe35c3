"""Evaluation: the loss and the metrics of a network on data, exact over all of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn

from netspec.metrics.base import Metric
from netspec.runtime.data.mixing import Target
from netspec.runtime.data.split import Split
from netspec.runtime.device.process_group import ALONE, World
from netspec.runtime.train.loss import Objective
from netspec.runtime.train.networks import Networks
from netspec.runtime.train.tally import Tally, batch_size, check_metrics


def evaluate(
    module: nn.Module,
    split: Split,
    objective: Objective,
    metrics: Sequence[Metric] = (),
    *,
    batch: int = 64,
    forward: Callable[..., Any] | None = None,
    networks: Networks | None = None,
    stopped: Callable[[], bool] = lambda: False,
    world: World = ALONE,
) -> dict[str, Any] | None:
    """The loss and the metrics of `module` over a part of the data; None if `stopped` said so on the way.

    Of several processes each measures its rows of every batch, and all get the same values.
    The module is in evaluation mode meanwhile, and no random number is drawn. `forward` is called
    in its place if given; `networks` are those that losses compare with it. Raises SpecError and DataError where
    outputs, targets and loss do not go together.
    """
    was_training = module.training
    module.eval()
    tally = Tally(objective, metrics)
    run = module if forward is None else forward
    try:
        with torch.inference_mode(), networks.measured() if networks is not None else nullcontext():
            size = batch if objective.compares_samples else batch_size(split, batch)
            for number, (inputs, target) in enumerate(split.batches(size, world.begin_batch)):
                outputs = run(*inputs) if networks is None else _scene(networks, run, inputs, target, number, world)
                if not number:
                    with world.all_or_none():
                        objective.check(outputs, target, {"evaluated": split})
                        check_metrics(metrics, objective, outputs)
                if world.divided or world.main:
                    tally.add(outputs, target)
                if stopped():
                    return None
            if world.size > 1:
                tally.exchange(world)
            return world.from_main(tally.values())
    finally:
        module.train(was_training)


def _scene(
    networks: Networks,
    run: Callable[..., Any],
    inputs: tuple[torch.Tensor, ...],
    target: Target,
    number: int,
    world: World,
) -> Any:
    """What losses compare of a batch, by the networks of a step; what is drawn follows from the batch's number."""
    drawn = networks.inputs.draw(len(inputs[0]), inputs[0].device, (number, world.rank), slice(None))
    return networks.scene(run, (*inputs, *drawn), target, training=False)
