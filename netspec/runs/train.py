"""Training of a spec on its data, into a run folder."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from netspec.displays import Displayed
from netspec.errors import UsageError
from netspec.files import write_text
from netspec.json_text import json_text
from netspec.plugins.loading import need, remember
from netspec.runs.data import data_of
from netspec.runs.findings import findings
from netspec.runs.learnt import LEARNT, learnt_in
from netspec.runs.networks import networks_of
from netspec.runs.proving import prove
from netspec.runs.report import Reporting
from netspec.runtime.data.compatibility import need_fit, remarks
from netspec.runtime.data.split import Data
from netspec.runtime.device.device import choose_device
from netspec.runtime.device.process_group import World, joined
from netspec.runtime.network.base import save_own
from netspec.runtime.network.build import build
from netspec.runtime.network.whitening import fill_from_data
from netspec.runtime.store.origin import ORIGIN, origin_note
from netspec.runtime.store.own import best_weights
from netspec.runtime.store.run_folder import RunFolder
from netspec.runtime.train.history import History
from netspec.runtime.train.loss import Objective
from netspec.runtime.train.networks import Networks
from netspec.runtime.train.progress import Progress, Silent
from netspec.runtime.train.run import train as run_training
from netspec.runtime.train.run import try_step as run_one
from netspec.runtime.train.trial import Trial
from netspec.sections.train_record import Train
from netspec.spec import Spec
from netspec.text.report import pointing_into
from netspec.views.last_layers import last_layers
from netspec.views.meaning import differences, meaning, refusal
from netspec.words import one_line


@dataclass(frozen=True, slots=True, repr=False)
class Trained(Displayed):
    """What training leaves: the network with its last weights, in evaluation mode, how it went, where it is kept."""

    module: nn.Module
    """On the device that it was trained on."""
    history: History
    folder: Path | None
    """None for a training that keeps nothing."""

    def __repr__(self) -> str:
        """Where it is kept, and its best value."""
        history = self.history
        where = f" in {self.folder}" if self.folder else ""
        best = f"{history.monitor} {history.best:.4g} in epoch" if history.best is not None else "nothing measured in"
        return f"<Trained{where}: {best} {history.best_epoch} of {history.epochs}, {history.seconds:.1f} s>"


def train(
    spec: Spec,
    folder: Path | None = None,
    *,
    resume: bool | Literal["auto"] = False,
    progress: Progress | None = None,
    allow_outside: bool = False,
    doubt: str = "",
    world: World | None = None,
) -> Trained:
    """Train a spec's network on its data, into a run folder if one is named.

    `resume` goes on with the run that is there, or begins it again where it was stopped before its first checkpoint;
    it must be the same experiment. "auto" does so where there is a run, and else begins one. With a `doubt` about the
    spec's folder no file there is opened, unless that is allowed.
    Under torchrun every process calls it, and folder and screen belong to the first of them; `world` is known where
    they have joined before.
    Raises UsageError for a spec without data or training, or another than the run began with, DataError, Diverged
    and Interrupted.
    """
    if resume and folder is None:
        raise UsageError("resume needs the folder of the run that goes on")
    progress = progress or Silent()
    with contextlib.ExitStack() as stack:
        world = stack.enter_context(joined()) if world is None else world
        run, there, going_on = _opened(folder, resume, world, stack)
        with world.all_or_none():
            if folder and there:
                _need_same(spec, folder)
            known = learnt_in(folder) if folder and going_on else None
            section, data = _read(spec, world, known, allow_outside=allow_outside, doubt=doubt)
            module, networks = _drawn(spec, section, data, folder, undrawn=going_on)
            if world.main:
                progress.tell([one_line(line) for line in data.told])
            if folder and world.main:
                run = run or stack.enter_context(RunFolder.create(folder, spec.text))
                _note(run, spec, module, data, progress, there=there, saved=going_on)
            filled = [] if going_on else fill_from_data(module, spec, data.train)
            if world.main:
                progress.tell(filled)
            for remark in remarks(spec, data) if world.main and not going_on else ():
                progress.warn(remark)
        reporting = Reporting(progress, folder, spec) if folder and world.main else None
        with pointing_into(spec.document.source), reporting or contextlib.nullcontext():
            history = run_training(
                *(module, section, data, run),
                resume=going_on,
                progress=reporting or (progress if world.main else None),
                world=world,
                meaning=meaning(spec.graph, spec.experiment),
                frozen=spec.graph.weights.freeze,
                outputs=tuple(spec.graph.trained_outputs),
                networks=networks,
                last=last_layers(spec.graph, section),
            )
        if reporting is not None:
            prove(spec, data, reporting.folder)
            reporting.end(partial(_look, spec, section, data, best_weights(reporting.folder)), history.seconds)
    return Trained(module.eval(), history, folder)


def try_step(spec: Spec, *, allow_outside: bool = False, doubt: str = "") -> Trial:
    """Take one step of a spec's training and say what it took; no run folder is made, and nothing is kept.

    Raises UsageError for a spec without data or training, and DataError.
    """
    with joined() as world:
        section, data = _read(spec, world, None, allow_outside=allow_outside, doubt=doubt)
    torch.manual_seed(section.seed)
    module = build(spec, reorder=section.reorder)
    need_fit(spec, data)
    fill_from_data(module, spec, data.train)
    networks = networks_of(spec, data)
    about: dict[str, Any] = {"frozen": spec.graph.weights.freeze, "networks": networks}
    about["last"] = last_layers(spec.graph, section)
    with pointing_into(spec.document.source):
        return run_one(module, section, data, outputs=tuple(spec.graph.trained_outputs), **about)


def _look(spec: Spec, section: Train, data: Data, weights: Path, seconds: float) -> dict[str, Any]:
    """What these weights get right and wrong, on the device of the data, looked at for so long at most."""
    network = build(spec, weights).eval().to(data.train.device)
    objective = Objective(section.loss, data.train.device, data.learnt, tuple(spec.graph.outputs))
    objective.restore(weights)
    return findings(spec, network, objective, data, seconds)


def _opened(
    folder: Path | None, resume: bool | Literal["auto"], world: World, stack: contextlib.ExitStack
) -> tuple[RunFolder | None, bool, bool]:
    """The run that is to go on, for the first process; for all, whether it is there and has saved anything."""
    run = None
    with world.all_or_none():
        if folder and world.main and (resume is True or (resume and RunFolder.begun(folder))):
            run = stack.enter_context(RunFolder.open(folder))
    there, saved = world.from_main((run is not None, run is not None and run.saved))
    return run, there, saved


def _read(
    spec: Spec, world: World, learnt: Mapping[str, Any] | None, *, allow_outside: bool, doubt: str
) -> tuple[Train, Data]:
    """The `train` section and the data, on the device that trains. Raises UsageError where one is not there."""
    section = spec.experiment.train
    device = choose_device(section.device, world) if section else "cpu"
    data = data_of(spec, allow_outside, learnt, device=device, doubt=doubt)
    if section is None:
        raise UsageError(f"{spec.name} cannot be trained: its spec has no train section")
    return section, data


def _need_same(spec: Spec, folder: Path) -> None:
    """Refuse to go on in a folder with other plugins or another experiment. Raises UsageError and SpecError."""
    need(folder, unchanged=True)
    before = Spec.load(folder / "spec.yaml")
    if found := differences(meaning(before.graph, before.experiment), meaning(spec.graph, spec.experiment)):
        raise UsageError(refusal(found))


def _drawn(
    spec: Spec, section: Train, data: Data, folder: Path | None, *, undrawn: bool
) -> tuple[nn.Module, Networks | None]:
    """The network as its seed draws it, and those that a step has besides; `undrawn` where saved weights follow.

    Raises SpecError for data that does not fit it.
    """
    torch.manual_seed(section.seed)
    module = build(spec, undrawn=undrawn, reorder=section.reorder, folder=folder)
    need_fit(spec, data)
    return module, networks_of(spec, data, undrawn=undrawn)


def _note(
    run: RunFolder, spec: Spec, module: nn.Module, data: Data, progress: Progress, *, there: bool, saved: bool
) -> None:
    """Note in a run's folder what runs there: now where it begins, or begins again, else once it is known to go on."""
    if there and not saved:
        progress.warn(f"the run in {run.path} was stopped before its first checkpoint, so it begins again")
        run.begin_again()
    run.files = {"spec.yaml": spec.text, ORIGIN: origin_note(run.path, spec)}
    if not saved:
        run.renew()
        remember(run.path)
        learnt = json_text(data.learnt, 1)
        write_text(run.path / LEARNT, learnt + "\n")
        if spec.graph.weights.freeze.adapters:
            save_own(module, spec.graph.weights.freeze, spec.fitted(), run.path)
