"""Losses of a player that none of its parameters has a part in."""

from __future__ import annotations

from collections.abc import Iterator, Set

from netspec.errors import At, Problem
from netspec.graph.groups import tensors
from netspec.graph.model import Step, Value
from netspec.lint.base import Facts, Rule
from netspec.lint.step_networks import data_of_step
from netspec.sections.beside import TEACHER, Player, place_of
from netspec.words import listed


class LossesReach(Rule):
    """Of those that take turns in a step, each is given losses that its own parameters have a part in.

    In a turn all others stand still. Losses on what only these give have no gradient for the one whose turn it is: it
    would stay as it began.
    """

    code = "losses-reach"
    stage = "experiment"
    example = """\
inputs: {noise: 16}
layers: {picture: fc 64}
train:
  players:
    critic:
      spec: {input: 64, layers: [fc 1]}
      passes: {real: photo, fake: picture}
      loss: {real: bce_logits target=1, fake: bce_logits target=0}
      optimizer: adam
  loss: {fooled: bce_logits of=critic.real target=1}
  optimizer: adam
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        train = facts.train
        if train is None or not train.players:
            return
        for player in (*train.players, None):
            terms = train.terms if player is None else player.terms
            names = [name for term in terms for name in term.outputs]
            known = all(term.outputs for term in terms) and all(name in facts.signals for name in names)
            if (
                not names
                or not known
                or (player is not None and player.spec is not None and player.name not in facts.beside)
            ):
                continue  # what is not known is told elsewhere
            own = _trained(facts, player)
            if own is not None and not own:
                continue
            if any(_leads(name, player, own or set(), facts) for name in names):
                continue
            who = f"the player {player.name}" if player is not None else "the network"
            at = At((*place_of(player.name), "loss") if player is not None else ("train", "loss"), on_key=True)
            text = f"no loss of {who} reaches what it trains: {listed(dict.fromkeys(names))} come about without it"
            yield self.problem(text, at, "Name what comes through it, as in: of=critic.fake, or leave it out.")


def _trained(facts: Facts, player: Player | None) -> set[Step] | None:
    """The members of the one network that a player trains, or the network itself; None for a player with its own."""
    assert facts.train is not None
    if player is not None and player.spec is not None:
        return None
    others = [each for each in facts.train.players if each.trains and each is not player]
    names: set[str] = set()
    for tensor in tensors(facts.graph):
        mine = player is None or any(map(player.owns, tensor.names))
        taken = player is None and any(any(map(other.owns, tensor.names)) for other in others)
        if mine and not taken and not any(map(facts.graph.weights.frozen, tensor.names)):
            names |= {*tensor.names}
    owners = facts.graph.root.owners()
    return {step for path, step in owners if any((f"{path}.{p}" if p else path) in names for p in step.parameters())}


def _leads(name: str, player: Player | None, own: Set[Step], facts: Facts, depth: int = 0) -> bool:
    """Whether a value of the step comes through what a player trains, or may, where that cannot be told."""
    assert facts.train is not None
    head, _, rest = name.partition(".")
    if name not in facts.signals:
        return facts.data is not None and name not in data_of_step(facts)
    if head == TEACHER:
        return False
    other = next((each for each in facts.train.players if each.name == head and each.spec is not None), None)
    if other is player is not None or depth > len(facts.train.players) + 1:
        return True
    if other is None and own and not own.isdisjoint(_before(facts.signals[name], facts)):
        return True
    passes, within = (facts.train.passes, head) if other is None else (other.passes, rest.partition(".")[0])
    over = [value for each in passes if each.name == within for value in each.over]
    return any(_leads(value, player, own, facts, depth + 1) for value in over)


def _before(value: Value, facts: Facts) -> set[Step]:
    """The operations that a value comes from, each as the member that it runs."""
    flow = facts.flow
    members = {run: first for first, runs in flow.again.items() for run in runs}
    left, found = flow.makers(value), set[Step]()
    while left:
        step = left.pop()
        if step not in found:
            found.add(step)
            left += [maker for given in step.inputs for maker in flow.makers(given)]
    return found | {members[step] for step in found if step in members}
