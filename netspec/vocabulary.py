"""Every catalogue of the language in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netspec import datasets, exporters, layers, losses, metrics, ops, optimizers, schedulers, synonyms, transforms
from netspec.catalogue import Catalogue

if TYPE_CHECKING:
    from netspec.datasets.base import Dataset
    from netspec.exporters.base import Exporter
    from netspec.initializers import Initializer
    from netspec.layers.base import Op
    from netspec.losses.base import Loss
    from netspec.metrics.base import Metric
    from netspec.optimizers.base import Optimizer
    from netspec.penalties import Penalty
    from netspec.schedulers.base import Scheduler
    from netspec.transforms.base import Random, Transform
    from netspec.wraps import Wrap


def _in(package: str, families: dict[str, str]) -> dict[str, str]:
    """The words of each family by its module's whole name."""
    return {f"netspec.{package}.{file}": words for file, words in families.items()}


OPERATIONS: Catalogue[Op] = Catalogue(
    "operation",
    "netspec.layers.base.Op",
    _in("layers", layers.FAMILIES) | _in("ops", ops.FAMILIES),
    synonyms.OPERATIONS,
    synonyms.NOT_OPERATIONS,
)
"""Everything a row of the network can name, besides blocks."""


def kind_of_layer(word: str) -> tuple[type[Op], ...]:
    """The operations that a word means in `init` and `train.groups`; `norm` is every normalisation."""
    families = layers.KINDS.get(word.lower(), ())
    found = {c: None for f in families for cs in OPERATIONS.members(f"netspec.layers.{f}").values() for c in cs}
    return tuple(found) or OPERATIONS.find(word)


INITIALIZERS: Catalogue[Initializer] = Catalogue(
    "initialiser",
    "netspec.initializers.Initializer",
    {
        "netspec.initializers": (
            "Zeros Ones Constant Uniform Normal TruncNormal XavierUniform XavierNormal KaimingUniform KaimingNormal "
            "LecunNormal Orthogonal Sparse Eye Dirac PartialDirac Whitening Default trunc_normal xavier_uniform "
            "xavier_normal kaiming_uniform kaiming_normal lecun_normal partial_dirac"
        )
    },
    synonyms.INITIALIZERS,
    synonyms.NOT_INITIALIZERS,
)
"""How parameters are filled before training."""

WRAPS: Catalogue[Wrap] = Catalogue(
    "wrap",
    "netspec.wraps.Wrap",
    {
        "netspec.wraps": (
            "lora orthogonal spectral_norm spectral_norm_hook weight_norm weight_norm_hook SpectralNorm "
            "SpectralNormHook WeightNorm WeightNormHook"
        )
    },
)
"""What wraps the weight of a layer."""

DATASETS: Catalogue[Dataset] = Catalogue(
    "dataset",
    "netspec.datasets.base.Dataset",
    _in("datasets", datasets.FAMILIES),
    synonyms.DATASETS,
    synonyms.NOT_DATASETS,
)
"""Sources of data."""

TRANSFORMS: Catalogue[Transform] = Catalogue(
    "transform",
    "netspec.transforms.base.Transform",
    _in("transforms", transforms.TRANSFORMS),
    synonyms.TRANSFORMS,
    synonyms.NOT_TRANSFORMS,
)
"""What is done to all data on its way to the network."""

AUGMENTATIONS: Catalogue[Random] = Catalogue(
    "augmentation",
    "netspec.transforms.base.Random",
    _in("transforms", transforms.AUGMENTATIONS),
    synonyms.AUGMENTATIONS,
    synonyms.NOT_AUGMENTATIONS,
)
"""Random changes to training data."""

EXPORTERS: Catalogue[Exporter] = Catalogue(
    "format", "netspec.exporters.base.Exporter", _in("runtime.export.formats", exporters.FAMILIES)
)
"""Formats that a trained network is exported to."""

LOSSES: Catalogue[Loss] = Catalogue(
    "loss",
    "netspec.losses.base.Loss",
    _in("losses", losses.FAMILIES),
    synonyms.LOSSES,
    synonyms.NOT_LOSSES,
)
"""What training minimises."""

PENALTIES: Catalogue[Penalty] = Catalogue("penalty", "netspec.penalties.Penalty", {"netspec.penalties": "L1 L2"})
"""What is added to the loss for parameters."""

OPTIMIZERS: Catalogue[Optimizer] = Catalogue(
    "optimizer",
    "netspec.optimizers.base.Optimizer",
    _in("optimizers", optimizers.FAMILIES),
    synonyms.OPTIMIZERS,
    synonyms.NOT_OPTIMIZERS,
)
"""How a step is made of gradients."""

SCHEDULERS: Catalogue[Scheduler] = Catalogue(
    "scheduler",
    "netspec.schedulers.base.Scheduler",
    _in("schedulers", schedulers.FAMILIES),
    synonyms.SCHEDULERS,
    synonyms.NOT_SCHEDULERS,
)
"""How the learning rate moves."""

METRICS: Catalogue[Metric] = Catalogue(
    "metric",
    "netspec.metrics.base.Metric",
    _in("metrics", metrics.FAMILIES),
    synonyms.METRICS,
    synonyms.NOT_METRICS,
)
"""What is measured besides the loss."""

for _catalogue in (
    *(OPERATIONS, INITIALIZERS, DATASETS, TRANSFORMS, AUGMENTATIONS, EXPORTERS),
    *(LOSSES, OPTIMIZERS, SCHEDULERS, METRICS),
):
    _catalogue.beside = {
        "train: {{loss: {}}}": LOSSES,
        "train: {{optimizer: {}}}": OPTIMIZERS,
        "train: {{scheduler: {}}}": SCHEDULERS,
        "train: {{metrics: [{}]}}": METRICS,
        "data: {{transform: {}}}": TRANSFORMS,
        "data: {{augment: {}}}": AUGMENTATIONS,
    }
