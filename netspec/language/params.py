"""Reads `params`: numbers and words that expressions use by name, each perhaps computed from those before it."""

from __future__ import annotations

from typing import Any

from netspec.errors import At, Problem, did_you_mean
from netspec.language.calls import LOST, Refused, Unknown, found, long_value
from netspec.language.document import Document

EXAMPLE = "Declare it in `params`, as in params: {width: 64}"


class Params:
    """The params by name; one that cannot be read is unknown to everything that uses it."""

    def __init__(self, document: Document) -> None:
        self.values: dict[str, Any] = {}
        self.lost = "params" in document.refused
        """Whether the whole section cannot be read, so that any name might be in it."""
        self.problems: list[Problem] = []
        for name, value in document.params.items():
            try:
                self.values[name] = long_value(value, self, At(("params", name)), textual=True)
            except Refused as refused:
                self.values[name] = LOST
                self.problems += refused.problems

    def __call__(self, name: str) -> Any:
        """The value of a name. Raises KeyError with a hint, and Unknown."""
        if name in self.values:
            return found(self.values[name])
        if self.lost:
            raise Unknown
        raise KeyError(did_you_mean(name, self.values) or EXAMPLE)
