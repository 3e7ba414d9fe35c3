"""Every operation says what of it backward reads, to the byte, or there is a reason why not."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import torch

import netspec
from netspec.dims import Dim, substitute
from netspec.faults import Invalid
from netspec.layers.base import Layer, Op
from netspec.saved import Tape
from netspec.tensors import Misfit, Tensor
from netspec.vocabulary import OPERATIONS, WRAPS
from tests.drawn import MORE
from tests.layers.examples import example as layer_example
from tests.ops.cases import case
from tests.ops.examples import CLASSES as OPS
from tests.ops.examples import example as op_example
from tests.saved.counted import SIZES, at, really, said
from tests.saved.single import compared, held, numbered

CLASSES = [cls for cls in OPERATIONS.classes() if not cls.owned]
NO_SHORT = {
    "AffineGrid": "torch has none in bfloat16 on a CPU",
    "Bilinear": "torch wants inputs of the dtype of the weights",
    "IFFT": "torch joins no parts in bfloat16",
    "IRFFT": "torch joins no parts in bfloat16",
    "LSTM": "what oneDNN works in is not known in bfloat16, which few processors have",
}
"""Operations that are not looked at in bfloat16, and why."""
ON_A_GPU = dict.fromkeys(("RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell"), "cuDNN keeps what it likes")
"""Operations of which it is not said what they keep on a GPU, and why."""


def example(cls: type[Op]) -> tuple[Op, list[Tensor]]:
    """The example of an operation with numbers for all sizes."""
    op, inputs = layer_example(cls) if issubclass(cls, Layer) else op_example(cls)
    return op.replace(**{name: known(getattr(op, name)) for name in op.fields}), numbered(inputs)


def known(value: Any) -> Any:
    """An argument with numbers for sizes."""
    if isinstance(value, tuple):
        return tuple(map(known, value))
    return substitute(value, dict(SIZES)) if isinstance(value, Dim) else value


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_an_operation_keeps_what_it_says(cls: type[Op]) -> None:
    op, inputs = example(cls)
    ways: list[dict[str, bool]] = [{}, {"grad": False}, {"short": True}, {"pixelwise": True}]
    for way in ways:
        maps = any(len(x.shape) == 4 for x in inputs)
        if (way.get("short") and cls.__name__ in NO_SHORT) or (way.get("pixelwise") and not maps):
            continue
        kept, told, unknown = compared(op, inputs, **way)
        assert not unknown
        assert told == kept, way


@pytest.mark.parametrize("number", range(2 * MORE))
def test_drawn_operations(number: int) -> None:
    rng, seen = Random(number), 0
    for cls in OPS:
        drawn = case(cls, rng)
        try:
            op = cls(**drawn.values).fitted(*drawn.inputs)
            op.shape(*drawn.inputs)
        except (Misfit, Invalid):
            continue
        if not op.owned:
            kept, told, unknown = compared(op, drawn.inputs)
            assert (told, unknown) == (kept, []), str(drawn)
            seen += 1
    assert seen > 30


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if cls.__name__ in ON_A_GPU], ids=lambda cls: cls.__name__)
def test_what_a_gpu_keeps_of_a_recurrence_is_told_as_unknown(cls: type[Op]) -> None:
    op, inputs = example(cls)
    tape = Tape(cuda=True, own=lambda name: held(torch.zeros(op.parameters()[name]), name))
    op.kept(tape, *(held(torch.zeros([size for size in x.shape if isinstance(size, int)])) for x in inputs))
    assert list(tape.unknown) == [op.said]


NETWORKS = {
    "spectral_norm": "input: 3x8x8\nlayers: [conv 4 k3 wrap=spectral_norm, relu, conv 4 k3 wrap=spectral_norm, fc 3]",
    "spectral_norm_hook": "input: 6\nlayers: [linear 5 wrap=spectral_norm_hook, tanh, linear 2]",
    "weight_norm": "input: 6\nlayers: [linear 5 wrap=weight_norm, tanh, linear 2]",
    "weight_norm_hook": "input: 6\nlayers: [linear 5 wrap=weight_norm_hook, tanh, linear 2]",
    "lora": "input: 3x8x8\n"
    "layers: [conv 4 k3, relu, conv 4 k3 same wrap=lora rank=2 dropout=0.1, fc 3 wrap=lora rank=2]",
}
ON_NO_WRAP = {"orthogonal": "a weight comes of a chain of products and solutions that its kind of matrix decides"}
"""Wraps of which it is not said what they keep, and why."""


@pytest.mark.filterwarnings("ignore:.*norm.*:FutureWarning")
@pytest.mark.parametrize("wrap", NETWORKS)
def test_a_wrapped_layer_keeps_what_it_says(wrap: str) -> None:
    spec = netspec.loads(f"netspec: 1\n{NETWORKS[wrap]}\n")
    for pixelwise in (False, True):
        tape = said(spec, pixelwise=pixelwise)
        assert not tape.unknown
        assert really(spec, SIZES, pixelwise=pixelwise) == at(tape.bytes, SIZES)


def test_every_wrap_is_here_or_has_a_reason() -> None:
    assert {cls.words[0] for cls in WRAPS.classes()} == {*NETWORKS, *ON_NO_WRAP}


MASKED = {
    "two masks": "inputs: {x: 6x8, m: bool 6}\n"
    "layers: [transformer_encoder_layer(x src_key_padding_mask=m) 2 batch_first]",
    "decoder": "inputs: {x: 6x8, y: 5x8, m: bool 5}\nlayers: "
    "[transformer_decoder_layer(x y memory_key_padding_mask=m) 2 batch_first dim_feedforward=12]",
    "edges": "input: 3x8x8\n"
    "layers: [conv 4 k3 p1 padding_mode=reflect, relu, conv 4 k3 padding=same padding_mode=circular]",
    "one network twice": "input: 5x6\n"
    "layers: {a: gru 6 batch_first, b: use a, c: rnn 4 num_layers=2 batch_first bidirectional}",
    "letters": "inputs: {a: 4x5, b: 6x5}\nlayers: {x: linear(a) 5, y: linear(b) 5, z: einsum(x y x) bid/bjd/bke:bij}",
}


@pytest.mark.parametrize("layers", MASKED.values(), ids=MASKED)
def test_a_network_of_them_keeps_what_it_says(layers: str) -> None:
    spec = netspec.loads(f"netspec: 1\n{layers}\n")
    tape = said(spec)
    assert not tape.unknown
    assert really(spec, SIZES) == at(tape.bytes, SIZES)
