"""Parameters of a network as arguments of its class: with others it is the network of the overridden spec."""

from __future__ import annotations

import inspect
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
import torch.fx.experimental._config

import netspec
from netspec.dims import substitute
from netspec.graph.symbols import plain
from netspec.runtime.network.printed import module_class
from netspec.views.code.trials import variations
from tests.code.test_specs import SIZES, example
from tests.code.wild_params import drawn, lie

SPECS = sorted((Path(__file__).parent.parent.parent / "specs").glob("*.yaml"))
WITH = [path for path in SPECS if netspec.load(path).document.params]
ALL = {
    "nanogpt_tiny": ["vocab", "context", "d", "heads", "depth", "p"],
    "bert_tiny": ["vocab", "context", "d", "heads", "depth", "ff", "p"],
    "densenet121": ["growth", "classes"],
    "resnet50": ["classes"],
    "unet_buda_f8": ["f"],
    "lstm_lm_small": ["vocab", "d", "hidden"],
    "swin_t": ["classes", "size", "d", "depths", "heads", "window", "p"],
}
"""What some networks take, all of which their specs have in `params`."""


@cache
def network(path: Path) -> tuple[str, Any]:
    spec = netspec.load(path)
    return spec.source(), module_class(spec.source(), spec.name)


def taken(cls: Any) -> dict[str, Any]:
    return {name: p.default for name, p in inspect.signature(cls).parameters.items()}


def other(path: Path, name: str, value: Any) -> tuple[Any, netspec.Spec]:
    """Another value of a parameter that the spec takes too."""
    values: list[Any] = (
        [value / 3 + 0.2] if isinstance(value, float) else [not value] if isinstance(value, bool) else []
    )
    if isinstance(value, tuple):
        values, numbers = [tuple(factor * each for each in value) for factor in (2, 4)], []
    else:
        numbers = [4 * value, value + 3, 5 * value, 6 * value, 2 * value]
    for tried in [*values, *numbers]:
        text = str([*tried]) if isinstance(tried, tuple) else str(tried).lower()
        try:
            return tried, netspec.load(path, [f"params.{name}={text}"])
        except netspec.SpecError:
            continue
    pytest.fail(f"{path.stem} takes no other value of {name}")


@pytest.mark.parametrize("path", WITH, ids=lambda p: p.stem)
@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_other_arguments_give_the_network_of_the_spec_with_these_params(path: Path) -> None:
    _, cls = network(path)
    params = netspec.load(path).graph.root.params
    for name, default in taken(cls).items():
        value, spec = other(path, name, plain(params[name]) if default is None else default)
        with torch.device("meta"), patch.object(torch.fx.experimental._config, "meta_nonzero_assume_all_nonzero", True):
            net = cls(**{name: value}).eval()
            state = {key: tuple(tensor.shape) for key, tensor in net.state_dict().items()}
            assert state == {**spec.graph.parameters(), **spec.graph.buffers()}, name
            outputs = net(*(example(tensor) for tensor in spec.graph.inputs.values()))
        given = list(outputs.values()) if isinstance(outputs, dict) else outputs
        given = [given] if isinstance(given, torch.Tensor) else list(given)
        wanted = [tuple(substitute(plain(s), SIZES) for s in t.shape) for t in spec.graph.outputs.values()]
        if path.stem != "nanogpt_tiny":  # at inference it gives the last position only
            assert [tuple(t.shape) for t in given] == wanted, name


@pytest.mark.parametrize("name", ALL)
def test_a_network_takes_its_params_with_their_defaults(name: str) -> None:
    path = next(path for path in SPECS if path.stem == name)
    params = netspec.load(path).document.params
    assert taken(network(path)[1]) == {param: params[param] for param in ALL[name]}


