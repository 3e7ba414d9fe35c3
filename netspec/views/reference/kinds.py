"""The kinds of words that the reference has, and where a spec uses them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from netspec.catalogue import Catalogue
from netspec.records import Entry
from netspec.vocabulary import (
    AUGMENTATIONS,
    DATASETS,
    EXPORTERS,
    INITIALIZERS,
    LOSSES,
    METRICS,
    OPERATIONS,
    OPTIMIZERS,
    PENALTIES,
    SCHEDULERS,
    TRANSFORMS,
)


@dataclass(frozen=True, slots=True)
class Kind:
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
    """Which entries of the catalogue are of this kind."""

    def entries(self) -> list[type[Entry]]:
        """Its records, in the order of their files."""
        return [cls for cls in self.catalogue.classes() if self.holds(cls)]


def _is_layer(cls: type[Entry]) -> bool:
    """Whether a class of the operations is a layer."""
    from netspec.layers.base import Layer

    return issubclass(cls, Layer)


KINDS: Final = (
    Kind("layers", "layer", "layers", OPERATIONS, holds=_is_layer),
    Kind("operations", "operation", "layers", OPERATIONS, holds=lambda cls: not _is_layer(cls)),
    Kind("losses", "loss", "train.loss", LOSSES, "nn."),
    Kind("penalties", "penalty", "train.penalties", PENALTIES),
    Kind("optimizers", "optimizer", "train.optimizer", OPTIMIZERS, "torch.optim.", ("parameters",)),
    Kind("schedulers", "scheduler", "train.scheduler", SCHEDULERS, "lr_scheduler.", ("optimizer",)),
    Kind("metrics", "metric", "train.metrics", METRICS),
    Kind("datasets", "dataset", "data.source", DATASETS),
    Kind("transforms", "transform", "data.transform", TRANSFORMS),
    Kind("augmentations", "augmentation", "data.augment", AUGMENTATIONS),
    Kind("initialisers", "initialiser", "init", INITIALIZERS),
    Kind("formats", "format", "export", EXPORTERS),
)
"""Every kind that holds records, as all but `wraps` do."""
