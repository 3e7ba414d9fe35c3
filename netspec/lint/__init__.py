"""Checks of a spec as a whole, one rule a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module

from netspec.errors import Problem
from netspec.lint.base import Facts, Rule

__all__ = ["RULES", "Facts", "lint", "rules"]

RULES: dict[str, str] = {
    "linear_after_map": "network multiplies",
    "linear_into_linear": "network multiplies",
    "bias_before_norm": "network normalises",
    "dropout_before_norm": "network drops",
    "dropout_last": "network drops",
    "recurrent_dropout": "network dropout",
    "batch_axis": "network batch_first",
    "batch_concat": "network joins",
    "inplace_shared": "network inplace",
    "no_effect": "network",
    "batch_softmax": "network makes",
    "tokens_as_channels": "network gives_tokens",
    "channels_last": "network reads_channels",
    "strided_same": "network kernel_size",
    "data_shape": "experiment",
    "class_count": "experiment",
    "embedding_rows": "experiment",
    "position_rows": "experiment",
    "loss_target": "experiment",
    "mixed_target": "experiment",
    "metric_target": "experiment",
    "target_aim": "experiment",
    "export_probabilities": "experiment",
    "value_range": "experiment",
    "schedule_length": "experiment",
    "sample_count": "experiment",
    "loss_outputs": "training",
    "scores_activated": "training",
    "probabilities_missing": "training",
    "relu_under_regression": "training",
    "norm_of_one": "training",
    "no_gradient": "training",
    "step_networks": "experiment",
    "random_base": "training beside",
    "rank_too_large": "network beside",
    "losses_reach": "experiment",
    "nothing_trained": "training",
    "evaluated_views": "training",
    "optimizer_ranks": "training",
    "past_the_end": "experiment",
}
"""Each rule's file with its stage and what it is about, so that only those in question are imported.

A rule is the class that its file is named for. `python -m tests.families` writes this.
"""


def rules(files: Iterable[str] = RULES) -> Iterator[Rule]:
    """The rules in these files."""
    for file in files:
        rule: Rule = getattr(import_module(f"netspec.lint.{file}"), file.title().replace("_", ""))()
        yield rule


def lint(facts: Facts, whole: bool = True) -> list[Problem]:
    """What the rules object to. A warning about a row that is repeated comes once.

    A network that is not `whole`, because something is wrong in it, is spared all that may follow from that.
    """
    stages = {"network"} if whole else set()
    stages |= {"experiment"} if facts.data is not None or facts.train is not None else set()
    stages |= {"training"} if whole and facts.train is not None else set()
    found = [problem for rule in rules(_files(facts, stages)) for problem in rule.check(facts)]
    return list({(p.code, p.at, p.message if p.severity == "error" else ""): p for p in found}.values())


def _files(facts: Facts, stages: set[str]) -> Iterator[str]:
    """The rules of these stages, those about operations, or what wraps them, only where the network has one of them."""
    kinds = {type(part) for step in facts.graph.root.walk() for part in (step.op, step.wrap) if part is not None}
    for file, words in RULES.items():
        stage, *about = words.split()
        if stage in stages and (not about or any(getattr(kind, name, None) for kind in kinds for name in about)):
            yield file
