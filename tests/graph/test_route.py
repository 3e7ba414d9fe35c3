"""Experts that are run for their own tokens alone: what they compute, count, print, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch

import netspec
from netspec.views.table import summary
from tests.code.style import assert_source_formatted

APART = """\
netspec: 1
name: Net
inputs: {x: Tx8}
params: {n: 4, k: 2, f: 12}
blocks:
  expert f:
    w1: linear $f nobias, silu
    w3: linear(in) $f nobias
    w2: mul(w1 w3), linear $(in.d) nobias
layers:
  tokens: flatten(x) 0 1
  gate: linear $n nobias, softmax -1, topk $k -1
  weights: sum(gate) -1 keepdim, div(gate prev)
  experts: {route: {over: tokens, to: gate.indices, weights: weights}, repeat: $n, layers: [expert $f]}
  out: reshape B -1 8
"""
HELD = """\
netspec: 1
name: Net
inputs: {x: 6x8}
params: {n: 4}
layers:
  gate: flatten(x) 0 1, linear $n nobias, topk 1 -1
  tokens: flatten(x) 0 1
  up: parameter $(n)x8x8 init=normal
  experts:
    route: {over: {row: tokens}, to: gate.indices, each: {w: up}}
    layers: {y: "matmul(row w), tanh"}
"""


def loaded(text: str) -> Any:
    torch.manual_seed(0)
    return netspec.loads(text)


def test_experts_give_what_each_token_asks_of_them() -> None:
    net = loaded(APART).build().double()
    assert [name for name in net.state_dict() if name.startswith("experts.3")] == [
        f"experts.3.w{i}.weight" for i in (1, 3, 2)
    ]
    x = torch.randn(2, 5, 8, dtype=torch.float64, requires_grad=True)
    found = net(x)
    found.square().sum().backward()
    mine, x.grad = [x.grad, *(p.grad for p in net.parameters())], None
    net.zero_grad()
    tokens = x.flatten(0, 1)
    weights, chosen = torch.softmax(net.gate(tokens), -1).topk(2)
    weights = weights / weights.sum(-1, keepdim=True)
    rows = [sum(weights[t, k] * net.experts[chosen[t, k]](tokens[t]) for k in range(2)) for t in range(10)]
    wanted = torch.stack(rows).view(2, 5, 8)
    torch.testing.assert_close(found, wanted)
    wanted.square().sum().backward()
    for one, other in zip(mine, [x.grad, *(p.grad for p in net.parameters())], strict=True):
        torch.testing.assert_close(one, torch.zeros_like(one) if other is None else other)


def test_experts_of_one_tensor_see_their_place_of_it() -> None:
    net = loaded(HELD).build()
    x = torch.randn(3, 6, 8)
    tokens = x.flatten(0, 1)
    chosen = net.gate(tokens).argmax(-1)
    wanted = torch.stack([torch.tanh(token @ net.up[i]) for token, i in zip(tokens, chosen, strict=True)])
    torch.testing.assert_close(net(x), wanted)


def test_only_what_is_routed_is_counted() -> None:
    apart = summary(loaded(APART).graph)
    rows = {row.path: row for row in reversed(apart.rows)}
    assert str(apart.macs) == "608*T"  # 8 * 4 for the gate, and two of four experts of 3 * 8 * 12
    assert str(rows["experts.1"].macs) == "144*T"
    assert apart.parameters == 8 * 4 + 4 * 3 * 8 * 12
    assert rows["experts"].op == "route experts=4"
    assert summary(loaded(HELD).graph).macs == 6 * (8 * 4 + 8 * 8)


def test_it_is_printed_as_a_loop_over_experts() -> None:
    printed = loaded(APART).source()
    assert_source_formatted(printed)
    assert (
        """\
    def forward(self, tokens, index, weights):
        out = torch.zeros_like(tokens)
        for i, expert in enumerate(self):
            token, place = torch.where(index == i)
            out.index_add_(0, token, expert(tokens[token]) * weights[token, place, None])
        return out
