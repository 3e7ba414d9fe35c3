"""What is proposed: the sections of a spec as text, and what was seen of the data."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from netspec.errors import UsageError
from netspec.python.reserved import is_class_name
from netspec.words import printable

PLAIN: Final = re.compile(r"[A-Za-z_](?:[\w./-]*\w)?", re.ASCII)
"""Texts that YAML takes as they are, with those of WORDS left out."""
WORDS: Final = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"}
BREAKS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
MANY: Final = 200
"""From so many classes on, the mean over them says little."""
MOST: Final = 12
"""How many classes or columns are listed one by one."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a network is to learn: the steps at its end, and how that is measured."""

    head: str
    """A row, such as fc 10."""
    loss: str
    metrics: str

    @property
    def monitor(self) -> str:
        """The value that says which weights are best: that of the first metric."""
        return f"val.{self.metrics.partition(',')[0]}"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A spec for some data. `network` are the lines of its input and layers, `data` those of its data section."""

    path: str
    """The data that it is for."""
    seen: tuple[str, ...]
    """What was found in it, for a person."""
    network: tuple[str, ...]
    data: tuple[str, ...]
    goal: Goal
    count: int
    """The samples."""

    @property
    def text(self) -> str:
        """The whole spec, with what was seen as comments."""
        return "\n".join(
            [
                "# yaml-language-server: $schema=netspec.schema.json",
                *(f"# {line}" for line in (f"A first spec for {one_line(self.path)}, which holds", *self.seen)),
                "netspec: 1",
                f"name: {named(self.path)}",
                *self.network,
                "data:",
                *(f"  {line}" for line in self.data),
                "train:",
                f"  loss: {self.goal.loss}",
                "  optimizer: adamw lr=2e-3 weight_decay=0.01",
                "  epochs: 40",
                f"  batch: {batch(self.count)}",
                f"  metrics: [{self.goal.metrics}]",
                f"  early_stop: {self.goal.monitor} patience=10   # the weights of the best epoch are kept",
                "",
            ]
        )


def one_line(text: str) -> str:
    """A text of the data's as a comment may hold it: nothing in it ends the line, or hides what follows."""
    return printable(BREAKS.sub(" ", text))


def named(path: str) -> str:
    """A name for a network, from that of its data."""
    words = re.findall(r"[A-Za-z0-9]+", Path(path).name.partition(".")[0])
    name = "".join(word[:1].upper() + word[1:] for word in words)
    return name if is_class_name(name) else "Net"


def batch(count: int) -> int:
    """Samples in a step: about a twentieth of all, so that an epoch has some steps."""
    return min((size for size in (8, 16, 32, 64) if size >= count / 20), default=64)


def quoted(text: str) -> str:
    """A text as YAML has it in a spec. Raises UsageError for one that the spec would compute."""
    if "$" in text:
        raise UsageError(f"{text!r} holds a $, which a spec reads as a parameter. Rename it.")
    plain = PLAIN.fullmatch(text) and text.lower() not in WORDS
    return text if plain else json.dumps(text, ensure_ascii=not text.isprintable())


def listed(names: Iterable[str]) -> str:
    """Names as a list in YAML."""
    return f"[{', '.join(map(quoted, names))}]"


def counts(labels: Sequence[str]) -> str:
    """Classes with how often each occurs."""
    found = Counter(labels)
    shown = [f"{printable(name[:40])} ({count:,})" for name, count in list(found.items())[:MOST]]
    return ", ".join(shown) + (f" and {len(found) - MOST} more" if len(found) > MOST else "")


def classes(count: int) -> Goal:
    """Telling so many classes apart."""
    return Goal(f"fc {count}", "cross_entropy", "accuracy, f1" if count <= MANY else "accuracy, topk 5")


def labels_of(count: int) -> Goal:
    """Saying yes or no to so many labels."""
    return Goal(f"fc {count}", "bce_logits", "accuracy, f1")


def numbers(columns: int, mean: float, spread: float, flat: bool = False) -> Goal:
    """Giving numbers that have a mean and a spread, from what a network finds easy: numbers around 0.

    `flat` where a target has no axis besides the batch.
    """
    scaled = f", mul {spread:.6g}, add {mean:.6g}" if spread else ""
    return Goal(f"fc {columns}{scaled}{', squeeze 1' * flat}", "mse", "mae, r2")
