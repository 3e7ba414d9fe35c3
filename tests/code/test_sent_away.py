"""Networks as objects of Python: copied, pickled, saved, sent to other processes, and read."""

from __future__ import annotations

import copy
import gc
import inspect
import io
import multiprocessing
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

import netspec
from netspec.errors import UsageError
from netspec.runtime.network.printed import PACKAGE

SPECS = Path(__file__).parents[2] / "specs"
SPEC = """\
netspec: 1
name: Blocks
input: 1x8x8
blocks: {unit c: [conv $c k3 same, bn, relu]}
layers:
  stem: [unit 4, unit 8]
  drop: dropout 0.5, fc 6
  head: fc 3
weights: {freeze: [stem.0]}
"""
WRAPPED = """\
netspec: 1
input: 8
layers: {fc1: fc 8 wrap=weight_norm, fc2: fc 8 wrap=spectral_norm, bn1: bn, fc3: fc 8 wrap=orthogonal}
weights: {freeze: [fc1.bias, fc2, bn1]}
"""


def made(text: str) -> tuple[nn.Module, torch.Tensor]:
    """A network in training mode that has seen some batches, and a batch."""
    spec = netspec.loads(text)
    net = spec.build()
    torch.manual_seed(1)
    sizes = next(iter(spec.graph.inputs.values())).shape[1:]
    x = torch.randn(5, *sizes)  # type: ignore[arg-type]
    for _ in range(3):
        net(x)
    return net, x


def same(a: nn.Module, b: nn.Module, x: torch.Tensor) -> None:
    """Hold two networks to the same class, numbers, modes and gradients."""
    assert type(a) is type(b)
    assert [type(m) for m in a.modules() if type(m).__module__.startswith(PACKAGE)] == [
        type(m) for m in b.modules() if type(m).__module__.startswith(PACKAGE)
    ]
    assert [m.training for m in a.modules()] == [m.training for m in b.modules()]
    for (name, p), (other, q) in zip(a.named_parameters(), b.named_parameters(), strict=True):
        assert (name, p.requires_grad, p.data_ptr() == q.data_ptr()) == (other, q.requires_grad, False)
    for net in (a, b):
        net.train()
    torch.manual_seed(3)
    first = a(x)
    torch.manual_seed(3)
    assert torch.equal(first, b(x))
    assert all(torch.equal(v, b.state_dict()[k]) for k, v in a.state_dict().items())
    assert torch.equal(a.eval()(x), b.eval()(x))


def pickled(net: nn.Module) -> nn.Module:
    found: nn.Module = pickle.loads(pickle.dumps(net))
    return found


