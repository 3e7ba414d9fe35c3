"""Masks by name: what attention and transformers take beside their sequences, against torch itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from netspec import SpecError, loads

X, MEMORY, TARGET = torch.randn(2, 5, 8), torch.randn(2, 7, 8), torch.randn(2, 5, 8)
PADDED = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
HIDDEN = torch.tensor([[False] * 7, [False] * 4 + [True] * 3])
INPUTS = "inputs: {x: 5x8, m: 7x8, pad: bool 5, hide: bool 7}\n"
ONE: dict[str, Any] = {"dim_feedforward": 12, "dropout": 0.0, "batch_first": True}
CASES: list[tuple[str, nn.Module, tuple[Any, ...], dict[str, Any]]] = [
    (
        "attention(x key_padding_mask=pad) 2",
        nn.MultiheadAttention(8, 2, batch_first=True),
        (X, X, X),
        {"key_padding_mask": PADDED, "need_weights": False},
    ),
    (
        "attention(query=x key=m value=m key_padding_mask=hide) 2",
        nn.MultiheadAttention(8, 2, batch_first=True),
        (X, MEMORY, MEMORY),
        {"key_padding_mask": HIDDEN, "need_weights": False},
    ),
    (
        "transformer_encoder_layer(x src_key_padding_mask=pad) 2 dim_feedforward=12 dropout=0 batch_first",
        nn.TransformerEncoderLayer(8, 2, **ONE),
        (X,),
        {"src_key_padding_mask": PADDED},
    ),
    (
        "transformer_encoder(x src_key_padding_mask=pad) 2 num_layers=2 dim_feedforward=12 dropout=0 batch_first",
        nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, **ONE), 2, enable_nested_tensor=False),
        (X,),
        {"src_key_padding_mask": PADDED},
    ),
    (
        "transformer_decoder_layer(x m memory_key_padding_mask=hide) 2 dim_feedforward=12 dropout=0 batch_first",
        nn.TransformerDecoderLayer(8, 2, **ONE),
        (X, MEMORY),
        {"memory_key_padding_mask": HIDDEN},
    ),
    (
        "transformer(src=m tgt=x src_key_padding_mask=hide tgt_key_padding_mask=pad) nhead=2 dim_feedforward=12 "
        "dropout=0 batch_first num_encoder_layers=1 num_decoder_layers=1",
        nn.Transformer(8, 2, 1, 1, **ONE),
        (MEMORY, X),
        {"src_key_padding_mask": HIDDEN, "tgt_key_padding_mask": PADDED},
    ),
]


@pytest.mark.parametrize(("row", "module", "given", "masks"), CASES, ids=[row.split("(")[0] for row, *_ in CASES])
def test_masks_by_name_are_torchs(row: str, module: nn.Module, given: tuple[Any, ...], masks: dict[str, Any]) -> None:
    spec = loads(INPUTS + f"layers: {{a: {row}}}\n")
    net = spec.build()
    net.get_submodule("a").load_state_dict(module.state_dict())
    module.train()
    expected = module(*given, **masks)
    expected = expected[0] if isinstance(expected, tuple) else expected
    torch.testing.assert_close(net.train()(X, MEMORY, PADDED, HIDDEN), expected)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("attention(x key_padding_mask=hide) 2", "a takes a padding mask of B x 5, batch included, it is B x 7"),
        ("attention(key_padding_mask=pad) 2", "the input query is missing"),
        ("lstm(x c=m) 8", "the input h is missing"),
        ("transformer_decoder_layer(x memory_mask=pad) 2", "the input memory is missing"),
        ("transformer_encoder(x src_mask=pad) 2 num_layers=1", "there is no input 'src_mask'"),
    ],
)
def test_masks_that_do_not_fit(row: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        loads(INPUTS + f"layers: {{a: {row}}}\n")
    assert message in [problem.message for problem in caught.value.problems]
