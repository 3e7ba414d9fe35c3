"""What printing a network costs, in work that is counted: graphs that are built, programs that are written."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import netspec
from netspec.views.code import bound, module, root_arguments, shapes, trials
from netspec.views.code.trials import Trials

SPECS = sorted((Path(__file__).parent.parent.parent / "specs").glob("*.yaml"))
SIZES_TRIED = 6
"""The other sizes of a map that are tried: larger and smaller, of its height, its width and both."""


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each part of the printer has run."""
    found: Counter[str] = Counter()

    def count(of: Any, name: str, label: str) -> None:
        function = getattr(of, name)

        def counting(*args: Any, **kwargs: Any) -> Any:
            found[label] += 1
            return function(*args, **kwargs)

        monkeypatch.setattr(of, name, counting)

    count(trials, "expand", "graphs")
    for writing in (root_arguments, trials, bound, module):
        count(writing, "program", "programs")
    count(shapes.Shapes, "_said", "shapes")
    root_arguments._source.cache_clear()
    return found


def test_few_networks_are_tried_to_print_one_and_all(counted: Counter[str]) -> None:
    for path in SPECS:
        before = counted.copy()
        document = netspec.load(path).document
        root_arguments.source(document)
        tried = counted - before
        assert tried["graphs"] <= 1 + 4 * len(document.params) + SIZES_TRIED
        assert tried["programs"] <= 2 + tried["graphs"]
    assert counted["graphs"] <= 5 * len(SPECS)
    assert counted["programs"] <= 5 * len(SPECS)


def test_arguments_that_all_hold_are_tried_together(counted: Counter[str]) -> None:
    path = next(path for path in SPECS if path.stem == "bert_tiny")
    assert len(netspec.load(path).document.params) == 7
    root_arguments.source(netspec.load(path).document)
    assert counted["graphs"] <= 7


def test_sizes_from_which_nothing_follows_take_two_trials(counted: Counter[str]) -> None:
    text = 'input: 3x32x32\nlayers: {a: conv 4 k3 s2 p1, b: "interpolate $(in.shape[-2:])", c: conv 2 k1}\n'
    source = root_arguments.source(netspec.loads(text).document)
    assert "x.shape[-2:]" in source
    assert counted["graphs"] == 1 + 2


def test_what_comments_say_is_told_once(counted: Counter[str]) -> None:
    path = next(path for path in SPECS if path.stem == "resnet18")
    text = root_arguments.source(netspec.load(path).document)
    assert counted["programs"] > 2
    assert counted["shapes"] <= 2 * text.count("\n")


def test_any_two_arguments_are_tried_in_opposite_directions() -> None:
    for count in range(2, 12):
        params = {f"p{n}": 100 + n for n in range(count)}
        spec = netspec.loads("netspec: 1\ninput: 4\nlayers: [fc 2]\n")
        trials = Trials(replace(spec.document, params=params), spec.graph, params, (), (), ())
        turns = list(trials.turns(list(params)))
        larger = {name: {n for n, turn in enumerate(turns) if turn[name] > value} for name, value in params.items()}
        assert all(turn[name] != value for turn in turns for name, value in params.items())
        assert all(one - other for a, one in larger.items() for b, other in larger.items() if a != b)
        assert len(turns) <= 2 + count // 2


def test_an_argument_that_only_another_hides_is_not_taken() -> None:
    """A network that is the same while both grow, and another as soon as one of them does."""
    text = "netspec: 1\nparams: {a: 8, b: 4}\ninput: 16\nlayers:\n  one: fc $a\n  more: fc 3 when a > b\n  two: fc $b\n"
    printed = netspec.loads(text).source()
    assert "def __init__(self, a" not in printed


def test_flags_add_few_networks_to_the_trials_of_other_parameters(counted: Counter[str]) -> None:
    """Each of the flags decides whether a step is there, which no other parameter has to be tried with each time."""
    sizes, flags = {f"p{n}": 5 + n for n in range(8)}, {f"f{n}": False for n in range(3)}
    rows = {f"fc_{name}": f"fc ${name}" for name in sizes}
    root_arguments.source(netspec.loads(_spec(sizes, rows)).document)
    without = counted["graphs"]
    rows |= {f"rolled_{name}": f"roll 1 -1 when {name}" for name in flags}
    text = root_arguments.source(netspec.loads(_spec({**sizes, **flags}, rows)).document)
    assert "f2=False" in text
    assert counted["graphs"] - without <= without + 4 * len(flags)


def _spec(params: dict[str, Any], rows: dict[str, str]) -> str:
    """A spec of these parameters and rows."""
    return json.dumps({"netspec": 1, "input": 16, "params": params, "layers": rows})
