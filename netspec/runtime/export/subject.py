"""The subject of an export: the network with its inputs, and what its file is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from netspec.dims import BATCH
from netspec.errors import ExportMismatch
from netspec.graph.model import Graph
from netspec.losses.base import Activation, activate
from netspec.runtime.export.emission import Run
from netspec.runtime.export.example_inputs import Examples
from netspec.runtime.export.tolerance import Difference, difference
from netspec.tensors import Tensor as Described
from netspec.tensors import show

TRACED_BATCH: Final = 3
"""The batch that the network is traced with: of several samples, because a batch of one would be taken for fixed."""
BATCHES: Final = (1, 2, 5)
"""The batch sizes that a file is compared at."""
VALIDATION: Final = "validation data"
TRAINING: Final = "training data"
"""What samples of the data are called, by their part."""

Inputs = tuple[torch.Tensor, ...]
"""One tensor for each input of the network, on the CPU, batch first."""


Measure = Callable[[nn.Module], Mapping[str, float]]
"""Gives the metrics of a network by their labels."""


def sized(sizes: Mapping[str, int]) -> str:
    """Sizes that only the run decides, as a person reads them: `T 16`."""
    return ", ".join(f"{name} {size}" for name, size in sizes.items())


def tensors(results: Any) -> list[torch.Tensor]:
    """The tensors, batch first, that a network returned in tuples, lists and dicts, in torch's order of flattening."""
    return [x for x in tree_leaves(results) if isinstance(x, torch.Tensor)]


def held(x: Any) -> torch.Tensor:
    """An array as a tensor of its own, for it may not be writable; a tensor as it is."""
    return x if isinstance(x, torch.Tensor) else torch.tensor(x)


@dataclass(frozen=True, slots=True)
class Probabilities:
    """What turns scores into probabilities; a softmax goes along `axis`."""

    activation: Activation
    axis: int

    def __call__(self, scores: torch.Tensor) -> torch.Tensor:
        """Probabilities of the same shape as the scores."""
        found: torch.Tensor = activate(scores, self.activation, self.axis)
        return found


@dataclass(frozen=True, slots=True)
class Subject:
    """A network to export, on the CPU and in evaluation mode, and all that a file of it may hold."""

    network: nn.Module
    """Gives what the file is to give, but for what is put behind it."""
    inputs: Mapping[str, Described]
    """Its inputs as the graph describes them, sizes that only the run decides by their names."""
    outputs: Sequence[str]
    """The names of what it returns, flattened."""
    ends: Mapping[int, Probabilities]
    """What is to be put behind outputs, by their places."""
    name: str
    metadata: Mapping[str, str]
    """What the file says about where it comes from."""
    atol: float
    """In the outputs' own units."""
    rtol: float
    """A part of the largest number of an output."""
    examples: Examples
    """Makes inputs of any batch size, and of other sizes where those are free."""
    sizes: Sequence[Mapping[str, int]]
    """Choices of the sizes that only the run decides."""
    validation: Iterable[Inputs] = ()
    """Samples of the data itself, batch first; none where there is no data."""
    real: str = VALIDATION
    """Which part of the data these are of, in words."""
    graph: Graph | None = None
    """What the network was built from; None for one that was written by hand."""
    training: Callable[[], Iterable[Inputs]] = tuple
    """Some batches of the data that it was trained on; none where there is no data."""
    measure: Measure | None = None
    """What measures such a network on that part of the data, by metrics of which more is better; None where none do."""

    @property
    def example(self) -> Inputs:
        """Inputs to trace the network with."""
        return self.examples.draw(TRACED_BATCH, self.sizes[0])

    def differences(self, run: Run) -> Iterator[Difference]:
        """What a file gives against what the network gives, on all inputs that it has to be proven on.

        Raises ExportMismatch where a shape is another.
        """
        yield from self._made_up(run)
        yield from self._real(run)

    def _made_up(self, run: Run) -> Iterator[Difference]:
        """The differences on random inputs of every batch size, and of every choice of the other free sizes."""
        for batch in BATCHES:
            yield self._apart(run, f"batch {batch}", self.examples.draw(batch, self.sizes[0], seed=batch))
        for other in self.sizes[1:]:
            yield self._apart(run, f"batch 2, {sized(other)}", self.examples.draw(2, other, seed=len(BATCHES)))

    def _real(self, run: Run) -> Iterator[Difference]:
        """The difference over all batches of real data, if there are any."""
        total: Difference | None = None
        for inputs in self.validation:
            part = self._apart(run, self.real, tuple(x.cpu() for x in inputs))
            total = total.joined(part, total.samples + part.samples) if total else part
        if total:
            yield total

    def gives(self, inputs: Inputs) -> list[torch.Tensor]:
        """What a file is to give for these inputs."""
        expected = tensors(self.network(*inputs))
        for place, end in self.ends.items():
            expected[place] = end(expected[place])
        return expected

    def _apart(self, run: Run, what: str, inputs: Inputs) -> Difference:
        """The largest difference over all outputs for these inputs. Raises ExportMismatch."""
        expected = self.gives(inputs)
        worst: Difference | None = None
        for a, b in zip(run(inputs), expected, strict=True):
            if a.shape != tuple(b.shape):
                found, wanted = show(a.shape), show(b.shape)
                text = f"for {what} the file gives {found}, the network {wanted}"
                raise ExportMismatch(f"{text}: the exporter took a size for fixed. Give that size a number in `input`.")
            one = difference(what, a, b.numpy(), self.atol, self.rtol)
            worst = worst.joined(one, one.samples) if worst else one
        assert worst is not None
        return replace(worst, samples=len(inputs[0]))


def described(subject: Subject) -> tuple[dict[str, str], dict[str, str]]:
    """The shapes of inputs and outputs by their names, as a person reads them: `batch x 1 x 8 x 8`.

    Those of outputs are as the graph has them, or else as they come out for an example.
    """
    known = list(subject.graph.outputs.values()) if subject.graph is not None else []
    if len(known) != len(subject.outputs):
        known = [Described(tuple(x.shape)) for x in subject.gives(subject.example)]
    taken = {name: _told(x) for name, x in subject.inputs.items()}
    return taken, {name: _told(x) for name, x in zip(subject.outputs, known, strict=True)}


def _told(x: Described) -> str:
    """A shape with the word for the batch."""
    return " x ".join("batch" if size == BATCH else str(size) for size in x.shape)
