"""Optimizers that take matrices only, and the parameters that are theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netspec.errors import At, Path, Problem
from netspec.graph.model import Graph
from netspec.lint.base import Facts, Rule
from netspec.optimizers.base import Optimizer
from netspec.sections.beside import place_of
from netspec.sections.param_groups import OTHER, Group, options_of
from netspec.words import listed


class OptimizerRanks(Rule):
    """An optimizer is given parameters of as many axes as it takes.

    Muon makes the step of a matrix orthogonal, and a bias or the scale of a norm is no matrix: `groups` give those to
    another optimizer.
    """

    code = "optimizer-ranks"
    stage = "training"
    example = """\
input: 8
layers: [fc 16, relu, fc 4]
train: {loss: mse, optimizer: muon lr=0.02}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        train = facts.train
        if train is None:
            return
        yield from self._given(facts.graph, train.optimizer, train.groups, ("train",))
        for player in train.players:
            if player.spec is not None and player.name in facts.beside:
                yield from self._given(facts.beside[player.name], player.optimizer, (), place_of(player.name))

    def _given(self, graph: Graph, entry: Optimizer, groups: Sequence[Group], path: Path) -> Iterator[Problem]:
        """What is wrong with the parameters that the optimizers of one network are given."""
        wrong: dict[Optimizer, list[str]] = {}
        trained = graph.trained()
        for name, shape in trained.items():
            own = options_of(name, groups).get(OTHER, entry)
            if own.ranks and len(shape) not in own.ranks:
                wrong.setdefault(own, []).append(name)
        for own, names in wrong.items():
            text = f"{own.said} takes matrices and filters only, and {_told(names)} of other shapes"
            hint = "Take another optimizer, such as adamw."
            if path == ("train",):  # what a player trains has no groups
                lines = ", ".join(f"{key}: adamw lr=1e-3" for key in _keys(graph, names, trained))
                hint = f"Give them to another optimizer: groups: {{{lines}}}"
            yield self.problem(text, At((*path, "optimizer")), hint)


def _told(names: Sequence[str]) -> str:
    """The names of parameters, with the verb that follows them."""
    rest = f" and {len(names) - 3} more" * (len(names) > 3)
    return f"{listed(names[:3]) if not rest else ', '.join(names[:3])}{rest} {'is' if len(names) == 1 else 'are'}"


def _keys(graph: Graph, names: Sequence[str], trained: Mapping[str, object]) -> list[str]:
    """Keys of `groups` that together match these parameters and no others: kinds and ends of names before names."""
    norms = {path for path, step in graph.root.owners() if step.op is not None and step.op.normalises}
    own = [name for name in names if name.rpartition(".")[0] in norms]
    found = ["norm"] if own and {n for n in trained if n.rpartition(".")[0] in norms} <= set(names) else []
    for name in names:
        before, _, last = name.rpartition(".")
        if found and before in norms:
            continue
        alike = [each for each in trained if before and each.endswith(f".{last}")]
        found.append(f'"*.{last}"' if alike and set(alike) <= set(names) else f'"{name}"')
    return list(dict.fromkeys(found))
