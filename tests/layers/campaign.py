"""Compares many random layers with torch: `python -m tests.layers.campaign --cases 10000`."""

from __future__ import annotations

import sys
import time
from collections import Counter

import torch
from hypothesis import HealthCheck, Phase, given, seed, settings

from netspec.layers.base import Layer
from tests import campaigns
from tests.layers.cases import Case, cases
from tests.layers.comparison import accepted, difference
from tests.layers.examples import CLASSES

HEALTH = list(HealthCheck)


def run(cls: type[Layer], count: int, start: int) -> tuple[Counter[str], list[str]]:
    """Figures and differences of `count` random cases of one layer."""
    figures: Counter[str] = Counter()
    found: list[str] = []

    @seed(start)
    @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=HEALTH)
    @given(cases(cls))
    def compare(case: Case) -> None:
        figures["cases"] += 1
        figures["accepted"] += accepted(case)
        try:
            text = difference(case)
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
        if text:
            found.append(f"{case}: {text}")

    compare()
    return figures, found


def main() -> int:
    options = campaigns.options(__doc__)
    torch.set_num_threads(1)
    begin = time.perf_counter()
    classes = [c for c in CLASSES if not options.only or c.__name__ in options.only.split(",")]
    total: Counter[str] = Counter()
    differences: list[str] = []
    rates: list[tuple[float, str]] = []
    for cls in classes:
        figures, found = run(cls, -(-options.cases // len(classes)), options.seed)
        total += figures
        differences += found
        rates.append((figures["accepted"] / figures["cases"], cls.__name__))
    for text in differences[: options.show]:
        print(text)
    count, taken = total["cases"], total["accepted"]
    print(f"{count} cases of {len(classes)} layers in {time.perf_counter() - begin:.0f} s:", end=" ")
    print(f"{taken} accepted, {count - taken} refused")
    print("accepted least often:", ", ".join(f"{name} {rate:.0%}" for rate, name in sorted(rates)[:8]))
    print(f"{len(differences)} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
