"""The loss: torch's module, and the check that data and network suit it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from netspec.errors import DataError, UsageError
from netspec.files import shown
from netspec.losses.base import Loss
from netspec.runtime.data.mixing import Target
from netspec.runtime.data.split import Split
from netspec.runtime.data.weighing import WEIGHTS
from netspec.runtime.network.weights import give_weights, loss_file, read_weights
from netspec.runtime.train import own_losses
from netspec.runtime.train.criterion import Comparison, Criterion
from netspec.sections.objective import Term, alone


class Objective(Comparison):
    """What is minimised: one loss on the outputs of a network, or the weighted sum of several by name.

    A weight that is learnt stands for the noise of its target: the loss is multiplied by exp(-s), halved for numbers,
    and s/2 is added, where s is the logarithm of the variance (Kendall, Gal and Cipolla 2018, equations 7 and 10).
    """

    def __init__(
        self,
        loss: Loss | Sequence[Term],
        device: torch.device | str = "cpu",
        learnt: Mapping[str, Any] | None = None,
        names: Sequence[str] = (),
    ) -> None:
        terms = alone(loss) if isinstance(loss, Loss) else tuple(loss)
        held = partial(torch.tensor, device=device)
        self.criteria = tuple(
            Criterion(term, learnt or {}, names, held, lambda loss: make_loss(loss).to(device)) for term in terms
        )
        self.players: nn.Module | None = None
        """The networks of players, where there are some."""
        self.module = _together(self.criteria, device) if self.several else self.criteria[0].module
        self.owns_parameters = any(term.owns_parameters for term in terms)
        """Whether something of it is trained with the network."""

    @property
    def names(self) -> tuple[str, ...]:
        """What several losses are told by; none for one loss."""
        return tuple(criterion.term.name for criterion in self.criteria) if self.several else ()

    def hold(self, players: Mapping[str, nn.Module]) -> None:
        """Take in the networks of players, which are trained and kept as weights of the loss are."""
        if players:
            self.players, self.owns_parameters = nn.Module(), True
            self.players._modules.update(players)
            self.module._modules[PLAYERS] = self.players

    def __call__(self, outputs: Any, target: Target) -> torch.Tensor:
        """The loss of one batch, a single number: a tensor without axes, on the device of the outputs.

        `outputs` are what the network gave, `target` is as the data has it, both batch first.
        """
        found = {c.term.name: c(given, c.compared(given, outputs, target)) for c, given in self.present(outputs)}
        return self.total(found)

    def total(self, losses: Mapping[str, torch.Tensor], part: float = 1.0, player: str = "") -> torch.Tensor:
        """The weighted sum of losses, single numbers by their names, each of which is `part` of a mean.

        Of several players it is that of one, or of the network.
        """
        if not self.several:
            (only,) = losses.values()
            return only
        found: torch.Tensor | None = None
        for criterion in self.criteria:
            if criterion.term.name in losses and criterion.term.player == player:
                addend = self._weighed(criterion, losses[criterion.term.name], part)
                found = addend if found is None else found + addend
        assert found is not None
        return found

    def _weighed(self, criterion: Criterion, loss: torch.Tensor, part: float) -> torch.Tensor:
        """A loss, or `part` of one, times what it counts."""
        term = criterion.term
        if term.learned:
            spread = self.module.get_submodule(WEIGHING)._parameters[term.name]
            assert spread is not None
            half = 0.5 if criterion.loss.target_kind == "value" else 1.0
            loss = half * torch.exp(-spread) * loss + spread * (part / 2)
        return loss if term.weight == 1 else loss * term.weight

    def joined(self, values: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.cat(list(values))

    def total_of(self, losses: Mapping[str, float]) -> float:
        with torch.no_grad():
            return float(self.total({name: torch.tensor(each).double() for name, each in losses.items()}))

    def parameters(self) -> dict[str, torch.Tensor]:
        """The weights of the loss itself, which few losses have."""
        return self.module.state_dict() if self.owns_parameters else {}

    def restore(self, weights: Path) -> None:
        """Take up the loss's own weights from beside a network's weights, if it has some. Raises DataError."""
        if not self.owns_parameters:
            return
        path, whole = loss_file(weights), self.players is not None
        # What players had has no part in the answers of the network.
        held = {n: x for n, x in read_weights(path)[0].items() if whole or not n.startswith(f"{PLAYERS}.")}
        give_weights(self.module, held, f"the weights in {shown(path)}")


PLAYERS: Final = "players"
"""What holds the networks of players, by their names."""
WEIGHING: Final = "log_variance"
"""What holds the logarithms of variances that weigh losses, by their names."""


def _together(criteria: Sequence[Criterion], device: torch.device | str) -> nn.Module:
    """The modules of several losses by their names, which may be those of torch's own attributes."""
    whole, learned = nn.Module(), nn.Module()
    for criterion in criteria:
        whole._modules[criterion.term.name] = criterion.module
        if criterion.term.learned:
            learned._parameters[criterion.term.name] = nn.Parameter(torch.zeros((), device=device))
    if learned._parameters:
        whole._modules[WEIGHING] = learned
    return whole


def make_loss(loss: Loss) -> nn.Module:
    """The module of torch.nn that `loss` names. Raises UsageError."""
    build = getattr(loss, "build", None)
    if build is not None:  # a plugin's own
        own: nn.Module = build()
        return own
    name = type(loss).__name__
    cls = getattr(own_losses, name, None) or getattr(nn, name, None)
    if cls is None:
        raise UsageError(f"this torch ({torch.__version__}) has no loss {name}. Install a newer one.")
    keywords = loss.keywords()
    for weight in WEIGHTS:
        if keywords.get(weight) is not None:
            keywords[weight] = torch.tensor(keywords[weight])
    module: nn.Module = cls(**keywords)
    return module


def check_inputs(parts: Mapping[str, Split]) -> None:
    """Refuse inputs that are not finite, and name the first one's row. Raises DataError.

    What stays in its files was looked at when they were opened.
    """
    for name, part in parts.items():
        for number, x in enumerate(part.inputs):
            # A sum that is finite has only finite terms, and is far cheaper than looking at each of them.
            if not isinstance(x, torch.Tensor) or not x.is_floating_point() or bool(x.sum().isfinite()):
                continue
            bad = (~x.isfinite()).flatten(1).any(1) if x.dim() > 1 else ~x.isfinite()
            if bool(bad.any()):
                row = part.origin.at(int(bad.nonzero()[0]), number)
                which = f" in input {number + 1}" if len(part.inputs) > 1 else ""
                text = f"{row} ({name} part): a value{which} is not a finite number"
                raise DataError(f"{text}. {int(bad.sum()):,} of {len(x):,} rows hold such values.")