"""
        in printed
    )
    held = loaded(HELD).source()
    assert_source_formatted(held)
    assert (
        """\
    for i, w_i in enumerate(w):
        token, _ = torch.where(index == i)
        row_i = row[token]
        x = torch.tanh(row_i @ w_i)  # routed x 8
        out.index_add_(0, token, x)
"""
        in held
    )


def test_a_file_of_onnx_runs_them_for_any_tokens(tmp_path: Path) -> None:
    spec = loaded(APART.replace("n: 4, k: 2", "n: 2, k: 1"))
    net = spec.build().eval()
    spec.export(tmp_path / "net.onnx", net)
    session = ort.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    for batch, length in ((1, 1), (2, 9)):
        x = torch.randn(batch, length, 8)
        with torch.no_grad():
            wanted = net(x).numpy()
        np.testing.assert_allclose(session.run(None, {"x": x.numpy()})[0], wanted, rtol=1e-4, atol=1e-6)


TOKENS = (
    "netspec: 1\ninputs: {x: Tx8}\nlayers:\n  t: flatten(x) 0 1\n  g: linear(t) 4, topk 2 -1\n  w: parameter 4x8x8\n"
    "  v: parameter 2x8x8\n"
)


@pytest.mark.parametrize(
    ("written", "said", "try_"),
    [
        ("route: t, layers: [relu]", "which tokens go to which expert", "over: tokens"),
        ("route: {over: t, too: g}, layers: [relu]", "route has no 'too'", "Did you mean 'to'?"),
        ("route: {over: t}, layers: [relu]", "route wants `to`", "to: top.indices"),
        ("route: {to: g}, layers: [relu]", "route wants `over`", "over: tokens"),
        ("route: {over: t, to: g.indices}, layers: [relu]", "rounds of a `repeat`, or the places", "each:"),
        ("route: {over: t, to: g}, repeat: 4, layers: [linear 8]", "are float32 of B*T x 2", "to: top.indices"),
        ("route: {over: x, to: g.indices}, repeat: 4, layers: [linear 8]", "the tokens are B x T x 8", "flatten(in)"),
        ("route: {over: t, to: g.indices, weights: t}, repeat: 4, layers: [linear 8]", "the weights are", "one weight"),
        ("route: {over: t, to: g.indices}, repeat: 4, layers: [linear 6]", "gives routed x 6 for tokens", "token by"),
        ("route: {over: t, to: g.indices}, repeat: 4, layers: [linear 8, relu]", "is one module of the tokens", "[ ]"),
        ("route: {over: t, to: g.indices, each: {v: w}}, layers: {y: relu(v)}", "gives 8 x 8 for tokens", "token by"),
        ("route: {over: t, to: g.indices, each: w}, layers: [relu]", "each names values", "up_proj"),
        ("route: {over: t, to: g.indices, each: {v: t}}, layers: [relu]", "no number of experts", "first axis"),
        (
            "route: {over: t, to: g.indices}, repeat: 3, layers: [linear 8]",
            "chooses among 4, and the level has 3",
            "$exp",
        ),
        ("route: {over: t, to: g.indices}, repeat: 0, layers: [linear 8]", "has 0 experts", "both one number"),
        (
            "route: {over: {r: t}, to: g.indices, each: {u: v}}, layers: {y: matmul(r u)}",
            "has 2 experts",
            "both one number",
        ),
    ],
)
def test_mistakes(written: str, said: str, try_: str) -> None:
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads(f"{TOKENS}  r: {{{written}}}\n")
    problem = caught.value.problems[0]
    assert said in problem.message
    assert try_ in problem.hint


def test_experts_that_are_mistaken_are_not_counted_too() -> None:
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads(f"{TOKENS}  r: {{route: {{over: t, to: g.indices}}, repeat: 4, layers: [linar 8]}}\n")
    assert [problem.code for problem in caught.value.problems] == ["unknown-op"]
