"""Networks drawn at random: what the graph promises is what the printed module has and gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import yaml
from hypothesis import assume, given, settings

from netspec import Spec, SpecError, loads
from netspec.dims import substitute
from netspec.runtime.network.printed import module_class
from tests.code.style import assert_source_formatted
from tests.drawn import BLOCKS, MORE, documents


def agree(spec: Spec) -> None:
    """The printed module registers the graph's tensors, in order, gives its shapes, and is formatted."""
    source = spec.source()
    assert_source_formatted(source)
    with torch.device("meta"):
        net = module_class(source, spec.name)().eval()
        given = net(torch.zeros(2, 3, 8, 8))
    said = {**spec.graph.parameters(), **spec.graph.buffers()}
    state = {name: tuple(t.shape) for name, t in net.state_dict().items()}
    assert state == said, source
    assert [name for name in state if name in spec.graph.parameters()] == list(spec.graph.parameters()), source
    outputs = list(given.values()) if isinstance(given, dict) else [given] if isinstance(given, torch.Tensor) else given
    wanted = [tuple(substitute(s, {"B": 2}) for s in t.shape) for t in spec.graph.outputs.values()]
    assert [tuple(t.shape) for t in outputs] == wanted, source


@given(documents)
@settings(max_examples=80 * MORE)
@pytest.mark.filterwarnings("error")
def test_any_network_that_is_accepted_is_printed_as_promised(document: dict[str, Any]) -> None:
    try:
        spec = loads(yaml.safe_dump(document, sort_keys=False))
    except SpecError:
        assume(False)
    agree(spec)


@pytest.mark.parametrize(
    "layers",
    [
        "[cell 3, relu]",
        "[cell 3 x3, cell 4]",
        "[late, late]",
        "[shift, conv 4 k1, shift]",
        "{a: [conv 3 k1, relu], b: use a.0, c: use a}",
        "{a: {x: conv 3 k1, y: bn}, b: use a.x, c: alias a.x}",
        "{a: {self: conv 3 k1}, b: use a.self}",
        "{a: [conv 3 k1], b: alias a.0, c: use b}",
        "{a: conv 3 k1, b: alias a, c: alias b}",
        "{a: [[conv 3 k1, bn]], c: alias a.0, d: alias a.0.1}",
        "{a: pair, b: use(in) a, c: concat(a.flat b.flat b)}",
        "{a: pair, b: use(in) a, c: add(a.flat b.flat)}",
        "{a: {layers: {x: conv 4 k1, y: conv 2 k1}, outputs: {p: x, q: y}}, b: use(in) a, c: concat(b.q a.q)}",
        "{a: {layers: {x: conv 4 k1, y: conv 2 k1}, outputs: [x, y]}, b: concat(a prev)}",
        "{a: conv 3 k1, b: use a when in.c > 3, c: use a when training}",
        "{a-0: parameter 3x1x1, b-1: buffer 3x1x1, c: add(in a-0), d: add(prev b-1)}",
        "{p: parameter 3x1x1, c: [add(prev p), conv 3 k1]}",
        "{d: {repeat: 3, layers: {c$i: conv(in) 2 k1}}, e: {concat: {inputs: [d.*]}}}\noutputs: [e, d.*]",
        "{a: {repeat: 0, layers: [conv 3 k1]}, b: [relu when false], c: {when: false, layers: [conv 3 k1]}}",
        "{rep: {repeat: 3, layers: {conv.$i: conv 4 k1, bn.$i: 'bn, relu', y: concat(conv.$i in)}}, out: conv 1 k1}",
        "{a.0: conv 3 k1, b.x: bn, a.1: cell 4, b.y: bn, c: concat(a.* b.*), d: use(in) a.0}",
        "{x.0: conv 3 k1, x.1: conv 3 k1, x.2: conv 3 k1, y-0.0: relu, y-0.self: relu}",
        "[listed, listed, relu]",
        "[padded 1 3, padded 2 5]",
        "[gated false, gated true, gated true]",
        "[inner false, inner true, inner true]",
        "[mixed c=4, mixed c=3 k=1 s=2]",
        "{e: {repeat: 3, layers: {$i: [conv(in) 2 k1, relu]}}, o: concat(e.*)}",
        "{e: [cell 4, concat(prev in), conv 3 k1, relu], u: use(in) e}",
        "{e.0: conv 3 k1, e.1: [bn, conv 3 k1], a: alias e.1, b: alias e.1.1}\norder: [a, b, e.*]",
        "[relu]\noutputs: {a: in, b: relu1, c: in}",
        "[{cell: {c: 4}}, {when: false, layers: ['relu()']}]",
        "{a: {repeat: 2, layers: [cell 4, [join(prev in) 3]]}, b: [cell 4, [join(prev in) 3]]}",
    ],
)
def test_corners_are_printed_as_promised(layers: str) -> None:
    blocks = yaml.safe_dump(BLOCKS, default_flow_style=True, sort_keys=False)
    agree(loads(f"input: 3x8x8\nblocks: {blocks}layers: {layers}\n"))
