"""Export: a file of another format, made from the network and proven equal to it before it is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Final

import torch
from torch import nn

from netspec.errors import ExportFailed
from netspec.exporters.base import Exporter
from netspec.graph.model import Graph
from netspec.runtime.export import made_up_weights
from netspec.runtime.export.example_inputs import Examples
from netspec.runtime.export.made_up_weights import says_one_thing
from netspec.runtime.export.manifest import Origin, manifest
from netspec.runtime.export.places import beside
from netspec.runtime.export.proof import Case
from netspec.runtime.export.report import Report, need_agreement
from netspec.runtime.export.subject import (
    BATCHES,
    TRACED_BATCH,
    VALIDATION,
    Inputs,
    Measure,
    Probabilities,
    Subject,
    tensors,
)
from netspec.runtime.export.tolerance import Array, Difference, difference
from netspec.runtime.network.remove_parametrizations import copied
from netspec.tensors import Tensor as Described


def by_shape(scores: torch.Tensor) -> Probabilities:
    """What makes probabilities of scores that no loss explains: a softmax over axis 1, a sigmoid of a single class."""
    single = scores.ndim < 2 or scores.shape[1] == 1
    return Probabilities("sigmoid" if single else "softmax", 1)


FIRST: Final[Mapping[int, Callable[[torch.Tensor], Probabilities]]] = MappingProxyType({0: by_shape})
"""Without a loss the first output is taken for scores."""


def export_network(
    network: nn.Module,
    inputs: Mapping[str, Described],
    path: Path,
    exporter: Exporter,
    *,
    outputs: Sequence[str] = ("output",),
    validation: Iterable[Inputs] = (),
    name: str = "network",
    metadata: Mapping[str, str] | None = None,
    probabilities: Mapping[int, Callable[[torch.Tensor], Probabilities]] = FIRST,
    draws: Sequence[str] = (),
    graph: Graph | None = None,
    proven: bool = True,
    training: Callable[[], Iterable[Inputs]] = tuple,
    measure: Measure | None = None,
    origin: Origin | None = None,
    real: str = VALIDATION,
) -> Report:
    """Write the network in evaluation mode to the file `path`, and compare both in whatever runs such files.

    `inputs` are the network's, as the graph describes them; sizes that only the run decides stay open, by their
    names. `outputs` name what it returns, flattened. `validation` gives batches of real inputs, one tensor for each
    input, batch first, and `real` says which part of the data they are of. With `exporter.output` of probabilities the
    outputs at the places of `probabilities` become what that says, given an example of them. `draws` are the steps that
    draw random numbers outside training too, which an error may have to name. `graph` is what the network was built
    from, where it was. Wrapped weights become plain tensors in the file. Not `proven`, the file is compared with
    nothing, which the report says; its manifest says what its `origin` is. `training` gives batches of the data that it
    was trained on, and `measure` its metrics, for formats that round.

    The network's training mode and torch's random state are left as they were. The file appears only when it is
    whole and agrees; a file that was there before stays if it does not. Raises ExportFailed, ExportMismatch and
    UsageError.
    """
    _need_own_names(inputs, outputs, exporter)
    origin = replace(origin or Origin(), torch=torch.__version__)
    examples, validation = _examples(inputs, validation)
    with _evaluating(network) as still, beside(path, exporter.extension) as draft:
        sizes = examples.sizes(still)
        results = _repeated(still, examples.draw(TRACED_BATCH, sizes[0]), exporter, draws)
        wanted = exporter.output == "probabilities"
        subject = Subject(
            network=still,
            inputs=inputs,
            outputs=_names(outputs, len(results)),
            ends={place: end(results[place]) for place, end in probabilities.items()} if wanted else {},
            name=name,
            metadata=metadata or {},
            atol=exporter.atol,
            rtol=exporter.rtol,
            examples=examples,
            sizes=sizes,
            validation=validation,
            real=real,
            graph=graph,
            training=training,
            measure=measure,
        )
        written = exporter.write(subject, draft)
        differences = _agreeing(subject, draft, exporter) if proven else ()
        compared = f"torch {torch.__version__}" if proven else ""
        exporter.seal(draft, manifest(origin, exporter, compared, inputs, examples.pools, _checks(subject, proven)))
        size = sum(f.stat().st_size for f in draft.parent.iterdir())
        return Report(path, size, written.inputs, written.outputs, written.facts, differences, written.note, compared)


def _checks(subject: Subject, proven: bool) -> Iterator[tuple[Case, list[Array]]]:
    """What a file that was proven is to give for made-up samples of two batch sizes."""
    for batch in BATCHES[:2] if proven else ():
        gives = subject.gives(subject.examples.draw(batch, subject.sizes[0], seed=batch))
        yield Case(f"batch {batch}", (), (), batch, subject.sizes[0], batch), [x.numpy() for x in gives]


def _need_own_names(inputs: Iterable[str], outputs: Iterable[str], exporter: Exporter) -> None:
    """Refuse a name that an input and an output share. Raises ExportFailed."""
    if same := sorted({*inputs} & {*outputs}):
        text = f"{', '.join(same)} is both an input and an output, and {exporter.called()} takes a name once"
        raise ExportFailed(f"{text}. Give the output another in `outputs`.")


def _examples(inputs: Mapping[str, Described], validation: Iterable[Inputs]) -> tuple[Examples, Iterator[Inputs]]:
    """Example inputs like the first batch of real ones, and all of those."""
    batches = iter(validation)
    first = next(batches, None)
    return Examples(inputs, [x.cpu() for x in first] if first else ()), chain([first] if first else [], batches)


def _repeated(network: nn.Module, example: Inputs, exporter: Exporter, draws: Sequence[str]) -> list[torch.Tensor]:
    """What a network gives for an example, which is the same each time. Raises ExportFailed where it is not."""
    once, again = tensors(network(*example)), tensors(network(*example))
    for a, b in zip(once, again, strict=True):
        if a.shape != b.shape or not difference("", a.numpy(), b.numpy(), exporter.atol, exporter.rtol).agrees:
            what = f"{', '.join(draws) or 'some step'} {'draw' if len(draws) > 1 else 'draws'}"
            hint = "Let what they change run in training alone, as in: z: add(mean noise) when training."
            raise ExportFailed(
                f"the network gives other results each time, so no file can be proven equal to it: {what} random "
                f"numbers outside training too. {hint} Or make the noise an input of the network."
            )
    return once


def _agreeing(subject: Subject, draft: Path, exporter: Exporter) -> tuple[Difference, ...]:
    """How far the file is from the network, for all that it is proven on. Raises ExportMismatch where that is too far.

    A network whose outputs hardly move with its inputs is compared with other weights as well.
    """
    found = tuple(exporter.check(subject, draft))
    if not exporter.calibrated and says_one_thing(subject):
        found += tuple(made_up_weights.differences(exporter, subject))
    agrees = all(each.agrees for each in found)
    need_agreement(found, exporter, "" if agrees else exporter.worst(subject, draft))
    return found


def _names(outputs: Sequence[str], count: int) -> list[str]:
    """The names of the outputs, or `output_0`, `output_1` where the network returns another number of them."""
    return list(outputs) if len(outputs) == count else [f"output_{i}" for i in range(count)]


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[nn.Module]:
    """The network on the CPU in evaluation mode, without gradients; afterwards every mode is as it was."""
    away = any(t.device.type != "cpu" for t in chain(network.parameters(), network.buffers()))
    still = copied(network).cpu() if away else network
    modes = {module: module.training for module in still.modules()}
    still.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):  # without them it starts every GPU
            yield still
    finally:
        for module, mode in modes.items():
            module.training = mode
