"""Checks of a spec as a whole, one rule a file."""

from __future__ import annotations

from netspec.errors import Problem
from netspec.lint.base import Facts, Rule
from netspec.lint.class_count import ClassCount
from netspec.lint.data_shape import DataShape
from netspec.lint.loss_target import LossTarget
from netspec.lint.metric_target import MetricTarget

__all__ = ["RULES", "Facts", "lint"]

RULES: tuple[Rule, ...] = (DataShape(), ClassCount(), LossTarget(), MetricTarget())
"""Every rule, in the order in which problems of one place are shown."""


def lint(facts: Facts) -> list[Problem]:
    """What the rules object to."""
    return [problem for rule in RULES for problem in rule.check(facts)]
