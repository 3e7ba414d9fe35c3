"""What every rule is: its reason, an example of what it finds, and the check itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, ClassVar, Literal

from netspec.errors import At, Problem, Severity
from netspec.graph.model import Graph, Step, Value
from netspec.lint.flow import Flow
from netspec.losses.forms import as_taken
from netspec.sections.experiment import Experiment
from netspec.tensors import Misfit, Tensor

if TYPE_CHECKING:
    from netspec.datasets.base import Gives
    from netspec.losses.base import Loss
    from netspec.sections.data import DataSection
    from netspec.sections.objective import Term
    from netspec.sections.train_record import Train

Stage = Literal["network", "experiment", "training"]


@dataclass(frozen=True)
class Comparison:
    """A loss with what it is given: outputs of the network, and a target."""

    term: Term
    facts: Facts
    values: tuple[Value, ...]

    @property
    def loss(self) -> Loss:
        """The loss itself."""
        loss: Loss = self.term.loss
        return loss

    @property
    def at(self) -> At:
        """Where it stands in the spec."""
        return At(self.term.path)

    def place(self, step: Step) -> At:
        """Where a problem with a step is shown: of a network beside, where the loss stands."""
        return step.at if step in self.facts.flow.users else self.at

    @property
    def predictions(self) -> list[Tensor] | None:
        """What it is given, where all of that is known."""
        found = [v.tensor for v in self.values]
        known = [t for t in found if t is not None]
        return known if known and len(known) == len(found) else None

    @property
    def gives(self) -> Gives:
        """What the data gives, with the target that is compared as the only one; or what the step itself gives."""
        data = self.facts.data
        if self.term.within:
            from netspec.datasets.base import Gives

            return Gives(target=self._made)
        return self.facts.gives.of(self.term.target_of(data.source.targets if data is not None else ()))

    @property
    def _made(self) -> Tensor | None:
        """The target, where the step makes it: a number is as large as the prediction."""
        if self.term.constant is None:
            value = self.facts.signals.get(self.term.named_target)
            return value.tensor if value is not None else None
        return self.predictions[0] if self.predictions else None

    @property
    def target(self) -> Tensor | None:
        """The target as the loss takes it: one of more axes than a label has may come in several forms."""
        target, predictions = self.gives.target, self.predictions
        if self.term.within:
            return target
        if self.facts.measured is not None or not predictions or target is None:
            return target
        return as_taken(target, partial(self.loss.accepts, predictions)) if len(target.shape) > 2 else target

    @property
    def ends(self) -> list[Step]:
        """The operations that are the last to change the numbers of what it is given."""
        found = list[Step]()
        for value in self.values:
            flow = self.facts.flow_of(value)
            found += [step for step in map(flow.through, flow.makers(value)) if step is not None]
        return found


@dataclass(frozen=True)
class Facts:
    """What rules look at: the network and what surrounds it. What an earlier problem left unknown is None."""

    graph: Graph
    """The network."""
    experiment: Experiment
    """What else the spec says: data, training, export."""
    measured: Gives | None = None
    """What the data was found to give, once it has been read; its count is that of the training part."""
    raw: Gives | None = None
    """What its source was found to give before any transform."""
    looked: Gives | None = None
    """What a look at the data found it to give, before it is read for training, where that is known."""
    beside: Mapping[str, Graph] = field(default_factory=dict)
    """The networks of a teacher and of players, by what they are called."""
    names: tuple[str, ...] = ()
    """What the inputs of the data are called, once it has been read."""

    @property
    def data(self) -> DataSection | None:
        """The `data` section, if there is one."""
        return self.experiment.data

    @property
    def train(self) -> Train | None:
        """The `train` section, if there is one."""
        return self.experiment.train

    @property
    def gives(self) -> Gives:
        """What the data is known to give, after its transforms."""
        if self.measured is not None:
            return self.measured
        if self.looked is not None:
            return self.looked
        from netspec.datasets.base import Gives

        try:
            return self.data.gives() if self.data else Gives()
        except Misfit:  # reported where the section is read
            return Gives()

    @property
    def comparisons(self) -> list[Comparison]:
        """The losses whose outputs are there, each with what it is given."""
        outputs, found = self.signals, list[Comparison]()
        for term in self.train.all_terms if self.train is not None else ():
            names = term.outputs or tuple(self.outputs)
            if names and all(name in outputs for name in names):
                found.append(Comparison(term, self, tuple(outputs[name] for name in names)))
        return found

    @property
    def measured_comparisons(self) -> list[Comparison]:
        """Those losses that are measured outside training too."""
        measured = self.graph.outputs.keys() | self.signals.keys() - self.graph.results.keys()
        wanted = [each for each in self.comparisons if all(name in measured for name in each.term.outputs)]
        return [each for each in wanted if self.train is not None and self.train.measures(each.term)]

    @property
    def source(self) -> Gives:
        """What the source gives before any transform, as far as it is known."""
        from netspec.datasets.base import Gives

        if self.raw is not None:
            return self.raw
        return self.data.source.gives() if self.data else Gives()

    @property
    def trained_on(self) -> int | None:
        """How many samples are trained on, where that is known."""
        if self.measured is not None:
            return self.measured.count
        return self.data.trained_on() if self.data else None

    @property
    def inputs(self) -> dict[str, Tensor] | None:
        """The network's inputs by name."""
        found = self.graph.inputs
        return found if found and len(found) == len(self.graph.root.inputs) else None

    def of_data(self, given: Sequence[Tensor]) -> tuple[Sequence[Tensor], Mapping[str, Tensor]]:
        """Those of the data's inputs that the network takes, and its inputs that the data is to give.

        What is drawn is no data, and passes may be over inputs of the data that come behind those of the network.
        """
        inputs = self.inputs or {}
        return taken(given, inputs, self.data.draw if self.data is not None else {}, self.train)

    @property
    def results(self) -> list[Value]:
        """The values that the network returns."""
        return [*self.outputs.values()]

    @property
    def outputs(self) -> dict[str, Value]:
        """The same by their names."""
        return self.graph.results

    @cached_property
    def signals(self) -> dict[str, Value]:
        """Everything that losses may name: the outputs, and those of further passes and of networks beside."""
        from netspec.graph.signals import signals  # a spec that is not trained need not read what training is

        return signals(self.graph, self.beside, self.train)

    @cached_property
    def flow(self) -> Flow:
        """The operations of the network without its levels."""
        return Flow(self.graph)

    def flow_of(self, value: Value) -> Flow:
        """The operations of the network that a value is of."""
        beside = (graph for graph in self.beside.values() if any(value is own for own in graph.results.values()))
        other = next(beside, None)
        return self.flow if other is None else Flow(other)


