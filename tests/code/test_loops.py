"""Rounds of equal steps are one loop in forward, and compute what the graph says."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import netspec
from netspec import loads
from netspec.runtime.network.printed import module_class
from tests.code.meaning import disagreement
from tests.code.style import assert_source_formatted

BLOCKS = """
blocks:
  side(x m): {a: linear(x) 6, out: mul(a m)}
  cell d: {layers: {a: "linear $d, tanh", skip: linear(prev) 4, out: linear(a) 6}, outputs: {out: out, skip: skip}}
  two(x s): {layers: {a: add(x s), b: linear(prev) 6, c: linear(a) 6}, outputs: {b: b, c: c}}
  same: linear 6
  three(x y z): {layers: {a: linear(x) 6, b: add(y a), c: add(z b)}, outputs: {a: a, b: b, c: c}}
  wide c: {stack: {layers: {repeat: 3, layers: {l.$i: linear $c}}}}
"""
LOOPS = {
    "{a: ['side(x m)', {repeat: 2, layers: ['side(prev m)']}]}": "for side in self:\n            x = side(x, m)",
    "[{repeat: 3, layers: {cells.$i: cell 5}}, {all: add(cells.*.skip)}]": (
        "for cell in self.cells:\n            x, skip = cell(x)\n            skips.append(skip)\n"
        "        return sum(skips)"
    ),
    "[{repeat: 3, layers: {a.$i: linear 6, b.$i: 'relu, linear 6', c: 'mul(prev x)'}}]": (
        "for a, b in zip(self.a, self.b):"
    ),
    "[{repeat: 3, layers: {h.$i: 'linear(x) 4, relu'}}, {o: concat(x h.*) -1}]": (
        "values = [F.relu(linear(x)) for linear in self.h]\n        return torch.cat([x, *values], dim=-1)"
    ),
    "[{repeat: 3, layers: {h.$i: 'linear(x) 6'}}, {o: add(x h.*)}]": "return sum(linears, x)",
    "[{repeat: 4, layers: {layer$i: 'add(x prev), same'}}]": (
        "for layer in self.children():\n            out = layer(x + out)"
    ),
    "{s: linear 6, u: use(prev) s, v: use(prev) s, w: use(prev) s}": "for _ in range(3):\n            x = self.s(x)",
    "{p: same, q: {repeat: 3, layers: {t.$i: two(prev x), e: add(t.$i.b t.$i.c)}}}": "for two in self.t:",
    "{s: three(x m x), t: {repeat: 2, layers: {$i: three(prev.a prev.b prev.c)}}, o: add(t.a t.b t.c)}": (
        "for three in self:\n            x, s_b, s_c = three(x, s_b, s_c)\n        return x, s_b, s_c"
    ),
    "{a: {layers: {repeat: 3, layers: {$i: linear(x) 2}}, outputs: {p: '0', q: '1', r: '2'}}, b: stack(a.p a.q a.r)}": (
        "return [linear(x) for linear in self]"
    ),
}
STRAIGHT = [
    "[{repeat: 3, layers: {cells.$i: cell 5}}, {one: 'add(cells.0.skip cells.1.skip)'}]",
    "[{repeat: 3, layers: {a.$i: linear 6, b: 'mul $i'}}]",
    "[{repeat: 3, layers: {a.$i: linear 6}}, {x0: linear(a.1) 6, o: add(x0 a.2)}]",
    "{a.0: linear 6, a.1: linear 6, b: relu, a.2: linear 6}",
    "{c: {layers: {repeat: 3, layers: {h.$i: linear 6}}, outputs: {p: h.0, q: h.2}}, d: add(c.p c.q)}",
    "[{repeat: 3, layers: {a.$i: linear 6, b.$i: linear 6, y: 'add(a.$i b.$i)', z: 'mul(y prev), dropout 0.5'}}]",
    "{a: [same, 'relu when training', same], b: [wide 6, wide 6]}",
    "[{repeat: 3, layers: {a.$i: linear 6, b: 'relu when i > 0'}}]",
]


@pytest.mark.parametrize("layers", LOOPS)
def test_rounds_are_a_loop(layers: str) -> None:
    spec = loads(f"inputs: {{x: 6, m: 6}}\n{BLOCKS}\nlayers: {layers}\n")
    assert_source_formatted(spec.source())
    said = "\n".join(line.partition("  # ")[0] for line in spec.source().splitlines())
    assert LOOPS[layers] in said, spec.source()
    assert not disagreement(spec), spec.source()


@pytest.mark.parametrize("layers", STRAIGHT)
def test_what_is_no_loop_computes_what_the_graph_says(layers: str) -> None:
    spec = loads(f"inputs: {{x: 6, m: 6}}\n{BLOCKS}\nlayers: {layers}\n")
    assert_source_formatted(spec.source())
    assert not disagreement(spec), spec.source()


def test_a_round_that_a_condition_chooses_as_a_whole_is_printed() -> None:
    unit = "{repeat: $n, layers: {r$i: fc $n, d$i: 'fc $(max(n, 3))'}}"
    spec = netspec.loads(f"input: 8\nblocks:\n  unit n: {unit}\nlayers: [unit 2, unit 3]\n")
    assert sum(p.numel() for p in spec.build().parameters()) == spec.graph.parameter_count


STACKED = """
    input: 4x12
    params: {stacks: 3, depth: 3, hidden: 6}
    blocks:
      cell d last=false:
        outputs: {res: res, skip: skip}
        layers:
          a: [conv $hidden k3 p$d d$d, relu]
          res: {when: not last, layers: ["conv(a) $(in.c) k1"]}
          skip: conv(a) 5 k1
      tcn:
        - repeat: $stacks
          layers:
            repeat: $depth
            as: l
            layers: {cells.$(i * depth + l): "cell $(2**l) last=$(i == stacks - 1 and l == depth - 1)"}
        - total: add(cells.*.skip)
    layers: {net: tcn, out: conv 2 k1}
