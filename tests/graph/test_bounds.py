"""Whatever a spec asks for, the answer comes soon: a graph or a SpecError, never another exception."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netspec import SpecError, loads
from netspec.graph import report
from tests.effort import computing

SPECS = {path.stem: path.read_text() for path in sorted((Path(__file__).parents[2] / "specs").glob("*.yaml"))}
SMALL = [text for text in SPECS.values() if len(text) < 900]

NEST = "{{repeat: 10000, layers: [{{repeat: 10000, layers: [{}]}}]}}"


@pytest.fixture
def fewer_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound of steps, met sooner, so that the tests take little time."""
    monkeypatch.setattr(report, "MAX_STEPS", 10_000)


@pytest.mark.usefixtures("fewer_steps")
@pytest.mark.parametrize(
    "rest",
    [
        f"layers: [{NEST.format('relu')}]",
        f"layers: [{NEST.format('relu when false')}]",
        f"layers: [{NEST.format('relux')}]",
        f"layers: [{NEST.format('[[[]]]')}]",
        f"layers: [{NEST.format('add(prev in)')}]",
        "layers: [{repeat: 10000, layers: [{repeat: 10000, layers: []}]}]",
        "blocks:\n  y: [x: conv 3 k1, use x x5000]\n  z: [y: y, use y x10000]\nlayers: [z: z, use z x10000]",
        "blocks:\n  a: [relu x1000]\n  b: [a x1000]\n  c: [b x1000]\nlayers: [c x1000]",
        "blocks:\n  a: [a, a]\nlayers: [a]",
        "blocks:\n  a: [b, b]\n  b: [a, a]\nlayers: [a]",
        "blocks:\n  a n: [a $(n+1), a $(n+2)]\nlayers: [a 0]",
        "blocks:\n  a: [relu when 1 > 2 x10000]\n  b: [a x10000]\nlayers: [b x10000]",
        "params: {x: $([[[1] * 4096] * 4096] * 4096)}\nlayers: [{repeat: $x, as: y, layers: [relu]}]",
        "layers: [{repeat: $([[1] * 4000] * 16), as: y, layers: [relu(nothing)]}]",
        "layers: [" + "relu, " * 30_000 + "fc 10]",
        "layers: {a$(i): " + "[" * 30 + "relu" + "]" * 30 + "}",
    ],
)
def test_networks_too_large_are_refused_soon(rest: str) -> None:
    with computing(60), pytest.raises(SpecError) as caught:
        loads("input: 3x8x8\n" + rest)
    assert len(str(caught.value)) < 100_000


WORDS = re.compile(r"[\w.$]+|[^\w\s]|\s+")
ODD = [
    *"[]{}(),:-x$*.=",
    "0",
    "-1",
    "1e9",
    "999999",
    "null",
    "true",
    "in",
    "prev",
    "[1, [2]]",
    "{a: {b: 1}}",
    "x3",
    "$(",
    "->",
]


def mutated(text: str, random: random.Random, count: int) -> str:
    """`text` with a few of its words deleted, doubled, exchanged or replaced."""
    words = WORDS.findall(text)
    for _ in range(count):
        at = random.randrange(len(words))
        match random.randrange(4):
            case 0:
                words[at] = ""
            case 1:
                words[at] *= 2
            case 2:
                words[at] = random.choice(ODD)
            case _:
                words[at] = random.choice(words)
    return "".join(words)


@pytest.mark.usefixtures("fewer_steps")
@given(st.sampled_from(SMALL), st.randoms(use_true_random=False), st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_damaged_specs_are_read_or_refused(text: str, random: random.Random, count: int) -> None:
    try:
        loads(mutated(text, random, count))
    except SpecError as error:
        assert str(error)


TREES = st.recursive(
    st.one_of(
        st.sampled_from(
            ["relu", "conv 4 k1", "bn", "add(prev in)", "fc 3", "alias a", "use(in) a", "relu when training", "b", "$i"]
        ),
        st.none(),
        st.booleans(),
        st.integers(-3, 3),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(
                ["a", "b", "layers", "repeat", "as", "when", "order", "outputs", "conv", "inputs", "in", "c$i", "wrap"]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(
    TREES, st.dictionaries(st.sampled_from(["blocks", "order", "outputs", "tie", "init", "defaults", "params"]), TREES)
)
@settings(max_examples=250, deadline=None)
def test_any_tree_is_a_network_or_refused(layers: object, others: dict[str, object]) -> None:
    try:
        loads(json.dumps({"input": "3x8x8", "layers": layers, "blocks": {"b": ["relu"]}, **others}))
    except SpecError as error:
        assert str(error)
