"""Specs drawn at random: any words, names and levels together, of which about half make a network."""

from __future__ import annotations

from os import environ
from typing import Any, Final

from hypothesis import strategies as st

MORE: Final = int(environ.get("NETSPEC_TEST_MORE", "1"))
"""How many times as many cases the longest tests draw."""

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
        "layers",
        "repeat",
        "as",
        "when",
        "order",
        "chain",
        "inputs",
        "LayerNorm",
        "dropout",
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


def _document(layers: Any, block: Any) -> dict[str, Any]:
    blocks = {**BLOCKS, **({"own": block} if block else {})}
    if block and isinstance(layers, list):
        layers = [*layers, "own", "relu", "own"]
    return {"input": "3x8x8", "blocks": blocks, "layers": layers}


documents = st.builds(
    _document,
    st.one_of(
        st.lists(BODIES, min_size=1, max_size=4),
        st.dictionaries(NAMES, BODIES, min_size=1, max_size=5),
        st.fixed_dictionaries({"a": BODIES, "b": BODIES, "c": BODIES}),
    ),
    st.one_of(st.none(), BODIES),
)
"""Whole specs."""
