"""Turns: who moves in a step, where players train beside the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from netspec.errors import UsageError
from netspec.runtime.train.loss import PLAYERS
from netspec.runtime.train.networks import MAIN
from netspec.runtime.train.optimizers import make_optimizer
from netspec.runtime.train.schedules import Schedule
from netspec.sections.train_record import Train

Named = Sequence[tuple[str, nn.Parameter]]
"""Parameters by their names."""


@dataclass(frozen=True)
class Turn:
    """Who moves in a step: what is trained, by which losses, and how often."""

    name: str
    """The player's; empty for the network."""
    network: str
    """The network that moves: the player's own, or that which is trained."""
    losses: tuple[str, ...]
    """The names of its losses."""
    parameters: Sequence[nn.Parameter]
    """What is trained by it."""
    apart: Sequence[nn.Parameter]
    """Those of them that are not of the network, whose gradients processes exchange by themselves."""
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    wanted: Train
    """The section as it is for this one's parameters."""
    named: Named
    """Its parameters and what else of the same network is frozen."""
    every: int


def turns_of(
    train: Train,
    whole: Named,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    scheduled: Callable[[torch.optim.Optimizer], Schedule],
) -> tuple[Turn, ...]:
    """The players in their order, and behind them the network, which has its optimizer and schedule; none without.

    `whole` are the parameters of all, `scheduled` makes the schedule of a player's optimizer. Raises UsageError for a
    player without a parameter to train.
    """
    if not train.players:
        return ()
    found = list[Turn]()
    for player in train.players:
        named = [(name, p) for name, p in whole if owner(name, train) == player.name]
        if not any(p.requires_grad for _, p in named):
            raise UsageError(f"the player {player.name} has no parameter to train. See what it freezes.")
        wanted = train.replace(optimizer=player.optimizer, groups=())
        own = make_optimizer(player.optimizer, named)
        network = player.name if player.spec is not None else MAIN
        losses = tuple(term.name for term in player.terms)
        found.append(
            Turn(player.name, network, losses, *_parts(named), own, scheduled(own), wanted, named, player.every)
        )
    named = [(name, p) for name, p in whole if not owner(name, train)]
    losses = tuple(term.name for term in train.terms)
    return (*found, Turn(MAIN, MAIN, losses, *_parts(named), optimizer, schedule, train, named, train.every))


def owner(name: str, train: Train) -> str:
    """The player that trains a parameter, of a network or of a player's own; empty for the network itself."""
    for player in train.players:
        if name.startswith(f"loss.{PLAYERS}.{player.name}.") or player.owns(name):
            return str(player.name)
    return MAIN


def _parts(named: Named) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The parameters that are trained, and those of them that are not of the network."""
    trained = [(name, p) for name, p in named if p.requires_grad]
    return [p for _, p in trained], [p for name, p in trained if name.startswith("loss.")]