def saved(net: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    found: nn.Module = torch.load(file, weights_only=False)
    return found


@pytest.mark.parametrize("way", [pickled, saved, copy.deepcopy])
@pytest.mark.parametrize("text", [SPEC, WRAPPED], ids=["blocks", "wrapped"])
def test_what_comes_back_is_the_same(text: str, way: Any) -> None:
    net, x = made(text)
    same(way(net), net, x)


def test_a_shared_tensor_stays_shared() -> None:
    net = netspec.load(SPECS / "lstm_lm_small_tied.yaml").build()
    tied = [name for name, _ in net.named_parameters()]
    found = pickled(net)
    assert [name for name, _ in found.named_parameters()] == tied
    assert len(list(found.named_parameters(remove_duplicate=False))) == len(tied) + 1


@pytest.mark.parametrize("way", [pickled, saved, copy.deepcopy])
def test_a_network_with_wraps_keeps_all_that_was_done_to_it(way: Any) -> None:
    net: Any = made(WRAPPED)[0]
    wrapped = next(m for m in net.modules() if parametrize.is_parametrized(m))
    net.note, net.head = "mine", nn.Linear(2, 3)
    net.register_forward_hook(print)
    both = way(nn.ModuleList([net, wrapped, nn.Sequential(net)]))
    found = both[0]
    assert (found.note, found.head.out_features, list(found._forward_hooks.values())) == ("mine", 3, [print])
    assert both[2][0] is found
    assert any(m is both[1] for m in found.modules())
    assert torch.equal(both[1].weight, wrapped.weight)


def test_a_part_of_a_network_and_what_was_hung_on_it() -> None:
    net: Any = made(SPEC)[0]
    net.stem.register_forward_hook(print)
    net.note = "mine"
    found: Any = pickled(net)
    assert (list(found.stem._forward_hooks.values()), found.note) == ([print], "mine")
    assert type(pickled(net.stem[1])) is type(net.stem[1])


class Mine(nn.Module):
    """A network within another that somebody has written."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.inner(x)
        return result


def answer(net: nn.Module, x: torch.Tensor, place: str) -> None:
    """What another process makes of a network."""
    torch.save((net(x), inspect.getsource(type(net.inner))), place)


def test_another_process_takes_it(tmp_path: Path) -> None:
    net, x = made(SPEC)
    whole = Mine(net).eval()
    process = multiprocessing.get_context("spawn").Process(target=answer, args=(whole, x, str(tmp_path / "answer")))
    process.start()
    process.join(120)
    assert process.exitcode == 0
    found, source = torch.load(tmp_path / "answer")
    assert torch.allclose(found, whole(x), rtol=1e-5, atol=1e-6)
    assert source == inspect.getsource(type(net))


def test_a_file_is_all_that_another_program_needs(tmp_path: Path) -> None:
    net, x = made(WRAPPED)
    torch.save((net.eval(), x), tmp_path / "net.pt")
    code = "import torch; net, x = torch.load('net.pt', weights_only=False); torch.save(net(x), 'answer.pt')"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert torch.allclose(torch.load(tmp_path / "answer.pt"), net(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["resnet18", "nanogpt_tiny", "unet_buda_f8"])
def test_python_shows_the_source(name: str) -> None:
    spec = netspec.load(SPECS / f"{name}.yaml")
    net, printed = spec.build(), spec.source()
    for module in net.modules():
        if type(module).__module__.startswith(PACKAGE):
            assert inspect.getsource(type(module)) in printed
            assert inspect.getsource(type(module).forward) in printed
    assert inspect.getsource(type(net)).startswith(f"class {spec.name}(nn.Module):\n")


def test_networks_of_one_name_do_not_mix() -> None:
    first, second = (netspec.loads(f"netspec: 1\ninput: 8\nlayers: [fc {size}]").build() for size in (3, 5))
    assert "nn.Linear(8, 3)" in inspect.getsource(type(first))
    assert "nn.Linear(8, 5)" in inspect.getsource(type(second))
    assert pickled(first)(torch.zeros(1, 8)).shape == (1, 3)


def test_what_is_no_longer_used_is_forgotten() -> None:
    net = netspec.loads("netspec: 1\ninput: 8\nlayers: [fc 77]").build()
    place = type(net).__module__
    assert place in sys.modules
    del net
    gc.collect()
    assert place not in sys.modules


@pytest.mark.parametrize("line", ["import os", "torch.nn.__builtins__", 'getattr(torch, "__loader__")', "open('x')"])
def test_source_that_netspec_does_not_print_is_not_run(line: str) -> None:
    net = netspec.loads("netspec: 1\ninput: 8\nlayers: [fc 78]").build()
    text = inspect.getsource(sys.modules[type(net).__module__])
    reduced: Any = net.__reduce_ex__(4)
    blank, (source, *names), _ = reduced
    assert source == text
    with pytest.raises(UsageError, match="source that is not run"):
        blank(f"{text}\n\n{line}\n", *names)


def test_a_run_gives_its_network_in_evaluation_mode(tmp_path: Path) -> None:
    text = SPEC + "data: {source: digits, split: {val: 0.1}}\ntrain: {loss: ce, optimizer: adam, max_steps: 2}\n"
    spec = netspec.loads(text.replace("head: fc 3", "head: fc 10"))
    assert spec.build().training
    assert not spec.train(tmp_path / "run").module.training
    net = netspec.Run.read(tmp_path / "run").module()
    x = torch.randn(4, 1, 8, 8)
    assert torch.equal(net(x), net(x))
    assert net.train()(x).shape == (4, 10)
    assert not torch.equal(net(x), net(x))
