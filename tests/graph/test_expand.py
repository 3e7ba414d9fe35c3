"""From spec to graph: what is called how, what flows where, and what is refused."""

from __future__ import annotations

import re

import pytest

from netspec import SpecError, loads
from netspec.graph.model import Graph

IMAGE = "input: 3x8x8\n"


def graph(text: str) -> Graph:
    return loads(text if "input" in text else IMAGE + text).graph


def owners(text: str) -> list[str]:
    """The modules with parameters or buffers, by path, in order."""
    found = graph(text).parameters() | graph(text).buffers()
    return list(dict.fromkeys(name.rpartition(".")[0] for name in found))


def output(text: str) -> str:
    """The shape of the one output."""
    (tensor,) = graph(text).outputs.values()
    return str(tensor)


# --- names ----------------------------------------------------------------------------------------


def test_a_block_that_owns_nothing_stands_behind_an_owner_in_its_row() -> None:
    blocks = "blocks: {quick: 'mul 1.7, sigmoid, mul(in prev)', most k: clamp -$k $k, own: conv 4 k1}\n"
    spec = loads(
        IMAGE + blocks + "layers: {a: 'conv 4 k1, quick, most 2, quick', b: 'quick, most 3', c: 'most 1, conv 2 k1'}\n"
    )
    assert list(spec.graph.parameters()) == ["a.weight", "a.bias", "c.weight", "c.bias"]
    assert list(spec.build().state_dict()) == list(spec.graph.parameters())
    with pytest.raises(SpecError, match="2 pieces that own parameters: conv, own"):
        loads(IMAGE + blocks + "layers: {a: 'conv 4 k1, quick, own'}\n")


@pytest.mark.parametrize(
    ("layers", "names"),
    [
        ("[conv 4 k3, bn, relu, conv 5 k3, fc 2]", ["conv1", "bn1", "conv2", "fc1"]),
        ("conv 4 k3", ["conv1"]),
        ("[[conv 4 k3, relu, conv 4 k1], [bn]]", ["seq1.0", "seq1.2", "seq2.0"]),
        ("[head: [relu, fc 3], conv1: fc 4, fc 5]", ["head.1", "conv1", "fc1"]),
        ("[conv1: fc 4, fc 4]", ["conv1", "fc1"]),
        ("{a: 'conv 4 k3, relu', b: 'relu, conv 4 k1', c: {x: conv 3 k1, y: bn}}", ["a", "b", "c.x", "c.y"]),
        ("{a: [conv 3 k1, relu, [bn, conv 3 k1]]}", ["a.0", "a.2.0", "a.2.1"]),
        ("{a: {layers: [conv 3 k1, bn]}, b: {layers: {x: bn}}}", ["a.layers.0", "a.layers.1", "b.layers.x"]),
        ("{a: {when: true, layers: [conv 3 k1]}, b: {when: true, layers: {layers: [bn]}}}", ["a.0", "b.layers.0"]),
        (
            "{layers: [bn], a: {emb: bn, layers: {repeat: 2, layers: [bn]}}}",
            ["layers.0", "a.emb", "a.layers.0", "a.layers.1"],
        ),
        ("[{layers: [bn]}, {layers: bn, repeat: 1}]", ["layers.0", "bn1"]),
        ("{a: {layers: {emb: bn, layers: [bn]}}, b: {layers: {layers: [bn]}}}", ["a.emb", "a.layers.0", "b.layers.0"]),
        ("{a: {layers: {repeat: 2, layers: [bn]}}}", ["a.layers.0", "a.layers.1"]),
        ("[conv 3 k1 x3]", ["conv1", "conv2", "conv3"]),
        ("{a: [relu, conv 3 k1 x2, bn]}", ["a.1", "a.2", "a.3"]),
        ("{a: [relu x3, conv $(i+4) k1 x2]}", ["a.3", "a.4"]),
        ("[{layers: [conv 3 k1, bn], repeat: 2}]", ["conv1", "bn1", "conv2", "bn2"]),
        ("{a: [{repeat: 2, layers: [relu, conv 3 k1]}]}", ["a.1", "a.3"]),
        ("{a: {repeat: 2, layers: {c$(i+1): conv 3 k1}}}", ["a.c1", "a.c2"]),
        ("[{repeat: [4, 5], as: n, layers: [c$n: conv $n k1]}]", ["c4", "c5"]),
        ("[{repeat: [[4, x], [5, y]], as: [n, m], layers: [$m$i: conv $n k1]}]", ["x0", "y1"]),
        ("{a: {conv: {out_channels: 3, kernel_size: 1}}}", ["a"]),
        ("[Conv2d: {out_channels: 3, kernel_size: 1}, conv 3 k1]", ["conv1", "conv2"]),
        ("{self: conv 4 k1, '0': bn, class: bn, block1-0: fc 3}", ["self", "0", "class", "block1-0"]),
    ],
)
def test_names(layers: str, names: list[str]) -> None:
    assert owners(f"layers: {layers}") == names


