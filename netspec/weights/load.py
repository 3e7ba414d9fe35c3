"""Where weights come from: a file, and the rules by which its tensors become those of a network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from netspec.errors import At
from netspec.weights.patterns import means

if TYPE_CHECKING:
    from netspec.weights.renaming import Renaming

FILE: Final = "weights"
"""The code of what is wrong with a file of weights, or with how it fits."""


@dataclass(frozen=True, slots=True)
class Load:
    """One place that weights come from, and the rules for them."""

    file: str
    at: At
    into: str = ""
    """The level of the network that they are for; empty for all of it."""
    into_at: At = field(default=At())
    rename: tuple[Renaming, ...] = ()
    skip: tuple[tuple[str, At], ...] = ()
    resize: tuple[tuple[str, str, At], ...] = ()

    @property
    def said(self) -> str:
        """All of it as a text."""
        rules = {"into": self.into, "rename": {r.pattern: r.put for r in self.rename}}
        rules |= {"skip": [pattern for pattern, _ in self.skip], "resize": {key: word for key, word, _ in self.resize}}
        return " ".join([repr(self.file), *(f"{key}={value}" for key, value in rules.items() if value)])

    def covers(self, name: str) -> bool:
        """Whether a tensor of the network is in the level that they are for."""
        return not self.into or name.startswith(f"{self.into}.")

    def short(self, name: str) -> str:
        """The name of a tensor of the network within that level."""
        return name.removeprefix(f"{self.into}.") if self.into else name

    def skips(self, *names: str) -> list[At]:
        """Where patterns stand that mean one of these names."""
        return [at for pattern, at in self.skip if any(means(pattern, name) for name in names)]

    def resizes(self, *names: str) -> tuple[str, At] | None:
        """The way in which a tensor of one of these names is resized, and where that is said."""
        found = ((word, at) for pattern, word, at in self.resize if any(means(pattern, name) for name in names))
        return next(found, None)
