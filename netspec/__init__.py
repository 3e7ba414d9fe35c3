"""One YAML file to a checked, readable, trained and exported PyTorch network."""

from netspec.errors import DataError, Diverged, ExportMismatch, NetspecError, Problem, SpecError, UsageError
from netspec.spec import Spec, load, loads

__version__ = "0.1.0"

__all__ = [
    "DataError",
    "Diverged",
    "ExportMismatch",
    "NetspecError",
    "Problem",
    "Spec",
    "SpecError",
    "UsageError",
    "load",
    "loads",
]
