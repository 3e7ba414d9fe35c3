"""The initialisers and wraps are those of the installed torch, with its arguments, and fill as torch does."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from netspec import SpecError, loads
from netspec.emit.torch import WRAPPING as WRITTEN
from netspec.emit.torch import fill_name
from netspec.initializers import Default, Initializer, LecunNormal, PartialDirac, Whitening
from netspec.language.calls import read_entry
from netspec.vocabulary import INITIALIZERS, WRAPS
from tests import written

TORCHS = sorted({cls.called() for cls in WRAPS.classes()} - {"orthogonal", "lora"})
OF_TORCH = {
    name: function
    for name, function in vars(nn.init).items()
    if name.endswith("_") and not name.startswith("_") and inspect.isfunction(function)
}
APART = (Default, LecunNormal, PartialDirac, Whitening)
"""What torch has under no name of its own."""
OWN = {fill_name(cls).removeprefix("nn.init."): cls for cls in INITIALIZERS.classes() if cls not in APART}


def test_every_initialiser_of_torch_is_here() -> None:
    assert set(OWN) == set(OF_TORCH)


@pytest.mark.parametrize("name", OWN)
def test_arguments_are_those_of_torch(name: str) -> None:
    (_, *wanted) = inspect.signature(OF_TORCH[name]).parameters.values()
    wanted = [p for p in wanted if p.name != "generator"]  # the run has one for all
    fields = OWN[name].fields
    assert sorted(p.name for p in wanted) == sorted(fields)
    for parameter in wanted:
        given = parameter.default is not inspect.Parameter.empty
        assert fields[parameter.name].default == parameter.default if given else fields[parameter.name].required


@pytest.mark.parametrize("cls", OWN.values(), ids=lambda cls: cls.__name__)
def test_what_is_printed_fills_as_torch_does(cls: type[Initializer]) -> None:
    entry, _ = read_entry(cls.example, (), INITIALIZERS)
    shape = (4, 4, 3) if cls.__name__ == "Dirac" else (4, 4)
    mine, theirs = torch.empty(shape), torch.empty(shape)
    torch.manual_seed(0)
    eval(written.filled(entry, "mine"), {"nn": nn, "mine": mine})
    torch.manual_seed(0)
    OF_TORCH[f"{cls.called()}_"](theirs, **entry.given)
    assert torch.equal(mine, theirs)


def test_lecun_normal_keeps_the_variance_of_what_goes_through() -> None:
    mine, theirs = torch.empty(40, 30, 3), torch.empty(40, 30, 3)
    torch.manual_seed(0)
    eval(written.filled(LecunNormal(), "mine"), {"nn": nn, "mine": mine})
    torch.manual_seed(0)
    theirs.normal_(0, (1 / 90) ** 0.5)
    assert torch.allclose(mine, theirs)


def test_partial_dirac_leaves_the_other_filters_alone() -> None:
    mine, theirs = torch.randn(5, 2, 3), torch.empty(2, 2, 3)
    rest = mine[2:].clone()
    eval(written.filled(PartialDirac(), "mine"), {"nn": nn, "mine": mine})
    assert torch.equal(mine[:2], nn.init.dirac_(theirs))
    assert torch.equal(mine[2:], rest)
    assert (
        "module.weight[: module.weight.shape[1]]"
        in loads("input: 3x8x8\nlayers: [conv 8 k3, conv 8 k3]\ninit: {conv: partial_dirac}\n").source()
    )


def test_every_parametrisation_of_torch_is_here() -> None:
    known = {f"nn.utils.parametrizations.{name}" for name in parametrizations.__all__}
    assert known == {path for path in WRITTEN.values() if "parametrizations" in path}
    assert set(WRITTEN) == {cls.__name__ for cls in WRAPS.classes() if not cls.beside}


def initialised(rows: str, init: str, given: str = "3x8x8") -> Any:
    torch.manual_seed(0)
    return loads(f"input: {given}\nlayers: {rows}\ninit: {init}\n").build()


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("key", ["conv", "'*.weight'", "'a*'", "a.0"])
@pytest.mark.parametrize("wrap", TORCHS)
def test_a_rule_reaches_the_weight_that_a_wrap_trains(wrap: str, key: str) -> None:
    net = initialised(f"{{a: [conv 4 k3 wrap={wrap}]}}", f"{{{key}: constant 0.5}}")
    trained = dict(net.named_parameters())
    if "weight_norm" in wrap:
        net(torch.zeros(1, 3, 8, 8))  # the older function computes the weight when it runs
        assert torch.allclose(net.get_submodule("a.0").weight, torch.tensor(0.5))
    else:
        (filled,) = (p for name, p in trained.items() if "bias" not in name)
        assert torch.equal(filled, torch.full_like(filled, 0.5))
    assert all(p.is_leaf and p.requires_grad for p in trained.values())


def test_an_orthogonal_weight_is_drawn_anew() -> None:
    net = initialised("{a: linear 8 wrap=orthogonal}", "{linear: eye}", "8")
    assert torch.allclose(net.a.weight, torch.eye(8), atol=1e-6)
    net = initialised("{a: linear 4 wrap=orthogonal}", "{linear: {weight: normal, bias: ones}}", "8")
    assert torch.allclose(net.a.weight @ net.a.weight.T, torch.eye(4), atol=1e-5)
    assert torch.equal(net.a.bias, torch.ones(4))


def test_wrapped_and_plain_layers_have_rules_together() -> None:
    net = initialised("{a: conv 4 k3 wrap=weight_norm, b: conv 4 k3}", "{conv: constant 0.5}")
    for conv in (net.a, net.b):
        assert torch.allclose(conv.weight, torch.tensor(0.5))


def test_parts_have_rules_of_their_own_and_the_first_rule_wins() -> None:
    wrapped, part = "{a: linear 4 wrap=weight_norm}", "'*.original1'"
    first = initialised(wrapped, f"{{{part}: ones, linear: constant 0.5}}", "8")
    assert torch.equal(first.a.parametrizations.weight.original1, torch.ones(4, 8))
    first = initialised(wrapped, f"{{linear: constant 0.5, {part}: ones}}", "8")
    assert torch.allclose(first.a.weight, torch.tensor(0.5))


@pytest.mark.parametrize("init", ["zeros", "constant 0", "eye", "sparse 0.5"])
def test_a_length_of_zero_has_no_direction(init: str) -> None:
    with pytest.raises(SpecError, match="is wrapped in weight_norm"):
        initialised("{a: linear 9 wrap=weight_norm}", f"{{linear: {init}}}", "8")


def test_a_kind_without_a_weight_is_told_so() -> None:
    with pytest.raises(SpecError, match="lstm matches LSTM, which has no `weight`") as caught:
        initialised("[lstm 4]", "{lstm: orthogonal}", "5x3")
    assert "weight_ih_l0" in str(caught.value)
    initialised("[lstm 4]", "{lstm: {weight_hh_l0: orthogonal}}", "5x3")
    initialised("[lstm 4]", "{lstm: default}", "5x3")