BLOCKS = """
blocks:
  cell c k=1 act=relu:
    conv: conv $c k$k same
    act: $act
  join(x skip) c=$(in.c + 1):
    out: concat(x skip), conv $c k1
  two:
    outputs: {deep: b, flat: a}
    layers: {a: conv 4 k1, b: conv 5 k1}
  even c when=1: [conv $(2*c) k1]
"""


@pytest.mark.parametrize(
    ("layers", "names", "shape"),
    [
        ("[cell 4, cell 5 k3]", ["cell1.conv", "cell2.conv"], "B x 5 x 8 x 8"),
        ("[cell 4 act=gelu x2]", ["cell1.conv", "cell2.conv"], "B x 4 x 8 x 8"),
        ("[cell: {c: 7, k: 3}]", ["cell1.conv"], "B x 7 x 8 x 8"),
        ("{a: [cell $(i+2) x3]}", ["a.0.conv", "a.1.conv", "a.2.conv"], "B x 4 x 8 x 8"),
        ("{a: cell 4, b: join(a in)}", ["a.conv", "b.out"], "B x 5 x 8 x 8"),
        ("{a: cell 4, b: join(in prev) c=2}", ["a.conv", "b.out"], "B x 2 x 8 x 8"),
        ("{a: two, b: concat(a.flat a.deep a)}", ["a.a", "a.b"], "B x 14 x 8 x 8"),
        ("{a: 'cell 4, relu', b: add(a a)}", ["a.conv"], "B x 4 x 8 x 8"),
    ],
)
def test_blocks(layers: str, names: list[str], shape: str) -> None:
    assert owners(f"{BLOCKS}\nlayers: {layers}") == names
    assert output(f"{BLOCKS}\nlayers: {layers}") == shape


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ("[conv 4 k1, conv(in) 5 k1]", "B x 5 x 8 x 8"),
        ("{a: conv 4 k1, b: conv 5 k1, c: concat(a b in)}", "B x 12 x 8 x 8"),
        ("{a: conv 4 k1, b: 'relu, concat(prev a)'}", "B x 8 x 8 x 8"),
        ("{a: conv 4 k1, b: [conv(in) 5 k1, concat(prev a)]}", "B x 9 x 8 x 8"),
        ("{a: chunk 3 1, b: concat(a.0 a.2)}", "B x 2 x 8 x 8"),
        ("{d: {repeat: 3, layers: {c$i: conv 2 k1, out: concat(prev in)}}, e: concat(d.*)}", "B x 15 x 8 x 8"),
        ("[{repeat: 3, layers: {c: relu}}, concat(c.*)]", "B x 9 x 8 x 8"),
        ("[{repeat: 2, layers: {c$i: [conv(in) $(i+4) k1]}}]", "B x 5 x 8 x 8"),
        ("{a: [conv 4 k1], b: use(in) a, c: concat(a b)}", "B x 8 x 8 x 8"),
        ("{n: arange 8, a: add(in n)}", "B x 3 x 8 x 8"),
        ("{a: conv 4 k1, n: arange 8, b: relu}", "B x 4 x 8 x 8"),
        ("[conv 4 k1 when in.c == 3, conv 5 k1 when in.c == 4]", "B x 4 x 8 x 8"),
        ("[conv 4 k1, conv 5 k1 when prev.c == 4]", "B x 5 x 8 x 8"),
        ("[conv 4 k1 when false, relu when true]", "B x 3 x 8 x 8"),
        ("[{when: false, layers: [conv 4 k1]}, {when: in.h > 7, layers: [conv 5 k1]}]", "B x 5 x 8 x 8"),
        ("{a: {when: in.c > 3, layers: [conv 4 k1]}, b: conv(a) 5 k1}", "B x 5 x 8 x 8"),
        ("{a: conv 4 k1, b: {when: false, layers: [conv(in) 5 k1]}}", "B x 3 x 8 x 8"),
        ("[relu, conv 4 k1 x0]", "B x 3 x 8 x 8"),
        ("[relu when training, dropout 0.5 when not training]", "B x 3 x 8 x 8"),
        ("[fc 4->5]", None),
        ("[gap, fc 3->4->5 between=relu]", "B x 5"),
        ("[conv 4 k3 s2 same, conv $(2*prev.c) k1]", "B x 8 x 4 x 4"),
    ],
)
def test_what_flows(layers: str, shape: str | None) -> None:
    if shape is None:
        with pytest.raises(SpecError, match="declares 4"):
            graph(f"layers: {layers}")
    else:
        assert output(f"layers: {layers}") == shape


