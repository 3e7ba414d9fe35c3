"""Compares many random operations with torch: `python -m tests.ops.campaign --cases 10000`."""

from __future__ import annotations

import sys
import time
from collections import Counter
from random import Random

import torch

from netspec.dims import Dim
from tests import campaigns
from tests.ops.cases import Case, case
from tests.ops.comparison import accepted, difference, unknown_difference
from tests.ops.examples import CLASSES


def problems(found: Case) -> list[str]:
    """Every difference of one case, with sizes known and unknown."""
    try:
        texts = [difference(found)]
        if not texts[0] and accepted(found):
            sizes = {s for x in found.inputs for s in x.shape if not isinstance(s, Dim) and s > 1}
            texts += [unknown_difference(found, size) for size in sorted(sizes)]
    except Exception as error:
        texts = [f"{type(error).__name__}: {error}"]
    return [f"{found}: {text}" for text in texts if text]


def main() -> int:
    options = campaigns.options(__doc__)
    torch.set_num_threads(1)
    begin = time.perf_counter()
    classes = [c for c in CLASSES if not options.only or c.__name__ in options.only.split(",")]
    figures: dict[str, Counter[bool]] = {}
    differences: list[str] = []
    for cls in classes:
        counter: Counter[bool] = Counter()
        figures[cls.__name__] = counter
        for i in range(-(-options.cases // len(classes))):
            found = case(cls, Random(f"{options.seed} {cls.__name__} {i}"))
            counter[accepted(found)] += 1
            differences += problems(found)
    for text in differences[: options.show]:
        print(text)
    count, taken = sum(c.total() for c in figures.values()), sum(c[True] for c in figures.values())
    print(f"{count} cases of {len(classes)} operations in {time.perf_counter() - begin:.0f} s:", end=" ")
    print(f"{taken} accepted, {count - taken} refused")
    rates = sorted((c[True] / c.total(), name) for name, c in figures.items())
    print("accepted least often:", ", ".join(f"{name} {rate:.0%}" for rate, name in rates[:8]))
    print(f"{len(differences)} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
