"""The loss: torch's module, and the check that data and network suit it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from netspec.errors import At, DataError, Problem, UsageError
from netspec.files import shown
from netspec.lint.loss_target import LossTarget
from netspec.losses.base import Loss
from netspec.runtime.data.mixing import Target
from netspec.runtime.data.scale import Scale
from netspec.runtime.data.split import Split, described
from netspec.runtime.data.weighing import WEIGHTS, settled
from netspec.runtime.network.stretches import Scores
from netspec.runtime.network.weights import give_weights, loss_file, read_weights
from netspec.runtime.train import own_losses
from netspec.runtime.train.networks import Scene
from netspec.sections.objective import Term, alone
from netspec.tensors import Misfit
from netspec.text.report import SpecError


class Criterion:
    """One loss of torch's with the spec's arguments, on the outputs that it names.

    Weights that the data decides, and the scale on which numbers are compared, are as a run has `learnt` them.
    """

    def __init__(self, term: Term, device: torch.device | str, learnt: Mapping[str, Any], names: Sequence[str]) -> None:
        """The loss on a device; `names` are those of the network's outputs, where it gives them one after the other."""
        self.term, self.names = term, names
        of = learnt.get("losses", {}).get(term.name, {}) if term.name else learnt
        self.loss = loss = settled(term.loss, of)
        self.scale = Scale.of(of, device)
        self.module = make_loss(loss).to(device)
        self.sums = getattr(loss, "reduction", "mean") == "sum"
        self.uneven = any(getattr(loss, name, None) is not None for name in WEIGHTS)
        """Whether samples may count differently: by weights, or because targets that `check` has met are skipped."""
        self._seen: set[int] = set()

    def given(self, outputs: Any) -> Sequence[torch.Tensor] | None:
        """Those of the outputs that it takes; None where the network does not give them, as outside training."""
        if not self.term.outputs:
            return predictions(outputs)
        named = isinstance(outputs, Mapping | Scene)
        held = outputs if named else dict(zip(self.names, predictions(outputs), strict=False))
        if self.term.within and self.term.constant is None and self.term.named_target not in held:
            return None
        found = [held[name] for name in self.term.outputs if name in held]
        return found if len(found) == len(self.term.outputs) else None

    def target(self, target: Target) -> torch.Tensor:
        """The one of several targets of the data that it compares with; the first, where it compares with none."""
        if not isinstance(target, dict):
            return target
        return target[self.term.named_target or self.term.name] if self.term.takes_data else next(iter(target.values()))

    def compared(self, given: Sequence[torch.Tensor], outputs: Any, target: Target) -> torch.Tensor:
        """What it compares with the outputs that are `given`: a target of the data, a value of the step, or a number.

        What comes from the step gets no gradients.
        """
        if self.term.constant is not None:
            first = given[0].detach()
            if self.loss.target_kind == "class":
                return torch.full_like(first[:, 0], self.term.constant, dtype=torch.int64)
            return torch.full_like(first, self.term.constant)
        if self.term.within:
            found: torch.Tensor = outputs[self.term.named_target]
            return found.detach()
        return self.target(target)

    def __call__(self, given: Sequence[torch.Tensor], target: torch.Tensor) -> torch.Tensor:
        """The loss of one batch, a single number: a tensor without axes, on the device of the outputs.

        `given` is what the network gave for it, `target` is as the data has it, both batch first; a scaled target is
        scaled here.
        """
        first = given[0]
        if isinstance(first, Scores):
            if not target.is_floating_point():
                return first.cross_entropy(target, self.module)
            given = (first.whole(),)
        target = self.scale.taken_out(target) if self.scale else target
        result = self.module(*self.loss.inputs(given, target))
        # AdaptiveLogSoftmaxWithLoss gives (output, loss).
        number: torch.Tensor = result[-1] if isinstance(result, tuple) else result
        return number

    def share(self, target: torch.Tensor) -> Any:
        """What a batch counts for in the mean over several; None where the loss is a sum.

        A number where every sample counts alike, else a tensor.
        """
        if self.sums:
            return None
        return self.loss.share(self.module, target) if self.uneven else len(target)

    def scores(self, given: Sequence[torch.Tensor]) -> torch.Tensor:
        """The first of its outputs as metrics take it: batch x classes, or numbers in the target's own units."""
        scores: torch.Tensor = self.loss.scores(self.module, given[0])
        return self.scale.put_back(scores) if self.scale else scores

    def check(self, given: Sequence[torch.Tensor], target: torch.Tensor, parts: Mapping[str, Split]) -> None:
        """Refuse outputs and targets that the loss cannot compare, before anything is updated.

        Shapes and dtypes are those of a batch; the values of the targets are looked at in every
        part of the data. Raises SpecError or DataError.
        """
        shapes = [described(p, open_batch=False) for p in given]
        try:
            self.loss.expect(shapes, described(target, open_batch=False))
        except Misfit as misfit:
            text = f"{self.loss.said} {misfit.message}"
            raise SpecError([Problem(LossTarget.code, text, At(self.term.path), misfit.hint)]) from None
        if not self.term.takes_data:
            return
        for name, part in parts.items():
            if id(part) not in self._seen:
                own = part.led_by(self.term.target or self.term.name)
                first = described(next(own.targets()), open_batch=False)
                low, high = self.loss.target_range(shapes, first)
                self.uneven |= self._check_fills(own, low, high)
                self.uneven |= check_values(name, own, low, high, self.loss.ignored())
                self._seen.add(id(part))

    def _check_fills(self, part: Split, low: float | None, high: float | None) -> bool:
        """Refuse points that come into a target from outside, of a class that there is not. Raises DataError.

        Returns whether some of them are skipped.
        """
        fills = set(part.steps.fills(part.target.dtype))
        for fill in fills - {self.loss.ignored()}:
            if (low is not None and fill < low) or (high is not None and fill > high):
                limits = " to ".join("any" if bound is None else f"{bound:g}" for bound in (low, high))
                text = f"mask_fill is {fill}, a class of {limits} is expected"
                raise DataError(f"{text}, or {self.loss.ignored()}, which the loss skips")
        return self.loss.ignored() in fills