def test_an_inner_body_sees_the_names_around_it_nearest_first() -> None:
    text = "layers: {a: conv 4 k1, b: {a: conv 5 k1, c: relu(a)}, d: concat(a b)}"
    assert output(text) == "B x 9 x 8 x 8"
    with pytest.raises(SpecError, match="no value 'c'"):
        graph("layers: {b: {c: relu}, d: relu(c)}")


def test_a_block_sees_only_itself_and_the_params() -> None:
    text = "params: {n: 4}\nblocks: {b: {x: conv $n k1}, c: {x: relu(a)}}\nlayers: "
    assert output(text + "{a: b}") == "B x 4 x 8 x 8"
    with pytest.raises(SpecError, match="no value 'a'"):
        graph(text + "{a: b, d: c}")


def test_defaults_give_way_to_what_is_written() -> None:
    text = "defaults: {conv: nobias, fc: {bias: false}}\nlayers: [conv 4 k1, conv 4 k1 bias=true, gap, fc 2]"
    assert list(graph(text).parameters()) == ["conv1.weight", "conv2.weight", "conv2.bias", "fc1.weight"]


def test_order_restates_the_order_of_members() -> None:
    text = "layers: {c1: conv 3 k1, n1: bn, c2: conv 3 k1, last: {layers: {a: bn, b: conv 3 k1}, order: [b]}}\n"
    assert owners(text + "order: [last, c*]") == ["last.b", "last.a", "c1", "c2", "n1"]


def test_outputs_are_one_value_a_tuple_or_a_dict() -> None:
    text = "layers: {a: conv 4 k1, b: conv 5 k1}\noutputs: "
    assert list(graph(text + "a").outputs) == ["a"]
    assert list(graph(text + "[b, a]").outputs) == ["b", "a"]
    assert list(graph(text + "{x: a, y: b}").outputs) == ["x", "y"]


def test_aliases_ties_and_uses() -> None:
    text = "layers: {a: [fc 192], b: alias a.0, c: use a, d: linear 192}\ntie: {d.weight: a.0.weight}"
    found = graph(text)
    assert list(found.parameters()) == [
        "a.0.weight",
        "a.0.bias",
        "b.weight",
        "b.bias",
        "d.weight",
        "d.bias",
    ]
    assert found.ties == {"d.weight": "a.0.weight"}


def test_several_inputs_and_sizes_known_only_at_run_time() -> None:
    layers = "{a: embedding(ids) 10 6, b: 'conv(image) 4 k3, gap'}"
    text = f"inputs: {{image: 3x8x8, ids: int T}}\nlayers: {layers}\noutputs: [a, b]"
    assert [str(t) for t in graph(text).outputs.values()] == ["B x T x 6", "B x 4 x 1 x 1"]


# --- problems -------------------------------------------------------------------------------------


