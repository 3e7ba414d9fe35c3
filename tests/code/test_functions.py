"""Blocks that hold nothing, which are printed as functions, and functions that do nothing, which are not printed."""

from __future__ import annotations

import pytest
import torch

import netspec
from netspec.runtime.network.printed import module_class
from tests.code.style import assert_source_formatted

ROTARY = """
    inputs: {x: 6x8, y: 6x8}
    blocks:
      Rotary(x y): {turned: neg(x), out: mul(turned y)}
      twice(x y): {once: Rotary(x y), again: Rotary(once y)}
      mix(x y): {q: linear(x) 8, k: linear(y) 8, STEPS, out: "add(q2 k2), linear 8"}
    layers: {a: mix(x y), b: mix(a y)}
    """


def printed(text: str) -> tuple[str, torch.nn.Module]:
    spec = netspec.loads(text)
    assert_source_formatted(spec.source())
    torch.manual_seed(0)
    return spec.source(), spec.build()


def test_a_block_without_arguments_and_members_is_a_function() -> None:
    source, net = printed(ROTARY.replace("STEPS", "q2: Rotary(q y), k2: twice(k y)"))
    assert "def rotary(x, y):" in source
    assert "def twice(x, y):" in source
    assert "q2 = rotary(q, y)" in source
    assert "class Rotary" not in source
    assert "class Twice" not in source
    assert "self.q2" not in source
    x, y = torch.randn(2, 2, 6, 8)
    a, first, second, out = map(net.get_submodule, ("a", "a.q", "a.k", "a.out"))
    q, k = first(x), second(y)
    assert torch.equal(a(x, y), out(-q * y + -(-k * y) * y))


@pytest.mark.parametrize("name", ["rotary", "q2"])
def test_no_variable_hides_the_function(name: str) -> None:
    steps = f"{name}: Rotary(q y), k2: Rotary(k y), q2: neg({name})" if name != "q2" else "q2: Rotary(q y), k2: neg(k)"
    source, net = printed(ROTARY.replace("STEPS", steps))
    assert ("def apply_rotary(" if name == "rotary" else "def rotary(") in source
    net(*torch.randn(2, 2, 6, 8))


@pytest.mark.parametrize(
    "steps",
    [
        "q2: Rotary(q y), k2: [neg(k), linear 8]",
        "q1: [relu(q), dropout 0.1], q2: Rotary(q1 y), k2: neg(k)",
    ],
)
def test_what_holds_a_module_stays_a_class(steps: str) -> None:
    source, net = printed(ROTARY.replace("STEPS", steps))
    assert "def rotary(" in source
    net(*torch.randn(2, 2, 6, 8))


def test_a_block_that_trains_otherwise_or_stands_in_a_sequence_stays_a_class() -> None:
    source, net = printed(
        """
        input: 8
        blocks:
          noisy: {a: dropout 0.5, out: add(a in)}
          double: {out: add(in in)}
        layers: {a: noisy, s: [linear 8, double, linear 8], d: double}
        """
    )
    assert "class Noisy(nn.Module):" in source
    assert "class Double(nn.Module):" in source
    net(torch.randn(2, 8))


def test_the_names_of_parameters_stay_where_a_module_is_a_function() -> None:
    source, net = printed(
        """
        input: 8
        blocks: {double: {out: add(in in)}}
        layers: [linear 8, double, linear 8]
        """
    )
    assert list(net.state_dict()) == ["linear1.weight", "linear1.bias", "linear2.weight", "linear2.bias"]
    assert "double(" in source


def test_a_dropout_of_nothing_is_not_printed_as_a_function() -> None:
    source, net = printed(
        "input: 8\nblocks: {b: {a: linear 8, h: dropout 0, out: add(h in)}}\n"
        "layers: {x: b, y: b, z: [linear 3, dropout 0]}"
    )
    assert "F.dropout" not in source
    assert "nn.Dropout(p=0)" in source  # a member keeps its number
    assert net(torch.randn(2, 8)).shape == (2, 3)


