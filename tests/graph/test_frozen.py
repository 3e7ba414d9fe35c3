"""A graph is frozen once it is built: nothing that reads it can change it, and nothing of it is a draft any more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

import netspec
from netspec.graph import draft
from netspec.graph.expand import expand
from netspec.graph.model import Graph, Level, Step, Value

SPECS = sorted((Path(__file__).parent.parent.parent / "specs").glob("*.yaml"))
SMALL = """
input: 4x8x8
params: {act: relu}
blocks:
  b c s=1:
    conv: conv $c k3 s$s same
    down: {when: s != 1, layers: [conv(in) $c k1 s$s]}
    out: add(conv down), $act
layers:
  - a: b 4
  - again: use a
  - b 4 s2 x2
  - "n$(1 + 1)": conv $(in.h) k1
  - {repeat: 2, layers: [relu]}
  - dropout when training
outputs: {one: a, two: prev}
init: {conv: normal std=$(1 / 50)}
"""


def parts(graph: Graph) -> Iterator[Any]:
    """Every level, step and value that can be reached, each once."""
    seen: set[int] = set()
    waiting: list[Any] = [graph.root]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Value | Step | Level) and id(part) not in seen:
            seen.add(id(part))
            yield part
            waiting += [getattr(part, each.name) for each in fields(part)]
        elif isinstance(part, tuple):
            waiting += part
        elif isinstance(part, MappingProxyType):
            waiting += [*part, *part.values()]


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("path", SPECS[::6], ids=lambda p: p.stem)
def test_no_draft_is_left(path: Path, traced: bool) -> None:
    graph, _ = expand(netspec.load(path).document, traced=traced)
    kinds = {type(part) for part in parts(graph)}
    assert kinds == {Value, Step, Level}
    assert not any(isinstance(part, draft.Value | draft.Step | draft.Level) for part in parts(graph))


@pytest.mark.parametrize("traced", [False, True])
def test_what_it_is_made_of_cannot_be_changed(traced: bool) -> None:
    graph, _ = expand(netspec.loads(SMALL).document, traced=traced)
    for part in parts(graph):
        for each in fields(part):
            with pytest.raises(FrozenInstanceError):
                setattr(part, each.name, None)
            assert not isinstance(getattr(part, each.name), list | set | dict), (type(part), each.name)
    assert isinstance(graph.ties, MappingProxyType)
    assert all(isinstance(owner.plan, MappingProxyType) for owner in graph.owners)
    with pytest.raises(FrozenInstanceError):
        graph.owners[0].plan = {}
