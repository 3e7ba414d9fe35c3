"""Penalties on parameters in a step: added to its loss, and their gradients to those of the data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from netspec.penalties import L1, Penalty
from netspec.sections.penalties_of import Penalised


class Penalties:
    """What a step adds to its loss for parameters. They are the same in all processes, and so is what is added."""

    def __init__(self, lines: Sequence[Penalised], named: Iterable[tuple[str, nn.Parameter]]) -> None:
        """`named` are the parameters of the network by their names, in the order in which they are added up."""
        held = list(named)
        self.terms = [
            (penalty, [parameter for name, parameter in held if name in line.parameters])
            for line in lines
            for penalty in line.penalties
        ]

    def __bool__(self) -> bool:
        return bool(self.terms)

    def added(self, loss: torch.Tensor) -> torch.Tensor:
        """A loss, a single number, with the penalties; their gradients are added to those that are there."""
        with torch.enable_grad():
            values = [measured(penalty, parameters) for penalty, parameters in self.terms]
            trained = list(dict.fromkeys(p for _, found in self.terms for p in found if p.requires_grad))
            gradients = torch.autograd.grad(sum(values, torch.zeros_like(loss)), trained) if trained else ()
        for parameter, gradient in zip(trained, gradients, strict=True):
            if parameter.grad is None:
                parameter.grad = gradient
            else:
                parameter.grad += gradient
        for value in values:
            loss = loss + value.detach()
        return loss


def measured(penalty: Penalty, parameters: Sequence[nn.Parameter]) -> torch.Tensor:
    """A penalty on some parameters, a single number: its weight times the sum over all of their numbers."""
    first, *others = ((p.abs() if isinstance(penalty, L1) else p.square()).sum() for p in parameters)
    return penalty.weight * sum(others, first)
