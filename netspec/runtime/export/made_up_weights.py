"""Networks that say the same of every sample, as heads of zeros do before training, and what proves a file of them.

Any file that gave that one answer would agree. So the same network is written once more with made-up weights, under
which its answers differ, and that file is compared; it is not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import torch
from torch import nn

from netspec.exporters.base import Exporter
from netspec.runtime.export.subject import BATCHES, Subject
from netspec.runtime.export.tolerance import Difference
from netspec.runtime.network.remove_parametrizations import copied

SAID: Final = "made-up weights"
SPREAD: Final = 0.1
"""How far numbers that are added, and the factors of norms, are from 0 and from 1."""


def says_one_thing(subject: Subject) -> bool:
    """Whether no output tells one sample from another by more than the tolerance."""
    for x in subject.gives(subject.examples.draw(BATCHES[-1], subject.sizes[0], seed=BATCHES[-1])):
        values = x.double() if x.ndim else x.double()[None]
        apart = float((values - values[:1]).abs().max()) if values.numel() else 0.0
        if not apart <= subject.atol + subject.rtol * float(values.abs().max() if values.numel() else 0):
            return False
    return True


def differences(exporter: Exporter, subject: Subject) -> Iterator[Difference]:
    """What a file of the same network with made-up weights gives, against that network. Raises as `write` does."""
    other = replace(subject, network=_redrawn(subject.network), validation=(), sizes=subject.sizes[:1])
    with TemporaryDirectory() as folder:
        file = Path(folder, f"network{exporter.extension}")
        exporter.write(other, file)
        for each in exporter.check(other, file):
            yield replace(each, what=f"{each.what}, {SAID}")


def _redrawn(network: nn.Module) -> nn.Module:
    """The network with weights that let all that goes in count, the same each time."""
    found, chance = copied(network), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in found.named_parameters():
            if not weight.is_floating_point():
                continue
            drawn = torch.randn(weight.shape, generator=chance)
            if weight.ndim > 1:
                weight.copy_(drawn * (2 / weight[0].numel()) ** 0.5)
            else:
                weight.copy_(drawn * SPREAD + name.endswith("weight"))
    return found
