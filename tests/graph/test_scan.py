"""Levels that go along an axis: their shapes and counts, what they compute, how they are printed and refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import netspec
from netspec.views.table import summary
from tests.code.style import assert_source_formatted

HEAD = "netspec: 1\nname: Net\ninputs: {x: Tx8, y: Tx8, s: 5, g: 4xTx8}\nlayers:\n  z: zeros Bx8\n"
GRU = """\
netspec: 1
name: Own
inputs: {x: Tx8}
params: {d: 6}
layers:
  start: zeros Bx$d
  rnn:
    scan: {over: x, carry: {h: start}}
    layers:
      ih: linear(x) $(3*d), chunk 3 -1
      hh: linear(h) $(3*d), chunk 3 -1
      r: add(ih.0 hh.0), sigmoid
      z: add(ih.1 hh.1), sigmoid
      reset: mul(r hh.2)
      n: add(ih.2 reset), tanh
      h: lerp(n h z)
  out: linear 3
outputs: {every: out, last: rnn.h}
"""
BOTH = """\
netspec: 1
name: Both
inputs: {x: TxBx8}
blocks:
  cell(x h c) d:
    outputs: {h: new, c: cell}
    layers:
      ih: linear(x) $(4*d)
      hh: linear(h) $(4*d)
      gates: add(ih hh), chunk 4 -1
      i: sigmoid(gates.0)
      f: sigmoid(gates.1)
      g: tanh(gates.2)
      o: sigmoid(gates.3)
      kept: mul(f c)
      added: mul(i g)
      cell: add(kept added)
      shown: tanh(cell)
      new: mul(o shown)
layers:
  zero: zeros Bx6
  there: {scan: {over: x, axis: 0, carry: {h: zero -> cell.h, c: zero -> cell.c}}, layers: {cell: cell(x h c) 6}}
  back:
    scan: {over: x, axis: -3, carry: {h: zero -> cell.h, c: zero -> cell.c}, reverse: true}
    layers: {cell: cell(x h c) 6}
  both: concat(there back) -1
outputs: {every: both, h: there.h, c: back.c}
"""


def loaded(text: str) -> Any:
    torch.manual_seed(0)
    return netspec.loads(text)


def test_an_own_gru_is_torchs() -> None:
    spec = loaded(GRU)
    net = spec.build().double()
    assert list(net.state_dict()) == [f"{n}.{p}" for n in ("rnn.ih", "rnn.hh", "out") for p in ("weight", "bias")]
    gru = nn.GRU(8, 6, batch_first=True).double()
    with torch.no_grad():
        for own, theirs in (("ih", "ih"), ("hh", "hh")):
            getattr(gru, f"weight_{theirs}_l0").copy_(getattr(net.rnn, own).weight)
            getattr(gru, f"bias_{theirs}_l0").copy_(getattr(net.rnn, own).bias)
    for length in (1, 2, 9):
        x, y = (torch.randn(3, length, 8, dtype=torch.float64, requires_grad=True) for _ in range(2))
        y.data.copy_(x)
        found = net(x)
        every, (last,) = gru(y)
        torch.testing.assert_close(found["every"], net.out(every))
        torch.testing.assert_close(found["last"], last)
        found["every"].square().sum().backward()
        net.out(every).square().sum().backward()
        torch.testing.assert_close(x.grad, y.grad)
        torch.testing.assert_close(net.rnn.hh.weight.grad, gru.weight_hh_l0.grad)
        net.zero_grad()
        gru.zero_grad()


def test_two_directions_are_torchs_lstm() -> None:
    """Along the first axis, with two states, which parts of a block give."""
    net = loaded(BOTH).build().double()
    lstm = nn.LSTM(8, 6, bidirectional=True).double()
    with torch.no_grad():
        for end, cell in (("l0", net.there.cell), ("l0_reverse", net.back.cell)):
            for own in ("ih", "hh"):
                getattr(lstm, f"weight_{own}_{end}").copy_(getattr(cell, own).weight)
                getattr(lstm, f"bias_{own}_{end}").copy_(getattr(cell, own).bias)
    x = torch.randn(5, 2, 8, dtype=torch.float64)
    found, (every, (h, c)) = net(x), lstm(x)
    torch.testing.assert_close(found["every"], every)
    torch.testing.assert_close(found["h"], h[0])
    torch.testing.assert_close(found["c"], c[1])


RWKV = """\
netspec: 1
inputs: {k: Tx4, v: Tx4}
layers:
  decay: parameter 4 formula=$(-0.5 * (i + 1))
  bonus: parameter 4 init=ones
  zero: zeros Bx4
  low: zeros Bx4, sub 1e38
  wkv:
    scan: {over: [k, v], carry: {num: zero -> sum, den: zero -> count, most: low -> top}}
    layers:
      own: add(k bonus)
      above: maximum(most own)
      old: sub(most above), exp
      new: sub(own above), exp
      seen: mul(old num)
      given: mul(new v), add(seen prev)
      weight: mul(old den), add(prev new)
      decayed: add(most decay)
      top: maximum(decayed k)
      kept: sub(decayed top), exp
      added: sub(k top), exp
      one: mul(kept num)
      sum: mul(added v), add(one prev)
      count: mul(kept den), add(prev added)
      out: div(given weight)
