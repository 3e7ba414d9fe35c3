"""Training: one call that puts the surroundings in place and runs."""

from __future__ import annotations

from torch import nn

from netspec.language.train_record import Train
from netspec.runtime.data import Data
from netspec.runtime.history import History
from netspec.runtime.progress import Progress, Silent
from netspec.runtime.run import RunFolder
from netspec.runtime.stopping import StopSignals
from netspec.runtime.surroundings import arranged, choose_device, reproducible, threads, wants_channels_last
from netspec.runtime.trainer import Trainer


def train(
    module: nn.Module,
    train: Train,
    data: Data,
    run: RunFolder | None = None,
    *,
    resume: bool = False,
    progress: Progress | None = None,
) -> History:
    """Train `module` in place as `train` says, and leave it with the weights that the run ended with.

    With a run folder, metrics, weights and checkpoints are written there; `resume` goes on from its
    newest whole checkpoint, and ends with the very bits of a run that was never stopped. Raises
    SpecError or DataError before the first step where network, loss and data do not go together,
    Diverged on a loss that is not finite, Interrupted after SIGINT or SIGTERM, once the state is saved.
    """
    device = choose_device(train.device)
    channels_last = wants_channels_last(module, train)
    with threads(train.threads), reproducible(train.seed, device), StopSignals() as stop:
        module.to(device)
        with arranged(module, channels_last):
            trainer = Trainer(module, train, data.to(device), run, progress or Silent(), stop, channels_last)
            if resume:
                trainer.resume()
            return trainer.run_all()
