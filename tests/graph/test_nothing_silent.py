"""Nothing that a spec says is passed over: what cannot be done is said, with its place."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import netspec
from netspec.dims import Size, substitute
from netspec.emit.torch import ADAPTERS, helpers
from netspec.emit.torch import HELPERS as WRITTEN
from netspec.graph.names import MODULE_ATTRIBUTES
from netspec.graph.rows import untorn
from netspec.python.reserved import HELPERS
from netspec.text.report import SpecError
from netspec.views import table
from netspec.vocabulary import OPERATIONS

HEAD = "netspec: 1\ninput: 4\n"


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("layers: [{when: false, layers: [convv 4]}, relu]\n", "unknown-op", "3:33"),
        ("layers: [{repeat: 0, layers: [relu, convv 4]}, relu]\n", "unknown-op", "3:37"),
        ("layers: ['relu, convv 4 when false']\n", "unknown-op", "3:17"),
        ("layers: [relu, {chain: [relu, {convv: {out_channels: 3}, when: false}]}]\n", "unknown-op", "3:32"),
        ("layers: [{repeat: 0, layers: ['']}, relu]\n", "row", "3:31"),
        ("layers: [{repeat: 0, layers: [conv(]}, relu]\n", "row", "3:35"),
        ("layers: {a: {repeat: 0, layers: {b: ''}}, c: relu}\ninit: {conv: zeros}\n", "row", "3:37"),
        ("name: Le Net\nlayers: [fc 2]\n", "name", "3:7"),
        ("name: class\nlayers: [fc 2]\n", "name", "3:7"),
        ("name: nn\nlayers: [fc 2]\n", "name", "3:7"),
        ("name: attend\nlayers: [fc 2]\n", "name", "3:7"),
        ("order: [zzz]\nlayers: {a: fc 2}\n", "order", "3:9"),
        ("layers: {a: {order: x, layers: [fc 2]}}\n", "order", "3:21"),
        ("layers: [{order: [a], layers: [fc 2]}]\n", "group", "3:11"),
        ("layers: [{outputs: [a], layers: [fc 2]}]\n", "group", "3:11"),
        ("layers: [{as: c, layers: [fc 2]}]\n", "repeat", "3:11"),
        ("layers: {a: {as: c, layers: [fc 2]}}\n", "repeat", "3:14"),
        ("layers: ['fc 4->5 between=relu']\n", "between", "3:19"),
        ("layers: ['fc 4->5->6 between=3']\n", "between", "3:22"),
        ("weights: {lod: x}\nlayers: [fc 2]\n", "unknown-key", "3:11"),
        ("weights: {load: 3}\nlayers: [fc 2]\n", "bad-value", "3:17"),
        ("weights: {load: ''}\nlayers: [fc 2]\n", "bad-value", "3:17"),
        ('weights: {load: "a\\0b"}\nlayers: [fc 2]\n', "bad-value", "3:17"),
        ("weights: {load: null}\nlayers: [fc 2]\n", "bad-value", "3:17"),
        ("init: {a: {'*': ones}}\nlayers: {a: fc 2}\n", "init", "3:8"),
        ("weights: {freeze: [zz]}\nlayers: [fc 2]\n", "unknown-name", "3:20"),
        ("tie: {a.weight: b.weight, b.weight: a.weight}\nlayers: {a: fc 4, b: fc 4}\n", "tie", "3:7"),
        ("defaults: {linear: 'nobias, relu'}\nlayers: [fc 4]\n", "row", "3:20"),
        ("extends: base.yaml\nlayers: [fc 4]\n", "extends", "3:10"),
        ("blocks: {b: [lineer 3]}\nlayers: [fc 4]\n", "unknown-op", "3:14"),
        ("layers: [{when: training, layers: [fc 4]}]\n", "when", "3:17"),
    ],
)
def test_what_cannot_be_done_is_said(text: str, code: str, place: str) -> None:
    with pytest.raises(SpecError) as caught:
        netspec.loads(HEAD + text)
    assert caught.value.problems[0].code == code
    assert str(caught.value).startswith(f"<spec>:{place} ")


@pytest.mark.parametrize(
    "layers",
    ["{a: linear 4 when training}", "{a: 'b when training'}", "{a: {when: training, layers: [linear 4, relu]}}",
     "{a: {Linear: {out_features: 4}, when: training}}", "['linear 4 when training']"],
)  # fmt: skip
def test_whatever_runs_only_in_training_passes_its_input_on_otherwise(layers: str) -> None:
    net = netspec.loads(f"{HEAD}blocks: {{b: [linear 4]}}\nlayers: {layers}\n").build()
    x = torch.randn(2, 4)
    assert torch.equal(net.eval()(x), x)
    assert not torch.equal(net.train()(x), x)


def test_using_a_member_again_only_in_training() -> None:
    net = netspec.loads(f"{HEAD}layers: {{a: linear 4, b: use(prev) a when not training}}\n").build()
    assert isinstance(net.a, nn.Module)
    x = torch.randn(2, 4)
    assert torch.equal(net.eval()(x), net.a(net.a(x)))
    assert torch.equal(net.train()(x), net.a(x))


def test_a_step_with_several_values_cannot_be_skipped() -> None:
    with pytest.raises(SpecError, match="several values"):
        netspec.loads("netspec: 1\ninput: Tx4\nlayers: {a: lstm 4 batch_first when training}\n")


def test_a_chain_of_ties_is_one_tensor() -> None:
    tie = "tie: {a.weight: b.weight, b.weight: c.weight}\n"
    spec = netspec.loads(f"{HEAD}{tie}layers: {{a: linear 4 nobias, b: linear 4 nobias, c: linear 4 nobias}}\n")
    assert len(list(spec.build().parameters())) == 1
    assert spec.graph.parameter_count == 16


def test_frozen_weights_have_no_gradient() -> None:
    net = netspec.loads(f"{HEAD}weights: {{freeze: [a]}}\nlayers: {{a: linear 4, b: linear 2}}\n").build()
    assert [name for name, p in net.named_parameters() if p.requires_grad] == ["b.weight", "b.bias"]


def test_reserved_names_are_those_of_the_installed_torch() -> None:
    own = {name for name in dir(nn.Module()) if not name.startswith("__")}
    assert own <= MODULE_ATTRIBUTES


def test_reserved_helpers_are_those_that_operations_print() -> None:
    called = {name for cls in OPERATIONS.classes() for name in helpers(cls)}
    assert called | {*ADAPTERS.values()} == WRITTEN.keys() == HELPERS


def test_a_block_has_no_condition_of_its_own() -> None:
    with pytest.raises(SpecError, match="the row that uses it"):
        netspec.loads(f"{HEAD}blocks:\n  b: {{when: true, layers: [fc 2]}}\nlayers: [b]\n")


@pytest.mark.parametrize("row", ["arange T", "zeros 2xT", "causal T"])
def test_a_size_that_no_input_has_is_refused(row: str) -> None:
    """Only the inputs could tell it at run time."""
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads(f"netspec: 1\ninput: 4\nlayers:\n  y: {row}\noutputs: y\n")
    assert "T" in caught.value.problems[0].message


def test_a_parameter_that_nothing_uses_is_told() -> None:
    text = "input: 8\nparams: {width: 4, depth: 2, both: $(depth + 1)}\nlayers: [fc $width, relu x$both]\n"
    assert not netspec.loads(text).warnings
    (problem,) = netspec.loads(text, ["params.widht=5"]).warnings
    assert (problem.code, problem.message) == ("unused-param", "nothing uses the parameter widht")
    assert problem.hint == "Did you mean 'width'?"


def test_a_counter_with_a_name_leaves_the_outer_one_alone() -> None:
    inner = "{repeat: 2, as: j, layers: ['conv $(10*(i+1)+j) k1']}"
    graph = netspec.loads(f"input: 3x8x8\nlayers: [{{repeat: 2, layers: [{inner}]}}]\n").graph
    assert [shape[0] for name, shape in graph.parameters().items() if name.endswith("weight")] == [10, 11, 20, 21]


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        ("input: Tx8\nlayers: [slice 1 $(1 - in.t)]", "x[:, 1 - x.shape[1] :]"),
        ("input: Tx8\nlayers: [slice 1 $(-(in.t // 2))]", "x[:, -(x.shape[1] // 2) :]"),
        ("input: 3xHxW\nlayers: [reshape B 3 $(in.h * in.w - 2*in.h + 2*in.h)]", "x.shape[2] * x.shape[3]"),
    ],
)
def test_sizes_read_as_a_person_would_write_them(rest: str, code: str) -> None:
    assert code in netspec.loads(f"{rest}\n").source()


def test_uses_with_other_sizes_read_them_alike() -> None:
    rows = "c: interpolate $(in.h * 2)x$(in.w * 2), d: interpolate $(in.h * 4)x$(in.w * 4)"
    spec = netspec.loads(f"input: 3xHxW\nblocks: {{r: {{{rows}}}}}\nlayers: [r, r]\n")
    assert "size=(x.shape[2] * 4, x.shape[3] * 4)" in spec.source()
    assert spec.build()(torch.rand(1, 3, 2, 3)).shape == (1, 3, 32, 48)


def test_sizes_halved_many_times_stay_short() -> None:
    spec = netspec.loads("inputs: {x: 3xHxW}\nlayers: [{repeat: 40, layers: [conv 4 k3 s2 p1]}]\n")
    (output,) = spec.graph.outputs.values()
    assert str(output.shape[2]) == f"(H + {2**40 - 1}) // {2**40}"


def test_halving_twice_is_a_quarter() -> None:
    netspec.loads("inputs: {x: 3xHxW}\nlayers: {a: 'maxpool 2, maxpool 2', b: maxpool(in) 4, c: add(a b)}\n")


@pytest.mark.parametrize("row", ["constant 2.5", "mean(in) 0 1 2"])
def test_a_value_without_axes_is_printed(row: str) -> None:
    spec = netspec.loads(f"input: 3x4\nlayers: {{m: {row}, s: mul(in m)}}\n")
    x = torch.rand(2, 3, 4)
    assert torch.allclose(spec.build()(x), x * (2.5 if "2.5" in row else x.mean()))


@pytest.mark.parametrize(
    "rest",
    [
        "tie: {b.weight: a.weight}\nweights: {freeze: [b.weight]}\nlayers: {a: linear 4, b: linear 4}\n",
        "weights: {freeze: [b.weight]}\nlayers: {a: linear 4, b: alias a}\n",
    ],
    ids=["tied", "aliased"],
)
def test_a_shared_weight_is_frozen_by_any_of_its_names(rest: str) -> None:
    spec = netspec.loads(f"{HEAD}{rest}")
    assert not spec.build().get_parameter("a.weight").requires_grad
    made = table.summary(spec.graph)
    assert made.parameters - made.trainable == 16


def test_members_keep_the_order_of_every_use() -> None:
    block = "q: linear 8 when f\n    r: linear 8 when g\n    z: linear 8 nobias\n    s: linear 8 when g"
    text = f"input: 8\nblocks:\n  b f=true g=false:\n    {block}\nlayers: [b f=false g, b]\n"
    spec = netspec.loads(text)
    assert [name for name, _ in spec.build().named_parameters()] == list(spec.graph.parameters())


def test_a_word_that_needs_a_value_is_told_so() -> None:
    with pytest.raises(SpecError, match="conv takes a value for stride") as caught:
        netspec.loads("input: 3x8x8\nlayers: [conv 4 k3 stride]\n")
    assert caught.value.problems[0].hint == "Write stride= and the value behind it."
    netspec.loads("input: 3x8x8\nlayers: [interpolate scale_factor=2 mode=bilinear align_corners]\n")


def test_unflatten_refuses_sizes_that_only_the_run_knows() -> None:
    with pytest.raises(SpecError, match="takes sizes that are known"):
        netspec.loads("inputs: {x: TxNx6}\nlayers: {a: flatten(x) 1 2, b: unflatten(a) 1 TxN}\n")


@pytest.mark.parametrize("use", ["outputs: [a, a.weights]", "outputs: a.weights"])
def test_attention_weights_that_are_not_computed_are_refused(use: str) -> None:
    text = "inputs: {x: Tx16}\nlayers:\n  a: attention(x x x) 4"
    with pytest.raises(SpecError, match="a does not give its weights") as caught:
        netspec.loads(f"{text}\n{use}\n")
    assert caught.value.problems[0].hint == "Write need_weights in its row."
    x = torch.rand(2, 5, 16)
    found = netspec.loads(f"{text} need_weights\n{use}\n").build()(x)
    assert (found if isinstance(found, torch.Tensor) else found[1]).shape == (2, 5, 5)


@pytest.mark.parametrize(
    ("rest", "shape"),
    [
        ("input: 3xHxW\nlayers: [interpolate $(in.h*2)x$(in.w*2), interpolate $(in.h+1)x$(in.w+1)]", (3, 33, 21)),
        ("input: Tx8\nlayers: [pad 0x0x1x0, reshape B $(in.t * 2 + 2) 4]", (7, 8)),
        ("input: 3xHxW\nlayers: {a: pad 0x1, b: reshape B 3 $(a.h * a.w)}", (3, 33, 20)),
        ("input: 3xHxW\nlayers: [conv 4 k3, reshape B 4 $(in.h*in.w - 2*in.h - 2*in.w + 4)]", (3, 33, 20)),
        ("input: 3xHxW\nlayers: {a: conv 3 k3 s2 p1, r: reshape B 3 $(a.h * a.w)}", (3, 33, 20)),
        ("input: 3xHxW\nlayers: {z: zeros 2x$((in.h // 2) * (in.w // 3)), s: mul(z z)}", (3, 33, 20)),
        ("input: Tx8\nlayers: [slice 1 $(1 - in.t)]", (7, 8)),
        ("input: Tx8\nlayers: [slice 1 0 $(1 - in.t)]", (7, 8)),
        ("input: Tx8\nblocks: {b: {a: linear 8, u: slice 1 0 $(in.t // 2)}}\nlayers: [b, b]", (7, 8)),
        (
            "input: 3xHxW\nblocks: {up c: {c: conv $c k3 same, u: interpolate $(in.h * 2)x$(in.w * 2)}}\n"
            "layers: [up 4, up 8]",
            (3, 33, 20),
        ),
        (
            "input: 3xHxW\nblocks: {d c: {c: conv $c k3 s2 p1, u: interpolate $(in.h // 4)x$(in.w // 4)}}\n"
            "layers: [d 4, d 8]",
            (3, 65, 80),
        ),
    ],
)
def test_sizes_that_only_the_run_knows_are_read_where_they_still_stand(rest: str, shape: tuple[int, ...]) -> None:
    spec = netspec.loads(f"{rest}\n")
    (output,) = spec.graph.outputs.values()
    sizes: dict[str, Size] = {"B": 2, "T": shape[0], "H": shape[-2], "W": shape[-1]}
    expected = tuple(substitute(size, sizes) for size in output.shape)
    assert tuple(spec.build()(torch.rand(2, *shape)).shape) == expected


def test_rounds_may_differ_in_what_a_guard_says() -> None:
    inner = "{layers: 'conv 4 k3 same', repeat: 1, when: prev.c == 3}"
    spec = netspec.loads(f"input: 3x8x8\nlayers: [{{repeat: [3, 4], layers: {inner}}}]\n")
    assert spec.build()(torch.rand(1, 3, 8, 8)).shape == (1, 4, 8, 8)
    assert list(dict(spec.build().named_parameters())) == list(spec.graph.parameters())


@pytest.mark.parametrize("value", ["eps=0.1 x3", "eps=0.1 when training", "'eps=0.1, relu'"])
def test_defaults_are_arguments_and_nothing_else(value: str) -> None:
    with pytest.raises(SpecError, match="defaults are the arguments of one operation"):
        netspec.loads(f"input: 3x8x8\ndefaults: {{bn: {value}}}\nlayers: [bn]\n")


def test_a_wrap_given_to_a_block_is_refused_in_either_form() -> None:
    for row in ("cell wrap=weight_norm", "{cell: {wrap: weight_norm}}"):
        with pytest.raises(SpecError, match="has no parameter 'wrap'"):
            netspec.loads(f"input: 8\nblocks: {{cell c=4: linear $c}}\nlayers: [{row}]\n")


def test_an_argument_of_the_2d_form_says_nothing_where_the_shape_is_unknown() -> None:
    with pytest.raises(SpecError) as caught:
        netspec.loads("input: 3x8x8\nlayers: [conv 5->6 k3, avgpool 2 divisor_override=2]\n")
    assert [problem.code for problem in caught.value.problems] == ["shape-mismatch"]


_PIECES = st.sampled_from(
    [
        "einsum(in in) ",
        "bi",
        "bij/bjk:bik",
        "->",
        ":",
        "(",
        ")",
        "[",
        "]",
        "relu",
        "add(",
        "in",
        " ",
        " x2",
        " when ",
        "'",
    ]
)
_ROWS = st.lists(_PIECES, max_size=6).map("".join)


@given(
    st.lists(_ROWS | st.none() | st.integers(0, 3), max_size=5)
    | st.dictionaries(_ROWS, _ROWS | st.none() | st.integers(0, 3), max_size=5)
)
@settings(max_examples=300, deadline=None)
def test_what_is_taken_for_the_rest_of_a_row_is_never_dropped_from_a_sound_network(layers: Any) -> None:
    entries = list(enumerate(layers)) if isinstance(layers, list) else list(layers.items())
    if list(untorn(entries)) == entries:
        return
    with pytest.raises(SpecError):
        netspec.loads(yaml.safe_dump({"input": "3x4", "layers": layers}))


@pytest.mark.parametrize("name", ["__debug__", "__class__", "__init__"])
def test_a_network_is_not_called_as_what_python_keeps_for_itself(name: str) -> None:
    with pytest.raises(SpecError, match="the network cannot be called"):
        netspec.loads(f"name: {name}\ninput: 8\nlayers: [fc 8]")


def test_what_a_rule_by_name_fills_is_one_of_what_it_has() -> None:
    with pytest.raises(SpecError, match=r"(?s)head matches FC, which has no `\*`.*It has: weight, bias") as caught:
        netspec.loads(HEAD + "layers: {head: fc 2}\n", ["init.head.*=ones"])
    assert "{head: {weight: ...}}" in str(caught.value)
    netspec.loads(HEAD + "layers: {head: fc 2}\n", ["init.head.weight=ones"])
