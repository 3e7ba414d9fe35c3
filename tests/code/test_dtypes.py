"""A network is made float64, bfloat16 or float16 whole: what it computes from nothing goes with its parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

import netspec
from netspec.runtime.network.remove_parametrizations import copied

SPECS = sorted(Path(__file__).parents[2].glob("specs/*.yaml"))
QUICK = 30_000_000
"""Up to how many multiplications a network is run; of a larger one only shapes and dtypes are computed."""
LARGE = 5_000_000
"""The same for its parameters."""
DTYPES = (torch.float64, torch.bfloat16, torch.float16)


def drawn(spec: netspec.Spec, dtype: torch.dtype) -> list[Tensor]:
    """Inputs of a network, the same numbers in every dtype."""
    generator = torch.Generator().manual_seed(0)
    inputs = []
    for tensor in spec.graph.inputs.values():
        shape = [2 if str(size) == "B" else size if isinstance(size, int) else 7 for size in tensor.shape]
        if tensor.dtype == "float32":
            inputs.append(torch.randn(shape, generator=generator).to(dtype))
        else:
            inputs.append(torch.randint(0, 2, shape, generator=generator).to(getattr(torch, tensor.dtype)))
    return inputs


def results(network: nn.Module, inputs: list[Tensor]) -> list[Any]:
    torch.manual_seed(0)
    with torch.no_grad():
        return tree_leaves(network(*inputs))


def assert_follows(spec: netspec.Spec) -> None:
    """The network computes in each dtype, and in float64 what it computes in float32."""
    macs = spec.graph.macs()
    device = "meta" if spec.graph.parameter_count > LARGE or (isinstance(macs, int) and macs > QUICK) else "cpu"
    with torch.device(device):
        network = spec.build().eval()
    expected = results(network, drawn(spec, torch.float32)) if device == "cpu" else []
    for dtype in DTYPES:
        made = copied(network).to(dtype).to(device)
        floats = {tensor.dtype for tensor in made.state_dict().values() if tensor.is_floating_point()}
        assert floats <= {dtype}
        found = results(made, [x.to(device) for x in drawn(spec, dtype)])
        assert {tensor.dtype for tensor in found if tensor.is_floating_point()} == {dtype}
        if dtype == torch.float64:
            for a, b in zip(expected, found, strict=device == "cpu"):
                assert torch.allclose(a.double(), b, rtol=1e-4, atol=1e-5 * float(a.abs().max()) + 1e-12)


@pytest.mark.parametrize("file", SPECS, ids=lambda file: file.stem)
def test_ready_specs_follow_the_dtype(file: Path) -> None:
    assert_follows(netspec.load(file))


LAST = "o: add(z a), p: linear 3"


@pytest.mark.parametrize(
    "layers",
    [
        f"{{a: linear 8, z: zeros 8, {LAST}}}",
        f"{{a: linear 8, z: ones Bx8, {LAST}}}",
        f"{{a: linear 8, z: full 8 0.5, {LAST}}}",
        f"{{a: linear 8, z: linspace 0 1 8, {LAST}}}",
        f"{{a: linear 8, z: constant 0.5x0.25x1x2x3x4x5x6, {LAST}}}",
        f"{{a: linear 8, z: buffer 1x8 init=sincos, {LAST}}}",
        "{a: linear 8, e: eye 8, o: matmul(a e), p: linear 3}",
        f"{{z: 'arange 8, to float32, mul 0.1', a: linear(z) 8, {LAST}}}",
        f"{{z: 'arange 8, div 3', a: linear(z) 8, {LAST}}}",
        f"{{z: 'arange 8, mul 0.5', a: linear(z) 8, {LAST}}}",
        f"{{z: 'arange 8, sin', a: linear(z) 8, {LAST}}}",
        f"{{z: 'gt(in) 0, to float32', a: linear(z) 8, {LAST}}}",
        "{a: plain, z: 'arange 8, to float32', o: add(a z)}",
        "[linear 8, [{n: 'zeros 8, add(prev in)'}, plain], linear 3]",
    ],
)
def test_what_is_computed_from_nothing_follows_the_dtype(layers: str) -> None:
    block = "blocks: {plain: {t: linspace 0 1 8, o: add(in t)}}"
    assert_follows(netspec.loads(f"input: 8\n{block}\nlayers: {layers}\n"))


@pytest.mark.parametrize(
    "text",
    [
        "input: Tx8\nlayers: {m: causal T, a: sdpa(in in in m) heads=2, p: linear 3}\n",
        "input: Tx8\nlayers: {m: causal T, a: attention(in attn_mask=m) 2, p: linear 3}\n",
        "input: Tx8\nblocks: {b n=false: {c: linear 8 when n, m: causal T, a: sdpa(in in in m)}}\nlayers: [b, b n]\n",
        "input: int T\nlayers: {e: embedding 5 8, k: 'ne(in) 0, to float32, unsqueeze -1', m: mul(e k), p: linear 3}\n",
        "input: int T\nlayers: {e: embedding 5 8, m: causal T, a: sdpa(e e e m), r: lstm 4, p: linear 3}\n",
    ],
)
def test_masks_follow_the_dtype(text: str) -> None:
    assert_follows(netspec.loads(text))


def test_parameters_stay_what_counts_under_autocast() -> None:
    text = "input: 8\nlayers: {a: linear 8, c: 'arange 8, to float32', o: add(a c), p: linear 300}\n"
    network = netspec.loads(text.replace("arange 8", "arange 300, slice 0 292")).build()
    seen: list[Tensor] = []
    network.get_submodule("p").register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.autocast("cpu", torch.bfloat16):
        network(torch.zeros(1, 8))
    assert seen[0].dtype == torch.float32
    assert torch.equal(
        (seen[0] - network.get_submodule("a")(torch.zeros(1, 8))).round().long()[0], torch.arange(292, 300)
    )
