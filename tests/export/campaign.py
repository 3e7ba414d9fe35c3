"""Holds the ONNX form of random operations against torch: `python -m tests.export.campaign --cases 10000`."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import torch
from hypothesis import HealthCheck, Phase, given, seed, settings

from netspec.faults import Invalid
from netspec.layers.base import Op
from netspec.tensors import Misfit, Tensor
from tests import campaigns
from tests.export.emitted import difference
from tests.layers.cases import cases
from tests.layers.examples import CLASSES as LAYERS
from tests.ops.cases import case
from tests.ops.examples import CLASSES as OPERATIONS

Found = tuple[Op, tuple[Tensor, ...], str]
HEALTH = list(HealthCheck)
RANDOM = ("Randn", "Rand", "RandnLike", "RandLike")


def drawn(cls: Any, count: int, start: int) -> Iterator[Found]:
    """So many random cases of a class that it takes, each with its inputs and how it reads."""
    given_cases = (
        _layers(cls, count, start)
        if cls in LAYERS
        else (case(cls, Random(f"{start} {cls.__name__} {i}")) for i in range(count))
    )
    for each in given_cases:
        try:
            op = each.cls(**each.values).fitted(*each.inputs)
            op.shape(*each.inputs)
        except (Misfit, Invalid):
            continue
        yield op, each.inputs, str(each)


def _layers(cls: Any, count: int, start: int) -> list[Any]:
    found: list[Any] = []

    @seed(start)
    @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=HEALTH)
    @given(cases(cls))
    def keep(each: Any) -> None:
        found.append(each)

    keep()
    return found


def problem(op: Op, inputs: tuple[Tensor, ...], text: str) -> str:
    """How the file differs from torch; empty where it does not."""
    try:
        found = difference(op, inputs)
    except Exception as error:
        found = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
    return f"{text}: {found}" if found else ""


def main() -> int:
    options = campaigns.options(__doc__)
    torch.set_num_threads(1)
    begin = time.perf_counter()
    classes = [c for c in (*LAYERS, *OPERATIONS) if c.__name__ not in RANDOM]
    classes = [c for c in classes if not options.only or c.__name__ in options.only.split(",")]
    figures: Counter[str] = Counter()
    differences: list[str] = []
    for cls in classes:
        for op, inputs, text in drawn(cls, -(-options.cases // len(classes)), options.seed):
            figures["cases"] += 1
            if found := problem(op, inputs, text):
                differences.append(found)
    for text in differences[: options.show]:
        print(text)
    print(f"{figures['cases']} cases of {len(classes)} classes in {time.perf_counter() - begin:.0f} s")
    print(f"{len(differences)} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
