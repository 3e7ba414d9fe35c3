"""The rooms of the reference: what kinds of words there are, and where a spec uses them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from netspec.catalogue import Catalogue, Entry
from netspec.vocabulary import (
    AUGMENTATIONS,
    DATASETS,
    EXPORTERS,
    INITIALIZERS,
    LOSSES,
    METRICS,
    OPERATIONS,
    OPTIMIZERS,
    SCHEDULERS,
    TRANSFORMS,
)


@dataclass(frozen=True, slots=True)
class Room:
    """One kind of word: what it is called, where a spec uses it, and how torch is told the same."""

    name: str
    noun: str
    place: str
    catalogue: Catalogue[Any]
    torch: str = ""
    """The start of torch's call, up to its own name; empty where torch has nothing of the kind."""
    first: tuple[str, ...] = ()
    """What torch's call takes before the arguments."""
    holds: Callable[[type[Entry]], bool] = lambda _: True
    """Which entries of the catalogue are in this room."""

    def entries(self) -> list[type[Entry]]:
        """Its records, in the order of their files."""
        return [cls for cls in self.catalogue.classes() if self.holds(cls)]


def _is_layer(cls: type[Entry]) -> bool:
    from netspec.layers.base import Layer

    return issubclass(cls, Layer)


ROOMS: Final = (
    Room("layers", "layer", "layers", OPERATIONS, holds=_is_layer),
    Room("operations", "operation", "layers", OPERATIONS, holds=lambda cls: not _is_layer(cls)),
    Room("losses", "loss", "train.loss", LOSSES, "nn."),
    Room("optimizers", "optimizer", "train.optimizer", OPTIMIZERS, "torch.optim.", ("parameters",)),
    Room("schedulers", "scheduler", "train.scheduler", SCHEDULERS, "lr_scheduler.", ("optimizer",)),
    Room("metrics", "metric", "train.metrics", METRICS),
    Room("datasets", "dataset", "data.source", DATASETS),
    Room("transforms", "transform", "data.transform", TRANSFORMS),
    Room("augmentations", "augmentation", "data.augment", AUGMENTATIONS),
    Room("initialisers", "initialiser", "init", INITIALIZERS),
    Room("formats", "format", "export", EXPORTERS),
)
"""Every room that holds records; `wraps` are the one kind of word that is none."""
