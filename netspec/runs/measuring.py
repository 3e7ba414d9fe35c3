"""What steps of a spec's training take on this machine, and what of its settings makes them faster."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from netspec.runs.networks import networks_of
from netspec.runs.train import read
from netspec.runtime.data.compatibility import need_fit
from netspec.runtime.data.split import Data
from netspec.runtime.device.process_group import joined
from netspec.runtime.network.build import build
from netspec.runtime.network.whitening import fill_from_data
from netspec.runtime.train.trial import Trial
from netspec.runtime.train.tried import try_step as try_run
from netspec.runtime.train.tried import try_ways
from netspec.runtime.train.ways import Way, preferred
from netspec.sections.train_record import Train
from netspec.spec import Spec
from netspec.text.report import pointing_into
from netspec.views.last_layers import last_layers


@dataclass(frozen=True, slots=True, repr=False)
class Measured:
    """What steps of a training take on this machine, and what else was tried of its section `train`."""

    trial: Trial
    """A step as the spec says it."""
    tried: tuple[Way, ...]
    """Every other batch, number of threads and order of maps that was tried."""

    @property
    def faster(self) -> tuple[Way, ...]:
        """Of each key the value that trains more samples a second, by more than noise; none where none does."""
        return preferred(self.tried)

    def __repr__(self) -> str:
        """How fast it is, and what is faster."""
        trial = self.trial
        faster = "".join(f", {way.override} {way.times:.2g} times as many" for way in self.faster)
        return f"<Measured: {trial.samples / trial.seconds:,.0f} samples/s{faster}>"


def try_step(spec: Spec, *, allow_outside: bool = False, doubt: str = "") -> Trial:
    """Take one step of a spec's training and say what it took; no run folder is made, and nothing is kept.

    Raises UsageError for a spec without data or training, DataError, and Diverged where its loss is not finite.
    """
    with _in_place(spec, allow_outside=allow_outside, doubt=doubt) as (args, about):
        return try_run(*args, **about)


def measure(spec: Spec, *, allow_outside: bool = False) -> Measured:
    """Take one step as `try_step` does, then try for some seconds what of the section `train` makes steps faster here.

    Raises UsageError for a spec without data or training, DataError, and Diverged where a loss is not finite.
    """
    with _in_place(spec, allow_outside=allow_outside) as (args, about):
        return Measured(*try_ways(*args, **about))


@contextlib.contextmanager
def _in_place(
    spec: Spec, *, allow_outside: bool, doubt: str = ""
) -> Iterator[tuple[tuple[nn.Module, Train, Data], dict[str, Any]]]:
    """Build the network and read the data of a step that is only tried: what `try_run` takes, by place and by name.

    Problems of the spec that are met within point into its text.
    """
    with joined() as world:
        section, data = read(spec, world, None, allow_outside=allow_outside, doubt=doubt)
    torch.manual_seed(section.seed)
    module = build(spec, reorder=section.reorder)
    need_fit(spec, data)
    fill_from_data(module, spec, data.train)
    about: dict[str, Any] = {"frozen": spec.graph.weights.freeze, "networks": networks_of(spec, data)}
    about |= {"last": last_layers(spec.graph, section), "outputs": tuple(spec.graph.trained_outputs)}
    with pointing_into(spec.document.source):
        yield (module, section, data), about
