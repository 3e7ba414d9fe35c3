"""A network that is built with weights is the network that is built, and then loaded with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_model
from torch import nn

import netspec
from netspec.graph.wrapping import words
from netspec.runtime.export.example_inputs import Examples
from netspec.runtime.network.plain import weights_in
from netspec.runtime.network.weights import save_weights

SPECS = sorted((Path(__file__).parent.parent.parent / "specs").glob("*.yaml"))
SMALLER = {
    **dict.fromkeys(("fcn_resnet50", "vgg16", "vgg16_bn", "convnext_tiny", "resnet50"), "input=3x64x64"),
    **dict.fromkeys(("densenet121", "googlenet", "resnet18", "squeezenet1_0"), "input=3x96x96"),
}
"""Networks that take images of any size, on small ones: their weights are the same."""
TIED = """
netspec: 1
input: int T
layers:
  table: embedding 7 5
  body: linear 5
  head: linear 7 nobias
tie: {head.weight: table.weight}
weights: {freeze: [table]}
"""


def assert_same(given: nn.Module, plain: nn.Module) -> None:
    """Every parameter and buffer, those that no state_dict holds included, and which of them are trained."""
    left, right = (list(m.named_parameters(remove_duplicate=False)) for m in (given, plain))
    assert_equal(left, right)
    assert_equal(list(given.named_buffers()), list(plain.named_buffers()))
    assert [p.requires_grad for _, p in left] == [p.requires_grad for _, p in right]
    assert len({p for _, p in left}) == len({p for _, p in right}), "what is tied stays tied"


def assert_equal(left: Sequence[tuple[str, torch.Tensor]], right: Sequence[tuple[str, torch.Tensor]]) -> None:
    assert [name for name, _ in left] == [name for name, _ in right]
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(left, right, strict=True))


def both(spec: netspec.Spec) -> tuple[nn.Module, nn.Module]:
    """The network built with weights, and the network that was built without, whose weights they are."""
    plain = spec.build()
    return spec.build(plain.state_dict()), plain


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_building_with_weights_is_building_and_loading(path: Path) -> None:
    spec = netspec.load(path, [SMALLER[path.stem]] if path.stem in SMALLER else [])
    given, plain = both(spec)
    assert_same(given, plain)
    inputs = Examples(spec.graph.inputs)
    given.eval(), plain.eval()
    with torch.inference_mode():
        drawn = inputs.draw(1, inputs.sizes(given)[0])
        torch.testing.assert_close(given(*drawn), plain(*drawn), rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("wrap", [word for word in words() if word != "lora"])
@pytest.mark.parametrize("layer", ["linear 6", "conv_transpose1d 6 k3"])
def test_wrapped_weights(wrap: str, layer: str) -> None:
    spec = netspec.loads(f"netspec: 1\ninput: 6x8\nlayers: ['{layer} wrap={wrap}']\n")
    given, plain = both(spec)
    assert_same(given, plain)
    given.eval(), plain.eval()
    x = torch.randn(2, 6, 8)
    torch.testing.assert_close(given(x), plain(x), rtol=0, atol=0)


@pytest.mark.parametrize("fill", ["arange", "causal", "sincos", "normal std=2"])
def test_what_is_not_among_the_weights_is_computed(fill: str) -> None:
    spec = netspec.loads(
        f"netspec: 1\ninput: 4x6\nlayers: {{table: buffer 4x6 init={fill} persistent=false, sum: add(in table)}}\n"
    )
    torch.manual_seed(0)
    plain = spec.build()
    torch.manual_seed(0)
    assert_same(spec.build({}), plain)


def test_ties_and_frozen_parameters_stay() -> None:
    given, plain = both(netspec.loads(TIED))
    assert_same(given, plain)
    trained = {name: p.requires_grad for name, p in given.named_parameters()}
    assert trained == {"table.weight": False, "body.weight": True, "body.bias": True}


ALIASED = "netspec: 1\ninput: 5\nlayers: {net: [linear 5, bn], first: alias net.0, out: use(net) net.0}\n"


@pytest.mark.parametrize("text", [TIED, ALIASED], ids=["tied", "aliased"])
def test_one_name_of_a_shared_tensor_is_enough(text: str, tmp_path: Path) -> None:
    text = text.replace("weights: {freeze: [table]}\n", "")
    plain = netspec.loads(text).build()
    whole = plain.state_dict()
    save_model(plain, str(tmp_path / "w.safetensors"))
    assert len(load_file(tmp_path / "w.safetensors")) < len(whole)
    (tmp_path / "s.yaml").write_text(f"{text}weights: {{load: w.safetensors}}\n")
    assert_same(netspec.load(tmp_path / "s.yaml").build(), plain)
    for name in whole:
        others = [other for other in whole if other != name and whole[other].data_ptr() == whole[name].data_ptr()]
        if others:
            assert_same(netspec.loads(text).build({n: t for n, t in whole.items() if n != name}), plain)
        lone = {n: t for n, t in whole.items() if n not in (name, *others)}
        if name.endswith("num_batches_tracked"):
            continue
        with pytest.raises(netspec.DataError, match=f"{name} is missing"):
            netspec.loads(text).build(lone)


def test_a_shared_tensor_that_is_two_is_refused() -> None:
    weights = netspec.loads(TIED).build().state_dict()
    weights["head.weight"] = weights["head.weight"] + 1
    with pytest.raises(netspec.DataError, match=r"table\.weight and head\.weight are one tensor .* differ"):
        netspec.loads(TIED).build(weights)


def test_no_random_number_is_drawn() -> None:
    spec = netspec.load(Path(__file__).parent.parent.parent / "specs" / "resnet18.yaml")
    weights = spec.build().state_dict()
    before = torch.get_rng_state()
    spec.build(weights)
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_are_taken_as_they_are_but_for_their_kind() -> None:
    spec = netspec.loads("netspec: 1\ninput: 3\nlayers: {fc: linear 2}\n")
    weights = {"fc.weight": torch.ones(2, 3), "fc.bias": torch.ones(2, dtype=torch.float64)}
    net = spec.build(weights)
    assert net.get_parameter("fc.weight").data_ptr() == weights["fc.weight"].data_ptr()
    assert net.get_parameter("fc.bias").dtype == torch.float32


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    spec = netspec.loads("netspec: 1\ninput: 3\nlayers: {fc: linear 2}\n")
    wrong = {"fc.weight": torch.ones(3, 2), "fc.shift": torch.ones(2)}
    with pytest.raises(netspec.DataError, match="the weights are another network's") as found:
        spec.build(wrong)
    text = str(found.value)
    assert "fc.bias is missing" in text
    assert "fc.shift is not in the network" in text
    assert "fc.weight is (2, 3) in the network and (3, 2) there" in text
    save_weights(wrong, tmp_path / "w.safetensors")
    (tmp_path / "s.yaml").write_text("netspec: 1\ninput: 3\nlayers: {fc: linear 2}\nweights: {load: w.safetensors}\n")
    with pytest.raises(netspec.DataError, match=r"4:17  error\[weights\]  weights in w\.safetensors do not fit"):
        netspec.load(tmp_path / "s.yaml").build()


NORMED = "netspec: 1\ninput: 1x4x4\nlayers: {conv1: conv 3 k3, bn1: bn, fc1: fc 2}\n"


def test_a_norm_without_its_count_is_taken_as_torch_takes_it(tmp_path: Path) -> None:
    plain = netspec.loads(NORMED).build()
    plain(torch.randn(4, 1, 4, 4))
    older = {name: tensor for name, tensor in plain.state_dict().items() if name != "bn1.num_batches_tracked"}
    theirs = netspec.loads(NORMED).build()
    theirs.load_state_dict(older)  # strictly
    assert_same(netspec.loads(NORMED).build(older), theirs)
    save_weights(older, tmp_path / "w.safetensors")
    (tmp_path / "s.yaml").write_text(f"{NORMED}weights: {{load: w.safetensors}}\n")
    assert_same(netspec.load(tmp_path / "s.yaml").build(), theirs)
    with pytest.raises(netspec.DataError, match=r"bn1\.running_mean is missing"):
        netspec.loads(NORMED).build({n: t for n, t in older.items() if n != "bn1.running_mean"})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["conv1.weight", "fc1.bias", "bn1.running_var", "bn1.weight"])
def test_weights_that_are_not_finite_are_told_by_name(name: str, value: float, tmp_path: Path) -> None:
    weights = netspec.loads(NORMED).build().state_dict()
    weights[name].view(-1)[1] = value
    words = rf"hold numbers that are not finite: {name} \(1 of {weights[name].numel()}\)\. They were saved after"
    with pytest.raises(netspec.DataError, match=f"the weights {words}"):
        netspec.loads(NORMED).build(weights)
    save_weights(weights, tmp_path / "w.safetensors")
    (tmp_path / "s.yaml").write_text(f"{NORMED}weights: {{load: w.safetensors}}\n")
    with pytest.raises(netspec.DataError, match=rf"the weights in .*w\.safetensors {words}"):
        netspec.load(tmp_path / "s.yaml").build()


def test_a_mask_may_hold_infinities() -> None:
    spec = netspec.loads("netspec: 1\ninput: 4x6\nlayers: {mask: buffer 4x6, sum: add(in mask)}\n")
    spec.build({"mask": torch.full((4, 6), -float("inf"))})
    with pytest.raises(netspec.DataError, match=r"mask \(24 of 24\)"):
        spec.build({"mask": torch.full((4, 6), float("nan"))})


@pytest.mark.parametrize("hook", ["", "_hook"])
@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_lengths_along_another_axis_are_those_of_torch(hook: str, tmp_path: Path) -> None:
    spec = netspec.loads(
        f"""
        netspec: 1
        input: 4x9
        layers: {{a: conv 6 k4 p2 g2 wrap=weight_norm{hook} dim=2}}
        init: {{conv: normal std=3}}
        """
    )
    net: Any = spec.build()
    net(torch.zeros(1, 4, 9))  # the older function makes the weight then
    lengths = net.a.weight_g if hook else net.a.parametrizations.weight.original0
    assert torch.allclose(lengths, torch.norm_except_dim(net.a.weight, dim=2))
    with torch.no_grad():
        lengths.mul_(2)
    net(torch.zeros(1, 4, 9))
    save_weights(net.state_dict(), tmp_path / "w.safetensors")
    weights = weights_in(spec.graph, tmp_path / "w.safetensors")
    assert torch.allclose(torch.from_numpy(weights["a.weight"]), net.a.weight, atol=1e-6)
