"""Target standardization: the scale that a target of numbers is trained on, and the way back to its own units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any

import torch
from torch import nn

from netspec.errors import DataError
from netspec.losses.base import Loss
from netspec.runtime.data.split import Split
from netspec.runtime.data.units import Scale


def learn(train: Split, loss: Loss | None) -> dict[str, list[float]]:
    """The mean and the deviation of a target of numbers: of each of its columns, of one with more axes as a whole.

    `loss` is what it is compared with. Raises DataError.
    """
    if loss is not None and not loss.scales:
        text = f"scale_target goes with mse, l1, huber and smooth_l1, {loss.said} compares other than plain numbers"
        raise DataError(f"{text}. Drop data.scale_target.")
    if not next(train.targets()).is_floating_point():
        text = "scale_target scales numbers, the target holds classes"
        raise DataError(f"{text}. Take the target as numbers, which a table does with regression, or drop it.")

    def rows() -> Iterator[torch.Tensor]:
        for target in train.targets():
            yield target.double().reshape(-1, target.shape[1] if target.ndim == 2 else 1)

    count = sum(len(each) for each in rows())
    mean = torch.stack([each.sum(0) for each in rows()]).sum(0) / count
    deviation = (torch.stack([(each - mean).square().sum(0) for each in rows()]).sum(0) / count).sqrt()
    for place, size in enumerate(deviation.tolist()):
        if not size > 0:
            which = f"column {place} of the target" if len(deviation) > 1 else "the target"
            raise DataError(f"{which} is {mean[place]:g} in all samples that are trained on: it has no scale")
    return {"mean": mean.tolist(), "deviation": deviation.tolist()}


class InOwnUnits(nn.Module):
    """A network whose outputs are put back into the units of their targets, by the outputs' names."""

    def __init__(self, network: nn.Module, scales: Mapping[str, Scale], names: Sequence[str]) -> None:
        """`network` gives scaled targets, by the names of its outputs, which `names` has in their order."""
        super().__init__()
        self.network = network
        self.places = {names.index(name): place for place, name in enumerate(scales)}
        for place, scale in enumerate(scales.values()):
            self.register_buffer(f"mean{place}", scale.mean)
            self.register_buffer(f"deviation{place}", scale.deviation)

    def around(self, network: nn.Module) -> InOwnUnits:
        """The same around another network."""
        found = copy(self)
        found._modules = {**self._modules, "network": network}
        return found

    def forward(self, *inputs: torch.Tensor) -> Any:
        """The network's outputs, those which scaled targets were compared with in the targets' own units."""
        given = self.network(*inputs)
        if isinstance(given, torch.Tensor):
            return self._put_back(0, given)
        if isinstance(given, Mapping):
            return {name: self._put_back(place, x) for place, (name, x) in enumerate(given.items())}
        return tuple(self._put_back(place, x) for place, x in enumerate(given))

    def _put_back(self, place: int, x: torch.Tensor) -> torch.Tensor:
        """The output at a place in its own units."""
        if place not in self.places:
            return x
        found: torch.Tensor = self.scale(place).put_back(x)
        return found

    def scale(self, place: int) -> Scale:
        """The scale of the output at a place, which has one."""
        number = self.places[place]
        return Scale(self.get_buffer(f"mean{number}"), self.get_buffer(f"deviation{number}"))
