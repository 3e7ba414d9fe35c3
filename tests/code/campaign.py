"""Prints, builds and runs many random specs: `python -m tests.code.campaign --cases 5000`.

Each case is a number, which draws the same spec again: `--seed 17 --cases 1` shows that one alone.
"""

from __future__ import annotations

import sys
import time
import traceback
import warnings
from collections import Counter

import torch

from netspec import SpecError, loads
from tests import campaigns
from tests.code.meaning import disagreement
from tests.code.wild import drawn


def fault(text: str) -> str | None:
    """What is wrong with how a spec is printed; empty if nothing is, None if the spec is refused."""
    try:
        spec = loads(text)
    except SpecError:
        return None
    except Exception:
        return f"check: {traceback.format_exc(limit=-2)}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return disagreement(spec)
    except Exception:
        return traceback.format_exc(limit=-2)


def main() -> int:
    options = campaigns.options(__doc__)
    torch.set_num_threads(1)
    begin = time.perf_counter()
    figures: Counter[str] = Counter()
    for seed in range(options.seed, options.seed + options.cases):
        for odd in (False, True):
            found = fault(text := drawn(seed, odd))
            figures["refused" if found is None else "differ" if found else "as checked"] += 1
            if found and figures["differ"] <= options.show:
                print(f"--- seed {seed}{', odd names' if odd else ''}\n{text}\n{found}")
    print(f"{2 * options.cases} specs in {time.perf_counter() - begin:.0f} s: {dict(figures)}")
    return 1 if figures["differ"] else 0


if __name__ == "__main__":
    sys.exit(main())