def test_other_arguments_give_the_same_weights_and_outputs() -> None:
    path = next(path for path in SPECS if path.stem == "nanogpt_tiny")
    spec = netspec.load(path, ["params.depth=5", "params.d=32", "params.heads=2", "params.vocab=50"])
    torch.manual_seed(0)
    wanted = spec.build().eval()
    torch.manual_seed(0)
    found = network(path)[1](depth=5, d=32, heads=2, vocab=50).eval()
    tokens = torch.arange(12).reshape(2, 6)
    assert torch.equal(found(tokens), wanted(tokens))


def test_an_argument_that_would_lie_is_not_printed() -> None:
    """What follows a step that is there or not has other sizes, which no expression of the spec says."""
    spec = netspec.loads(
        """
        input: 8
        params: {wide: true, n: 4, twice: 8, d: 12}
        layers:
          a: linear $n
          b: {when: wide, layers: [linear 5]}
          c: {when: twice > 9, layers: [linear 7]}
          d: {when: d > 7, layers: [linear $d]}
        """
    )
    assert list(taken(module_class(spec.source(), spec.name))) == ["n", "d"]


DECIDED = """
    input: Tx8
    params: {flip: true, n: 4, p: 0.5, k: 4}
    blocks: {cut: {a: linear $(2 * n), b: tanh when not flip, c: "slice 1 0 -1 when k % 2 == 0, linear 8"}}
    layers:
      a: linear $n, roll 1 -1 when flip
      b: {when: n < 9, layers: [linear $n, relu]}
      c: linear 6, dropout $p when p > 0
      d: cut
      e: [linear 4, tanh]
    init: {"*.0.weight": constant 0.5}
    """


@pytest.mark.parametrize("values", [{"flip": False}, {"n": 12}, {"p": 0.0}, {"k": 3}, {"flip": False, "k": 7, "n": 20}])
def test_what_decides_whether_a_step_is_there_is_an_argument_that_an_if_asks_for(values: dict[str, Any]) -> None:
    spec = netspec.loads(DECIDED)
    cls = module_class(spec.source(), spec.name)
    assert taken(cls) == {"flip": True, "n": 4, "p": 0.5, "k": 4}
    torch.manual_seed(0)
    wanted = netspec.loads(DECIDED, [f"params.{name}={str(value).lower()}" for name, value in values.items()]).build()
    torch.manual_seed(0)
    found = cls(**values)
    x = torch.randn(2, 3, 8)
    assert {name: t.shape for name, t in found.state_dict().items()} == {
        name: t.shape for name, t in wanted.state_dict().items()
    }
    assert torch.equal(found.eval()(x), wanted.eval()(x))


WINDOWS = """
    input: 4x$(size)x$size
    params: {size: 16, window: 4, head: 2, widths: [8, 4]}
    blocks:
      shifted shift:
        cut: reshape B $(in.c) $(in.h // window) $window $(in.w // window) $window, permute 0 2 4 3 5 1, flatten 3 4
        heads: unflatten -1 $(in.c // head)x$head, flatten -2
        back: linear(heads) $(in.c)
        moved: roll $shift 1 when shift > 0
        out: mean 1, mean 1, mean 1
    layers:
      a: conv $(widths[0]) k1
      b: shifted $(window // 2 if in.h > window else 0)
      c: unflatten -1 $(prev.shape[-1] // widths[1])x$(widths[1]), flatten 1, linear 3
    """


@pytest.mark.parametrize("values", [{"window": 8}, {"head": 4}, {"widths": [16, 8]}, {"size": 4}, {"size": 32}])
def test_params_beside_sizes_that_forward_reads_are_arguments(values: dict[str, Any]) -> None:
    spec = netspec.loads(WINDOWS)
    cls = module_class(spec.source(), spec.name)
    assert list(taken(cls)) == ["size", "window", "head", "widths"], spec.source()
    wanted = netspec.loads(WINDOWS, [f"params.{name}={value}" for name, value in values.items()]).build()
    found = cls(**values)
    found.load_state_dict(wanted.state_dict())
    size = values.get("size", 16)
    x = torch.randn(2, 4, size, size)
    assert torch.equal(found(x), wanted(x))


