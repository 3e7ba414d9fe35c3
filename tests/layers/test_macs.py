"""Multiply-accumulates against torch's own counter."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from netspec.layers.base import Layer
from netspec.tensors import Tensor
from tests.layers import reference
from tests.layers.examples import LAYERS

CASES = [
    ("Conv1d", {"out_channels": 6, "kernel_size": 3, "stride": 2, "groups": 2}, [(2, 4, 9)]),
    ("Conv2d", {"out_channels": 6, "kernel_size": (3, 2), "padding": 1, "dilation": 2}, [(2, 4, 9, 8)]),
    ("Conv3d", {"out_channels": 5, "kernel_size": 2}, [(2, 4, 5, 6, 7)]),
    ("ConvTranspose2d", {"out_channels": 6, "kernel_size": 3, "stride": 2, "groups": 2}, [(2, 4, 5, 6)]),
    ("ConvTranspose3d", {"out_channels": 3, "kernel_size": 2}, [(2, 4, 3, 4, 5)]),
    ("Linear", {"out_features": 7}, [(2, 5, 3)]),
    ("FC", {"out_features": 7}, [(2, 5, 3)]),
    ("MultiheadAttention", {"num_heads": 2}, [(5, 2, 8)]),
    ("MultiheadAttention", {"num_heads": 2}, [(5, 2, 8), (7, 2, 6), (7, 2, 4)]),
    ("MultiheadAttention", {"num_heads": 2, "add_bias_kv": True, "add_zero_attn": True}, [(5, 2, 8), (7, 2, 8)]),
    ("Attention", {"num_heads": 2}, [(2, 5, 8)]),
    ("TransformerEncoderLayer", {"nhead": 2, "dim_feedforward": 12}, [(5, 2, 8)]),
    ("TransformerDecoderLayer", {"nhead": 2, "dim_feedforward": 12, "batch_first": True}, [(2, 5, 8), (2, 7, 8)]),
    ("TransformerEncoder", {"nhead": 2, "num_layers": 3, "dim_feedforward": 12}, [(5, 2, 8)]),
    ("TransformerDecoder", {"nhead": 2, "num_layers": 3, "dim_feedforward": 12}, [(5, 2, 8), (7, 2, 8)]),
    (
        "Transformer",
        {"nhead": 2, "num_encoder_layers": 2, "num_decoder_layers": 3, "dim_feedforward": 12},
        [(5, 2, 8), (7, 2, 8)],
    ),
    ("RNN", {"hidden_size": 6, "num_layers": 2, "bidirectional": True}, [(5, 2, 4)]),
    ("GRU", {"hidden_size": 6, "num_layers": 2, "batch_first": True}, [(2, 5, 4)]),
    ("LSTM", {"hidden_size": 6, "bidirectional": True}, [(5, 2, 4)]),
    ("LSTM", {"hidden_size": 6, "num_layers": 2, "proj_size": 3}, [(5, 2, 4)]),
    ("RNNCell", {"hidden_size": 6}, [(2, 4)]),
    ("GRUCell", {"hidden_size": 6}, [(2, 4)]),
    ("LSTMCell", {"hidden_size": 6}, [(2, 4)]),
    ("MaxPool2d", {"kernel_size": 2}, [(2, 4, 6, 6)]),
    ("LayerNorm", {}, [(2, 4, 6)]),
    ("Softmax", {"dim": 1}, [(2, 4)]),
]


@contextmanager
def plain_kernels() -> Iterator[None]:
    """No fused attention and no fused LSTM: the counter sees only matrix products."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with torch.backends.mkldnn.flags(enabled=False), sdpa_kernel(SDPBackend.MATH):
            yield


@pytest.mark.parametrize(("name", "values", "shapes"), CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_macs_are_half_the_flops_that_torch_counts(
    name: str, values: dict[str, object], shapes: list[tuple[int, ...]]
) -> None:
    (cls,) = LAYERS.find(name)
    inputs = [Tensor(shape) for shape in shapes]
    op: Layer = cls(**values).fitted(*inputs)
    output = op.shape(*inputs)
    module = reference.build(op)
    with plain_kernels(), FlopCounterMode(display=False) as counter:
        reference.run_module(op, module, [reference.sample(t) for t in inputs])
    assert op.macs(inputs, output[0] if isinstance(output, tuple) else output) == counter.get_total_flops() / 2