def problems(text: str) -> list[str]:
    """`line:column code` of every problem, in the order of the report."""
    with pytest.raises(SpecError) as caught:
        loads(text if text.startswith("input") else IMAGE + text)
    found = re.findall(r"^<spec>:(\d+):(\d+)  error\[([\w-]+)\]", str(caught.value), re.MULTILINE)
    return [f"{line}:{column} {code}" for line, column, code in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("layers: [cnov 4 k3, relu(x), fc 3 bais, relu]",
         ["2:10 unknown-op", "2:26 unknown-name", "2:35 unknown-argument"]),
        ("layers: [conv 4 k9, fc 3, fc 4, conv 3 k1]", ["2:17 shape-mismatch"]),
        ("layers: {a: conv 4 k9, b: fc(a) 3, c: add(a b)}", ["2:20 shape-mismatch"]),
        ("layers: {a: conv 4 k1, a$(1-1): relu, a0: relu, a: relu}", ["2:49 duplicate-key"]),
        ("layers: {a$(1-1): conv 4 k1, a0: conv 4 k1}", ["2:30 duplicate-name"]),
        ("layers: {a: 'conv 4 k1, bn'}", ["2:25 two-owners"]),
        ("layers: {a: conv 4 k1 x2}", ["2:13 two-owners"]),
        ("layers: {a.b.c: relu, in: relu, train: relu, $(1/0): relu}",
         ["2:10 name", "2:23 name", "2:33 name", "2:48 expression"]),
        ("layers: [relu, 3, null, true]", ["2:16 empty-step", "2:19 empty-step", "2:25 empty-step"]),
        ("layers: [fc 3, conv 4 k1]", ["2:16 rank"]),
        ("layers: [conv 4 k1 when training]", ["2:10 shape-mismatch"]),
        ("layers: {a: use b, b: relu, c: alias b}", ["2:13 unknown-name", "2:32 unknown-name"]),
        ("layers: {a: bn, b: [use c], c: {d: alias e}}", ["2:21 unknown-name", "2:36 unknown-name"]),
        ("layers: {a: {x: conv 3 k1, y: add(x in)}, b: use a}", ["2:46 use"]),
        ("layers: {a: bn, b: use(a a) a, c: use() a}", ["2:20 inputs", "2:35 inputs"]),
        ("layers: {a: 'relu(b)', c: bn, d: use a}", ["2:19 unknown-name"]),
        ("layers: {a: relu, c: bn, d: use a}", ["2:29 unknown-name"]),
        ("layers: [{two: {}}]\nblocks: {two(x y): [add(x y)]}", ["2:11 inputs"]),
        ("layers: [relu]\nblocks: {a(x x): [relu], b(x=y): [relu], c(x) x: [relu]}",
         ["3:14 header", "3:28 header", "3:44 header"]),
        ("layers: {a: {outputs: [], layers: relu}}", ["2:23 outputs"]),
        ("layers: [relu]\noutputs: [in, in]", ["3:10 twice"]),
        ("layers: [{repeat: 2, layers: {c: relu}}]\noutputs: {x: c.*}", ["3:14 outputs"]),
        ("layers: [alias conv1]", ["2:10 unknown-name"]),
        ("layers: [relu(in.c), relu(in.*)]", ["2:15 unknown-name", "2:27 unknown-name"]),
        ("layers: [add(in), relu(in in)]", ["2:10 inputs", "2:19 inputs"]),
        ("layers: [relu x-1, relu x2.5, relu x$(10**9)]", ["2:15 unknown-argument", "2:20 repeat", "2:31 repeat"]),
        ("layers: [{repeat: -1, layers: [relu]}, {repeat: x, layers: [relu]}]", ["2:19 repeat", "2:49 repeat"]),
        ("layers: [{repeat: [[1, 2], [3]], as: [a, b], layers: [relu]}]", ["2:28 repeat"]),
        ("layers: [{repeat: 2, as: [[1]], layers: [relu]}, {when: [1], layers: [relu]}]", ["2:26 repeat", "2:57 when"]),
        ("layers: [conv: {out_channels: [1], kernel_size: {a: 1}}]", ["2:31 bad-argument", "2:49 bad-argument"]),
        ("layers: {a: {conv: {out_channels: 3, kernel_size: 1, wrap: [1]}}}", ["2:60 bad-argument"]),
        ("layers: [conv 3 k1 wrap=weight_nrom, relu wrap=weight_norm]", ["2:20 bad-argument", "2:43 bad-argument"]),
        ("layers: [relu]\noutputs: [nope, relu1]", ["3:11 unknown-name"]),
        ("layers: [conv 4 k1]\ntie: {conv1.weight: conv1.bias, x: conv1.bias}",
         ["3:7 shape-mismatch", "3:33 unknown-name"]),
        ("layers: [conv 4 k1]\ninit: {conv: zeroes, linear: zeros}", ["3:14 unknown-initialiser"]),
        ("layers: [conv 4 k1]\ninit: {'*.nope': zeros}", ["3:8 init"]),
        ("layers: [conv 4 k1]\ninit: {'*.bias': xavier_uniform}", ["3:8 init"]),
        ("layers: [relu]\ndefaults: {nope: 3, conv: frob}", ["3:12 unknown-op", "3:27 unknown-argument"]),
        ("layers: [relu]\nparams: {a: $b}", ["3:14 expression"]),
        ("layers: [relu]\nblocks: {relu: [bn], b c c: [bn], 'd(': [bn]}",
         ["3:10 block-name", "3:26 header", "3:37 row"]),
        ("layers: []", ["2:9 empty"]),
        ("layers: [relu]\nlayrs: 3", ["3:1 unknown-section"]),
        ("layers: 3\nname: [x]", ["2:1 bad-section", "3:1 bad-section"]),
        ("input: 3\ninputs: {a: 3}\nlayers: [relu]", ["1:1 two-inputs"]),
        ("inputs: {}\nlayers: [relu]", ["1:1 no-input"]),
        ("inputs: {in: 3, a.b: 3, c: x, d: 0}\nlayers: [relu(c)]",
         ["1:10 name", "1:17 name", "1:28 input", "1:34 input"]),
        ("input: 3\nnetspec: 2\nlayers: [relu]", ["2:10 version"]),
    ],
)  # fmt: skip
def test_problems_come_at_once_sorted_and_without_a_cascade(text: str, expected: list[str]) -> None:
    assert problems(text) == expected


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("layers: [cnov 4 k3]", "Did you mean 'conv'? If a plugin adds it, name that: --plugin FILE.py"),
        ("layers: [conv 4 kernel=3]", "Did you mean 'kernel_size'?"),
        ("layers: {first: relu, b: relu(frist)}", "Did you mean 'first'?"),
        ("blocks: {residual c: [bn]}\nlayers: [residul 3]", "Did you mean 'residual'?"),
        ("blocks: {cell c=$(1+1) d=x e: [bn]}\nlayers: [cell 3]", "It is declared as: cell c=$(1+1) d=x e"),
        ("params: {width: 3}\nlayers: [conv $widht k1]", "Did you mean 'width'?"),
        ("layers: [relu]\noutput: relu1", "Did you mean 'outputs'?"),
        ("layers: [conv 3 k1]\ninit: {conv: kaiming_norml}", "Did you mean 'kaiming_normal'?"),
    ],
)
def test_hints_offer_the_nearest_word(text: str, hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        graph(text)
    assert [p.hint for p in caught.value.problems] == [hint]


def test_a_problem_in_a_block_shows_the_line_that_used_it() -> None:
    text = "input: 3x8x8\nblocks:\n  b c:\n    conv: conv $c k9\n  outer: [b 4]\nlayers:\n  - conv 3 k1, outer\n"
    with pytest.raises(SpecError) as caught:
        loads(text, name="net.yaml")
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("net.yaml:4:19  error[shape-mismatch]  conv has a window of 9")
    assert lines[1:3] == ["  4 |     conv: conv $c k9", "    |                   ^^"]
    assert lines[-2:] == [
        "  used at net.yaml:5:11: outer: [b 4]",
        "  used at net.yaml:7:16: - conv 3 k1, outer",
    ]


def test_one_fault_of_a_block_is_reported_once() -> None:
    assert problems("blocks:\n  b: [cnov 3]\nlayers: [b x5, b]") == ["3:7 unknown-op"]


def test_recursion_is_shown_in_few_lines() -> None:
    with pytest.raises(SpecError, match="used inside itself") as caught:
        graph("blocks:\n  a: [b]\n  b: [a]\nlayers: [a]")
    assert len(str(caught.value).splitlines()) < 9


def test_a_block_may_use_itself_where_a_condition_ends_it() -> None:
    text = "blocks:\n  tree n:\n    c: conv 3 k1\n    rest: {when: n > 1, layers: [tree $(n-1)]}\nlayers: [tree 3]"
    assert owners(text) == ["tree1.c", "tree1.rest.0.c", "tree1.rest.0.rest.0.c"]


@pytest.mark.parametrize(
    ("layers", "order"),
    [
        ("{b: linear 4, deep: linear 4 when false, a: linear 4}", "[deep, a]"),
        ("{b: linear 4, deep: {when: 1 > 2, layers: [linear 4]}, a: linear 4}", "['d*p', a]"),
        ("[{b: linear 4, a: linear 4}, {when: false, layers: {repeat: 2, layers: {h$i: linear 3}}}]", "[a]"),
        ("[{b: linear 4, a: linear 4}, {when: false, layers: {h$i: linear 3}}]", "[h1, a]"),
        ("[{b: linear 4, a: linear 4}, conv 3 when false]", "[conv1, a]"),
    ],
)
def test_an_order_takes_what_when_leaves_out_and_puts_last_what_it_does_not_name(layers: str, order: str) -> None:
    text = f"input: 8\nlayers: {layers}\norder: {order}\n"
    assert list(loads(text).graph.root.members) == ["a", "b"]
    with pytest.raises(SpecError, match="'c' matches no member"):
        loads(text.replace("order: [", "order: [c, "))


def test_a_message_has_the_shape_that_the_summary_has_where_the_batch_is_not_first() -> None:
    text = "input: Tx8\nlayers: {a: transpose 0 1, b: linear 9->3}\n"
    with pytest.raises(SpecError) as caught:
        loads(text)
    (problem,) = caught.value.problems
    assert problem.hint.startswith("a gives T x B x 8. ")
    with pytest.raises(SpecError, match="its input is T x B x 8"):
        loads(text.replace("linear 9->3", "conv2d 3 k1"))


@pytest.mark.parametrize(
    ("layers", "order", "wanted"),
    [
        ("{a: fc 8 when k > 1, c: fc 7}", "[c, a]", "b1.c b2.c b2.a"),
        ("[{when: k > 1, layers: {a: fc 8, e$k: fc 9}}, {c: fc 7}]", "[c, e*, a]", "b1.c b2.c b2.e2 b2.a"),
        ("[{repeat: $(k - 1), layers: {a$i: fc 8}}, {c: fc 7}, {d: fc 3}]", "[c, a0]", "b1.c b1.d b2.c b2.a0 b2.d"),
    ],
)
def test_order_may_name_what_some_uses_leave_out(layers: str, order: str, wanted: str) -> None:
    blocks = f"{{b k: {{layers: {layers}, order: {order}}}}}"
    graph = loads(f"input: 8\nblocks: {blocks}\nlayers: [b 1, b 2]\n").graph
    assert [name.removesuffix(".weight") for name in graph.parameters() if name.endswith("weight")] == wanted.split()


def test_order_names_nothing_that_is_nowhere() -> None:
    with pytest.raises(SpecError, match="'f' matches no member"):
        loads("input: 8\nlayers: {a: fc 8 when false, c: fc 7}\norder: [c, a, f]\n")


@pytest.mark.parametrize("first", ["p: parameter 8", "p: fc 8", "p: relu", "p.0: fc 8"])
def test_an_alias_has_a_name_of_its_own(first: str) -> None:
    with pytest.raises(SpecError, match=r"p is (defined twice|a member and a list of members)"):
        loads(f"input: 8\nlayers: [{{{first}}}, {{q: fc 8}}, {{p: alias q}}]\n")
    assert len(loads(f"input: 8\nlayers: [{{{first}}}, {{q: fc 8}}, {{p2: alias q}}]\n").graph.root.aliases) == 1


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ("[a, a]", "'a' has no effect: 'a' before it stands for all that it matches"),
        ("['*', b]", r"'b' has no effect: '\*' before it"),
        ("[a, b, c, '*']", r"'\*' has no effect: 'a', 'b' and 'c' before it"),
        ("['a*', '[a]']", r"'\[a\]' has no effect"),
        ("['?', c, a]", "'c' has no effect"),
    ],
)
def test_an_order_has_no_pattern_without_effect(order: str, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        loads(f"input: 8\nlayers: {{a: fc 8, b: fc 7, c: fc 6}}\norder: {order}\n")


@pytest.mark.parametrize("order", ["[c, '*']", "[b, 'd*', '*']", "['c', 'd1', 'd*', a]"])
def test_a_pattern_for_what_is_left_has_an_effect(order: str) -> None:
    loads(f"input: 8\nlayers: {{a: fc 8, b: fc 7, c: fc 6, d1: fc 3, d2: fc 3 when false}}\norder: {order}\n")
