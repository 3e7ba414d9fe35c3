"""Checks of a spec as a whole, one rule a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module

from netspec.errors import Problem
from netspec.lint.base import Facts, Rule

__all__ = ["EXPERIMENT", "NETWORK", "Facts", "lint", "rules"]

NETWORK = ("linear_after_map",)
"""Rules about the network alone. Each is the class that its file is named for."""
EXPERIMENT = (
    "data_shape",
    "class_count",
    "embedding_rows",
    "position_rows",
    "loss_target",
    "mixed_target",
    "metric_target",
)
"""Rules about the network with its data and its training; imported only for a spec that has such a section."""


def rules(files: Iterable[str] = (*NETWORK, *EXPERIMENT)) -> Iterator[Rule]:
    """The rules in these files."""
    for file in files:
        rule: Rule = getattr(import_module(f"netspec.lint.{file}"), file.title().replace("_", ""))()
        yield rule


def lint(facts: Facts) -> list[Problem]:
    """What the rules object to."""
    files = (*NETWORK, *(EXPERIMENT if facts.data or facts.train else ()))
    return [problem for rule in rules(files) for problem in rule.check(facts)]
