"""What a network keeps for backward, as its spec tells it, is what torch keeps, to the byte."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import netspec
from netspec import SpecError
from tests.code.wild import drawn
from tests.saved.counted import SIZES, at, counted, inputs, really, said

ROOT = Path(__file__).parent.parent.parent
SPECS = sorted((ROOT / "specs").glob("*.yaml"))
QUICK = ("nanogpt_tiny", "mamba_tiny", "mixtral_tiny", "lstm_lm_small", "vit_tiny_tv", "siamese", "textcnn_kim")


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_a_ready_spec_keeps_what_its_formula_says(path: Path) -> None:
    if path.stem not in QUICK and "NETSPEC_TEST_MORE" not in os.environ:
        pytest.skip("takes long; NETSPEC_TEST_MORE=1 runs it")
    spec = netspec.load(path)
    for pixelwise in (False, True):
        tape = said(spec, pixelwise=pixelwise)
        assert not tape.unknown
        for sizes in (SIZES, {**SIZES, "B": 3, "T": 9}):
            assert really(spec, sizes, pixelwise=pixelwise) == at(tape.bytes, sizes)


LAYERS = {
    "relus before pools": "input: 3x8x8\nlayers: [conv 4 k3, relu, maxpool 2, conv 4 k2, hardswish, avgpool 2, fc 3]",
    "written over": "input: 3x8x8\nlayers: [conv 4 k3, relu inplace, conv 4 k3, silu inplace, gap, fc 3]",
    "dropped": "input: 12\nlayers: [fc 8, dropout 0.5, prelu, fc 8, dropout 0, glu, fc 3]",
    "dropped channels": "input: 3x8x8\nlayers: [conv 4 k3, dropout2d 0.5, elu, groupnorm 2, gap, fc 3]",
    "weights of attention": "input: 5x8\nlayers: [multihead_attention 2 batch_first, fc 3]",
    "causal heads": "inputs: {x: TxBx8}\nlayers: [transformer_encoder_layer 2 dim_feedforward=12 norm_first]",
    "turned before a matrix": "input: 6x8\nlayers: [linear 4, transpose 1 2, linear 5 nobias, flatten 1, linear 3]",
    "weight norm twice": "input: 6\nlayers: {a: linear 6 wrap=weight_norm, b: use a, c: linear 2}",
    "beside a weight": "input: 6\nlayers: [linear 6 wrap=lora rank=2 dropout=0.1, tanh, fc 2]",
    "read nowhere": "input: 6\nlayers: {a: linear 6, b: linear(a) 100, c: linear(a) 2}",
}


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
def test_a_network_keeps_what_its_formula_says(layers: str) -> None:
    spec = netspec.loads(f"netspec: 1\n{layers}\n")
    tape = said(spec)
    assert not tape.unknown
    assert really(spec, SIZES) == at(tape.bytes, SIZES)


@pytest.mark.parametrize("name", ["nanogpt_tiny", "lenet5_tutorial", "bert_tiny"])
def test_in_short_floats_too(name: str) -> None:
    spec = netspec.load(ROOT / "specs" / f"{name}.yaml")
    assert really(spec, SIZES, short=True) == at(said(spec, short=True).bytes, SIZES)


@pytest.mark.parametrize("seed", range(12))
def test_drawn_networks(seed: int) -> None:
    try:
        spec = netspec.loads(drawn(seed, odd=False))
    except SpecError:
        return
    assert really(spec, SIZES) == at(said(spec).bytes, SIZES)


def test_what_is_frozen_keeps_nothing() -> None:
    text = "netspec: 1\ninput: 6\nlayers: {a: [linear 50, tanh, linear 50, tanh], b: linear 2}\n"
    spec = netspec.loads(f'{text}weights: {{freeze: ["a.*"]}}\n')
    net = spec.build()
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(name.startswith("b."))
    (x,) = inputs(spec, SIZES)
    assert at(said(spec).bytes, SIZES) == counted(lambda: net(x), net.parameters()) == 2 * 50 * 4


def test_an_operation_that_does_not_say_what_it_keeps_is_named() -> None:
    spec = netspec.loads("netspec: 1\ninput: 10\nlayers: [linear 8 wrap=orthogonal, fc 3]\n")
    tape = said(spec)
    assert list(tape.unknown) == ["orthogonal"]
    assert at(tape.bytes, SIZES) <= really(spec, SIZES)