def taken(
    given: Sequence[Tensor], wanted: Mapping[str, Tensor], drawn: Collection[str], train: Train | None
) -> tuple[Sequence[Tensor], Mapping[str, Tensor]]:
    """Those of the data's inputs that a network takes, and its inputs, by name, that the data is to give."""
    wanted = {name: tensor for name, tensor in wanted.items() if name not in drawn}
    passes = [each for holder in (train, *train.players) for each in holder.passes] if train is not None else []
    further = any(each.over for each in passes) or (drawn and not wanted)
    return (given[: len(wanted)] if further else given), wanted


def undrawn(wanted: Collection[str], drawn: Collection[str], train: Train | None) -> list[str]:
    """What to write where players take turns and the data is taken for an input of the network that may be noise."""
    if drawn or train is None or not any(player.spec is not None for player in train.players):
        return []
    name = next(iter(wanted), "noise")
    return [f"Where {name} is no data but drawn anew in every step, say so: data: {{..., draw: {{{name}: normal}}}}"]


class Rule:
    """A check of a spec that torch would make too late, or never.

    The docstring's first line says what must hold, the rest says why.
    """

    code: ClassVar[str]
    severity: ClassVar[Severity] = "error"
    """How grave it is; a spec can ignore what is no error."""
    stage: ClassVar[Stage] = "network"
    """What there must be for it: a whole network; data or training, where shapes that a problem left unknown are
    passed over; or a whole network and its training."""
    about: ClassVar[tuple[str, ...]] = ()
    """Traits or fields of operations; it is for networks that have an operation with one of them. None is for all."""
    example: ClassVar[str]
    """A spec that the rule objects to."""

    def check(self, facts: Facts) -> Iterator[Problem]:
        """Every place where the rule is broken."""
        raise NotImplementedError(type(self).__name__)

    def problem(self, text: str, at: At, hint: str = "") -> Problem:
        """One place where it is broken."""
        return Problem(self.code, text, at, hint, self.severity)
