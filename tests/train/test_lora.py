"""Small matrices beside weights: they alone are trained and saved, resumed to the bit, and folded in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import netspec
from netspec.api.run import Run
from netspec.errors import DataError, Interrupted, UsageError
from netspec.runtime.network.folding import folded
from netspec.runtime.network.remove_parametrizations import unwrapped
from tests.train.small import digest
from tests.train.test_resume import StopAfter

EVERY = """\
netspec: 1
inputs: {img: 3x6x6, seq: 3x5, vol: 2x3x3x3, ids: int 5}
layers:
  c1: conv(seq) 6 k3 p2 d2 padding_mode=circular, mean -1
  c2: conv(img) 6 k3 s2 same, relu, gap, flatten
  c3: [conv(vol) 6 k2, fc 6]
  e: embedding(ids) 11 6 padding_idx=2
  a: attention(e) 2
  m: mean 1
  s: add(c1 c2 c3 m)
  f: fc 12, relu
  head: linear 3
"""
SPEC = """\
netspec: 1
name: Small
input: 1x8x8
layers:
  body: [conv 4 k3 nobias, bn, relu, flatten, linear 16, relu]
  head: linear 10
data: {source: digits, split: {val: 0.1}}
train: {loss: cross_entropy, optimizer: adamw lr=1e-2, epochs: 2, batch: 512, device: cpu}
"""
LORA = 'wrap: {"body.*": lora rank=2 dropout=0.1}\nweights: {load: base.safetensors, train: [head]}\n'


def moved(net: nn.Module) -> nn.Module:
    """The network with small matrices that change something."""
    torch.manual_seed(3)
    for name, parameter in net.named_parameters():
        if "lora" in name:
            nn.init.normal_(parameter, std=0.3)
    return net


@pytest.mark.parametrize("options", ["rank=2 alpha=6", "rank=3 alpha=4 rslora"])
def test_folded_it_computes_the_same(options: str) -> None:
    spec = netspec.loads(EVERY + f'wrap: {{"*": lora {options}}}\n')
    inputs = [torch.randn(2, 3, 6, 6), torch.randn(2, 3, 5), torch.randn(2, 2, 3, 3, 3)]
    given = [x.double() for x in inputs] + [torch.tensor([[1, 2, 3, 4, 10], [0, 2, 2, 5, 6]])]
    net, fresh = spec.build().double().eval(), spec.folded().build().double().eval()
    fresh.load_state_dict({n: t for n, t in net.state_dict().items() if "lora" not in n})
    torch.backends.mha.set_fastpath_enabled(False)  # it sums up in another order
    try:
        with torch.no_grad():
            assert torch.equal(net(*given), fresh(*given))  # at first they change nothing
            assert torch.equal(net(*given), unwrapped(net)(*given))
            moved(net)
            plain = unwrapped(net)
            assert not torch.allclose(net(*given), fresh(*given), atol=1e-3)
            torch.testing.assert_close(plain(*given), net(*given), rtol=1e-12, atol=1e-12)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    assert not [type(m) for m in plain.modules() if type(m).__name__.startswith("Lora")]
    assert list(plain.state_dict()) == list(fresh.state_dict())
    fresh.load_state_dict(plain.state_dict())


def test_its_names_and_first_values_are_those_of_peft() -> None:
    torch.manual_seed(0)
    net = netspec.loads(EVERY + 'wrap: {"*": lora rank=2}\n').build()
    tensors = net.state_dict()
    assert not tensors["f.lora_B.weight"].any()
    assert not tensors["e.lora_embedding_A"].any()
    assert tensors["f.lora_A.weight"].abs().max() <= 1 / 6**0.5  # kaiming_uniform with a = sqrt 5
    assert 0.5 < tensors["e.lora_embedding_B"].std() < 1.5
    assert {n for n in tensors if n.startswith("a.") and "lora" in n} == {
        *("a.lora_A.weight", "a.lora_B.weight", "a.out_proj.lora_A.weight", "a.out_proj.lora_B.weight")
    }
    trained = {name for name, p in net.named_parameters() if p.requires_grad}
    assert trained == {name for name in tensors if "lora_" in name}


def test_rules_of_init_leave_the_small_matrices_alone() -> None:
    rules = 'init: {conv: kaiming_normal, linear: {weight: normal std=0.02, bias: zeros}, "*.weight": ones}\n'
    net = netspec.loads(EVERY + 'wrap: {"*": lora rank=2}\n' + rules).build()
    assert not any(t.any() for n, t in net.state_dict().items() if n.endswith(("lora_B.weight", "embedding_A")))
    assert net.get_parameter("f.weight").std() < 0.05


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a spec that trains small matrices, with the weights that they stand beside."""
    torch.manual_seed(0)
    net = netspec.loads(SPEC).build()
    net.get_buffer("body.1.running_mean").uniform_()
    save_file({n: t for n, t in net.state_dict().items() if "head" not in n}, tmp_path / "base.safetensors")
    (tmp_path / "small.yaml").write_text(SPEC + LORA.replace("train:", 'skip: ["head.*"], train:'))
    return tmp_path


def load(folder: Path, *overrides: str) -> netspec.Spec:
    return netspec.load(folder / "small.yaml", list(overrides))