def test_a_dropout_of_nothing_that_is_an_argument_is_printed() -> None:
    source, _ = printed("input: 8\nparams: {p: 0}\nlayers: {a: linear 8, h: dropout $p, b: linear 3}")
    assert "def __init__(self, p=0):" in source
    assert "F.dropout(x, self.p, self.training)" in source


def test_rounds_with_a_dropout_of_nothing_are_a_loop() -> None:
    source, _ = printed(
        "input: 8\nlayers: {body: {repeat: 5, layers: {l$i: linear 8, d$i: dropout 0, r$i: tanh, e$i: dropout 0}}}"
    )
    assert "dropout" not in source
    assert "for " in source


def test_functions_between_modules_stand_in_the_sequence_as_modules() -> None:
    source, net = printed(
        """
        input: 8x6x6
        blocks:
          b c: {net: [conv $c k3, permute 0 2 3 1, layernorm, transpose 1 3, relu, slice 2 1 $(c // 4) step=2]}
        layers: {x: b 8, y: [permute 0 2 3 1, linear 4, slice -1 0 -1]}
        """
    )
    assert "Permute(0, 2, 3, 1)," in source
    assert "Slice(2, start=1, stop=c // 4, step=2)," in source
    assert "ModuleDict" not in source
    assert list(net.state_dict())[2:5] == ["x.net.2.weight", "x.net.2.bias", "y.1.weight"]
    x = torch.randn(2, 8, 6, 6)
    conv, norm, linear = map(net.get_submodule, ("x.net.0", "x.net.2", "y.1"))
    first = norm(conv(x).permute(0, 2, 3, 1)).transpose(1, 3).relu()[:, :, 1:2:2]
    assert torch.equal(net(x), linear(first.permute(0, 2, 3, 1))[..., :-1])


def test_a_list_of_functions_alone_or_with_sizes_of_the_run_is_no_sequence() -> None:
    source, net = printed(
        """
        input: 8xT
        layers: {x: [transpose 1 2, permute 0 2 1], y: [conv1d 4 k1, "slice 2 0 $(in.shape[2] // 2)", relu]}
        """
    )
    assert "class Slice" not in source
    assert "class Permute" not in source
    assert net(torch.randn(2, 8, 6)).shape == (2, 4, 3)


TURN = """
    input: 6x8
    params: {part: 2, by: 0.5}
    blocks:
      turned(x) half s=2:
        kept: slice(x) -1 $half
        part: slice(x) -1 0 $half, mul $(s * by)
        out: concat(part kept) dim=-1
      both c half: {q: linear $c, k: turned(q) $half, v: turned(in) $(half + 1) s=3, out: concat(k v) dim=-1}
    layers: {a: both 8 $part, b: both 6 3, c: flatten, head: linear $(part * 2)}
    """


def test_a_block_that_holds_only_numbers_is_a_function_that_is_given_them() -> None:
    source, net = printed(TURN)
    assert "def turned(x, half, by, s=2):" in source
    assert "[..., :half] * (s * by)" in source
    assert "class Turned" not in source
    assert "        self.half2 = half\n        self.by = by\n        self.v_half = half + 1\n" in source
    assert "k = turned(out, self.half2, self.by)" in source
    assert "v = turned(x, self.v_half, self.by, s=3)" in source
    torch.manual_seed(0)
    wanted = netspec.loads(TURN, ["params.part=3", "params.by=0.3"]).build()
    torch.manual_seed(0)
    found = module_class(source, netspec.loads(TURN).name)(part=3, by=0.3)
    x = torch.randn(2, 6, 8)
    assert [*found.state_dict()] == [*wanted.state_dict()]
    assert torch.equal(found(x), wanted(x))
    net(x)


def test_a_block_that_holds_a_module_it_is_given_stays_a_class() -> None:
    source, net = printed(
        "input: 8\nlayers: {first: linear 8, more: {again: alias first, out: use(in) again}, head: linear 3}"
    )
    assert "more.again.weight" in net.state_dict()
    assert "class More" in source
