"""Real inputs that an exported file is compared on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import islice
from typing import Final

import torch

from netspec.runs.networks import inputs_of
from netspec.runtime.data.mixing import Batch
from netspec.runtime.data.split import Data, Split, Steps
from netspec.runtime.export.subject import TRAINING, VALIDATION
from netspec.runtime.train.tally import batch_size
from netspec.spec import Spec
from netspec.transforms.base import Chance

COMPARED: Final = 4
"""Batches of validation data that an exported file is compared on."""


def validation(spec: Spec, data: Data | None) -> Iterator[tuple[torch.Tensor, ...]]:
    """A few batches of real inputs, of the validation part where there is one; what is drawn is drawn."""
    if data is not None:
        yield from batches(spec, data, data.val or data.train, COMPARED)


def part_of(data: Data | None) -> str:
    """Which part of the data these are of, in words."""
    return VALIDATION if data is None or data.val else TRAINING


def batches(spec: Spec, data: Data, part: Split, count: int) -> Iterator[tuple[torch.Tensor, ...]]:
    """So many batches of what the network is given, of a part of the data."""
    given = inputs_of(spec, data)
    for number, (inputs, _) in enumerate(islice(part.batches(batch_size(part, 64)), count)):
        drawn = given.draw(len(inputs[0]), inputs[0].device, (number,), slice(None))
        yield given.of_network((*inputs, *drawn))


class _Targets(Steps):
    """What becomes of targets alone: what is done to samples is done in a file."""

    def __call__(self, batch: Batch, chance: Chance | None = None) -> Batch:
        """The samples as they are, and the target as it goes along with them."""
        return batch[0], super().__call__(batch, chance)[1]


def untouched(part: Split) -> Split:
    """The same samples as the data's source has them, with what becomes of their targets."""
    return replace(part, steps=_Targets(*(getattr(part.steps, each.name) for each in fields(Steps))))
