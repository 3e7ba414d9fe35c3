"""Checks of a spec as a whole, one rule a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any, Final

from netspec.errors import At, Problem
from netspec.lint.base import Facts, Rule
from netspec.records import shown
from netspec.sections.base import unknown_keys
from netspec.words import did_you_mean

__all__ = ["RULES", "Facts", "lint", "rules", "silence"]

KEYS: Final = {"ignore": "codes of the warnings that this spec does not want"}
"""The keys of the `lint` section."""
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
    "scores_activated": "training",
    "probabilities_missing": "training",
    "relu_under_regression": "training",
    "norm_of_one": "training",
    "no_gradient": "training",
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
    """The rules of these stages, those about operations only where the network has one of them."""
    kinds = {type(step.op) for step in facts.graph.root.walk() if step.op is not None}
    for file, words in RULES.items():
        stage, *about = words.split()
        if stage in stages and (not about or any(getattr(kind, name, None) for kind in kinds for name in about)):
            yield file


def silence(section: Any, problems: list[Problem]) -> list[Problem]:
    """`problems` without the warnings that a spec's `lint` section ignores, and with what is wrong with it."""
    if section is None:
        return problems
    wrong = unknown_keys(section, KEYS, ("lint",))
    codes = section.get("ignore", [])
    if not isinstance(codes, list):
        wrong.append(
            Problem("bad-value", "ignore is a list of codes", At(("lint", "ignore")), "As: [bias-before-norm]")
        )
        codes = []
    known = {rule.code: rule for rule in rules()}
    for place, code in enumerate(codes):
        if problem := _unheeded(code, known, At(("lint", "ignore", place))):
            wrong.append(problem)
    return [p for p in problems if p.severity == "error" or p.code not in codes] + wrong


def _unheeded(code: Any, known: dict[str, Rule], at: At) -> Problem | None:
    """What is wrong with a code that a spec ignores."""
    if not isinstance(code, str) or code not in known:
        hint = did_you_mean(str(code), known) or f"There are: {', '.join(sorted(known))}."
        return Problem("unknown-value", f"there is no check {shown(code)}", at, hint)
    if known[code].severity == "error":
        return Problem("bad-value", f"{code} is an error, and only warnings can be ignored", at)
    return None
