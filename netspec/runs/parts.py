"""Which part of the data a network is measured on, and by what. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from netspec.errors import DataError, UsageError
from netspec.runtime.data.compatibility import need_fit
from netspec.sections.train_record import Train
from netspec.spec import Spec
from netspec.words import listed

if TYPE_CHECKING:
    from netspec.runtime.arrays.data import ArrayData
    from netspec.runtime.data.split import Data

    Whole = Data | ArrayData

Part = Literal["train", "val", "test"]


def need_measures(spec: Spec, what: str) -> Train:
    """The section that says what to measure. Raises UsageError where there is none."""
    if spec.experiment.train is None:
        raise UsageError(f"{what} has no train section that says what to measure")
    return spec.experiment.train


def part_of(spec: Spec, data: Whole, part: Part, tell: Callable[[str], None] | None) -> Any:
    """One part of data that fits a network; `tell` is told of doubts about it. Raises DataError."""
    split = getattr(data, part)
    if split is None:
        others = [name for name in ("train", "val", "test") if getattr(data, name) is not None]
        hint = f"It has {listed(others)}, as in --part {others[0]}."
        raise DataError(f"the data of {spec.name} has no {part} part. {hint}")
    need_fit(spec, data)
    if tell is not None:
        for line in data.doubts:
            tell(line)
    return split


def need_some(found: dict[str, Any] | None) -> dict[str, Any]:
    """What was measured. Raises UsageError where nothing was."""
    if not found:
        raise UsageError("nothing of its losses is measured outside training, where there is no other pass")
    return found
