"""Numbers of a graph with the expressions that they came from."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

import netspec
from netspec.graph.expand import expand
from netspec.graph.model import Graph, Step
from netspec.graph.symbols import Traced, node_of
from tests.code.wild import drawn

SPECS = sorted((Path(__file__).parent.parent.parent / "specs").glob("*.yaml"))


def traced(text: str) -> dict[str, Step]:
    graph, problems = expand(netspec.loads(text).document, traced=True)
    assert not problems
    return {step.path: step for step in graph.root.walk()}


def said(value: Any) -> str:
    return ast.unparse(node_of(value))


def told(graph: Graph) -> list[Any]:
    """All that a graph says of its steps."""
    return [
        (step.path, repr(step.op), str(step.value.tensor), step.member, step.written, step.left_out, step.parameters())
        for step in graph.root.walk()
    ]


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_the_traced_graph_is_the_graph(path: Path) -> None:
    spec = netspec.load(path)
    graph, _ = expand(spec.document, traced=True)
    assert told(graph) == told(spec.graph)
    assert graph.macs() == spec.graph.macs()
    assert (graph.ties, graph.init) == (spec.graph.ties, spec.graph.init)


@pytest.mark.parametrize("seed", range(40))
def test_the_traced_graph_of_drawn_specs_is_the_graph(seed: int) -> None:
    try:
        spec = netspec.loads(drawn(seed, odd=True))
    except netspec.SpecError:
        return
    assert told(expand(spec.document, traced=True)[0]) == told(spec.graph)


def test_the_plain_graph_has_plain_numbers() -> None:
    spec = netspec.loads("input: 3x8x8\nparams: {w: 4}\nblocks: {b c: [conv $c k3, bn]}\nlayers: [b $w]\n")
    numbers = [value for step in spec.graph.root.walk() if step.op for value in vars(step.op).values()]
    assert not any(isinstance(number, Traced) for number in numbers)


def test_sizes_of_the_input_and_parameters_of_the_block_are_symbols_in_it() -> None:
    steps = traced("input: 3x8x8\nblocks: {b c: {conv: conv $(2*c) k3, bn: bn}}\nlayers: {one: b 4}\n")
    assert said(steps["one.conv"].op.in_channels) == "0.1"  # type: ignore[union-attr]
    assert said(steps["one.conv"].op.out_channels) == "2 * c"  # type: ignore[union-attr]
    assert said(steps["one.bn"].op.num_features) == "2 * c"  # type: ignore[union-attr]


def test_what_a_block_gives_is_said_over_what_is_around_it() -> None:
    text = "input: 3x8x8\nparams: {w: 4}\nblocks: {b c: {conv: conv $(2*c) k3}}\nlayers: {one: b $(w+1), bn: bn}\n"
    steps = traced(text)
    assert said(steps["bn"].op.num_features) == "2 * ($w + 1)"  # type: ignore[union-attr]
    assert {name: ast.unparse(node) for name, node in steps["one"].body.bound.items()} == {  # type: ignore[union-attr]
        "0.1": "3",
        "0.2": "8",
        "0.3": "8",
        "c": "$w + 1",
    }


def test_same_padding_is_an_expression_of_the_kernel() -> None:
    steps = traced("input: 3x8x8\nblocks: {b k d=1: {conv: conv 4 k$k d$d same}}\nlayers: {one: b 5}\n")
    assert said(steps["one.conv"].op.padding) == "d * (k - 1) // 2"  # type: ignore[union-attr]


def test_a_convolution_that_keeps_a_size_keeps_its_symbol() -> None:
    steps = traced("input: 3x8x8\nblocks: {b: {c: conv 4 k3 same, p: pool 2, s: select -1 0}}\nlayers: {one: b}\n")
    assert said(steps["one.c"].value.tensor.shape[2]) == "0.2"  # type: ignore[union-attr]
    assert said(steps["one.p"].value.tensor.shape[2]) == "0.2 // 2"  # type: ignore[union-attr]


def test_conditions_choices_and_names_keep_what_they_ask() -> None:
    steps = traced(
        """
        input: 3x8x8
        blocks:
          b c act=relu wide=true:
            conv$(c+1): conv $(c if wide else 2) k3 same
            skip: {when: c != in.c, layers: ["conv(in) $c k1"]}
            act: $act
        layers: {one: b 4}
        """
    )
    step = steps["one.conv5"]
    assert ast.unparse(step.origins["out_channels"]) == "c if wide else 2"
    assert said(step.value.tensor.shape[1]) == "c if wide else 2"  # type: ignore[union-attr]
    assert [part if isinstance(part, str) else ast.unparse(part) for part in step.spelling] == ["conv", "c + 1", ""]
    assert ast.unparse(steps["one.skip"].guard.origin) == "c != 0.1"  # type: ignore[arg-type,union-attr]
    assert ast.unparse(steps["one.act"].origins[""]) == "act"


def test_defaults_that_are_computed_are_formulas() -> None:
    steps = traced(
        """
        input: 3
        blocks: {b c h=$(2*c) n=7: {l: linear $h, m: linear $n}}
        layers: {one: b 4, two: b 4 9}
        """
    )
    assert said(steps["one.l"].op.out_features) == "2 * c"  # type: ignore[union-attr]
    assert said(steps["two.l"].op.out_features) == "h"  # type: ignore[union-attr]
    assert said(steps["one.m"].op.out_features) == "n"  # type: ignore[union-attr]


def test_computed_params_and_entries_of_lists_are_said_over_what_is_given() -> None:
    steps = traced(
        """
        input: 3
        params:
          w: [4, 5]
          d: $(w[0] * 2)
        layers: {a: linear $d, b: {repeat: $w, as: n, layers: {$i: linear $n}}}
        """
    )
    assert said(steps["a"].op.out_features) == "$w[0] * 2"  # type: ignore[union-attr]
    assert said(steps["b.1"].op.out_features) == "$w[#1:1]"  # type: ignore[union-attr]
    assert said(steps["b.1"].op.in_features) == "$w[#1:0]"  # type: ignore[union-attr]


def test_what_is_multiplied_and_divided_again_is_what_it_was() -> None:
    steps = traced(
        """
        input: 8x6x6
        params: {d: 12, heads: 2, kept: 4}
        blocks:
          parted c radix=2: [conv $(c * radix) k1 g$radix, unflatten 1 $(radix)x-1, sum 1]
          heads: [flatten 2, transpose 1 2, linear $(3 * d), unflatten -1 $(heads)x-1, chunk 3 -1, flatten 2]
        layers:
          a: parted 8
          b: heads
          kept: slice -1 0 $kept
          last: slice(b) 2 $(d - 2)
          places: arange $(kept + 1) start=1
        outputs: [last, places]
        """
    )
    wanted = {"a.2": (1, "c"), "b.5": (2, "$d"), "kept": (2, "$kept"), "last": (2, "2"), "places": (0, "$kept")}
    tensors = {path: steps[path].value.tensor for path in wanted}
    assert {path: (at, said(t.shape[at])) for path, (at, _) in wanted.items() if (t := tensors[path])} == wanted


def test_a_sum_of_whole_numbers_has_no_brackets_and_each_part_once() -> None:
    steps = traced(
        """
        input: Tx10
        params: {c: 4, d: 6}
        layers:
          a: linear(in) $c
          b: linear(in) $d
          twice: concat(b a) dim=-1
          sum: concat(a twice a) dim=-1
          begin: slice(sum) -1 0 $d
          end: slice(sum) -1 $d
          again: concat(begin end) dim=-1
        outputs: [again]
        """
    )
    wanted = {"twice": "$d + $c", "sum": "3 * $c + $d", "end": "3 * $c", "again": "$d + 3 * $c"}
    found = {path: said(steps[path].value.tensor.shape[2]) for path in wanted}  # type: ignore[union-attr]
    assert found == wanted
