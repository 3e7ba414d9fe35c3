"""Rules of `init`, `groups` and `defaults`: the first that matches wins, and one that never can is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import netspec
from netspec import SpecError

NET = "netspec: 1\ninput: 8\nparams: {deep: false}\nlayers: {a: linear 8, c: relu, b: [linear 4, relu when deep]}\n"
TRAIN = "data: {source: csv x.csv target=y}\ntrain: {loss: mse, optimizer: sgd lr=0.1, groups: "


@pytest.mark.parametrize(
    ("section", "never", "taker"),
    [
        ("init: {linear: ones, a.weight: zeros}", "a.weight", "linear"),
        ("init: {'*': ones, linear: zeros}", "linear", r"\*"),
        ("init: {a.*: ones, b.*: ones, linear: zeros}", "linear", r"a\.\* and b\.\*"),
        ("init: {'*.bias': zeros, linear: {weight: ones, bias: ones}}", "the bias of linear", r"\*\.bias"),
        ("defaults: {linear: nobias, Linear: bias=true}", "Linear: bias", "linear"),
        (TRAIN + "{linear: lr=0.3, b.*: lr=0.1}}", r"the lr of b\.\*", "linear"),
        (TRAIN + "{'*': lr=0.3 momentum=0.9, bias: weight_decay=0 lr=1}}".replace("bias", "'*.bias'"), "the lr", r"\*"),
    ],
)
def test_a_rule_that_earlier_ones_take_all_of_is_told_with_their_names(section: str, never: str, taker: str) -> None:
    with pytest.raises(SpecError, match=rf"{never}.* never (wins|holds): {taker} above it") as caught:
        netspec.loads(f"{NET}{section}\n")
    (problem,) = (p for p in caught.value.problems if p.severity == "error")
    assert str(problem.at.path[-1]) in never.replace("\\", "") or problem.at.path[-1] == "*.bias"


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ("init: {bn: ones}", "no layer with parameters is a bn"),
        ("init: {lstm: {weight: ones}}", "no layer with parameters is a lstm"),
        ("init: {stem.*: ones}", "'stem.*' matches no layer and no parameter"),
        ("defaults: {bn: eps=0.1}", "the network has no bn that takes eps"),
        (TRAIN + "{conv: lr=1}}", "no layer with parameters is a conv"),
        ("tie: {b.0.weight: a.weight}\ninit: {b.0.weight: zeros}", "fills only b.0.weight, which is tied to a.weight"),
    ],
)
def test_a_rule_that_matches_nothing_is_told(section: str, text: str) -> None:
    with pytest.raises(SpecError) as caught:
        netspec.loads(f"{NET.replace('linear 4', 'linear 8')}{section}\n")
    assert text in str(caught.value)


def test_a_default_that_every_call_gives_itself_is_told() -> None:
    with pytest.raises(SpecError, match="conv: kernel_size never holds, because every conv gives its own"):
        netspec.loads("input: 3x8x8\ndefaults: {conv: k3}\nlayers: [conv 4 k1, conv 4 k5]\n")


def test_a_rule_for_what_other_settings_let_in_stays() -> None:
    text = """
    input: 3x8x8
    params: {depth: 0, norm: bn}
    defaults: {groupnorm: eps=0.1, prelu: init=0.1}
    layers: [conv 4 k3, $norm, {when: depth > 1, layers: {deep: conv 4 k3}}, prelu when depth > 2]
    init: {layernorm: ones, "deep.weight": zeros, prelu: constant 0.3}
    """
    netspec.loads(text)
    with pytest.raises(SpecError, match=r"'deeper\.weight' matches no layer"):
        netspec.loads(text.replace("deep.weight", "deeper.weight"))


def test_a_rule_that_wins_by_other_settings_stays() -> None:
    text = "input: 3x8x8\nparams: {deep: false}\nlayers: {stem: conv 4 k3, body: conv 4 k3 when deep}\n"
    rules = "init: {stem.*: ones, conv: zeros}\n"
    netspec.loads(text + rules)
    with pytest.raises(SpecError, match=r"conv never wins: stem\.\* above it"):
        netspec.loads(text.replace("conv 4 k3 when", "bn when") + rules)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text(
        NET + "defaults: {linear: nobias}\ninit: {linear: normal std=0.02}\n"
        "train: {loss: mse, optimizer: sgd lr=0.1, groups: {linear: lr=0.3}}\n"
    )
    return tmp_path


def test_the_own_rules_of_a_spec_that_extends_another_go_first(base: Path) -> None:
    (base / "top.yaml").write_text(
        "extends: base.yaml\ninit: {a.weight: zeros}\ntrain: {groups: {a.*: lr=0.01}}\ndefaults: {Linear: bias=true}\n"
    )
    spec = netspec.load(base / "top.yaml")
    weights = spec.build().state_dict()
    assert not weights["a.weight"].any()
    assert weights["b.0.weight"].any()
    assert "a.bias" in weights
    assert spec.experiment.train is not None
    assert [group.key for group in spec.experiment.train.groups] == ["a.*", "linear"]


def test_rules_of_the_other_spec_may_lose_all_and_are_not_kept_with_a_run(base: Path) -> None:
    (base / "top.yaml").write_text("extends: base.yaml\ninit: {'*': zeros}\ntrain: {groups: {'*': lr=0.01}}\n")
    spec = netspec.load(base / "top.yaml")
    assert not any(tensor.any() for tensor in spec.build().state_dict().values())
    again = netspec.loads(spec.text)
    assert [rule.key for rule in again.graph.init] == ["*"]
    assert again.experiment.train is not None
    assert [group.key for group in again.experiment.train.groups] == ["*"]


def test_a_rule_of_the_other_spec_is_removed_by_null(base: Path) -> None:
    (base / "top.yaml").write_text("extends: base.yaml\ninit: {linear: null}\n")
    assert netspec.load(base / "top.yaml").graph.init == ()


def test_a_rule_from_the_command_line_goes_first(base: Path) -> None:
    spec = netspec.load(base / "base.yaml", ["init.Linear=zeros"])
    assert not any(tensor.any() for tensor in spec.build().state_dict().values())
    netspec.loads(spec.text)
    with pytest.raises(SpecError, match="no layer with parameters is a bn"):
        netspec.load(base / "base.yaml", ["init.bn=zeros"])


@pytest.mark.parametrize(
    ("layer", "rest"),
    [
        ("embedding 10 4 padding_idx=2", "init: {embedding: normal std=1}"),
        ("embedding 10 4 padding_idx=-8", "init: {'*': ones}"),
        ("embedding_bag 10 4 padding_idx=2", "init: {'*.weight': uniform}"),
        ("embedding 10 4 padding_idx=2", "tie: {e.weight: o.weight}"),
        ("embedding 10 4 padding_idx=2", "tie: {o.weight: e.weight}\ninit: {e.*: normal}"),
        ("embedding 10 4 padding_idx=2", "init: {'*': zeros}"),
    ],
)
def test_rows_for_padding_stay_zero(layer: str, rest: str) -> None:
    net = netspec.loads(f"input: int T\nlayers: {{e: {layer}, o: linear 10 nobias}}\n{rest}\n").build()
    filled = net.get_parameter("e.weight").any(1)
    assert not filled[2]
    assert filled.sum() in (0, 9)
    assert all(tensor.requires_grad and tensor.is_leaf for tensor in net.parameters())
    assert torch.isfinite(net.get_parameter("o.weight")).all()


@pytest.mark.parametrize(
    ("layers", "value", "hint"),
    [
        ("[{repeat: 3, layers: {c.$i: fc 4}}]", "c.*", "Name one of them, as in c.0."),
        ("{b: {repeat: 3, layers: [fc 4]}}", "b.*", "x: concat(b.*), makes one of all"),
    ],
)
def test_one_value_of_several_rounds(layers: str, value: str, hint: str) -> None:
    with pytest.raises(SpecError, match=re.escape(hint)):
        netspec.loads(f"netspec: 1\ninput: 4\nlayers: {layers}\noutputs: {{y: {value}}}\n")


def test_a_rule_near_a_level_is_offered_the_level() -> None:
    with pytest.raises(SpecError, match="Did you mean 'b'"):
        netspec.loads(f"{NET}weights: {{train: [bb]}}\n")
