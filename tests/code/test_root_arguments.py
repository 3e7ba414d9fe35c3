"""Parameters of a network as arguments of its class: with others it is the network of the overridden spec."""

from __future__ import annotations

import inspect
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

import netspec
from netspec.dims import substitute
from netspec.graph.symbols import plain
from netspec.runtime.network.printed import module_class
from tests.code.test_specs import SIZES, example

SPECS = sorted((Path(__file__).parent.parent.parent / "specs").glob("*.yaml"))
WITH = [path for path in SPECS if netspec.load(path).document.params]
ALL = {
    "nanogpt_tiny": ["vocab", "context", "d", "heads", "depth", "p"],
    "bert_tiny": ["vocab", "context", "d", "heads", "depth", "ff", "p"],
    "densenet121": ["growth"],
    "resnet50": ["classes"],
    "unet_buda_f8": ["f"],
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
    values = [value / 3 + 0.2] if isinstance(value, float) else [not value] if isinstance(value, bool) else []
    for tried in [*values, 4 * value, value + 3, 5 * value, 6 * value]:
        try:
            return tried, netspec.load(path, [f"params.{name}={str(tried).lower()}"])
        except netspec.SpecError:
            continue
    pytest.fail(f"{path.stem} takes no other value of {name}")


@pytest.mark.parametrize("path", WITH, ids=lambda p: p.stem)
@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_other_arguments_give_the_network_of_the_spec_with_these_params(path: Path) -> None:
    _, cls = network(path)
    for name, default in taken(cls).items():
        value, spec = other(path, name, default)
        with torch.device("meta"):
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
    assert list(taken(module_class(spec.source(), spec.name))) == ["n"]


@pytest.mark.parametrize(
    ("condition", "taken_"), [("n > 1000", False), ("n * 3 < 500", False), ("p > 0", False), ("n > 0", True)]
)
def test_what_a_condition_asks_for_is_an_argument_only_if_the_answer_is_always_the_same(
    condition: str, taken_: bool
) -> None:
    spec = netspec.loads(
        "input: 8\nparams: {n: 4, p: 0.5}\n"
        f"layers: {{a: linear $n, d: dropout $p, b: {{when: {condition}, layers: [linear 5]}}}}"
    )
    name = "n" if "n" in condition else "p"
    assert (name in taken(module_class(spec.source(), spec.name))) is taken_


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


def test_a_computed_param_is_a_formula_of_those_that_it_is_computed_from() -> None:
    spec = netspec.loads("input: 8\nparams: {d: 16, ff: $(4*d)}\nlayers: [linear $d, linear $ff]\n")
    assert "def __init__(self, d=16):" in spec.source()
    assert "nn.Linear(d, 4 * d)" in spec.source()