"""


def test_repeats_inside_each_other_are_one_list_and_one_loop() -> None:
    spec = netspec.loads(STACKED)
    assert not disagreement(spec)
    assert "for j in range(stacks)\n                for i in range(depth)" in spec.source(), spec.source()
    assert "for cell in self.cells:\n            x, skip = cell(x)" in spec.source()
    cls = module_class(spec.source(), spec.name)
    wanted = netspec.loads(STACKED, ["params.stacks=2", "params.depth=4"]).build()
    assert str(cls(stacks=2, depth=4)) == str(wanted)


def test_a_module_that_is_called_as_values_are_keeps_its_variable() -> None:
    block = "cell n: {norm-$n: linear $(in.d), b: pad 1x1, out: [linear 6, relu, linear 6], z: concat(in out)}"
    loop = "outs: {repeat: 3, layers: {outs.$i: linear 6, a: 'relu, add(prev in)', b: 'tanh, add(a prev)'}}"
    spec = netspec.loads(f"input: 6\nblocks: {{{block}}}\nlayers: {{a: cell q, b: linear 6, {loop}, c: cell l}}")
    assert not disagreement(spec), spec.source()


def test_repeats_without_rounds_inside_others_make_nothing() -> None:
    inner = "{repeat: 2, layers: [{repeat: 0, layers: [linear 5]}]}"
    spec = netspec.loads(f"input: 6\nlayers: {{a: [linear 6, {inner}, mul(prev in)], b: linear 3}}")
    assert not disagreement(spec), spec.source()


def test_a_row_of_modules_before_a_function_is_gone_over() -> None:
    spec = loads(
        """
        input: 3x8x8
        blocks: {pooling c: [adaptive_avgpool 1, conv $c k1, relu, 'interpolate $(in.shape[-2:])']}
        layers: [pooling 4]
        """
    )
    assert "for layer in self:\n            out = layer(out)\n        return F.interpolate(out, " in spec.source()
    net: Any = spec.build()
    x = torch.rand(2, 3, 8, 8)
    parts = next(iter(net.children()))
    wanted = torch.relu(parts[1](x.mean((2, 3), keepdim=True))).expand(2, 4, 8, 8)
    torch.testing.assert_close(net(x), wanted)


def test_a_row_of_modules_of_which_one_is_read_again_is_written_out() -> None:
    spec = loads("input: 8\nblocks: {b: [a: linear 8, b: tanh, c: linear 8, d: add(c a)]}\nlayers: [b]\n")
    assert "for layer in self" not in spec.source()
