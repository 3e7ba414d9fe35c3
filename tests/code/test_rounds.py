"""The rounds of a repeat that have names or numbers of their own are one expression over a counter."""

from __future__ import annotations

import ast

import pytest
import torch

import netspec
from netspec import loads
from netspec.dims import substitute
from netspec.graph.rounds import name_over_counter, over_counter
from netspec.graph.symbols import plain
from netspec.runtime.network.printed import module_class
from tests.code.meaning import disagreement
from tests.code.style import assert_source_formatted
from tests.code.test_specs import SIZES

BLOCKS = """
blocks:
  cell c: {a: linear $c, out: add(a in)}
  dense g: {norm: layernorm, l: "relu, linear $g", out: concat(in l) -1}
  denseblock n g: {layers: {repeat: $n, layers: {denselayer$(i+1): dense $g}}}
  some b n: [{when: b, layers: [{repeat: 3, layers: {l$i: linear 5}}]}, {repeat: $n, layers: {m$i: linear 5}}]
  stretch c s: {l: linear $c, out: mul $s}
  tower n c: {stem: linear $c, x: {layers: {repeat: $n, layers: {c$i: cell $c}}}, out: relu}
"""
PRINTED = {
    "{a: {repeat: 4, layers: {layer_$i: cell 16}}}": [
        'nn.Sequential(OrderedDict({f"layer_{i}": Cell(16, 16) for i in range(4)}))'
    ],
    "{a: {repeat: $n, layers: {layer_$i: cell 16}}}": [
        "def __init__(self, n=4):",
        'nn.Sequential(OrderedDict({f"layer_{i}": Cell(16, 16) for i in range(n)}))',
    ],
    "[{stem: linear 8}, {repeat: $n, layers: {layer_$(i+1): cell 8}}, {head: linear 2}]": [
        'for i in range(n):\n            self.add_module(f"layer_{i + 1}", Cell(8, 8))',
        'for i in range(self.n):\n            x = getattr(self, f"layer_{i + 1}")(x)',
    ],
    "[{repeat: 4, layers: {l$i: linear 5, m$i: 'linear 5, relu'}}]": [
        'out = getattr(self, f"l{i}")(x)  # 5\n            x = F.relu(getattr(self, f"m{i}")(out))'
    ],
    "{a: denseblock 3 $g, b: denseblock $n 2, c: linear 3}": [
        'OrderedDict({f"denselayer{i + 1}": Dense(in_features + i * g, g) for i in range(n)})',
        "self.a = Denseblock(16, 3, g)",
        "self.b = Denseblock(16 + 3 * g, n, 2)",
        "self.c = nn.Linear(16 + 3 * g + 2 * n, 3)",
    ],
    "{a: {repeat: 5, layers: ['stretch 5 $(2 if i == 0 else 1)']}}": [
        "nn.Sequential(Stretch(16, 5, 2), *[Stretch(5, 5, 1) for _ in range(4)])"
    ],
    "{a: {repeat: 5, layers: ['stretch 5 $(i + 1 if i > 0 else 7)']}}": [
        "nn.Sequential(Stretch(16, 5, 7), *[Stretch(5, 5, i + 1) for i in range(1, 5)])"
    ],
    "{a: {repeat: 4, layers: ['dense 4']}}": ["nn.Sequential(*[Dense(16 + 4 * i, 4) for i in range(4)])"],
    "{a: {repeat: $n, layers: {l$i: linear $(g * 2**i)}}}": [
        'f"l{i}": nn.Linear(16 if i == 0 else g * 2 ** (i - 1), g * 2**i) for i in range(n)'
    ],
    "{a: {repeat: 5, layers: [linear 6]}}": ["nn.Sequential(nn.Linear(16, 6), *[nn.Linear(6, 6) for _ in range(4)])"],
    "{a: {repeat: 5, layers: {l$i: linear 6}}}": [
        '"l0": nn.Linear(16, 6), **{f"l{i}": nn.Linear(6, 6) for i in range(1, 5)}'
    ],
    "[{repeat: 4, layers: {n.$(i+1): 'layernorm, relu'}}]": ['nn.ModuleDict({f"{i + 1}": nn.LayerNorm(16) for i in'],
    "{a: {repeat: $n, layers: ['dropout $(p * i / (n - 1))']}}": [
        "nn.Sequential(*[nn.Dropout(p=p * i / (n - 1)) for i in range(n)])"
    ],
    "{a: {repeat: 4, layers: ['dropout $(0.1 * (2 + i) / 17)']}}": ["nn.Dropout(p=0.1 * (2 + i) / 17) for i in"],
    "{a: dropout $(0.1 * 3 / 8), b: 'dropout $(0.1 * 2 / 8)'}": ["F.dropout(x, 0.1 * 3 / 8,", "F.dropout(x, 0.025,"],
    "{a: linear $(ceil(g / 2)), b: linear $(int(sqrt(n)) + floor(g * 1.5))}": [
        "import math",
        "nn.Linear(16, math.ceil(g / 2))",
        "nn.Linear(math.ceil(g / 2), int(math.sqrt(n)) + math.floor(g * 1.5))",
    ],
    "{a: tower 2 4, b: tower 3 6}": ["class Tower(nn.Module)", "self.a = Tower(16, 2, 4)", "self.b = Tower(4, 3, 6)"],
}
"""Layers of a network, and what stands in its source."""
STRAIGHT = [
    "{a: some true 3, b: some false 3, c: some true 4}",
    "{a: {repeat: $none, layers: {l$i: linear 3}}, b: {repeat: $none, layers: [linear 3]}}",
    "{a: {repeat: 4, layers: {l$i: linear $(4 + i * i)}}}",
    "{a: {repeat: 4, layers: {l$i: linear $(3 if i == 2 else 5)}}}",
    "{a: {repeat: [4, 8, 12], as: w, layers: {l$i: linear $w}}}",
    "{a: {repeat: 3, layers: {l$i: 'linear $(8 + 8 * min(i, 5))'}}}",
    "{b1: linear 16, b2: linear 16, b3: linear 16, b4: linear 16, out: add(b1 b2 b3 b4)}",
    "{a: {repeat: 2, layers: {b$i: {layers: {repeat: 3, layers: {c$i: linear $(4 + i)}}}}}}",
]


