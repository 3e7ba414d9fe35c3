"""Members of levels further out, run and registered inside: what is printed, counted, computed and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import nn
from torch.nn import functional

import netspec
from netspec.views.table import summary
from tests.code.meaning import disagreement
from tests.code.style import assert_source_formatted

TOWERS = """\
netspec: 1
name: Towers
inputs: {left: int T, right: int S}
params: {d: 12}
blocks:
  tower(ids) n:
    words: alias table                 # another name than where it is
    e: use(ids) words
    body: [linear $n, relu, linear $d]
  refine: {norm: layernorm, again: use mix, out: add(again in)}
layers:
  table: embedding(left) 30 $d
  mix: linear $d
  one: tower(left) 5
  context: mean(one) 1 keepdim
  two: tower(right) 7
  rounds: [refine x3]
  out: add(rounds context), mean 1, linear 3
"""


class Tower(nn.Module):
    """As a person writes it."""

    def __init__(self, table: nn.Module, n: int, d: int) -> None:
        super().__init__()
        self.words = table
        self.body = nn.Sequential(nn.Linear(d, n), nn.ReLU(), nn.Linear(n, d))

    def forward(self, ids: torch.Tensor) -> Any:
        return self.body(self.words(ids))


class Refine(nn.Module):
    """With a module that it does not own."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(d)

    def forward(self, x: torch.Tensor, mix: nn.Module) -> Any:
        return mix(self.norm(x)) + x


class Towers(nn.Module):
    """Both."""

    def __init__(self, d: int = 12) -> None:
        super().__init__()
        self.table = nn.Embedding(30, d)
        self.mix = nn.Linear(d, d)
        self.one = Tower(self.table, 5, d)
        self.two = Tower(self.table, 7, d)
        self.rounds = nn.ModuleList(Refine(d) for _ in range(3))
        self.out = nn.Linear(d, 3)

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> Any:
        context = self.one(left).mean(1, keepdim=True)
        x = self.two(right)
        for refine in self.rounds:
            x = refine(x, self.mix)
        return self.out((x + context).mean(1))


def test_what_is_shared_is_one_module_under_both_names_as_a_person_writes_it() -> None:
    spec = netspec.loads(TOWERS)
    net, own = spec.build(), Towers()
    own.load_state_dict(net.state_dict())  # names and order of all of them
    assert list(own.state_dict()) == list(net.state_dict())
    assert [name for name, _ in net.named_parameters()] == [name for name, _ in own.named_parameters()]
    left, right, target = torch.randint(30, (4, 6)), torch.randint(30, (4, 9)), torch.randint(3, (4,))
    for each in (net, own):
        functional.cross_entropy(each(left, right), target).backward()
    assert torch.equal(net(left, right), own(left, right))
    others = dict(own.named_parameters())
    assert all(torch.equal(p.grad, others[name].grad) for name, p in net.named_parameters())  # type: ignore[arg-type]
    assert_source_formatted(spec.source())


def test_what_is_shared_counts_once_and_each_of_its_runs() -> None:
    spec = netspec.loads(TOWERS.replace("int T", "int 6").replace("int S", "int 9"))
    assert spec.graph.parameter_count == sum(p.numel() for p in Towers().parameters())
    towers = 6 * 2 * 12 * 5 + 9 * 2 * 12 * 7
    assert spec.graph.macs() == towers + 3 * 9 * 12 * 12 + 12 * 3  # mix by itself is not run
    rows = {row.path: row for row in summary(spec.graph).rows}
    assert (rows["mix"].parameters, rows["mix"].macs, rows["mix"].memory) == (156, 0, 0)
    assert (rows["rounds.1.again"].parameters, rows["rounds.1.again"].op) == (0, "use mix: Linear(12, 12)")
    assert not spec.warnings


