"""The networks of a step of training against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netspec.datasets.fit import unfit
from netspec.errors import At, Path, Problem
from netspec.graph.groups import tensors
from netspec.graph.model import Graph
from netspec.lint.base import Facts, Rule
from netspec.sections.beside import TEACHER, Pass, Player, place_of
from netspec.tensors import Tensor
from netspec.words import did_you_mean, listed, offered


class StepNetworks(Rule):
    """Every network of a step is given what it takes, and every parameter is trained by one player.

    A teacher sees what the network sees. A pass is over inputs or targets of the data, or over what networks give that
    run before it; of players each sees those before it.
    """

    code = "step-networks"
    stage = "experiment"
    example = """\
input: 100
layers: {picture: fc 64}
train:
  players:
    critic:
      spec: {input: 32, layers: [fc 1]}
      passes: {real: photo, fake: picture}
      loss: {real: bce_logits target=1, fake: bce_logits target=0}
      optimizer: adam
  loss: {fooled: bce_logits of=critic.fake target=1}
  optimizer: adam
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        train, inputs = facts.train, facts.inputs
        if train is None or not train.composed or inputs is None:
            return
        own = {*facts.outputs}
        taught = {TEACHER} if train.teacher is not None else set()
        for name in sorted(own & {*(each.name for each in train.passes), *facts.beside, *taught}):
            path = ("train", "passes", name) if name in {each.name for each in train.passes} else place_of(name)
            text = f"{name!r} is an output of the network already"
            yield self.problem(text, At(path, on_key=True), "Call one of them otherwise.")
        if (other := facts.beside.get(TEACHER)) is not None and len(other.inputs) == len(other.root.inputs):
            for text, _ in unfit([*inputs.values()], other.inputs):
                text = text.replace("the data gives", "the network takes").replace("the data has", "the network has")
                at = At((*place_of(TEACHER), "spec"))
                yield self.problem(f"the teacher sees what the network sees: {text}", at, "Take another teacher.")
        known = {**data_of_step(facts), **{n: v.tensor for n, v in facts.signals.items() if _of_network(n, facts)}}
        yield from self._passes(
            facts, train.passes, ("train", "passes"), inputs, known, {TEACHER, *(p.name for p in train.players)}
        )
        for place, player in enumerate(train.players):
            later = {each.name for each in train.players[place:]}
            graph = facts.beside.get(player.name)
            if graph is not None:
                path = (*place_of(player.name), "passes")
                yield from self._passes(facts, player.passes, path, graph.inputs, known, later)
            known |= {n: v.tensor for n, v in facts.signals.items() if n.partition(".")[0] == player.name}
        yield from self._trained(facts)
        yield from self._idle(facts)

    def _idle(self, facts: Facts) -> Iterator[Problem]:
        """What runs, or would, for nothing: a teacher that knows nothing, and what no loss names."""
        train = facts.train
        assert train is not None
        other = facts.beside.get(TEACHER)
        if other is not None and not other.weights.loads:
            text = "the teacher has no weights, and what it was drawn with would be taught"
            yield self.problem(text, At(place_of(TEACHER), on_key=True), "Write teacher: {spec: ..., weights: FILE}.")
        named = {name for term in train.all_terms for name in (*term.outputs, term.named_target)}
        targets = facts.data.source.targets if facts.data is not None else ()
        if not named <= {"", *facts.signals, *targets}:
            return  # a name that nothing has may mean any of these
        named |= {name for player in train.players for each in player.passes for name in each.over}
        parts = {part for name in named for part in name.split(".")[:2]}
        ways: dict[str, Path] = {each.name: ("train", "passes", each.name) for each in train.passes}
        ways |= {TEACHER: ("train", TEACHER)} if train.teacher is not None else {}
        for name, path in ways.items():
            if name not in parts:
                text = f"no loss names what {'the teacher' if name == TEACHER else f'the pass {name}'} gives"
                hint = f"As in {{..., of: ..., target: {name}.{next(iter(facts.outputs), 'NAME')}}}, or leave it out."
                yield Problem(self.code, text, At(path, on_key=True), hint, "warning")

    def _passes(
        self,
        facts: Facts,
        passes: Sequence[Pass],
        path: Path,
        wanted: Mapping[str, Tensor],
        known: Mapping[str, Tensor | None],
        later: set[str],
    ) -> Iterator[Problem]:
        """What is wrong with what a network is run over."""
        for each in passes:
            at = At((*path, each.name))
            if each.augmented:
                if path[-2] != "train":
                    yield self.problem(
                        "only the network itself sees its inputs augmented once more", at, "Name what it sees."
                    )
                elif facts.data is not None and facts.data.mixing:
                    text = f"{facts.data.mixing[0].said} mixes samples, each pass by other draws"
                    yield self.problem(text, At(("data", "augment")), "Drop it, or the pass.")
                elif (
                    facts.data is not None
                    and not facts.data.augment
                    and path[-2] == "train"
                    and not _drops(facts.graph)
                ):
                    text = f"the pass {each.name} sees the very inputs of the step: nothing is augmented or dropped"
                    yield Problem(self.code, text, at, "Augment the data: augment: [crop 32 pad=4, flip]", "warning")
                continue
            if len(each.over) != len(wanted):
                takes = f"the network takes {len(wanted)}: {listed(wanted)}"
                text = f"the pass {each.name} is over {listed(each.over)}, {takes}"
                yield self.problem(text, at, f"Name as many, in this order: [{', '.join(wanted)}]")
                continue
            for name, (taken, tensor) in zip(each.over, wanted.items(), strict=True):
                yield from self._one(facts, each, name, (taken, tensor), known, later, at)

    def _one(
        self,
        facts: Facts,
        each: Pass,
        name: str,
        wanted: tuple[str, Tensor],
        known: Mapping[str, Tensor | None],
        later: set[str],
        at: At,
    ) -> Iterator[Problem]:
        """What is wrong with one of the things that a pass is over."""
        if name.partition(".")[0] in later and name not in known:
            text = f"the pass {each.name} is over {name}, which runs behind it or is itself"
            yield self.problem(text, at, "Name the data, the network's outputs, or those of a player before it.")
        elif name in known:
            found = known[name]
            for text, _ in unfit([found], dict([wanted])) if found is not None else ():
                yield self.problem(
                    f"the pass {each.name} is over {name}: {text.replace('the data gives', 'it is')}", at
                )
        elif facts.names or (facts.data is not None and getattr(facts.data.source, "inputs", None)):
            hint = did_you_mean(name, known) or f"There are: {listed(known)}."
            yield self.problem(f"nothing in the step is called {name!r}, which the pass {each.name} is over", at, hint)

    def _trained(self, facts: Facts) -> Iterator[Problem]:
        """Parameters of the network that two players train, and players or a network that train none."""
        assert facts.train is not None
        sharing = [player for player in facts.train.players if player.trains]
        if not sharing:
            return
        left, taken = 0, dict[str, list[Player]]()
        for tensor in tensors(facts.graph):
            owners = [player for player in sharing if any(map(player.owns, tensor.names))]
            taken[tensor.names[0]] = owners
            left += not owners and not any(map(facts.graph.weights.frozen, tensor.names))
        for player in sharing:
            at = At((*place_of(player.name), "trains"))
            for pattern in player.trains:
                if not any(player.replace(trains=(pattern,)).owns(name) for name in taken):
                    yield self.problem(f"{pattern!r} matches no parameter of the network", at, offered(pattern, taken))
        frozen = {
            tensor.names[0] for tensor in tensors(facts.graph) if any(map(facts.graph.weights.frozen, tensor.names))
        }
        for player in sharing:
            own = {name for name, owners in taken.items() if player in owners}
            if own and own <= frozen:
                text = f"all that the player {player.name} trains is frozen"
                yield self.problem(
                    text, At((*place_of(player.name), "trains")), "Leave it out of freeze, or the player."
                )
        for name, owners in taken.items():
            if len(owners) > 1:
                text = f"{name} is trained by {listed([owner.name for owner in owners])}"
                yield self.problem(text, At((*place_of(owners[1].name), "trains")), "Each parameter moves in one turn.")
                break
        if not left:
            text = "the players train all parameters, and none is left for the network's own losses"
            yield self.problem(text, At(("train", "loss"), on_key=True), "Let one player's losses be those of `train`.")


def data_of_step(facts: Facts) -> dict[str, Tensor | None]:
    """What the data has by name, as far as that is known; drawn inputs too."""
    source = facts.data.source if facts.data is not None else None
    given = facts.gives.inputs
    names: Sequence[str] = facts.names or getattr(source, "inputs", None) or ()
    found: dict[str, Tensor | None] = dict.fromkeys(source.targets if source is not None else ())
    if given is not None and len(names) == len(given):
        found |= dict(zip(names, given, strict=True))
    elif names:
        found |= dict.fromkeys(names)
    if facts.data is not None and not facts.data.source.targets:
        found.setdefault("target", facts.gives.target)
    return found


def _of_network(name: str, facts: Facts) -> bool:
    """Whether a value is one of the network's own, or of a teacher."""
    assert facts.train is not None
    return name.partition(".")[0] not in {player.name for player in facts.train.players}


def _drops(graph: Graph) -> bool:
    """Whether chance has a part in the network itself."""
    return any(step.op is not None and (step.op.drops or step.op.only_in_training) for step in graph.root.walk())