def test_a_word_that_is_an_operation_is_given_as_its_class() -> None:
    text = """
        input: 16
        params: {act: relu, w: 8}
        blocks:
          cell c: {a: "linear $c, $act", out: add(a in)}
          mlp c act=tanh: [linear $c, $act, linear $c]
        layers: {stem: [linear $w, $act], c: cell $w, m: mlp 4 $act, m2: mlp 6, head: linear 3}
        """
    spec = netspec.loads(text)
    assert "def __init__(self, act=nn.ReLU, w=8):" in spec.source()
    assert "self.c = Cell(w, act)" in spec.source()
    assert "self.m2 = Mlp(4, 6)" in spec.source()
    torch.manual_seed(0)
    found = module_class(spec.source(), spec.name)(act=torch.nn.GELU)
    torch.manual_seed(0)
    wanted = netspec.loads(text, ["params.act=gelu"]).build()
    x = torch.randn(2, 16)
    assert torch.equal(found(x), wanted(x))


def test_a_param_that_a_block_asks_for_is_handed_to_its_class() -> None:
    spec = netspec.loads(
        """
        input: 64x8x8
        params: {group: 8}
        blocks: {cell c: [conv $c k1, "groupnorm $(c // group)"]}
        layers: [cell 64, cell 32]
        """
    )
    source = spec.source()
    assert "def __init__(self, in_channels, c, group):" in source
    assert "nn.GroupNorm(c // group, c)" in source
    assert "def __init__(self, group=8):" in source
    assert "self.cell2 = Cell(64, 32, group)" in source


COMPUTED = """
    input: 8
    params: {d: 16, ff: $(4*d), deep: $(ff // 10), sizes: [$d, $(d + ff)], scale: $(d ** -0.5)}
    layers: [linear $d, [linear $ff x$deep], mul $scale, "linear $(sizes[1])", "linear $(sizes[0])"]
    """


def test_a_computed_param_is_an_argument_that_is_computed_where_it_is_left_out() -> None:
    source = netspec.loads(COMPUTED).source()
    assert "def __init__(self, d=16, ff=None, deep=None, sizes=None, scale=None):" in source
    assert (
        "        ff = 4 * d if ff is None else ff\n"
        "        deep = ff // 10 if deep is None else deep\n"
        "        sizes = [d, d + ff] if sizes is None else sizes\n"
        "        scale = d**-0.5 if scale is None else scale\n"
    ) in source


@pytest.mark.parametrize("values", [{"d": 20}, {"ff": 50}, {"d": 20, "deep": 4}, {"sizes": [3, 5]}, {"scale": 2.0}])
def test_a_computed_param_follows_those_that_it_is_computed_from_unless_it_is_given(values: dict[str, Any]) -> None:
    spec = netspec.loads(COMPUTED)
    torch.manual_seed(0)
    wanted = netspec.loads(COMPUTED, [f"params.{name}={value}" for name, value in values.items()]).build()
    torch.manual_seed(0)
    found = module_class(spec.source(), spec.name)(**values)
    x = torch.ones(2, 8)
    assert torch.equal(found(x), wanted(x))


def test_a_computed_param_that_no_other_value_fits_stays_a_formula() -> None:
    source = netspec.loads(
        "input: 8\nparams: {d: 16, part: $(d // 2), r: $(1 / d)}\n"
        "layers: {a: linear $d, b: unflatten -1 2 $part, c: flatten 1, d: mul $r}"
    ).source()
    assert "def __init__(self, d=16, r=None):" in source
    assert "x.unflatten(-1, (2, self.part))" in source


def test_numbers_of_two_rules_of_init_that_are_equal_are_not_taken_for_one_another() -> None:
    source = netspec.loads(
        "input: 8\nparams: {d: 16, k: 1}\nlayers: {a: linear $d, b: linear $(d * k)}\n"
        "init: {a: normal std=$((d * k) ** -0.5), linear: normal std=$(d ** -0.5)}"
    ).source()
    assert "nn.init.normal_(module.weight, std=(d * k) ** -0.5)" in source
    assert "nn.init.normal_(module.weight, std=d**-0.5)" in source


