"""Reads `params`: numbers and words that expressions use by name, each perhaps computed from those before it."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from typing import Any, Final

from netspec.errors import At, Problem
from netspec.language.calls import LOST, found, long_value, plain_value
from netspec.language.refusals import Refused, Unknown
from netspec.sections.base import Section
from netspec.sections.blocks import block_name
from netspec.sections.document import Document
from netspec.words import did_you_mean, printable

EXAMPLE: Final = "Declare it in `params`, as in params: {width: 64}"
MEANINGS: Final = frozenset({*keyword.kwlist, "prev", "training", "true", "false", "null"})
"""Words that mean something in an expression or a condition, or that its parser keeps for itself."""


class Declaration(Section):
    key = "params"
    after = "inputs"
    sentence = "numbers and words that expressions use as $name"
    example = "params: {width: 64}"
    forms = (dict,)
    meant = ("parameters", "variables", "vars", "hyperparameters", "config")


class Params:
    """The params by name; one that cannot be read is unknown to everything that uses it."""

    def __init__(self, document: Document) -> None:
        self.names = frozenset(document.params)
        self.values: dict[str, Any] = {}
        self.lost = "params" in document.refused
        """Whether the whole section cannot be read, so that any name might be in it."""
        self.problems: list[Problem] = []
        for name, value in document.params.items():
            try:
                check_param_name(name, At(("params", name), on_key=True))
                at = At(("params", name))
                self.values[name] = long_value(plain_value(value, name, at), self, at, textual=True)
            except Refused as refused:
                self.values[name] = LOST
                self.problems += refused.problems

    def __call__(self, name: str) -> Any:
        """The value of a name. Raises KeyError with a hint, and Unknown."""
        if name in self.values:
            return found(self.values[name])
        if self.lost:
            raise Unknown
        if name in self.names:
            raise KeyError(f"A param is computed from those above it; write {name} first.")
        raise KeyError(did_you_mean(name, self.values) or EXAMPLE)

    def brought(self, space: str) -> dict[str, Any]:
        """Those of a file that is used under a name, by the names that they have in it."""
        return {there: value for name, value in self.values.items() if (there := bare(name, space))}


def spaces(headers: Iterable[str]) -> set[str]:
    """The names that files are used under, the blocks of which have these headers."""
    return {space for header in headers if (space := block_name(header).rpartition(".")[0])}


def brought(name: str, space: str) -> str:
    """What a param of a file is called where the file is used under a name: `vit_width`."""
    return f"{space.replace('.', '_')}_{name}"


def bare(name: str, space: str) -> str:
    """What a param that was brought in under a name is called in its file; empty where it was not."""
    start = brought("", space)
    return name.removeprefix(start) if name.startswith(start) else ""


def check_param_name(name: str, at: At) -> None:
    """Raises Refused where an expression could not use a parameter of this name."""
    if name in MEANINGS:
        text, hint = f"{name!r} has a meaning of its own", f"Call the parameter {name}_, or something else."
        raise Refused(Problem("name", text, at, hint))
    if not (name.isascii() and name.isidentifier()) or name.startswith("_"):
        likely = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
        hint = f"Call it {likely}." if likely.isidentifier() else "As in: width"
        text = f"{printable(name)!r} is not a name that $ can be put before"
        raise Refused(Problem("name", text, at, f"A name has letters, digits and _, and begins with a letter. {hint}"))