class Objective:
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
        self.criteria = tuple(Criterion(term, device, learnt or {}, names) for term in terms)
        self.several = any(term.name for term in terms)
        """Whether losses are told by name besides their sum."""
        self.players: nn.Module | None = None
        """The networks of players, where there are some."""
        self.module = _together(self.criteria, device) if self.several else self.criteria[0].module

    @property
    def sums(self) -> bool:
        """Whether a batch's loss is a sum over its samples, and no mean."""
        return all(criterion.sums for criterion in self.criteria)

    @property
    def uneven(self) -> bool:
        """Whether samples may count differently."""
        return any(criterion.uneven for criterion in self.criteria)

    @property
    def compares_samples(self) -> bool:
        """Whether a loss is that of a batch, whose samples it compares with each other."""
        return any(criterion.loss.compares_samples for criterion in self.criteria)

    @property
    def owns_parameters(self) -> bool:
        """Whether something of it is trained with the network."""
        return self.players is not None or any(criterion.term.owns_parameters for criterion in self.criteria)

    @property
    def names(self) -> tuple[str, ...]:
        """What several losses are told by; none for one loss."""
        return tuple(criterion.term.name for criterion in self.criteria) if self.several else ()

    def hold(self, players: Mapping[str, nn.Module]) -> None:
        """Take in the networks of players, which are trained and kept as weights of the loss are."""
        if players:
            self.players = nn.Module()
            self.players._modules.update(players)
            self.module._modules[PLAYERS] = self.players

    def present(self, outputs: Any, player: str | None = None) -> list[tuple[Criterion, Sequence[torch.Tensor]]]:
        """The losses, of a player where that is said, whose outputs are there, each with these: in training all are."""
        wanted = (criterion for criterion in self.criteria if player in (None, criterion.term.player))
        pairs = ((criterion, criterion.given(outputs)) for criterion in wanted)
        return [(criterion, given) for criterion, given in pairs if given is not None]

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

    def check(self, outputs: Any, target: Target, parts: Mapping[str, Split], player: str | None = None) -> None:
        """Refuse outputs and targets that a loss, one of a player where that is said, cannot compare.

        Shapes and dtypes are those of a batch; the values of the targets are looked at in every part of the data.
        Raises SpecError or DataError.
        """
        for criterion, given in self.present(outputs, player):
            criterion.check(given, criterion.compared(given, outputs, target), parts)


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


def predictions(outputs: Any) -> Sequence[Any]:
    """The tensors that a network gave: one, or the items of a tuple or a mapping, in order. Each is batch first."""
    if isinstance(outputs, torch.Tensor | Scores):
        return (outputs,)
    if isinstance(outputs, Scene):
        return outputs.own
    return tuple(outputs.values()) if isinstance(outputs, Mapping) else tuple(outputs)


def check_values(name: str, part: Split, low: float | None, high: float | None, ignored: int | None) -> bool:
    """Refuse targets outside their range, and name the first one's file and row. Raises DataError.

    Returns whether some of them are `ignored`.
    """
    rows, skips = 0, False
    for target in part.targets():
        wrong = torch.zeros_like(target, dtype=torch.bool)
        if low is not None:
            wrong |= target < low
        if high is not None:
            wrong |= target > high
        if target.is_floating_point():
            wrong |= ~target.isfinite()
        if ignored is not None:
            skipped = target == ignored
            wrong &= ~skipped
            skips |= bool(skipped.any())
        if bool(wrong.any()):
            place = wrong.nonzero()[0].tolist()
            value = target[tuple(place)].item()
            limits = [f"at least {low:g}"] * (low is not None) + [f"at most {high:g}"] * (high is not None)
            text = f"{part.origin.at(rows + place[0])} ({name} part): the target is {value}"
            count = f"{int(wrong.sum()):,} of the {wrong.numel():,} values there are wrong"
            way_out = part.origin.way_out or (_way_out(target, low) if high is not None and value > high else "")
            raise DataError(f"{text}, {' and '.join(limits) or 'a number'} is expected. {count}. {way_out}".rstrip())
        rows += len(target)
    return skips


def _way_out(target: torch.Tensor, low: float | None) -> str:
    """What to do with maps whose values are too large, as those of masks of 0 and 255 are."""
    if target.ndim < 3:
        return ""
    if target.is_floating_point():
        return f"Save no as {low or 0:g} and yes as 1, as (y > 0) is."
    numbers = "numpy.unique(y, return_inverse=True)[1].reshape(y.shape)"
    return f"Classes are numbered from 0, as {numbers} does; ignore_index= of the loss skips a value."


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
