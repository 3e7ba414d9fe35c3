"""The networks of a step: the one that is trained with its further passes, a teacher, and those of players.

A step asks for values by the names that losses have for them. What they come from is run when it is first asked for,
and once, until a network that it came through has moved.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from netspec.runtime.data.mixing import Target
from netspec.runtime.data.split import seeded
from netspec.sections.beside import OWN, TEACHER, Pass, called
from netspec.sections.draw import Draw, Normal, Uniform
from netspec.sections.train_record import Train

MAIN: Final = ""
"""What the network that is trained is called among those of a step."""
TARGET: Final = "target"
"""What a pass calls the only target of the data."""
Call = Callable[..., Any]
Run = tuple[str, str]
"""A network and a pass of it; no name is the plain one."""


DRAWN: Final = 7919
"""Tells what is drawn for the network from what augmentation draws in the same place."""


@dataclass(frozen=True)
class Drawn:
    """An input of the network that is drawn: how, and the shape of a sample."""

    way: Draw
    shape: tuple[int, ...]

    def draw(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """So many samples, on the device of the generator."""
        size, device = (count, *self.shape), generator.device
        if isinstance(self.way, Uniform):
            found = torch.rand(size, generator=generator, device=device)
            return found * (self.way.high - self.way.low) + self.way.low
        found = torch.randn(size, generator=generator, device=device)
        assert isinstance(self.way, Normal)
        return found * self.way.std + self.way.mean


@dataclass(frozen=True)
class Inputs:
    """What a step is given: the inputs of the data and what is drawn beside, by the names that passes have for them."""

    network: tuple[str, ...] = ()
    """The network's inputs, in order."""
    data: tuple[str, ...] = ()
    """Those of the data; the network takes the first of them, besides what is drawn."""
    drawn: Mapping[str, Drawn] = field(default_factory=dict)
    """Those of the network's inputs that are drawn anew in each step."""

    def named(self, given: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
        """The tensors of one view by their names: what is drawn, and the inputs of the data, whose names go first."""
        count = len(self.data)
        return {**dict(zip(self.drawn, given[count:], strict=True)), **dict(zip(self.data, given, strict=False))}

    def of_network(self, given: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """What the network takes of them."""
        drawn, rest = dict(zip(self.drawn, given[len(self.data) :], strict=True)), iter(given)
        return tuple(drawn[name] if name in drawn else next(rest) for name in self.network)

    def draw(self, count: int, device: torch.device, place: tuple[int, ...], rows: slice) -> tuple[torch.Tensor, ...]:
        """What is drawn of it for these `rows` of a batch, as the place in the run says alone."""
        if not self.drawn:
            return ()
        generator = seeded(*place, DRAWN, device=device)
        return tuple(each.draw(count, generator)[rows] for each in self.drawn.values())

    @property
    def count(self) -> int:
        """How many tensors a view has."""
        return len(self.data) + len(self.drawn)


@dataclass
class Networks:
    """All networks of a run besides the one that is trained, and what losses call the values of each."""

    train: Train
    inputs: Inputs = Inputs()
    outputs: tuple[str, ...] = ()
    """Those of the network in training."""
    teacher: Any = None
    """The teacher's module, which is never trained."""
    players: Mapping[str, nn.Module] = field(default_factory=dict)
    """The modules of players that have one, by their names."""
    given: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The outputs of the teacher and of players, by their names."""

    def __post_init__(self) -> None:
        train, outputs = self.train, self.outputs
        self.views = [each.name for each in train.passes if each.augmented]
        """The passes whose inputs come behind those of the step itself."""
        self.passes: dict[Run, Pass] = {(MAIN, each.name): each for each in train.passes}
        self.names: dict[str, tuple[Run, str]] = {name: ((MAIN, ""), name) for name in outputs}
        self.names |= {f"{OWN}.{name}": ((MAIN, ""), name) for name in outputs}
        self._name(train.passes, MAIN, MAIN, outputs, plain=False)
        if train.teacher is not None:
            taught = self.given.get(TEACHER, outputs)
            self._name(train.passes, TEACHER, TEACHER, taught, plain=True)
            self.passes |= {(TEACHER, each.name): each for each in train.passes}
        for player in train.players:
            if player.name in self.players:
                self._name(player.passes, player.name, player.name, self.given[player.name], plain=False)
                self.passes |= {(player.name, each.name): each for each in player.passes}
        self.trained = {
            name: [p for p in module.parameters() if p.requires_grad] for name, module in self.players.items()
        }

    def _name(self, passes: Sequence[Pass], prefix: str, network: str, given: Sequence[str], *, plain: bool) -> None:
        """Take up what losses call the outputs of a network."""
        self.names |= {name: ((network, way), own) for name, way, own in called(passes, prefix, given, plain)}

    @property
    def averaged(self) -> AveragedModel | None:
        """The teacher, where it is an average of the network."""
        return self.teacher if isinstance(self.teacher, AveragedModel) else None

    def to(self, device: torch.device) -> None:
        """Bring all of them to a device."""
        for module in (*self.players.values(), *([self.teacher] if self.teacher is not None else [])):
            module.to(device)

    def scene(self, forward: Call, inputs: Sequence[torch.Tensor], target: Target, *, training: bool) -> Scene:
        """A step over these inputs, which may have those of augmented passes behind them. `forward` is the network."""
        return Scene(self, forward, inputs, target, training)

    @contextlib.contextmanager
    def measured(self) -> Iterator[None]:
        """Within it the networks of players are in evaluation mode."""
        for module in self.players.values():
            module.eval()
        try:
            yield
        finally:
            for module in self.players.values():
                module.train()


class Scene:
    """The values of one step, by the names that losses have for them."""

    def __init__(
        self, networks: Networks, forward: Call, inputs: Sequence[torch.Tensor], target: Target, training: bool
    ) -> None:
        self.networks, self.forward, self.target, self.training = networks, forward, target, training
        count = networks.inputs.count
        views = [inputs[start : start + count] for start in range(0, len(inputs), count)]
        self.views = dict(zip(["", *networks.views], views, strict=False))
        self.turn = MAIN
        """Whose turn it is, by the network that moves in it."""
        self.learns = True
        """Whether the network that is trained moves in this step."""
        self._found: dict[Run, Mapping[str, torch.Tensor]] = {}
        self._through: dict[Run, set[str]] = {}
        """The networks that each of them came through."""
        self._asking: list[Run] = []

    def __contains__(self, name: str) -> bool:
        if name not in self.networks.names:
            return False
        (network, way), own = self.networks.names[name]
        averaged = network == TEACHER and self.networks.averaged is not None
        if not self.training and (way in self.networks.views or averaged):
            return False
        return network != MAIN or self.training or own in self._run((network, way))

    def __getitem__(self, name: str) -> torch.Tensor:
        (network, way), own = self.networks.names[name]
        found = self._run((network, way))[own]
        return found if self._moves(network) else found.detach()

    @property
    def own(self) -> tuple[torch.Tensor, ...]:
        """What the network gives, in order."""
        return tuple(self._run((MAIN, "")).values())

    def begin(self, network: str) -> None:
        """Let it be the turn of a network: what others give is fixed in it."""
        self.turn = network
        for name, parameters in self.networks.trained.items():
            for parameter in parameters:
                parameter.requires_grad_(name == network)

    def moved(self, network: str) -> None:
        """Forget what came through a network that has moved."""
        self._found = {run: given for run, given in self._found.items() if network not in self._through[run]}

    def _moves(self, network: str) -> bool:
        """Whether gradients go back from what a network gives: those of the network go through players too."""
        return network == self.turn or self.turn == MAIN

    def _run(self, run: Run) -> Mapping[str, torch.Tensor]:
        """What a pass of a network gives, by its own names."""
        if run not in self._found:
            self._through[run] = {run[0]}
            self._asking.append(run)
            self._found[run] = self._called(*run)
            self._asking.pop()
        for outer in self._asking:
            self._through[outer] |= self._through[run]
        return self._found[run]

    def _called(self, network: str, way: str) -> Mapping[str, torch.Tensor]:
        """The pass, made now."""
        nets = self.networks
        if network == MAIN:
            with contextlib.nullcontext() if self.learns else torch.no_grad():
                return _by_name(self.forward(*self._given(network, way)), nets.outputs)
        if network == TEACHER:
            with torch.no_grad():
                return _by_name(nets.teacher(*self._given(network, way)), nets.given.get(TEACHER, nets.outputs))
        return _by_name(nets.players[network](*self._given(network, way)), nets.given[network])

    def _given(self, network: str, way: str) -> tuple[torch.Tensor, ...]:
        """What a pass is over."""
        asked = self.networks.passes.get((network, way))
        if asked is None or asked.augmented:
            return self.networks.inputs.of_network(self.views[way if way in self.views else ""])
        given = (self._named(name) for name in asked.over)
        return tuple(x if self._moves(MAIN) else x.detach() for x in given)

    def _named(self, name: str) -> torch.Tensor:
        """What a pass calls so: a value of the step, an input of the data, or a target."""
        if name in self.networks.names:
            return self[name]
        held = self.networks.inputs.named(self.views[""])
        if name in held:
            return held[name]
        return self.target[name] if isinstance(self.target, dict) else self.target


def _by_name(outputs: Any, names: Sequence[str]) -> Mapping[str, torch.Tensor]:
    """What a module gave, by the names of its outputs; those of training are missing at the end elsewhere."""
    if isinstance(outputs, Mapping):
        return outputs
    given = (outputs,) if isinstance(outputs, torch.Tensor) else tuple(outputs)
    return dict(zip(names, given, strict=False))
