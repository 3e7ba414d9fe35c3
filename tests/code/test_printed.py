"""Networks drawn at random: what the graph promises is what the printed module has and gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from netspec import Spec, SpecError, loads
from netspec.dims import substitute
from netspec.runtime.module import module_class
from tests.code.style import assert_source_formatted


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


ROWS = st.sampled_from(
    [
        "relu",
        "conv 4 k3 same",
        "conv 3 k1 nobias",
        "bn",
        "add(prev in)",
        "concat(prev in)",
        "concat(in a prev)",
        "add(a b)",
        "mul(prev) 2",
        "cell 4",
        "cell 3 k1",
        "listed",
        "named p",
        "named q 4",
        "cell $(prev.c) s2",
        "pair",
        "join(prev in)",
        "join(in a) 3",
        "relu(a)",
        "conv(a) 3 k1",
        "dropout 0.5 when training",
        "relu when prev.c > 3",
        "conv 5 k1 when in.c == 3",
        "conv $(i+1) k1",
        "use(in) a",
        "pool 2",
        "conv 3 k1, relu",
        "cell 3, relu",
        "bn, add(prev in)",
        "chunk 3 1, add(prev.0 prev.2)",
        "concat(a.*)",
        "relu x2",
        "conv 3 k1 x2",
        "concat(prev.flat prev)",
        "concat(e.* in)",
        "use e.0",
        "gated $(i > 0) x3",
        "inner $(i > 0) x3",
        "mixed c=4",
        "mixed c=3 k=1 s=2",
    ]
)
NAMES = st.sampled_from(
    [
        "a",
        "b",
        "c",
        "d$i",
        "x",
        "self",
        "0",
        "class",
        "in-1",
        "conv1",
        "relu",
        "F",
        "torch",
        "e.0",
        "e.$i",
        "e.x",
        "0.self",
    ]
)
WHEN = st.sampled_from([True, False, "in.c > 3", "prev.c == 3"])


def _longer(body: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(body, min_size=1, max_size=4),
        st.dictionaries(NAMES, body, min_size=1, max_size=4),
        st.fixed_dictionaries({"layers": body}, optional={"repeat": st.integers(0, 3), "when": WHEN}),
        st.fixed_dictionaries({"layers": body, "repeat": st.just([3, 4])}, optional={"as": st.just("n")}),
    )


BODIES = st.recursive(ROWS, _longer, max_leaves=7)
BLOCKS = {
    "cell c k=3 s=1": {
        "conv": "conv $c k$k s$s same nobias",
        "bn": "bn, relu",
        "short": {"when": "s != 1 or in.c != c", "layers": ["conv(in) $c k1 s$s", "bn"]},
        "out": "add(bn short)",
    },
    "pair": {"outputs": {"deep": "b", "flat": "a"}, "layers": {"a": "conv 4 k1", "b": "conv 5 k1"}},
    "shift": {
        "b": "buffer 3x1x1 when in.c == 3",
        "a-0": "parameter 3x1x1 when in.c == 3",
        "c": "add(in b) when in.c == 3",
    },
    "listed": {"conv.a": "conv 3 k1", "b": "bn", "conv.b": "cell 3", "out": "add(conv.a conv.b)"},
    "named n c=3": {"x$(n)a": "conv $c k1", "b$n": "bn, relu", "out": "add(x$(n)a in) when in.c == c"},
    "padded n m": {"p": "pad $n $m 0 0", "c": "conv 4 k3 same"},
    "late": ["concat(prev in)", "bn", "conv 5 k1 when in.c == 3"],
    "excite": {"conv": "conv $(in.c) k1", "act": "relu"},
    "gated use": ["excite when use", "relu", "conv $(in.c + 1) k1"],
    "inner use": {
        "more": {"when": "use", "layers": {"conv": "conv(in) $(in.c) k1", "out": "add(conv in)"}},
        "last": "conv $(in.c + 1) k1",
    },
    "mixed k=3 c s=1": "conv $c k$k s$s same",
    "join(x skip) c=$(in.c + 1)": {"out": "concat(x skip), conv $c k1"},
}


@given(
    st.one_of(
        st.lists(BODIES, min_size=1, max_size=4),
        st.dictionaries(NAMES, BODIES, min_size=1, max_size=5),
        st.fixed_dictionaries({"a": BODIES, "b": BODIES, "c": BODIES}),
    ),
    st.one_of(st.none(), BODIES),
)
@settings(max_examples=250, deadline=None)
@pytest.mark.filterwarnings("error")
def test_any_network_that_is_accepted_is_printed_as_promised(layers: Any, block: Any) -> None:
    blocks = {**BLOCKS, **({"own": block} if block else {})}
    if block and isinstance(layers, list):
        layers = [*layers, "own", "relu", "own"]
    document = {"input": "3x8x8", "blocks": blocks, "layers": layers}
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