STAGES = """
    input: 3x16x16
    params: {depths: [2, 3, 2], widths: [8, 16, 32], rates: [0.1, 0.25, 0.5]}
    blocks:
      cell c s=1: {conv: conv $c k3 s$s same nobias, out: "bn, relu"}
    layers:
      stem: "conv $(widths[0]) k3 same"
      STAGES
      drop: "dropout $(rates[-1]), gap, fc 5"
    """
BY_INDEX = """layer1: ["cell $(widths[0]) x$(depths[0])"]
      layer2: ["cell $(widths[1]) s2", "cell $(widths[1]) x$(depths[1] - 1)", "dropout $(rates[0])"]
      layer3: ["cell $(widths[2]) s2", "cell $(widths[2]) x$(depths[2] - 1)", "dropout $(rates[1])"]"""
BY_ROUNDS = """stages:
        - repeat: $depths
          as: n
          layers:
            - - "cell $(widths[i]) s$(1 if i == 0 else 2)"
              - {repeat: $(n - 1), as: j, layers: ["cell $(widths[i])"]}"""


@pytest.mark.parametrize("stages", [BY_INDEX, BY_ROUNDS], ids=["index", "rounds"])
def test_lists_are_arguments_too(stages: str) -> None:
    text = STAGES.replace("STAGES", stages)
    spec = netspec.loads(text)
    head = "def __init__(self, depths=(2, 3, 2), widths=(8, 16, 32), rates=(0.1, 0.25, 0.5)):"
    assert head in spec.source()
    cls = module_class(spec.source(), spec.name)
    given = ["params.depths=[1, 4, 5]", "params.widths=[4, 12, 7]", "params.rates=[0.2, 0.3, 0.9]"]
    torch.manual_seed(0)
    wanted = netspec.loads(text, given).build()
    torch.manual_seed(0)
    found = cls(depths=[1, 4, 5], widths=[4, 12, 7], rates=[0.2, 0.3, 0.9])
    x = torch.randn(2, 3, 16, 16)
    assert torch.equal(found.eval()(x), wanted.eval()(x))
    assert str(found.train()) == str(wanted.train())


def test_a_list_of_another_length_is_refused_where_the_network_would_be_another() -> None:
    by_rounds, by_index = (
        module_class(spec.source(), spec.name)
        for spec in (netspec.loads(STAGES.replace("STAGES", stages)) for stages in (BY_ROUNDS, BY_INDEX))
    )
    with pytest.raises(ValueError, match="depths takes as many values as widths"):
        by_rounds(depths=(2, 3, 2, 2))
    stages = by_rounds(depths=(2, 3, 2, 2), widths=(8, 16, 32, 8)).get_submodule("stages")
    assert len([*stages.children()]) == 4
    by_index(depths=(2, 3, 2, 2))  # as in the spec, nobody asks for the fourth


def test_a_list_of_which_a_step_asks_for_the_order_is_no_argument() -> None:
    spec = netspec.loads(
        "input: 8\nparams: {n: [4, 6]}\n"
        'layers: {a: "linear $(n[0])", b: {when: "n[0] < n[1]", layers: [linear 5]}, c: "linear $(n[1])"}'
    )
    assert list(taken(module_class(spec.source(), spec.name))) == []


def test_a_default_that_a_header_computes_from_params_stays_an_expression() -> None:
    text = """
        input: Tx24
        params: {d: 24, heads: 4}
        blocks:
          attn width=$(d // heads):
            q: linear $(2 * width), unflatten -1 2x$width
            out: mul $(-2 * heads / d), flatten 2, linear $d
        layers: {a: attn, b: attn}
        """
    spec = netspec.loads(text)
    source = spec.source()
    assert "self.width = d // heads" in source
    assert "self.factor = -2 * heads / d" in source
    cls = module_class(source, spec.name)
    assert taken(cls) == {"d": 24, "heads": 4}
    x = torch.randn(2, 3, 24)
    torch.manual_seed(0)
    wanted = netspec.loads(text, ["params.heads=2"]).build()
    torch.manual_seed(0)
    assert torch.equal(cls(heads=2)(x), wanted(x))


