"""The `draw` of the data section: inputs of the network that are no data, but drawn anew in every step."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from netspec.errors import At, Path, Problem
from netspec.language.calls import (
    Arguments,
    Lookup,
    arguments,
    bare_call,
    construct,
    long_arguments,
    raise_all,
)
from netspec.language.refusals import Refused
from netspec.records import Entry, Float
from netspec.words import did_you_mean


class Draw(Entry):
    """How an input of the network is drawn."""


class Normal(Draw):
    """From a normal distribution."""

    words = ("normal",)
    example = "normal std=2"

    mean = Float("its mean", 0.0)
    std = Float("its deviation", 1.0, gt=0)


class Uniform(Draw):
    """Evenly from a range."""

    words = ("uniform",)
    example = "uniform low=-1 high=1"

    low = Float("the least number", 0.0)
    high = Float("above all numbers", 1.0)


WAYS: Final[Mapping[str, type[Draw]]] = {"normal": Normal, "uniform": Uniform}
EXAMPLE: Final = "For example: draw: {noise: normal}, or draw: {noise: uniform low=-1 high=1}"


def read_draw(value: Any, path: Path, lookup: Lookup, names: Collection[str]) -> dict[str, Draw]:
    """How inputs are drawn, by their names; `names` are those of the network's inputs. Raises Refused."""
    if value is None:
        return {}
    if isinstance(value, str) and len(names) == 1:
        return {next(iter(names)): _way(value, path, lookup)}
    if not isinstance(value, dict):
        raise Refused(Problem("bad-value", "draw says how inputs of the network are drawn", At(path), EXAMPLE))
    found, refusals = dict[str, Draw](), list[Refused]()
    for name, given in value.items():
        try:
            if names and name not in names:
                hint = did_you_mean(name, names) or f"It has: {', '.join(names)}."
                at = At((*path, name), on_key=True)
                raise Refused(Problem("unknown-name", f"the network has no input {name!r}", at, hint))
            found[name] = _way(given, (*path, name), lookup)
        except Refused as refused:
            refusals.append(refused)
    raise_all(refusals)
    return found


def _way(value: Any, path: Path, lookup: Lookup) -> Draw:
    """One way of drawing, as a row or long. Raises Refused."""
    long = isinstance(value, dict) and len(value) == 1
    word = next(iter(value)) if long else value.partition(" ")[0] if isinstance(value, str) else ""
    if word not in WAYS:
        hint = did_you_mean(word, WAYS) or EXAMPLE
        raise Refused(Problem("unknown-word", f"there is no way of drawing {word!r}", At(path), hint))
    cls = WAYS[word]
    if long:
        given = long_arguments(value[word] or {}, cls, lookup, (*path, word), word)
    else:
        rest = value.partition(" ")[2]
        given = arguments(bare_call(rest, path, word), cls, lookup, path) if rest else Arguments(word=word)
    made = construct(cls, given, At(path))
    if isinstance(made, Uniform) and made.low >= made.high:
        raise Refused(Problem("bad-value", f"uniform has low={made.low:g} and high={made.high:g}", At(path), EXAMPLE))
    return made
