"""Checks of a spec as a whole, one rule a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Final

from netspec.errors import Problem
from netspec.lint.base import Facts, Rule

__all__ = ["EXPERIMENT", "NETWORK", "TRAINING", "Facts", "lint", "rules"]

_NORMS: Final = {"BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"}
_INSTANCE: Final = {"InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"}
_POOLS_1D: Final = {f"{kind}Pool1d" for kind in ("Max", "Avg", "LP", "AdaptiveAvg", "AdaptiveMax")}
_DROPOUTS: Final = {"Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"}
_SEQUENTIAL: Final = {
    *("RNN", "GRU", "LSTM", "MultiheadAttention", "Transformer"),
    *("TransformerEncoder", "TransformerDecoder", "TransformerEncoderLayer", "TransformerDecoderLayer"),
}
INPLACE: Final = "inplace"
"""Stands for any operation that overwrites its input."""

NETWORK: Final[dict[str, set[str]]] = {
    "linear_after_map": {"Linear"},
    "linear_into_linear": {"Linear", "FC"},
    "bias_before_norm": _NORMS | _INSTANCE,
    "dropout_before_norm": _NORMS,
    "dropout_last": _DROPOUTS,
    "recurrent_dropout": {"RNN", "GRU", "LSTM"},
    "batch_axis": _SEQUENTIAL,
    "batch_concat": {"Concat"},
    "inplace_shared": {INPLACE},
    "no_effect": set(),
    "batch_softmax": {"Softmax", "LogSoftmax", "Softmin"},
    "tokens_as_channels": {"Conv1d", "ConvTranspose1d", *_NORMS, *_INSTANCE, *_POOLS_1D},
    "channels_last": {"Conv2d", "ConvTranspose2d", "MaxPool2d", "AvgPool2d", "BatchNorm2d"},
    "strided_same": {"Conv1d", "Conv2d", "Conv3d"},
}
"""Rules about the network alone, each with the operations that it is about; without any it is about all networks.

Each is the class that its file is named for, and is imported only for a network that it is about.
"""
EXPERIMENT: Final = (
    *("data_shape", "class_count", "embedding_rows", "position_rows", "loss_target", "mixed_target", "metric_target"),
    *("target_aim", "export_probabilities", "value_range", "schedule_length", "sample_count"),
)
"""Rules about the network with its data and its training, which say nothing of shapes that a problem left unknown."""
TRAINING: Final = (
    *("scores_activated", "probabilities_missing", "relu_under_regression", "norm_of_one", "no_gradient"),
)
"""Rules about a whole network and its training. Those of the experiment are imported only for a spec that has one."""


def rules(files: Iterable[str] = (*NETWORK, *EXPERIMENT, *TRAINING)) -> Iterator[Rule]:
    """The rules in these files."""
    for file in files:
        rule: Rule = getattr(import_module(f"netspec.lint.{file}"), file.title().replace("_", ""))()
        yield rule


def lint(facts: Facts, whole: bool = True) -> list[Problem]:
    """What the rules object to. A warning about a row that is repeated comes once.

    A network that is not `whole`, because something is wrong in it, is spared all that may follow from that.
    """
    around = facts.data is not None or facts.train is not None
    files = [*(_about(facts) if whole else ()), *(EXPERIMENT if around else ())]
    files += TRAINING if whole and facts.train is not None else ()
    found = [problem for rule in rules(files) for problem in rule.check(facts)]
    return list({(p.code, p.at, p.message if p.severity == "error" else ""): p for p in found}.values())


def _about(facts: Facts) -> Iterator[str]:
    """The rules about the operations that the network has."""
    present: set[str] = set()
    for step in facts.graph.root.walk():
        if step.op is not None:
            present.add(type(step.op).__name__)
            if getattr(step.op, "inplace", False):
                present.add(INPLACE)
    return (file for file, about in NETWORK.items() if not about or about & present)
