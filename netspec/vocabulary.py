"""Every catalogue of the language in one place."""

from __future__ import annotations

from netspec import datasets, layers, ops, transforms
from netspec.catalogue import Catalogue
from netspec.datasets.base import Dataset
from netspec.exporters import Exporter
from netspec.layers.base import Op
from netspec.transforms.base import Augmentation, Transform

OPERATIONS = Catalogue(
    "operation",
    Op,
    {f"netspec.layers.{file}": words for file, words in layers.FAMILIES.items()}
    | {f"netspec.ops.{file}": words for file, words in ops.FAMILIES.items()},
)
"""Everything a row of the network can name, besides blocks."""

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
