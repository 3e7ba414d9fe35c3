"""Data that was read, held against the network and its training by the rules that look at a spec before it is."""

from __future__ import annotations

from typing import Final

import torch

from netspec.datasets.base import Gives
from netspec.errors import DataError, Problem, SpecError
from netspec.lint import Facts, rules
from netspec.runtime.data import Data, Split
from netspec.source import report
from netspec.spec import Spec

OF_DATA: Final = ("class_count", "embedding_rows", "position_rows")
"""Rules that ask for other data, or for a network of its size."""
OF_TRAINING: Final = ("loss_target", "mixed_target")
"""Rules that ask for another loss."""


def need_fit(spec: Spec, data: Data) -> None:
    """Refuse data that the network or the loss cannot take, before the first step. Raises DataError or SpecError."""
    data.need_fit(spec.graph.inputs)
    facts = Facts(spec.graph, spec.experiment, measured(data))
    faults = [p for rule in rules(OF_DATA) for p in rule.check(facts) if p.severity == "error"]
    if faults:
        raise DataError("\n".join(f"{p.message}. {p.hint} {_met(p, data)}".rstrip() for p in faults))
    faults = [p for rule in rules(OF_TRAINING) for p in rule.check(facts) if p.severity == "error"]
    if faults:
        raise SpecError(faults, report(faults, spec.document.source), spec.document.source)


def measured(data: Data) -> Gives:
    """What the data really gives."""
    numbers = tuple(_bounds([part.inputs[i] for part in _parts(data)]) for i in range(len(data.train.inputs)))
    return Gives(data.inputs, data.target, len(data.classes) if data.classes else None, numbers=numbers)


def _parts(data: Data) -> list[Split]:
    return [part for part in (data.train, data.val, data.test) if part]


def _bounds(parts: list[torch.Tensor]) -> tuple[int, int] | None:
    """The least and the largest number of an input; None for one of floats."""
    if parts[0].dtype != torch.int64:
        return None
    return min(int(x.min()) for x in parts), max(int(x.max()) for x in parts)


def _met(problem: Problem, data: Data) -> str:
    """Where the class or the number that goes furthest is met first."""
    if problem.code == "class-count":
        held = [(part, -1, part.target) for part in _parts(data)]
    elif problem.code == "embedding-rows":
        held = [(p, i, x) for p in _parts(data) for i, x in enumerate(p.inputs) if x.dtype == torch.int64]
    else:
        return ""
    least, largest = min(int(x.min()) for *_, x in held), max(int(x.max()) for *_, x in held)
    furthest = least if least < 0 else largest
    part, place, row = next((p, i, int(r[0])) for p, i, x in held if len(r := (x == furthest).nonzero()[:, 0]))
    name = data.classes[furthest] if problem.code == "class-count" and data.classes else str(furthest)
    shown = f"{furthest} ({name})" if name != str(furthest) else name
    return f"{shown} is first met in {part.origin.at(row, place)}."