def test_what_is_whole_only_for_one_divisor_is_no_argument() -> None:
    """`heads * (d // heads)` is d for 24 and 4, and so it is for any d and 1, but not for 25 and 4."""
    spec = netspec.loads(
        'input: 12\nparams: {d: 24, heads: 4}\nlayers: {a: linear $d, b: "linear $(heads * (d // heads))", c: linear 3}'
    )
    cls: Any = module_class(spec.source(), spec.name)
    for d in (24, 25) if "d" in taken(cls) else ():
        assert cls(d=d).b.out_features == 4 * (d // 4)


def test_a_product_is_printed_as_the_spec_spells_it_though_it_is_whole_here() -> None:
    block = 'attend d heads: {a: "linear $(heads * (d // heads))"}'
    spec = netspec.loads(f"input: 12\nblocks: {{{block}}}\nlayers: {{a: attend 24 4, b: attend 12 3}}")
    assert "nn.Linear(in_features, heads * (d // heads))" in spec.source()
    cls: Any = module_class(spec.source(), spec.name)
    assert cls.__init__.__globals__["Attend"](12, 25, 4).a.out_features == 24


@pytest.mark.parametrize("depths", ["[1, 2, 2]", "[2, 2, 2]", "[3, 1, 4]"])
def test_few_rounds_are_written_as_more_of_them_would_be(depths: str) -> None:
    text = f"""
        input: 3x16x16
        params: {{depths: {depths}, widths: [8, 16, 32]}}
        blocks:
          cell c s=1: {{conv: conv $c k3 s$s same nobias, out: "bn, relu"}}
        layers:
          stages:
            repeat: $depths
            as: n
            layers:
              stage$i: {{repeat: $n, as: j, layers: {{cell$j: "cell $(widths[i]) s$(2 if j == 0 else 1)"}}}}
          head: gap, fc 5
        """
    spec = netspec.loads(text)
    cls = module_class(spec.source(), spec.name)
    assert list(taken(cls)) == ["depths", "widths"]
    for given in ([1, 1, 1], [4, 2, 3]):
        with torch.device("meta"):
            net = cls(depths=given)
        wanted = netspec.loads(text, [f"params.depths={given}"]).graph
        assert {name: tuple(t.shape) for name, t in net.named_parameters()} == wanted.parameters()


def test_two_rounds_that_differ_by_their_number_stay_so() -> None:
    spec = netspec.loads(
        """
        input: 16
        params: {growth: 4, depth: 2}
        blocks: {dense: {a: linear $growth, out: concat(in a)}}
        layers: {body: {repeat: $depth, layers: [dense]}, head: linear 3}
        """
    )
    cls: Any = module_class(spec.source(), spec.name)
    assert cls(depth=4, growth=5).head.in_features == 16 + 4 * 5


def test_rounds_with_names_inside_each_other_are_written_whatever_their_counts_are() -> None:
    spec = netspec.loads(
        """
        input: 3x8x8
        params: {depths: [2, 1], widths: [4, 8]}
        blocks: {cell c s=1: {conv: conv $c k3 s$s same nobias, out: "bn, relu"}}
        layers:
          stages:
            repeat: 2
            layers:
              stage$i: {repeat: "$(depths[i])", as: j, layers: {cell$j: "cell $(widths[i]) s$(2 if j == 0 else 1)"}}
          more: {repeat: "$(depths[0])", as: j, layers: {"m$j": {n1: cell 4, k$j: cell 4}}}
          head: gap, fc 5
        """
    )
    assert spec.build()(torch.randn(2, 3, 8, 8)).shape == (2, 5)


def test_entries_of_a_list_that_are_equal_are_told_apart() -> None:
    """Classes that are shared by stages of equal depth take the depth of each."""
    spec = """
input: 8x4x4
params: {depths: [2, 2, 2]}
layers:
  repeat: $(len(depths))
  layers:
    stage$i:
      down: {when: i > 0, layers: ["conv $(8 * i) k1"]}
      blocks: {repeat: "$(depths[i])", layers: [conv 8 k1]}
      out: transpose 2 3
"""
    printed, changed = netspec.loads(spec), netspec.loads(spec.replace("[2, 2, 2]", "[1, 3, 2]"))
    found = module_class(printed.source(), printed.name)(depths=(1, 3, 2)).state_dict()
    meant = module_class(changed.source(), changed.name)().state_dict()
    assert {n: t.shape for n, t in found.items()} == {n: t.shape for n, t in meant.items()}


PYRAMID = """
    input: 3x32x32
    params: {depths: [2, 2, 2], dims: [8, 12, 16], heads: [1, 2, 4]}
    blocks:
      patch c s: {proj: conv $c k3 s$s p1, tokens: "flatten 2, transpose 1 2", norm: layernorm}
      cell h hidden:
        norm: layernorm
        a: "linear $hidden, unflatten -1 $(h)x$(hidden // h), flatten 2"
        b: linear $(in.d)
    layers:
      first: patch $(dims[0]) 2
      stages:
        repeat: $(len(dims))
        layers:
          $i:
            down: {when: i > 0, layers: ["patch $(dims[i]) 2"]}
            blocks: {repeat: "$(depths[i])", as: j, layers: {$j: "cell $(heads[i]) $(2 * dims[i])"}}
            norm: layernorm
            map: transpose 1 2, reshape B $(dims[i]) $(16 // 2**i) $(16 // 2**i)
      head: gap, flatten, linear 5
"""


def test_stages_of_a_list_take_its_entries_whatever_their_rounds_are() -> None:
    """An argument that the first stage has no use for is what it has of that name, and not a number of another."""
    spec = netspec.loads(PYRAMID)
    cls: Any = module_class(spec.source(), spec.name)
    assert list(taken(cls)) == ["depths", "dims", "heads"]
    assert "(dims[0], dims[0], False, depths[0], heads[0], 2 * dims[0], 16)" in spec.source()
    wanted = netspec.loads(PYRAMID, ["params.depths=[1, 4, 3]", "params.dims=[4, 16, 24]"])
    torch.manual_seed(0)
    net = wanted.build().eval()
    torch.manual_seed(0)
    found = cls(depths=(1, 4, 3), dims=(4, 16, 24)).eval()
    assert str(found) == str(net)
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(found(x), net(x))


def test_entries_that_are_equal_are_changed_unlike_each_other() -> None:
    for given in ([2, 2, 2, 2], [64, 32, 64], [7, 7, 7], [0.1, 0.1], [1, 1]):
        larger = variations(given)[0]
        assert len(set(larger)) == len(larger), larger
        assert all(other > value for other, value in zip(larger, given, strict=True))


def test_sizes_behind_a_choice_by_the_round_are_numbers_in_every_round() -> None:
    """Many rounds of which the first halves the map are one loop."""
    text = """
        input: 4x32x32
        params: {depth: 6, c: 8}
        blocks: {cell c s=1: {a: conv $c k3 s$s p1, b: layernorm $(in.h // s), out: add(a b)}}
        layers: {body: {repeat: $depth, layers: ["cell $c s$(2 if i == 0 else 1)"]}, head: "gap, fc 3"}
    """
    spec = netspec.loads(text)
    cls: Any = module_class(spec.source(), spec.name)
    assert list(taken(cls)) == ["depth", "c"], spec.source()
    assert str(cls(depth=3)) == str(netspec.loads(text, ["params.depth=3"]).build())


def test_a_param_with_the_name_of_a_function_is_an_argument_with_a_line_behind_it() -> None:
    spec = netspec.loads(
        """
        input: 6
        params: {drop_path: 0.1, sum: [3, 5], max: 4}
        layers: {a: "linear $max", b: "linear $(sum[0]), drop_path $drop_path", c: "linear $(sum[1])"}
        """
    )
    assert taken(module_class(spec.source(), spec.name)) == {"drop_path_": 0.1, "sum_": (3, 5), "max_": 4}
    text = "input: 6\nparams: {sum: [3, 4]}\nlayers: [{repeat: $(len(sum)), layers: ['linear $(sum[i])']}]"
    spec = netspec.loads(text)
    cls: Any = module_class(spec.source(), spec.name)
    assert list(taken(cls)) == ["sum_"]
    with pytest.raises(ValueError, match="sum_ takes 2 values"):
        cls(sum_=(1, 2, 3))


def test_what_is_taken_from_the_end_of_a_list_is_an_entry_of_the_list() -> None:
    spec = """\
netspec: 1
input: 2x8*Hx8*W
params: {widths: [4, 8, 12]}
blocks: {double c: [conv $c k3 same, relu]}
layers:
  first: double $(widths[0])
  down:
    repeat: $(widths[1:])
    as: w
    outputs: {deep: stage2, middle: stage1}
    layers: {stage$(i + 1): [pool 2, double $w]}
  last: conv(down.middle) 3 k1
outputs: [last, down.deep]
"""
    text = netspec.loads(spec).source()
    assert "Double(widths[1], widths[2])" in text
    assert "# widths[2] x 2*H x 2*W" in text
    net = module_class(text, "Net")(widths=(4, 6, 20))
    other = netspec.loads(spec, ["params.widths=[4,6,20]"]).graph.parameters()
    assert {name: tuple(t.shape) for name, t in net.state_dict().items()} == other


def test_named_rounds_that_take_a_side_value_are_counted_by_an_argument() -> None:
    spec = """\
netspec: 1
inputs: {x: Tx8, memory: Sx8}
params: {depth: 2}
blocks:
  unit(x m): {seen: sdpa(x m m), mix: linear(seen) 8, out: add(mix x)}
layers:
  start: linear(x) 8
  h: {repeat: $depth, layers: {l$i: unit(prev memory)}}
  last: linear 3
"""
    text = netspec.loads(spec).source()
    assert "for i in range(depth):" in text
    net, other = module_class(text, "Net")(depth=5), netspec.loads(spec, ["params.depth=5"]).build()
    net.load_state_dict(other.state_dict())
    x, memory = torch.randn(2, 3, 8), torch.randn(2, 4, 8)
    assert torch.equal(net(x, memory), other(x, memory))


@pytest.mark.parametrize(
    ("rows", "loop", "other_"),
    [
        ("$widths", "for w in widths:", [5, 3, 7, 2]),
        ("$(widths[1:])", "for w in widths[1:]:", [5, 3, 7, 2]),
        ("$(widths[:-1])", "for w in widths[:-1]:", [5, 3, 7]),
    ],
)
def test_rounds_over_a_part_of_a_list_are_a_loop_over_that_part(rows: str, loop: str, other_: list[int]) -> None:
    text = f"""
        input: 8
        params: {{widths: [4, 5, 6]}}
        layers:
          stem: "linear $(widths[0])"
          body: [{{repeat: "{rows}", as: w, layers: [linear $w, relu]}}]
        """
    spec = netspec.loads(text)
    assert loop in spec.source()
    torch.manual_seed(0)
    wanted = netspec.loads(text, [f"params.widths={other_}"]).build()
    torch.manual_seed(0)
    found = module_class(spec.source(), spec.name)(widths=other_)
    x = torch.ones(2, 8)
    assert torch.equal(found(x), wanted(x))


FORMULAS = """
    input: Tx8
    params: {heads: 4, scale: 2.0, n: 5, cap: 3}
    layers:
      rates: buffer $n formula=$(1 / scale ** (2 * i / n))
      mask: buffer 5x5 formula=$(0 if j <= i else -scale)
      flat: buffer 3 formula=$(scale * 2)
      low: buffer $n formula=$(min(i, cap) + max(-cap, i))
      a: {s: parameter $(heads)x1x8 formula=$(2 ** (-heads * (i + 1) / heads)), m: mean(s) 0, o: mul(in m)}
    """


@pytest.mark.parametrize("values", [{"scale": 3.5}, {"n": 7}, {"cap": 2}, {"heads": 8}])
def test_params_in_a_formula_are_arguments(values: dict[str, Any]) -> None:
    spec = netspec.loads(FORMULAS)
    found = module_class(spec.source(), spec.name)(**values).state_dict()
    wanted = netspec.loads(FORMULAS, [f"params.{name}={value}" for name, value in values.items()]).build().state_dict()
    assert [*found] == [*wanted]
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_uses_of_a_block_whose_formulas_differ_in_a_number_share_a_class() -> None:
    text = """
        input: 8
        blocks: {scaled base: {s: "parameter 8 formula=$(base ** -i)", out: mul(in s)}}
        layers: [scaled 2, scaled 3]
        """
    source = netspec.loads(text).source()
    assert source.count("class ") == 2
    assert "nn.Parameter(base ** -torch.arange(8.0))" in source


@pytest.mark.parametrize("seed", [1, 8, 9, 12])
def test_no_argument_lies_in_a_spec_that_is_drawn(seed: int) -> None:
    assert lie(drawn(seed)) == ""


def test_no_argument_lies_in_any_spec_that_is_drawn() -> None:
    for seed in range(10, 40):
        with suppress(netspec.SpecError):
            assert lie(drawn(seed)) == "", seed


SHARED = """
    input: 8
    params: {depth: 3, times: 2}
    blocks: {again n: {a: linear 8, b: {repeat: $n, layers: [use(prev) a, abs]}}}
    layers:
      first: [linear 8, tanh]
      more: {repeat: $(depth - 1), layers: [use(prev) first]}
      halved: {repeat: $times, layers: [mul 0.5, add 1]}
      block: again $(depth + 1)
      head: linear 2
    """


@pytest.mark.parametrize("values", [{"depth": 1}, {"depth": 5, "times": 4}, {"times": 0}])
def test_a_repeat_that_only_runs_modules_again_has_as_many_rounds_as_the_argument_says(values: dict[str, int]) -> None:
    spec = netspec.loads(SHARED)
    cls = module_class(spec.source(), spec.name)
    assert taken(cls) == {"depth": 3, "times": 2}
    torch.manual_seed(0)
    wanted = netspec.loads(SHARED, [f"params.{name}={value}" for name, value in values.items()]).build()
    torch.manual_seed(0)
    found = cls(**values)
    x = torch.randn(3, 8)
    assert [*found.state_dict()] == [*wanted.state_dict()]
    assert torch.equal(found(x), wanted(x))


REDUCED = """
    input: 4x32x32
    params: {reductions: [4, 2, 1], widths: [6, 8, 10]}
    blocks:
      cell c reduce:
        - when: reduce > 1
          layers: {sr: conv $(in.c) k$reduce s$reduce, norm: bn}
        - out: conv $c k1
    layers:
      a: cell $(widths[0]) $(reductions[2])
      b: {repeat: 3, layers: ["cell $(widths[i]) $(reductions[i])"]}
      c: gap, fc 3
    """


@pytest.mark.parametrize("values", [[2, 1, 4], [1, 1, 1], [2, 2, 2], [1, 4, 2]])
def test_a_list_is_an_argument_whose_entries_decide_which_uses_have_a_step(values: list[int]) -> None:
    spec = netspec.loads(REDUCED)
    cls = module_class(spec.source(), spec.name)
    assert list(taken(cls)) == ["reductions", "widths"]
    torch.manual_seed(0)
    wanted = netspec.loads(REDUCED, [f"params.reductions={values}"]).build()
    torch.manual_seed(0)
    found = cls(reductions=values)
    x = torch.randn(2, 4, 32, 32)
    assert [*found.state_dict()] == [*wanted.state_dict()]
    assert torch.equal(found(x), wanted(x))
