"""A training run: one call that puts device, processes and data in place and runs the loop."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from netspec.errors import UsageError
from netspec.runtime.data.split import Data
from netspec.runtime.device.allocator import kept_memory
from netspec.runtime.device.device import (
    arranged,
    choose_device,
    deterministic,
    reproducible,
    threads,
    unrepeatable,
    wants_channels_last,
)
from netspec.runtime.device.parallel import spread
from netspec.runtime.device.process_group import ALONE, World
from netspec.runtime.device.sync_batchnorm import joint_statistics, need_company
from netspec.runtime.store.run_folder import RunFolder
from netspec.runtime.train.history import History
from netspec.runtime.train.loop import Trainer
from netspec.runtime.train.networks import Networks
from netspec.runtime.train.progress import Progress, Silent
from netspec.runtime.train.signals import StopSignals
from netspec.runtime.train.trial import Trial, tried
from netspec.sections.train_record import Train
from netspec.weights.freezing import UNFROZEN, Frozen


def train(
    module: nn.Module,
    train: Train,
    data: Data,
    run: RunFolder | None = None,
    *,
    resume: bool = False,
    progress: Progress | None = None,
    world: World = ALONE,
    meaning: Mapping[str, str] | None = None,
    frozen: Frozen = UNFROZEN,
    outputs: Sequence[str] = (),
    networks: Networks | None = None,
    last: Sequence[str] = (),
) -> History:
    """Train `module` in place as `train` says, and leave it with the weights that the run ended with.

    With a run folder, metrics, weights and checkpoints are written there; `resume` goes on from its
    newest whole checkpoint, and ends with the very bits of a run that was never stopped. `meaning` says what else
    must be the same then, besides what of `train` shapes a run; `frozen` what of the network thaws, and when; `outputs`
    names what it gives, where it gives several values one after the other and losses name them; `networks` are those
    that a step runs besides;
    `last` the paths of linear layers that give scores to a cross entropy alone. Raises
    UsageError where there is none to go on from, SpecError or DataError before the first step where network, loss and
    data do not go together, Diverged on a loss that is not finite, Interrupted after SIGINT or SIGTERM, once the
    state is saved.

    Several processes each call it with the same arguments, but that the run belongs to the main one.
    """
    if world.size > 1 and frozen.whens:
        text = "what is frozen cannot thaw in a run of several processes, which agree on gradients once"
        raise UsageError(f"{text}. Begin another run from the weights of this one: weights: {{load: RUN}}.")
    if world.size > 1 and any(player.trains for player in train.players):
        text = "players of one network cannot take turns in a run of several processes, whose ways to agree are fixed"
        raise UsageError(f"{text}. Give each a network of its own, spec, or train with one process.")
    about = (meaning, frozen, outputs, networks, last)
    with _placed(module, train, data, run, progress, world, about) as trainer:
        if resume:
            trainer.resume()
        return trainer.run_all()


def try_step(module: nn.Module, train: Train, data: Data, *, outputs: Sequence[str] = (), **about: Any) -> Trial:
    """Take one step and say what it took, with the same arguments; nothing is kept. Raises SpecError and DataError."""
    named = (None, about.get("frozen", UNFROZEN), outputs, about.get("networks"), about.get("last", ()))
    with _placed(module, train, data, None, None, ALONE, named) as trainer:
        return tried(trainer)


@contextlib.contextmanager
def _placed(
    module: nn.Module,
    train: Train,
    data: Data,
    run: RunFolder | None,
    progress: Progress | None,
    world: World,
    about: tuple[Mapping[str, str] | None, Frozen, Sequence[str], Networks | None, Sequence[str]],
) -> Iterator[Trainer]:
    """Within it network and data lie on the device of the run, and torch computes as the section says."""
    networks = about[3]
    device = choose_device(train.device, world)
    parted = world.size > 1 and train.parallel == "fsdp"
    channels_last = wants_channels_last(module, train) and not parted
    progress = progress or Silent()
    if train.deterministic and (fault := unrepeatable(module, device)):
        progress.warn(fault)
    with kept_memory(), threads(train.threads), reproducible(train.seed, device), StopSignals() as stop:
        with deterministic(train.deterministic, progress.warn), arranged(module, channels_last):
            data = data.to(device)
            need_company(module, data.train, train.batch)
            network = spread(module, train, device, world)
            trainer = Trainer(network, train, data, run, progress, stop, channels_last, world, *about)
            if not world.main:  # what the network drops is each process's own chance, its first weights are not
                torch.manual_seed(world.seed(train.seed))
            with contextlib.ExitStack() as joint:
                for each in (network.module, *(networks.players.values() if networks is not None else ())):
                    joint.enter_context(joint_statistics(each, world))
                yield trainer
        if parted:
            module.load_state_dict(network.gather(trainer.state.shown.state_dict(), everywhere=True))