def test_only_what_is_trained_is_saved_and_read_beside_its_base(folder: Path) -> None:
    trained = load(folder).train(folder / "run")
    saved = load_file(folder / "run" / "best.safetensors")
    names = {f"body.{i}.lora_{m}.weight" for i in (0, 4) for m in "AB"} | {"head.weight", "head.bias"}
    assert set(saved) == names
    assert not (folder / "run" / "base.safetensors").exists()
    base, own = load_file(folder / "base.safetensors"), trained.module.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in base.items())
    run = Run.read(folder / "run")
    again = run.module().state_dict()
    assert again.keys() == own.keys()
    assert all(torch.equal(again[n], own[n]) for n in own)
    assert run.evaluate()["loss"] == pytest.approx(trained.history.records[-1]["val.loss"], rel=1e-5)
    plain = run.module(fold=True)
    x = torch.rand(3, 1, 8, 8)
    torch.testing.assert_close(plain(x), run.module()(x), rtol=1e-5, atol=1e-6)
    assert list(plain.state_dict()) == list(netspec.loads(SPEC).build().state_dict())


def test_what_no_file_has_of_the_base_is_kept_once(folder: Path) -> None:
    spec = netspec.loads(SPEC + LORA.replace("load: base.safetensors, ", "")).at(folder)
    spec.train(folder / "run")
    kept = load_file(folder / "run" / "base.safetensors")
    assert set(kept) == set(load_file(folder / "base.safetensors"))
    assert Run.read(folder / "run").evaluate()["loss"] > 0


@pytest.mark.parametrize("more", [[], ["train.ema=0.9"], ["weights.unfreeze={body.0: {step: 5}}"]], ids=str)
def test_a_stopped_run_ends_with_the_same_bits(more: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(folder, *more).train(folder / "whole")
    with monkeypatch.context() as patch:
        patch.setattr("netspec.runtime.train.run.StopSignals", StopAfter)
        StopAfter.left = 5
        with pytest.raises(Interrupted):
            load(folder, *more).train(folder / "parts")
    torch.manual_seed(9)
    load(folder, *more).train(folder / "parts", resume=True)
    for name in ("best.safetensors", "last.safetensors"):
        assert digest(folder / "whole" / name) == digest(folder / "parts" / name)
    state = next((folder / "parts" / "checkpoints").glob("*/tensors.safetensors"))
    held = {n for n in load_file(state) if ".module." in n}
    assert any("lora_A" in n for n in held)
    assert any("body.4.weight" in n for n in held) is False
    assert any("body.0.weight" in n for n in held) is bool(more and "unfreeze" in more[0])


def test_another_base_is_refused(folder: Path) -> None:
    load(folder).train(folder / "run")
    base = load_file(folder / "base.safetensors")
    save_file({n: t + 1 if n == "body.4.bias" else t for n, t in base.items()}, folder / "base.safetensors")
    with pytest.raises(DataError, match="is not the one that it was trained beside"):
        Run.read(folder / "run").module()
    with pytest.raises(UsageError, match="the base of lora"):
        load(folder, "train.epochs=3").train(folder / "run", resume=True)
    (folder / "base.safetensors").unlink()
    with pytest.raises(DataError, match=r"base\.safetensors"):
        Run.read(folder / "run").module()


@pytest.mark.parametrize(
    ("weights", "lora", "message"),
    [
        ("{load: run}", True, "Name that too: load: [BASE, run]"),
        ("{load: [base.safetensors, run]}", True, ""),
        ("{load: [base.safetensors, run]}", False, "Fold them first: netspec weights fold RUN"),
        ("{load: folded.safetensors}", False, ""),
    ],
)
def test_small_matrices_are_loaded_with_their_base(weights: str, lora: bool, message: str, folder: Path) -> None:
    load(folder).train(folder / "run")
    run = Run.read(folder / "run")
    save_file(run.module(fold=True).state_dict(), folder / "folded.safetensors")
    more = 'wrap: {"body.*": lora rank=2}\n' if lora else ""
    spec = netspec.loads(f"{SPEC}{more}weights: {weights}\n").at(folder)
    if message:
        with pytest.raises(DataError) as caught:
            spec.fitted()
        assert message in str(caught.value)
        return
    x = torch.rand(3, 1, 8, 8)
    torch.testing.assert_close(spec.build().eval()(x), run.module()(x), rtol=1e-5, atol=1e-6)


def test_printed_without_them_it_is_torchs_own_network() -> None:
    spec = netspec.loads(SPEC + 'wrap: {"*": lora}\n')
    assert "LoraConv2d(1, 4, 3, bias=False, rank=8, alpha=16)" in spec.source()
    assert spec.folded().source() == netspec.loads(SPEC).source()
    assert folded(net := netspec.loads(SPEC).build()) is net


def test_pickled_and_copied_it_is_the_same() -> None:
    import copy
    import pickle

    net: Any = moved(netspec.loads(SPEC + 'wrap: {"*": lora rank=2}\n').build()).eval()
    x = torch.rand(2, 1, 8, 8)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(other(x), net(x))


def test_an_adapter_file_of_peft_is_loaded_by_two_rules(tmp_path: Path) -> None:
    layers = (
        "netspec: 1\ninput: int 5\nlayers: {e: embedding 7 6, a: attention 2, f: linear 3}\nwrap: {'*': lora rank=2}\n"
    )
    net = moved(netspec.loads(layers).build())
    tensors = net.state_dict()
    named = {n: f"base_model.model.{n}".replace("a.out_proj", "a.base_layer.out_proj") for n in tensors if "lora" in n}
    save_file({named[n]: tensors[n] for n in named}, tmp_path / "adapter_model.safetensors")
    save_file({n: t for n, t in tensors.items() if n not in named}, tmp_path / "base.safetensors")
    rules = r'{"base_model.model.": "", "(.*)[.]base_layer[.](.*)": "$1.$2"}'
    load = f"weights: {{load: [base.safetensors, {{load: adapter_model.safetensors, rename: {rules}}}]}}\n"
    found = netspec.loads(layers + load).at(tmp_path).build().state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())