"""


def test_the_weighted_sum_of_rwkv() -> None:
    """Three states, of which none is an output, and parameters around the scan."""
    spec = loaded(RWKV)
    assert not spec.warnings
    net = spec.build().double()
    k, v = torch.randn(2, 6, 4).double(), torch.randn(2, 6, 4).double()
    rows: list[Any] = []
    for t in range(6):
        weights = [torch.exp((t - 1 - i) * net.decay + k[:, i]) for i in range(t)] + [torch.exp(net.bonus + k[:, t])]
        given = sum(weight * v[:, i] for i, weight in enumerate(weights))
        rows.append(given / sum(weights))
    torch.testing.assert_close(net(k, v), torch.stack(rows, 1))


def test_states_are_handed_on_as_they_were() -> None:
    """What replaces a state may be another state, or be read before and after: none is set too early."""
    net = loaded(
        HEAD.replace("zeros Bx8", "zeros Bx4x8")
        + "  f: {scan: {over: g, axis: 2, carry: {a: z -> b, b: z -> n}}, layers: {n: add(a b g)}}\n"
        + "  q:\n    scan: {over: g, axis: 2, carry: {h: z}, reverse: true}\n    outputs: {old: old, w: w}\n"
        + "    layers: {old: add(g h), h: mul(old) 0.5, w: add(h old)}\n"
        + "outputs: [f, f.a, f.b, q, q.w, q.h]\n"
    ).build()
    x = torch.randn(2, 4, 5, 8)
    a = b = h = torch.zeros(2, 4, 8)
    every: list[torch.Tensor] = []
    old: list[torch.Tensor] = []
    w: list[torch.Tensor] = []
    for t in range(5):
        a, b = b, a + b + x[:, :, t]
        every.append(b)
        old.insert(0, x[:, :, 4 - t] + h)
        h = old[0] * 0.5
        w.insert(0, h + old[0])
    wanted = [torch.stack(every, 2), a, b, torch.stack(old, 2), torch.stack(w, 2), h]
    for found, right in zip(net(torch.ones(1), torch.ones(1), torch.ones(1), x), wanted, strict=True):
        torch.testing.assert_close(found, right)


def test_a_scan_inside_a_scan() -> None:
    text = """\
netspec: 1
inputs: {x: 4xTx5}
layers:
  z: zeros Bx5
  o:
    scan: {over: x, carry: {h: z -> i.g}}
    layers:
      lin: linear(h) 5
      i: {scan: {over: x, carry: {g: lin}}, layers: [linear 5, tanh, {g: add(prev g h)}]}
