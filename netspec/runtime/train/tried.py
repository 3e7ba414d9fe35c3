"""A run of which only a step is tried, once or in other ways; nothing is kept of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from torch import nn

from netspec.runtime.data.split import Data
from netspec.runtime.device.device import wants_channels_last
from netspec.runtime.device.process_group import ALONE
from netspec.runtime.train.loop import Trainer
from netspec.runtime.train.run import placed
from netspec.runtime.train.trial import Trial, hold_still, tried
from netspec.runtime.train.ways import Speeds, Way, Ways, over_maps
from netspec.sections.train_record import Train
from netspec.weights.freezing import UNFROZEN


def try_step(module: nn.Module, train: Train, data: Data, *, outputs: Sequence[str] = (), **about: Any) -> Trial:
    """Take one step and say what it took, with the arguments of `train`; nothing is kept.

    Raises SpecError, DataError and Diverged.
    """
    with _alone(module, train, data, outputs, about) as trainer:
        return tried(trainer)


def try_ways(
    module: nn.Module, train: Train, data: Data, *, outputs: Sequence[str] = (), **about: Any
) -> tuple[Trial, tuple[Way, ...]]:
    """Take one step as `try_step` does, and then for some seconds in other ways: each that was tried, faster or not.

    Of a step that is compiled there are none, because each would be compiled for itself. Raises as `try_step`.
    """
    with _alone(module, train, data, outputs, about) as trainer:
        trial = tried(trainer)
        if train.compile:
            return trial, ()
        ways = Ways(trainer, trial)
        found, before = [*ways.batches(), *ways.threads()], (trial.samples / trial.seconds, *ways.speeds())
    if over_maps(module) and ways.has_time(trial.seconds):
        key, other = "channels_last", not wants_channels_last(module, train)

        def speeds(section: Train) -> Speeds:
            with _alone(module, section, data, outputs, about) as trainer:
                trainer.first_batch()
                hold_still(trainer)
                return Ways(trainer, trial).speeds()

        way = Way(key, other, speeds(train.replace(**{key: other})), before)
        found.append(way.against(speeds(train)) if way.faster else way)
    return trial, tuple(found)


def _alone(
    module: nn.Module, train: Train, data: Data, outputs: Sequence[str], about: Mapping[str, Any]
) -> AbstractContextManager[Trainer]:
    """Within it a run is in place of which nothing is kept."""
    named = (None, about.get("frozen", UNFROZEN), outputs, about.get("networks"), about.get("last", ()))
    return placed(module, train, data, None, None, ALONE, named)
