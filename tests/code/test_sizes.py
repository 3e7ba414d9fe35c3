"""Sizes that an expression asks of a value: printed networks read them where they run, or refuse other sizes."""

from __future__ import annotations

import pytest
import torch

from netspec import Spec, SpecError, load, loads
from netspec.runtime.network.printed import module_class
from tests.code.style import assert_source_formatted

BLOCKS = """
blocks:
  shuffle g: {out: "reshape B $g $(in.c // g) $(in.h) $(in.w), transpose 1 2, reshape B $(in.c) $(in.shape[2:])"}
  up(x skip) c: {a: "interpolate(x) $(skip.shape[-2:])", cat: concat(a skip), conv: conv $c k3 same}
  half f=$(in.h // 2): {out: "interpolate $(ceil(f / 2))x$(max(in.w // 2, 4))"}
  fixed size: {out: interpolate $size}
  scaled n: {out: "interpolate $(in.h * n)x$(in.w * n if n > 1 else in.w)"}
"""
READ = [
    "{a: conv 4 k3 s2, b: 'interpolate $(in.shape[-2:]) mode=bilinear'}",
    "{a: conv 4 k3 s2, b: 'conv 4 k1, relu', c: [conv 4 k1, 'interpolate $(in.h)x$(in.w)']}",
    "{d: conv 4 k3 s2 same, e: conv 8 k3 s2 same, u: up(e d) 4, v: up(u in) 3}",
    "{a: conv 8 k1, b: shuffle 2, c: shuffle 4}",
    "{a: conv 4 k1, b: half}",
    "{a: avgpool 2, b: 'fixed $(prev.shape[-2:])', c: 'fixed(in) $(in.shape[-2:])'}",
    "{a: conv 4 k1, b: scaled 1, c: scaled 2, d: scaled 3}",
    "{a: 'avgpool $(in.h // 2)', b: conv 4 k1}",
    "{a: conv 4 k1, b: 'flatten 2, transpose 1 2', c: 'reshape B $(in.h) $(in.w) 4', d: 'permute 0 3 1 2'}",
    "{a: {x: conv 4 k3 s2, y: conv 4 k1}, b: {r: 'interpolate $(a.h * 2)x$(a.shape[3])', s: conv 2 k1}}",
    "{a: 'slice 2 0 $(in.h // 2)', b: 'pad 0x0x0x$(in.h - prev.h)'}",
    "{a: conv 4 k1, z: 'zeros Bx1x$(in.h)x$(in.w)', b: concat(a z)}",
]
BOUND = [
    "{a: [conv 4 k3, 'avgpool $(in.h - 2)']}",
    "{c: {repeat: $(in.h // 8), layers: [relu, avgpool 2]}}",
    "[conv 4 k3 same, 'maxpool 2 when in.h > 16']",
    "{a: avgpool 2, b: 'fixed $(in.shape[-2:])'}",
    "{a: conv 4 k1, b: 'mul 2', c: 'avgpool $(int(sqrt(in.h)))'}",
]


def spec_of(layers: str, height: int, width: int) -> Spec:
    return loads(f"input: 3x{height}x{width}\n{BLOCKS}\nlayers: {layers}\n")


@pytest.mark.parametrize("layers", READ)
def test_a_size_that_is_asked_for_is_read_where_the_network_runs(layers: str) -> None:
    spec = spec_of(layers, 16, 24)
    assert_source_formatted(spec.source())
    assert "raise" not in spec.source()
    net, other = spec.build().eval(), spec_of(layers, 32, 16).build().eval()
    other.load_state_dict(net.state_dict())
    for x in (torch.randn(2, 3, 32, 16), torch.randn(1, 3, 16, 24)):
        found = net(x)
        if x.shape[-1] == 16:
            assert torch.equal(found, other(x)), spec.source()


@pytest.mark.parametrize("layers", BOUND)
def test_a_size_that_cannot_be_read_is_the_only_one_that_is_taken(layers: str) -> None:
    spec = spec_of(layers, 16, 16)
    assert_source_formatted(spec.source())
    net = spec.build().eval()
    assert len(net(torch.zeros(2, 3, 16, 16))) == 2
    with pytest.raises(ValueError, match="expected an input of 3 x 16 x 16"):
        net(torch.zeros(2, 3, 32, 32))


def test_only_the_size_that_numbers_follow_from_is_fixed() -> None:
    spec = spec_of("[conv 4 k3 same, 'maxpool 2x1 s2x1 when in.h > 16']", 32, 16)
    assert "if x.shape[2] != 32:" in spec.source()
    assert spec.build()(torch.zeros(1, 3, 32, 48)).shape[-1] == 48


def test_the_shipped_fcn_gives_maps_of_the_size_of_its_image() -> None:
    spec = load("specs/fcn_resnet50.yaml")
    assert "F.interpolate(out, size=x.shape[-2:]" in spec.source()
    with torch.device("meta"):
        net = module_class(spec.source(), spec.name)().eval()
        assert tuple(net(torch.zeros(1, 3, 64, 96))["out"].shape) == (1, 21, 64, 96)


def test_a_size_of_the_run_is_still_read_from_what_is_at_hand() -> None:
    source = loads(
        "input: Tx8\nlayers: {n: [linear 4, relu], m: 'arange $(in.t)', e: embedding(m) 9 4, y: add(n e)}"
    ).source()
    assert "torch.arange(x.shape[1]" in source


def test_networks_whose_parameters_hold_the_size_are_not_guarded() -> None:
    source = loads("input: 8x4\nlayers: {p: parameter 1x$(in.t)x4, a: add(in p)}").source()
    assert "raise" not in source


def test_a_mistake_in_a_size_stays_a_problem() -> None:
    with pytest.raises(SpecError, match="q"):
        loads("input: 3x8x8\nlayers: {a: 'interpolate $(in.q)'}")


TOLD = "{table: buffer 20x1x8 init=sincos, positions: slice(table) 0 0 T}"
ASKED = TOLD.replace("slice(table) 0 0 T", "'slice(table) 0 0 $(in.shape[0])'")


@pytest.mark.parametrize(
    "layers",
    [
        f"{{e: embedding 9 8, p: {TOLD}, x: add(e p)}}",
        f"{{e: embedding 9 8, p: {ASKED}, x: add(e p)}}",
        f"{{e: embedding 9 8, p: {{q: {TOLD}}}, x: add(e p)}}",
        "{e: embedding 9 8, table: buffer 20x1x8, p: ['slice(table) 0 0 T', relu], x: add(e p)}",
        "{e: embedding 9 8, p: {a: arange T, b: to(a) float32}, x: linear(e) 3, y: permute 1 2 0, z: mul(y p)}",
        f"{{e: embedding 9 8, p: {TOLD}, turned: permute(e) 1 0 2, again: use(turned) p, x: add(e again)}}",
        f"{{l: {{repeat: 2, layers: {{p$i: {TOLD}}}}}, x: linear 3}}",
    ],
)
def test_a_level_that_takes_no_value_is_given_one_that_tells_its_sizes(layers: str) -> None:
    """Positions made in a level of their own know how many they are from what the network is given."""
    spec = loads(f"inputs: {{words: int TxB}}\nlayers: {layers}\n")
    assert_source_formatted(spec.source())
    net = spec.build().eval()
    (result,) = spec.graph.outputs.values()
    for length in (3, 5):
        found = net(torch.zeros(length, 2, dtype=torch.int64))
        assert found.shape == tuple({"T": length, "B": 2}.get(str(size), size) for size in result.shape), spec.source()
