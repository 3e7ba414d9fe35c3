"""What the campaigns of random cases have in common: their options."""

from __future__ import annotations

import argparse


def options(description: str | None) -> argparse.Namespace:
    """The options that a campaign was started with."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="names of classes, with commas between")
    parser.add_argument("--show", type=int, default=40, help="how many differences to print")
    return parser.parse_args()
