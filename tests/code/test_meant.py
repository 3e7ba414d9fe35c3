"""The network that is printed is the one that was checked, whatever its blocks are called and given."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from torch import nn

import netspec
from netspec import SpecError, cli, loads
from netspec.graph.names import HELD, MODULE_ATTRIBUTES
from netspec.python import allowlist
from netspec.python.reserved import RESERVED
from netspec.runtime.network import build as module
from netspec.runtime.network.checked import NotAsChecked
from tests.code.campaign import fault
from tests.code.meaning import disagreement
from tests.code.wild import drawn

VECTORS = {
    "one name in two conditions": "b k: {a: fc 64, out: 'fc 64 when k > 4, fc 64 nobias when k == 1'} | b 5, b 1, b 2",
    "two conditions, one of a level": "b k: {o: {when: k > 4, layers: [fc 64]}, p: fc 64 when k == 1} | b 5, b 1, b 2",
    "parameters alike as identifiers": "b l l_: [fc $l, relu, fc $l_] | b 16 8, b 32 9",
    "a keyword beside its twin": "b if_ I I_: [fc $if_, fc $I, fc $I_] | b 16 8 3, b 32 9 4",
    "a power inside a text": "b k: ['fc 16 when k == \"2 ** 3\"', fc 9] | {b: {k: '2 ** 3'}}, b x",
    "a text that reads like a size": "b k: ['fc 16 when k == \"1 in.c\"', fc 9] | {b: {k: '1 in.c'}}, b x",
    "a counter over a parameter": "b i: [{repeat: 3, layers: [fc $(4 + i)]}] | b 5, b 7",
    "a counter over a parameter in a condition": "b i: [{repeat: 3, layers: [fc 5 when i > 1]}] | b 5, b 0",
    "a column over a parameter": "b k: [{repeat: [3, 4], as: k, layers: [fc $(k + 1)]}] | b 5, b 7",
    "a negative base": "b k n: [fc $(n ** k + 30)] | b 2 -3, b 3 -3",
    "a negative base in a condition": "b k n: [fc 9 when n ** k > 0, relu] | b 2 -3, b 3 -3",
    "a list beside a tuple": "b k: ['fc 8 when k == (3, 3)', fc 9] | {b: {k: [3, 3]}}, {b: {k: [3, 4]}}",
    "and in a name": "b k c: {x$(k and c and True): fc $k} | b 2 4, b 3 7",
    "or in a name": "b k: {x$(k or 7): fc 4, y: relu} | b 2, b 0",
    "true beside 1": "b k: {x$k: fc 4, y: fc 3 when k == 1} | b true, b 1",
    "an odd name with a condition": "b k: {my-act: relu when k > 1, out: fc $k} | b 2, b 1",
    "an odd member with a condition": "b k: {my-fc: fc 4 when k > 1, out: fc $k} | b 2, b 1",
    "blocks called none": "none k: {a: fc $k, b: add(prev a)}, None_ k: {a: fc $k} | none 2, None_ 3",
    "a block called true": "'true k': {a: fc $k, b: add(prev a)} | 'true 2', 'true 3'",
    "parameters called like functions": "b max int: ['fc $(max(max, int))', 'fc $(min(max, int))'] | b 2 3, b 5 4",
    "a parameter called layers": "b layers: [fc 8 when layers > 2, fc $layers] | b 2, b 3",
    "parameters called range and len": "b range len: [fc $range x3, fc $len] | b 2 3, b 3 4",
    "a parameter called like a class": "Cell k: {a: fc $k, b: add(a a)}, b Cell: [Cell 3, Cell $Cell] | b 3, b 4",
    "an alias called like a parameter": "b q k: {q: fc $k, z: add(q q), k: alias q} | b 3 4, b 5 6",
    "counted in a level": "b c: {o: {repeat: 3, layers: {$i: fc 3}}, p: relu when c > 1} | b 1, b 2",
    "counted with a dot": "b c: [{repeat: 3, layers: {o.$i: fc 3}}, relu when c > 1] | b 1, b 2",
    "counted by name": "b c: [{repeat: 3, layers: {o$i: fc 3}}, p: fc 9 when c > 1] | b 1, b 2",
    "a dot and a condition": "b f=false: {o.0: fc 6, o.1: add(in prev) when not f, c: fc 6} | b true, b false",
    "a parameter that goes nowhere": "b k: {p: parameter 3 when k > 1, q: relu when k > 7, r: fc 4} | b 1, b 2",
    "a kept value called like what holds it": "b keys: ['leaky_relu $keys', linear 3, softmax -1] | b 0.1, b 0.5",
}
"""Blocks, and behind the bar what uses them on a vector of 6."""


@pytest.mark.parametrize("given", VECTORS.values(), ids=list(VECTORS))
def test_what_the_checker_counts_is_what_is_built(given: str) -> None:
    blocks, _, layers = given.rpartition(" | ")
    assert disagreement(loads(f"input: 6\nblocks: {{{blocks}}}\nlayers: [{layers}]\n")) == ""


NETWORKS = {
    "members called like a container's own": "{x: {append: fc 8, keys: fc 9}, y: {insert: fc 9}, z: {pop: relu}}",
    "a container beside them": "{x: {items: [fc 8, relu], values: fc 4}, z.0: fc 3, z.1: relu}",
    "steps called like functions": "{len: fc 6, max: fc 6, sum: add(len max), list: add(sum in), min: fc(list) 3}",
    "a step called _": "{_: fc 4, c: concat(_ in), d: relu}",
    "a step called _ that is read later": "{_: fc 4, _-a: fc 3, c: concat(_ _-a in)}",
    "a buffer under two names": "{p: buffer 6, r: alias p, my-s: alias p, q: fc 6, z: add(q p)}",
    "a level that takes nothing": "{a: fc 4, b: {p: parameter 3, q: linear(p) 4}, c: add(a b)}",
    "a parameter under two names": "{p: parameter 6, q: fc 6, z: add(q p), r: alias p}",
}


@pytest.mark.parametrize("layers", NETWORKS.values(), ids=list(NETWORKS))
def test_any_name_is_printed_as_it_was_meant(layers: str) -> None:
    try:
        spec = loads(f"input: 6\nlayers: {layers}\n")
    except SpecError as refused:
        pytest.fail(str(refused))
    assert disagreement(spec) == ""


def test_a_step_with_an_alias_before_it_may_have_a_name_that_is_no_identifier_or_a_classes() -> None:
    block = "{layers: {my-c: fc 8, al: alias my-c, Cell: cell, be: alias Cell}, order: [al, be, my-c, Cell]}"
    spec = loads(f"input: 8\nblocks: {{cell: {{a: fc 3, b: add(a a)}}, b: {block}}}\nlayers: [b, b]\n")
    assert disagreement(spec) == ""


@pytest.mark.parametrize("text", ["1 in.c", "2 ** 3", "in .d", "a and b", "x**-1"])
def test_a_text_is_compared_as_it_stands(text: str) -> None:
    blocks = f"{{b k: [\"fc 16 when k == '{text}'\", fc 9]}}"
    spec = loads(f"input: 6\nblocks: {blocks}\nlayers: [{{b: {{k: '{text}'}}}}, b x]\n")
    assert spec.graph.parameters()["b1.0.weight"] == (16, 6)
    assert disagreement(spec) == ""


def test_a_table_that_some_uses_leave_out_keeps_its_own_numbers() -> None:
    blocks = "{b shift: {m: shift_mask 8x8 4 $shift when shift, c: conv 4 k1}}"
    assert disagreement(loads(f"input: 4x8x8\nblocks: {blocks}\nlayers: [b 0, b 2]\n")) == ""


@pytest.mark.parametrize("key", ["keys", "items", "forward", "training"])
def test_a_list_of_members_cannot_hold_what_it_calls_its_own(key: str) -> None:
    with pytest.raises(SpecError, match=f"{key!r} is a name of nn.ModuleDict's own.*\n.*\n.*\n.*Call it convs.{key}1"):
        loads(f"input: 8\nlayers: {{convs.{key}: fc 8}}\n")
    assert disagreement(loads(f"input: 8\nlayers: {{convs.{key}1: fc 8}}\n")) == ""


def test_the_names_of_containers_are_those_of_torch() -> None:
    own = {name for cls in (nn.Sequential, nn.ModuleList, nn.ModuleDict) for name in vars(cls)}
    assert {name for name in own if not name.startswith("_")} - MODULE_ATTRIBUTES == HELD


def test_no_variable_has_the_name_of_a_function_that_is_printed() -> None:
    assert RESERVED >= allowlist.BUILTINS


@pytest.mark.parametrize("odd", [False, True], ids=["ordinary names", "odd names"])
def test_a_random_spec_is_printed_as_it_was_checked(odd: bool) -> None:
    """`python -m tests.code.campaign` runs more of them."""
    found = [fault(drawn(seed, odd)) for seed in range(60)]
    assert [seed for seed, text in enumerate(found) if text] == []
    assert sum(text == "" for text in found) > 20


def test_a_network_that_differs_from_its_graph_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "input: 8\nlayers: {a: fc 4, b: bn, c: parameter 4, d: add(b c), e: buffer 4 init=arange}\n"
    source = loads(text).source()
    first = "super().__init__()"
    for line, other, told in (
        ("nn.Linear(8, 4)", "nn.Linear(8, 4, bias=False)", "the parameter a.bias is missing"),
        ("nn.BatchNorm1d(4)", "nn.BatchNorm1d(5)", "b.weight is 5, the graph has 4"),
        ("self.c = nn.Parameter(", "self.c2 = nn.Parameter(", "the parameter c is missing"),
        ("self.c = nn.Parameter(torch.zeros(4))", 'self.register_buffer("c", torch.zeros(4))', "c is no parameter"),
        ("torch.arange(4)", "torch.zeros(4)", "e holds torch.float32, the graph has int64"),
        (first, f"{first}\n        self.z = nn.PReLU()", "z.weight, 1, is not in the graph"),
        (first, f"{first}\n        self.b = nn.BatchNorm1d(4)", "a.weight stands in another place"),
    ):
        changed = source.replace(line, other)
        assert changed != source
        monkeypatch.setattr(netspec.Spec, "source", lambda _, text=changed: text)
        with pytest.raises(NotAsChecked, match=re.escape(told)):
            module.build(loads(text))


def test_a_fault_of_the_printer_ends_a_command_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "n.yaml"
    network = "name: N\ninput: 1x8x8\nlayers: [fc 10]\n"
    spec.write_text(f"{network}data: digits\ntrain: {{loss: cross_entropy, optimizer: sgd lr=0.1, epochs: 1}}\n")
    other = loads(network.replace("fc 10", "fc 10 nobias")).source()
    monkeypatch.setattr(netspec.Spec, "source", lambda _: other)
    with pytest.raises(SystemExit) as left:
        cli.main(["train", str(spec), "--run", str(tmp_path / "run")])
    assert left.value.code == 1
    assert "N as it was built is not as it was checked: the parameter fc1.bias is missing" in capsys.readouterr().err
