"""A repeat over the rows of a table is a loop over them, which builds each module as it is in the graph."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

import netspec
from netspec import loads
from netspec.runtime.network.printed import module_class
from tests.code.meaning import disagreement
from tests.code.style import assert_source_formatted
from tests.code.test_root_arguments import taken
from tests.drawn import MORE

BLOCKS = """
netspec: 1
input: 3x16x16
params: {w: 8, g: 4}
blocks:
  cell c s=1: [conv $c k3 s$s same, bn]
  res c s=1: {conv: conv $c k3 s$s same, out: add(conv in) when s == 1 and in.c == c}
  grow k: {conv: conv $k k1, out: concat(in conv)}
  half: {conv: conv $(in.c // 2) k1}
  sized: {places: parameter $(in.c)x$(in.h)x$(in.w), out: mul(in places)}
  down: [maxpool 2, conv $(2 * in.c) k1]
layers:
"""
PRINTED = {
    "features: [conv 6 k3 same, {repeat: [[8, 2], [12, 1], [16, 3]], as: [c, n], layers: [cell $c x$n]}]": [
        "layers = [nn.Conv2d(3, 6, 3, padding=1)]",
        "in_channels = 6",
        "for c, n in [(8, 2), (12, 1), (16, 3)]:\n            for _ in range(n):\n",
        "layers.append(Cell(in_channels, c))\n                in_channels = c",
        "self.features = nn.Sequential(*layers)",
    ],
    "features: [{repeat: [[8, relu], [12, gelu], [8, relu]], as: [c, act], layers: ['conv $c k1', $act]}, cell 5]": [
        "for c, act in [(8, nn.ReLU), (12, nn.GELU), (8, nn.ReLU)]:",
        "layers.append(act())",
        "self.features = nn.Sequential(*layers, Cell(8, 5))",
    ],
    "features: [cell 8, {repeat: [2, 3, 2], as: n, layers: [{when: i > 0, layers: [half]}, [grow $g x$n]]}, bn]": [
        "for i, n in enumerate([2, 3, 2]):",
        "if i > 0:\n                layers.append(Half(in_channels))\n                in_channels //= 2",
        "stage.append(Grow(in_channels, g))\n                in_channels += g",
        "self.features = nn.Sequential(*layers, nn.BatchNorm2d(in_channels))",
    ],
    "features: [cell 4, {repeat: [[1, 2], [3, 4]], as: [n, m], layers: [sized, [cell 4 x$n], down]}]": [
        "layers.append(Sized(in_channels, in_height, in_width))",
        "in_channels *= 2",
        "in_height //= 2",
    ],
    "features: {a: conv 4 k1, r: {repeat: [8, 12, 8], as: c, layers: {stage$(i + 1): res $c}}}": [],
    "features: [{a: conv 4 k1}, {repeat: [8, 12, 8], as: c, layers: {stage$(i + 1): cell $c}}, {z: bn}]": [
        "layers = OrderedDict(",
        'layers[f"stage{i + 1}"] = Cell(in_channels, c)',
        "self.features = nn.Sequential(layers)",
    ],
    "features: [{repeat: [[8, 1], [12, 2]], as: [c, n], layers: [[cell $c s2, {repeat: $n, layers: [cell $c]}]]}]": [
        "nn.Sequential(Cell(in_channels, c, s=2), *[Cell(c, c) for _ in range(n)])",
    ],
    "features: [{repeat: [[4, 2], [6, 1]], as: [c, s], layers: [cell $c s$s]}, {repeat: [[8, 1], [9, 2]], as: [c, s],"
    " layers: [res $c s$s]}]": [
        "in_channels = 3\n        for c, s in [(4, 2), (6, 1)]:",
        "in_channels = c\n        for c, s in [(8, 1), (9, 2)]:",
    ],
}


@pytest.mark.parametrize("layers", PRINTED)
def test_a_loop_goes_over_the_rows(layers: str) -> None:
    spec = loads(f"{BLOCKS}  {layers}\n  head: gap, fc 3\n")
    source = spec.source()
    assert not disagreement(spec)
    assert_source_formatted(source)
    for part in PRINTED[layers]:
        assert part in source, source


def test_a_table_is_an_argument_that_can_be_another() -> None:
    text = (
        "netspec: 1\ninput: 3x16x16\nparams: {settings: [[1, 8, 2, 1], [4, 12, 2, 2], [4, 16, 3, 1]]}\n"
        "blocks:\n  cell t c s:\n    conv: ['conv $(t * in.c) k1 when t != 1', 'conv $c k3 s$s same']\n"
        "    out: add(conv in) when s == 1 and in.c == c\n"
        "layers:\n  features:\n    - conv 8 k3 same\n"
        "    - {repeat: $settings, as: [t, c, n, s], layers: ['cell $t $c $(s if i == 0 else 1) x$n']}\n"
        "  head: gap, fc 5\n"
    )
    cls = module_class(loads(text).source(), "Net")
    other = [[1, 4, 1, 1], [2, 6, 3, 2], [3, 6, 1, 1], [2, 9, 2, 2], [2, 5, 0, 1]]
    assert taken(cls) == {"settings": ((1, 8, 2, 1), (4, 12, 2, 2), (4, 16, 3, 1))}
    torch.manual_seed(0)
    wanted = loads(text, [f"params.settings={other}"]).build().eval()
    torch.manual_seed(0)
    found: Any = cls(settings=other).eval()
    x = torch.randn(2, 3, 16, 16)
    assert torch.equal(found(x), wanted(x))
    assert list(found.state_dict()) == list(wanted.state_dict())


def drawn(seed: int) -> str:
    """A network with a table of sizes, counts and strides, whose rounds are blocks, lists, rows or conditions."""
    pick = random.Random(seed)
    count = pick.choice([2, 3, 4])
    rows = [[pick.choice([4, 8, 8, 12]), pick.choice([1, 1, 2, 3]), pick.choice([1, 1, 2])] for _ in range(count)]
    first = pick.choice(["$(s if i == 0 else 1)", "$s", "$(2 if i == 0 else 1)"])
    call = pick.choice([f"cell $c {first}", f"res $c {first}", "grow $g", "'conv $c k3 same, bn, relu'", "half"])
    inner = f"{{repeat: $n, layers: [{call}]}}"
    body = [inner, f"[{inner}]", f"[half, {inner}]"][pick.randrange(3)]
    before = pick.choice(["", "{when: i > 0, layers: [down]}, ", "{when: s == 2, layers: ['conv $c k1']}, "])
    begin, end = pick.choice(["conv $w k1", "cell 8 1"]), pick.choice(["conv 10 k1", "[bn, relu]", "cell 4 1"])
    table = f"{{repeat: {rows}, as: [c, n, s], layers: [{before}{body}]}}"
    return f"{BLOCKS}  features: [{begin}, {table}, {end}]\n  head: gap, fc 3\n"


@pytest.mark.parametrize("seed", range(8 * MORE))
def test_drawn_tables_build_what_the_graph_says(seed: int) -> None:
    try:
        spec = loads(drawn(seed))
    except netspec.SpecError:  # a map that has become too small
        return
    assert not disagreement(spec)
