"""What is known of operations by the names of their classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from netspec.layers.base import Op

T = TypeVar("T")


class Table(dict[str, T]):
    """What is known of classes by their names; a class that it lacks has what the nearest above it has.

    A plugin's class may have any name, so that only those above it are looked up.
    """

    def __init__(self, entries: Mapping[str, T]) -> None:
        super().__init__(entries)
        self.found: dict[type[Op], T] = {}

    def of(self, cls: type[Op]) -> T:
        """What the table has for a class. Raises StopIteration where that is nothing."""
        if cls not in self.found:
            bases = [base.__name__ for base in cls.__mro__ if base.__module__.startswith("netspec.")]
            self.found[cls] = next(self[name] for name in bases if name in self)
        return self.found[cls]