@pytest.mark.parametrize(
    "layers",
    [
        "{a: linear 6, b: {c: relu, d: alias a, e: use(in) d}}",
        "{a: [linear 6, relu], b: {x: linear 6, y: use a, z: use(in) a.0}}",
        "{a: {p: linear 6, q: {r: use p, s: alias p}}, b: {t: use a, u: use a.p}}",
        "{m.0: linear 6, s: linear 6, n.1: {l: alias s, x: use(in) l, y: use m.0}}",
        "{s: linear 6, r: {repeat: 4, layers: {c$i: linear 6, d$i: {y: use s}}}}",
        "{s: linear 6, r: [[[use s]]], t: [linear 6, use s, relu, [use s, linear 6]]}",
        "{s: parameter 6, r: {w: alias s, y: linear(in) 6}, t: {w: alias s, y: linear 6}}",
        "{s: buffer 6, r: {w: alias s, y: linear(in) 6}}",
        "{s: linear 6, r: {y: use(in) s when training, z: linear(in) 6}}",
        "{q: {s: linear 6, r: {y: use(in) s, z: linear(in) 6}}, v: use(in) q}",
        "{self: linear 6, r: {y: use(in) self, class: alias self}}",
        "{s: linear 6, r: {s: linear 6, y: use(in) s}, t: {y: use r.s, s: alias r.s}}",
        "{s: linear 6, f: {t: alias s, f: {t: alias s, f: {t: alias t, u: use t}}}}",
        "{s: linear $d, a: b, c: b 3, d: [b x4], e: {s: linear $d, f: b}, g: use(in) e}",
        "[{s: linear $d}, [b, b 3, {x: {y: alias s}}], {z: alias s}]",
    ],
)
def test_it_is_printed_as_it_is_meant(layers: str) -> None:
    block = "b k=2: {x: linear $k, y: linear 6, z: use s, w: {g: use s, h: alias s}}"
    head = f"params: {{d: 6}}\nblocks: {{{block}}}\n" if "$d" in layers else ""
    spec = netspec.loads(f"input: 6\n{head}layers: {layers}\n")
    assert not disagreement(spec)
    assert_source_formatted(spec.source())


SCANNED = """\
netspec: 1
name: Net
inputs: {x: Tx6}
layers:
  first: linear 6
  begin: zeros Bx6
  rnn:
    scan: {over: first, carry: {h: begin}}
    layers: {both: add(first h), h: "use(both) first, tanh"}
  tail: {own: alias first, y: use(rnn) own}
"""


def test_an_exported_file_runs_what_is_shared_in_a_scan_too(tmp_path: Path) -> None:
    spec = netspec.loads(SCANNED)
    net = spec.build().eval()
    spec.export(tmp_path / "net.onnx", net)
    session = ort.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    x = torch.randn(2, 9, 6)
    (found,) = session.run(None, {"x": x.numpy()})
    np.testing.assert_allclose(found, net(x).detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("layers", "place", "said"),
    [
        ("{m.0: linear 6, m.1: {l: alias m.0}}", "2:25 order", "both are of the list m, which is made at once"),
        ("{m.0: linear 6, s: linear 6, m.1: {l: alias s}}", "2:38 order", "the list m has its place before it"),
        (
            "{s: linear 6, r: {t: alias s}}\norder: [r]",
            "2:23 order",
            "r registers s as well, and r is registered before it",
        ),
        ("{a: [linear 6, {b: use a}]}", "2:28 unknown-name", "there is no member 'a' before this"),
        ("{q: {s: linear 6, r: {y: use(in) s}}, v: use(in) q.r}", "2:50 use", "r also reads s"),
        ("{s: linear 6, r: {w: use s, y: linear 4, z: use s}}", "2:53 shape-mismatch", "z declares 6 inputs"),
    ],
)
def test_what_cannot_be_is_refused(layers: str, place: str, said: str) -> None:
    with pytest.raises(netspec.SpecError) as refused:
        netspec.loads(f"input: 6\nlayers: {layers}\n")
    problem = refused.value.problems[0]
    line = str(refused.value).splitlines()[0]
    assert said in problem.message, line
    assert f"{place.split()[0]}  error[{place.split()[1]}]" in line


def test_a_block_reaches_what_stands_around_each_of_its_uses() -> None:
    text = "input: 6\nblocks: {b: {z: use s}}\nlayers: {s: linear 6, p: {s: linear 6, q: b}, t: b}\n"
    spec = netspec.loads(text)
    assert not disagreement(spec)
    homes = [step.module.level.path for step in spec.graph.root.walk() if step.module is not None]
    assert homes == ["p", ""]


def test_a_member_that_would_hold_its_own_run_is_refused() -> None:
    text = "input: 6\nblocks: {b: [[relu, use e.0]]}\nlayers: {s: linear 6, e: b, f: b}\n"
    with pytest.raises(netspec.SpecError) as refused:
        netspec.loads(text)
    assert {problem.code for problem in refused.value.problems} <= {"unknown-name", "recursion"}