"""
    spec = loaded(text)
    net = spec.build()
    x, h, rows = torch.randn(2, 4, 3, 5), torch.zeros(2, 5), []
    for place in x.unbind(1):
        g, row = net.o.lin(h), []
        for inner in place.unbind(1):
            g = torch.tanh(net.o.i[0](inner)) + g + h
            row.append(g)
        h = g
        rows.append(torch.stack(row, 1))
    torch.testing.assert_close(net(x), torch.stack(rows, 1))
    assert str(spec.graph.macs()) == "100*T + 100"  # four rows of 25 once and of 25 at each of T places


def test_one_place_at_a_time_without_states() -> None:
    net = loaded(HEAD + "  m: {scan: {over: {row: g}, axis: 1}, layers: [linear 7, relu, linear 7]}\n").build()
    x = torch.randn(2, 4, 3, 8)
    torch.testing.assert_close(net(torch.ones(1), torch.ones(1), torch.ones(1), x), net.m[2](net.m[1](net.m[0](x))))


def test_a_scan_is_used_again_for_other_values() -> None:
    text = HEAD + (
        "  own: {scan: {over: x, carry: {h: z}}, layers: {a: linear(x) 8, h: add(a h)}}\n"
        "  again: use(y z) own\n  both: concat(own again) -1\n"
    )
    net = loaded(text).build()
    x, y = torch.randn(2, 3, 8), torch.randn(2, 3, 8)
    wanted = torch.cat([net.own.a(x).cumsum(1), net.own.a(y).cumsum(1)], -1)
    torch.testing.assert_close(net(x, y, x, x), wanted)
    assert len(net.state_dict()) == 2


def test_counts_are_those_of_every_place() -> None:
    found = summary(loaded(GRU).graph)
    rows = {row.path: row for row in reversed(found.rows)}
    assert str(found.macs) == "270*T"  # 3 * 6 * (8 + 6) for a place, and 6 * 3 behind it
    assert found.parameters == sum(p.numel() for p in nn.GRU(8, 6).parameters()) + 6 * 3 + 3
    assert str(rows["rnn.ih"].macs) == "144*T"
    assert rows["rnn"].op == "scan axis=1"
    assert str(rows["rnn.h"].memory) == "24*T"


def test_it_is_printed_as_a_loop() -> None:
    printed = loaded(GRU).source()
    assert_source_formatted(printed)
    assert (
        """\
    def forward(self, x, h):
        hs = []
        for x_t in x.unbind(1):
            ih0, ih1, ih2 = self.ih(x_t).chunk(3, dim=-1)  # d
            hh0, hh1, hh2 = self.hh(h).chunk(3, dim=-1)  # d
            r = torch.sigmoid(ih0 + hh0)  # d
            z = torch.sigmoid(ih1 + hh1)  # d
            reset = r * hh2  # d
            n = torch.tanh(ih2 + reset)  # d
            h = torch.lerp(n, h, z)  # d
            hs.append(h)
        return torch.stack(hs, 1), h
