"""Every catalogue of the language in one place."""

from __future__ import annotations

from netspec import datasets, layers, losses, metrics, ops, optimizers, schedulers, transforms
from netspec.catalogue import Catalogue
from netspec.datasets.base import Dataset
from netspec.exporters import Exporter
from netspec.initializers import Initializer
from netspec.layers.base import Op
from netspec.losses.base import Loss
from netspec.metrics.base import Metric
from netspec.optimizers.base import Optimizer
from netspec.schedulers.base import Scheduler
from netspec.transforms.base import Augmentation, Transform

OPERATIONS = Catalogue(
    "operation",
    Op,
    {f"netspec.layers.{file}": words for file, words in layers.FAMILIES.items()}
    | {f"netspec.ops.{file}": words for file, words in ops.FAMILIES.items()},
)
"""Everything a row of the network can name, besides blocks."""

INITIALIZERS = Catalogue(
    "initialiser",
    Initializer,
    {
        "netspec.initializers": (
            "Zeros Ones Constant Uniform Normal TruncNormal XavierUniform XavierNormal KaimingUniform KaimingNormal "
            "Orthogonal Sparse Eye Dirac Default trunc_normal xavier_uniform xavier_normal kaiming_uniform "
            "kaiming_normal"
        )
    },
)
"""How parameters are filled before training."""

DATASETS = Catalogue(
    "dataset", Dataset, {f"netspec.datasets.{file}": words for file, words in datasets.FAMILIES.items()}
)
"""Sources of data."""

TRANSFORMS = Catalogue(
    "transform", Transform, {f"netspec.transforms.{file}": words for file, words in transforms.TRANSFORMS.items()}
)
"""What is done to all data on its way to the network."""

AUGMENTATIONS = Catalogue(
    "augmentation",
    Augmentation,
    {f"netspec.transforms.{file}": words for file, words in transforms.AUGMENTATIONS.items()},
)
"""Random changes to training data."""

EXPORTERS = Catalogue("format", Exporter, {"netspec.exporters": "onnx"})
"""Formats that a trained network is exported to."""

LOSSES = Catalogue("loss", Loss, {f"netspec.losses.{file}": words for file, words in losses.FAMILIES.items()})
"""What training minimises."""

OPTIMIZERS = Catalogue(
    "optimizer", Optimizer, {f"netspec.optimizers.{file}": words for file, words in optimizers.FAMILIES.items()}
)
"""How a step is made of gradients."""

SCHEDULERS = Catalogue(
    "scheduler", Scheduler, {f"netspec.schedulers.{file}": words for file, words in schedulers.FAMILIES.items()}
)
"""How the learning rate moves."""

METRICS = Catalogue("metric", Metric, {f"netspec.metrics.{file}": words for file, words in metrics.FAMILIES.items()})
"""What is measured besides the loss."""
