"""Reads `penalties` of the train section: what is added to the loss, by kind of layer or pattern of names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from netspec.errors import At, Path, Problem
from netspec.language.calls import Lookup, raise_all, read_entry
from netspec.language.refusals import Refused
from netspec.penalties import Penalty
from netspec.vocabulary import PENALTIES

EXAMPLE: Final = 'For example: {"fc.*.weight": l1 1e-5, conv: [l1 1e-5, l2 1e-4]}'


@dataclass(frozen=True, slots=True)
class Penalised:
    """One line of `penalties`: a kind of layer or a pattern of names, and what is added for what it matches."""

    key: str
    penalties: Sequence[Penalty]
    path: Path
    parameters: frozenset[str] = frozenset()
    """The names of the network's parameters that it matches, once the network is known."""


def read_penalties(value: Any, path: Path, lookup: Lookup) -> tuple[Penalised, ...]:
    """The lines, in order. Raises Refused with every problem."""
    if not isinstance(value, dict):
        text = "penalties is a mapping of kinds of layer or patterns of names"
        raise Refused(Problem("bad-value", text, At(path), EXAMPLE))
    found: list[Penalised] = []
    refusals: list[Refused] = []
    for key, given in value.items():
        where = (*path, key)
        items = [((*where, i), item) for i, item in enumerate(given)] if isinstance(given, list) else [(where, given)]
        try:
            entries = [read_entry(item, at, PENALTIES, lookup, several=True)[0] for at, item in items]
            if given is not None:
                found.append(Penalised(str(key), tuple(entries), where))
        except Refused as refused:
            refusals.append(refused)
    raise_all(refusals)
    return tuple(found)