"""
        in printed
    )
    both = loaded(BOTH).source()
    assert_source_formatted(both)
    assert "for x_t in reversed(x.unbind(0)):" in both
    assert "return torch.stack(hs[::-1], 0), c" in both


def test_what_is_wanted_alone_is_all_that_is_given() -> None:
    printed = loaded(
        GRU.replace("  out: linear 3\noutputs: {every: out, last: rnn.h}\n", "  out: linear(rnn.h) 3\n")
    ).source()
    assert "hs" not in printed
    assert "            h = torch.lerp(n, h, z)  # d\n        return h\n" in printed
    assert "x = self.rnn(x, start)  # d\n" in printed


def test_what_holds_nothing_is_a_function() -> None:
    text = HEAD + "  sum: {scan: {over: {a: x, b: y}, carry: {h: z}}, layers: {n: mul(a b z), h: add(h n)}}\n"
    printed = loaded(text).source()
    assert "for a_t, b_t in zip(a.unbind(1), b.unbind(1)):" in printed
    assert "def sum_(a, b, h, z):" in printed


@pytest.mark.parametrize(
    ("written", "said", "try_"),
    [
        ("scan: q, layers: [relu]", "there is no value 'q' before this", "Available here"),
        ("scan: {ovr: x}, layers: [relu]", "scan has no 'ovr'", "Did you mean 'over'?"),
        ("scan: {axis: 1}, layers: [relu]", "scan wants the value that it goes along", "over: x"),
        ("scan: [], layers: [relu]", "scan wants the value that it goes along", "over: x"),
        ("scan: {over: [x, x]}, layers: [relu]", "x is gone along twice", "Keep one"),
        ("scan: {over: x, axis: 3}, layers: [relu]", "goes along axis 3, x is B x T x 8", "from 0, the batch, to 2"),
        ("scan: {over: x, axis: true}, layers: [relu]", "axis is the number of an axis, not true", "it is 1"),
        ("scan: {over: x, reverse: 1}, layers: [relu]", "reverse is true or false, not 1", "it is false"),
        ("scan: {over: [x, g]}, layers: [add(x g)]", "x has T, g has 4", "the body sees all else"),
        ("scan: {over: x, carry: h}, layers: [relu]", "carry names each state", "carry: {h: start}"),
        (
            "scan: {over: x, carry: {h: z}}, layers: {k: add(x h)}",
            "nothing in the body gives h anew",
            "h: start -> step",
        ),
        ("scan: {over: x, carry: {h: z -> k}}, layers: {h: add(x h)}", "there is no value 'k'", "Available here"),
        ("scan: {over: x, carry: {h: s}}, layers: {h: relu}", "h begins as B x 5 and is B x 8", "keeps its shape"),
        ("scan: {over: x, carry: {x: z}}, layers: {h: relu}", "x is gone along and carried", "over: {places: x}"),
        ("scan: {over: x, carry: {h: zeros Bx8}}, layers: {h: relu}", "begins as a value that has a name", "h0: zeros"),
        ("scan: {over: x, carry: {h: 0}}, layers: {h: relu}", "begins as a value that has a name", "h0: zeros"),
        ("scan: {over: g, axis: 2}, layers: [sum 1 2]", "r gives B at each place", "as many axes"),
        ("scan: {over: x, carry: {h: z}}, outputs: {h: h}, layers: {h: add(x h)}", "an output and a state", "another"),
        ("scan: {over: x, carry: {h: z}}, layers: {h: add(x hh)}", "there is no value 'hh'", "Did you mean 'h'?"),
    ],
)
def test_mistakes(written: str, said: str, try_: str) -> None:
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads(f"{HEAD}  r: {{{written}}}\n")
    (problem,) = caught.value.problems
    assert said in problem.message
    assert try_ in problem.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("netspec: 1\ninput: Tx8\nlayers: [{scan: in, layers: [relu]}]\n", "a group has no scan"),
        ("netspec: 1\ninput: Tx8\nblocks: {b: {scan: in, layers: [relu]}}\nlayers: [b]\n", "a block has no scan"),
    ],
)
def test_only_a_level_with_a_name_scans(text: str, said: str) -> None:
    with pytest.raises(netspec.SpecError, match=said):
        netspec.loads(text)


def test_it_is_left_out_or_run_in_training_alone() -> None:
    scan = "r: {when: %s, scan: {over: x, carry: {h: z}}, layers: {k: add(h x), h: mul(k) 2}}\n"
    x = torch.randn(2, 3, 8)
    assert torch.equal(loaded(HEAD + "  " + scan % "false").build()(x, x, x, x), x)
    net = loaded(HEAD + "  " + scan % "training").build()
    assert torch.equal(net.eval()(x, x, x, x), x)
    assert torch.equal(net.train()(x, x, x, x)[:, 0], 2 * x[:, 0])
    assert not torch.equal(net(x, x, x, x), x)
