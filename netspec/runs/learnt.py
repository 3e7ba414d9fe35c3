"""What a run has learnt of its data, read from its folder. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any, Final

from netspec.files import kind
from netspec.runtime.store.notes import read_note, texts

LEARNT: Final = "data.json"
"""The file of a run that keeps what its data has taught."""


def learnt_in(folder: Path) -> dict[str, Any]:
    """What the run in a folder has learnt of its data; nothing where none is kept."""
    path = folder / LEARNT
    found: dict[str, Any] = read_note(path, fault) if kind(path) else {}
    return found


def fault(learnt: Any) -> str:
    """What is wrong with what a run has learnt, as it is kept; a source of a plugin may keep more."""
    if not isinstance(learnt, dict):
        return "expected a mapping"
    from netspec.datasets.kinds import are_learnt  # only a run that has learnt pays for what reads tables
    from netspec.datasets.values import is_kept

    kept: dict[str, Callable[[Any], bool]] = {
        "classes": lambda value: value is None or (texts(value) and len(set(value)) == len(value)),
        "inputs": _seen_as,
        "values": lambda value: isinstance(value, list) and all(map(is_kept, value)),
        "transform": lambda value: isinstance(value, list) and all(isinstance(x, dict | None) for x in value),
        "places": lambda value: isinstance(value, list) and all(isinstance(x, list) for x in value),
        "columns": are_learnt,
        "tokenizer": lambda value: isinstance(value, str),
        "units": lambda value: isinstance(value, str),
        "own": lambda value: isinstance(value, dict) and value.keys() == {"classes"} and texts(value["classes"]),
        "positive": lambda value: isinstance(value, str),
        "scale": _scale,
        "weights": _weights,
        "targets": _targets,
        "losses": lambda value: isinstance(value, dict) and not any(fault(of) for of in value.values()),
    }
    wrong = [name for name, whole in kept.items() if name in learnt and not whole(learnt[name])]
    return f"{wrong[0]} is not what a run has learnt" if wrong else ""


def _seen_as(inputs: Any) -> bool:
    """Whether the names of the inputs and the largest byte are kept."""
    return isinstance(inputs, dict) and texts(inputs.get("names")) and inputs.get("peak") in range(1, 256)


def _targets(targets: Any) -> bool:
    """Whether the name of the first of several targets is kept, and the classes of the others, where they have some."""
    if not isinstance(targets, dict) or targets.keys() != {"lead", "classes"} or not isinstance(targets["lead"], str):
        return False
    classes = targets["classes"]
    return isinstance(classes, dict) and all(value is None or texts(value) for value in classes.values())


def _scale(scale: Any) -> bool:
    """Whether a mean and a deviation are kept for each column of the target."""
    if not isinstance(scale, dict) or scale.keys() != {"mean", "deviation"}:
        return False
    mean, deviation = scale.values()
    return _numbers(mean) and _numbers(deviation) and len(mean) == len(deviation) and 0 not in deviation


def _weights(weights: Any) -> bool:
    """Whether each field of the loss has its weights, and where they are of."""
    return isinstance(weights, dict) and all(
        isinstance(one, dict) and one.keys() == {"of", "values"} and _numbers(one["values"]) for one in weights.values()
    )


def _numbers(values: Any) -> bool:
    """Whether a value is a list of some numbers, all finite."""
    return isinstance(values, list) and bool(values) and all(type(x) in (int, float) and isfinite(x) for x in values)