def spec_of(layers: str, *overrides: str) -> netspec.Spec:
    return loads(
        f"input: 16\nparams: {{n: 4, g: 4, p: 0.3, none: 0}}\n{BLOCKS}\nlayers: {layers}\n", overrides=overrides
    )


@pytest.mark.parametrize("layers", PRINTED)
def test_rounds_are_told_over_their_counter(layers: str) -> None:
    spec = spec_of(layers)
    source = spec.source()
    assert_source_formatted(source)
    joined = " ".join(source.split())
    for said in PRINTED[layers]:
        assert said in source or said in joined.replace("( ", "(").replace(" )", ")"), source
    assert not disagreement(spec), source


@pytest.mark.parametrize("layers", STRAIGHT)
def test_rounds_without_a_rule_compute_what_the_graph_says(layers: str) -> None:
    spec = spec_of(layers)
    assert_source_formatted(spec.source())
    assert not disagreement(spec), spec.source()


@pytest.mark.parametrize("layers", [each for each in PRINTED if "$n" in each or "(n" in each])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 12])
def test_another_count_gives_the_network_of_the_spec_with_it(layers: str, n: int) -> None:
    if n == 1 and "/ (n - 1)" in layers:
        pytest.skip("divides by nothing")
    spec = spec_of(layers)
    cls = module_class(spec.source(), spec.name)
    other = spec_of(layers, f"params.n={n}")
    with torch.device("meta"):
        net = cls(n=n).eval()
        state = {key: tuple(tensor.shape) for key, tensor in net.state_dict().items()}
        assert state == {**other.graph.parameters(), **other.graph.buffers()}
        wanted = [tuple(substitute(plain(s), SIZES) for s in t.shape) for t in other.graph.outputs.values()]
        assert [tuple(net(torch.zeros(2, 16)).shape)] == wanted


def test_a_count_that_more_follows_from_than_is_written_is_no_argument() -> None:
    spec = spec_of("{a: {repeat: $n, layers: {l$i: 'linear 16, relu'}}, b: {when: n > 5, layers: [linear 3]}}")
    assert "def __init__(self):" in spec.source()


def test_what_reaches_no_output_and_keeps_no_count_is_registered_and_not_run() -> None:
    spec = loads(
        """
        input: 16
        blocks: {b: {outputs: {x: a}, layers: {a: linear 4, layers: [linear 3], n: bn(a)}}}
        layers: {z: b, y: linear(z.x) 2}
        """
    )
    assert "self.layers(" not in spec.source()
    assert "self.n(" in spec.source()
    assert not disagreement(spec)


def tree(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


@pytest.mark.parametrize(
    ("rounds", "rule"),
    [
        (["f(64, g)", "f(64 + g, g)", "f(64 + 2 * g, g)"], "f(64 + i * g, g)"),
        (["f(5)", "f(3)", "f(1)"], "f(5 - 2 * i)"),
        (["f(w[0], 4 * d)", "f(w[1], 4 * d)", "f(w[2], 4 * d)"], "f(w[i], 4 * d)"),
        (["f(g)", "f(2 * g)", "f(3 * g)"], "f(g + i * g)"),
        (["f(1)", "f(2)", "f(4)"], None),
        (["f(1, a=2)", "f(2)", "f(3)"], None),
        (["f(True)", "f(False)", "f(True)"], None),
        (["f('a')", "f('b')", "f('c')"], None),
        (["f(p * 0.5)", "f(p * 1.0)", "f(p * 1.5)"], None),
    ],
)
def test_a_rule_is_whole_numbers_that_grow_by_the_same(rounds: list[str], rule: str | None) -> None:
    found = over_counter(list(map(tree, rounds)), (), "i", lambda *_: True)
    assert (None if found is None else ast.unparse(found)) == rule


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        (["l0", "l1", "l2"], "f'l{i}'"),
        (["a9b", "a10b", "a11b"], "f'a{i + 9}b'"),
        (["a1b2", "a2b2"], "f'a{i + 1}b2'"),
        (["l01", "l02"], "f'l0{i + 1}'"),
        (["l09", "l10"], None),
        (["a", "b"], None),
        (["l1", "l2", "l4"], None),
    ],
)
def test_names_count_on(names: list[str], rule: str | None) -> None:
    found = name_over_counter(names, "i")
    assert (None if found is None else ast.unparse(found)) == rule
