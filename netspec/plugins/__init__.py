"""Words of one's own: what a plugin imports, and how its classes enter the language.

A plugin is a Python file that a person names on the command line, `--plugin gates.py`, or an
installed one by the name of its entry point. A spec never names Python code.
"""

from netspec.datasets.base import Arrays, Dataset, Gives, Part
from netspec.dims import BATCH, Size
from netspec.errors import DataError
from netspec.layers.base import Layer
from netspec.losses.base import Loss, Reduction
from netspec.metrics.base import Counts, Metric
from netspec.plugins.loading import load, loaded
from netspec.plugins.registering import register
from netspec.records import Bool, Checked, Choice, Float, Int, Maybe, Numbers, Text
from netspec.tensors import Misfit, Tensor
from netspec.transforms.base import Augmentation, Moving, Transform

__all__ = [
    "BATCH",
    "Arrays",
    "Augmentation",
    "Bool",
    "Checked",
    "Choice",
    "Counts",
    "DataError",
    "Dataset",
    "Float",
    "Gives",
    "Int",
    "Layer",
    "Loss",
    "Maybe",
    "Metric",
    "Misfit",
    "Moving",
    "Numbers",
    "Part",
    "Reduction",
    "Size",
    "Tensor",
    "Text",
    "Transform",
    "load",
    "loaded",
    "register",
]
