"""Printed programs read as a person would have written them: no value, attribute or argument that says nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from netspec import loads
from netspec.api.spec import Spec


def _forward(spec: Spec, name: str) -> list[str]:
    """The statements of the forward of a class, without what is said of them."""
    body = spec.source().partition(f"class {name}(")[2].partition("\n\n\n")[0].partition("def forward")[2]
    return [line.partition("  # ")[0].strip() for line in body.splitlines()[1:] if line.strip()]


def test_an_operand_is_written_where_it_is_read() -> None:
    spec = loads(
        """
        input: Tx8
        blocks:
          layer:
            ln_1: layernorm
            attn: linear 8, add(in prev)
            ln_2: layernorm
            mlp: linear 8, relu
            out: add(attn mlp)
        layers: {layers: [layer x2]}
        """
    )
    assert _forward(spec, "Layer") == [
        "out = self.ln_1(x)",
        "attn = x + self.attn(out)",
        "x = self.ln_2(attn)",
        "return attn + F.relu(self.mlp(x))",
    ]


def test_a_value_with_a_name_of_its_own_keeps_it() -> None:
    spec = loads("input: 8\nlayers: {gate: sigmoid(in), out: 'linear(in) 8', both: mul(out gate)}\n")
    assert _forward(spec, "Net")[0] == "gate = torch.sigmoid(x)"


def test_nothing_runs_before_what_stood_before_it() -> None:
    """Both draw at random: the second operand stands in front, so it keeps its statement."""
    spec = loads(
        "input: 8\nlayers: {a: 'linear 8', b: 'linear(in) 8, dropout 0.5', c: 'dropout(a) 0.5', out: add(c b)}\n"
    )
    net: Any = spec.build()
    torch.manual_seed(0)
    b = torch.nn.functional.dropout(net.b(x := torch.ones(2, 8)), 0.5)
    c = torch.nn.functional.dropout(net.a(x), 0.5)
    torch.manual_seed(0)
    assert torch.equal(net(x), c + b)


def test_what_is_read_again_keeps_its_statement() -> None:
    spec = loads(
        """
        input: 8
        blocks: {cell k=0: [{a: linear 8}, {b: add(a in) when k > 0}, {out: mul(b a)}]}
        layers: [cell 1, cell]
        """
    )
    assert _forward(spec, "Cell")[0] == "a = self.a(x)"


def test_a_condition_over_what_is_kept_is_asked_where_it_is_read() -> None:
    spec = loads(
        """
        input: 1x8x8
        blocks:
          turn shift:
            turned: roll $(-shift) 2 when shift > 0
            conv: conv 1 k1
            back: roll $shift 2 when shift > 0
            out: add(back in)
        layers: [turn 0, turn 2]
        """
    )
    source = spec.source()
    assert "use_" not in source
    assert "if self.shift > 0" in source
    assert "-self.shift" in source


def test_a_choice_asks_without_not() -> None:
    spec = loads(
        """
        input: 8
        blocks:
          cell first=false:
            a: linear 8
            b: {when: not first, layers: add(a in)}
            c: {when: first, layers: mul(b a)}
        layers: [cell first, cell]
        """
    )
    assert "not self.first" not in spec.source()
    assert "use_" not in spec.source()


def test_a_condition_for_a_residual_is_called_so() -> None:
    text = (
        "input: 4x8x8\nblocks: {cell c s=1: {conv: conv $c k3 s$s same, out: add(conv in) when s == 1 and in.c == c}}\n"
    )
    assert "self.use_residual = s == 1 and in_channels == c" in loads(f"{text}layers: [cell 4, cell 8 s2]\n").source()


def test_arguments_without_a_default_come_first() -> None:
    source = loads(
        """
        input: 4x8x8
        params: {groups: 2}
        blocks: {cell c s=1: [conv $c k3 s$s same g$groups, relu]}
        layers: [cell 4, cell 8 s2]
        """
    ).source()
    assert "def __init__(self, in_channels, c, groups, s=1):" in source
    assert "Cell(4, 8, groups, s=2)" in source


@pytest.mark.parametrize("s", [2, 3])
def test_sizes_are_said_over_the_stride(s: int) -> None:
    """The one use is smaller by a number, but the class would be given another."""
    text = "input: 4x72x72\nblocks: {cell c s=1: {conv: conv $c k3 s$s same, bn: bn, pooled: avgpool 2}}\n"
    source = loads(f"{text}layers: [cell 4 s{s}, cell 8 s{s}, cell 4]\n").source()
    assert "self.conv(x)  # c x H/s x W/s" in source
    assert f"H/{s}" not in source.partition("class Net")[0]


def test_a_row_of_equal_conditions_is_asked_once() -> None:
    spec = loads(
        """
        input: 8
        blocks: {cell first=false: {a: "linear 8 when first, mul 2 when first, add(prev in) when first", out: relu}}
        layers: [cell first, cell]
        """
    )
    assert _forward(spec, "Cell") == ["if self.a is not None:", "x = self.a(x) * 2 + x", "return F.relu(x)"]
    net: Any = spec.build().eval()
    x = torch.randn(3, 8)
    first = net.cell1
    assert torch.equal(first(x), torch.relu(first.a(x) * 2 + x))
    assert torch.equal(net.cell2(x), torch.relu(x))


def test_values_that_a_chain_of_many_gives_are_kept_in_a_loop() -> None:
    spec = loads(
        """
        input: 3x16x16
        layers:
          backbone:
            outputs: {low: "1", mid: "3", high: "5"}
            layers: [conv 4 k3, relu, conv 6 k3, relu, conv 8 k3, relu]
          low: gap(backbone.low)
          mid: gap(backbone.mid)
          high: gap(backbone.high)
        outputs: [low, mid, high]
        """
    )
    assert _forward(spec, "Backbone") == [
        "for i, layer in enumerate(self):",
        "x = layer(x)",
        "if i == 1:",
        "low = x",
        "elif i == 3:",
        "mid = x",
        "return low, mid, x",
    ]
    net: Any = spec.build()
    x = torch.randn(2, 3, 16, 16)
    low = net.backbone[1](net.backbone[0](x))
    assert torch.equal(net.backbone(x)[0], low)


def test_a_pattern_that_finds_one_module_of_the_network_fills_it_by_name() -> None:
    source = loads(
        "input: int T\nlayers: {encoder: embedding 9 4, decoder: linear 9}\n"
        "init: {decoder.bias: zeros, '*coder.weight': uniform a=-0.1 b=0.1}\n"
    ).source()
    assert "nn.init.uniform_(self.encoder.weight, a=-0.1, b=0.1)" in source
    assert "endswith" not in source


def test_classes_of_one_name_are_called_by_where_they_stand() -> None:
    source = loads(
        """
        input: 8
        layers:
          text: {head: {a: linear 8, b: "relu(in), linear 8", out: add(a b)}, scale: mul 2}
          image: {head: {a: linear 4, b: "linear(in) 4, tanh", out: mul(a b)}, scale: mul 3}
        """
    ).source()
    assert "class TextHead(nn.Module):" in source
    assert "class ImageHead(nn.Module):" in source
    assert "Head2" not in source


def test_what_only_gives_a_name_is_no_statement() -> None:
    spec = loads(
        """
        input: 4xT
        blocks:
          cell:
            - repeat: 3
              layers:
                - before: identity
                - convs.$i: leaky_relu, conv 4 k3 same
                - add(before prev)
        layers: [cell]
        """
    )
    assert _forward(spec, "Cell") == ["for conv in self.convs:", "x = x + conv(F.leaky_relu(x))", "return x"]
    net: Any = spec.build()
    x = torch.randn(2, 4, 9)
    wanted = x
    for conv in net.cell1.convs:
        wanted = wanted + conv(torch.nn.functional.leaky_relu(wanted))
    assert torch.equal(net(x), wanted)


def test_a_product_is_divided_by_each_of_its_factors() -> None:
    source = loads(
        """
        input: 3x8x8
        params: {features: 4, scale: 2}
        layers: [conv $(scale**2 * features) k3 same, pixel_shuffle $scale, conv 3 k3 same]
        """
    ).source()
    assert "nn.Conv2d(features, 3, 3, padding=1)" in source


def test_a_sum_of_nothing_is_not_written() -> None:
    source = loads(
        """
        input: 8
        params: {depths: [1, 2], p: 0.1}
        blocks: {cell p: {fc: linear 8, out: "dropout $p, add(in prev)"}}
        layers:
          - repeat: $(len(depths))
            as: stage
            layers: [["cell $(p * (sum(depths[:stage]) + i)) x$(depths[stage])"]]
        """
    ).source()
    assert "[:0]" not in source
    assert "0 + " not in source
