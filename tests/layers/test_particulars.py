"""What single layers do that the contract and the random cases do not show: words, sizes left open, messages."""

from __future__ import annotations

from typing import Any

import pytest

from netspec.dims import BATCH, Size, named
from netspec.layers.base import Layer
from netspec.tensors import Dtype, Misfit, Tensor
from tests import written
from tests.layers.examples import LAYERS

T = named("T")


def made(name: str, *shapes: tuple[Size, ...], **values: Any) -> tuple[Layer, Any]:
    """A layer fitted to float inputs of these shapes, and what comes out."""
    (cls,) = LAYERS.find(name)
    inputs = [Tensor(shape) for shape in shapes]
    op = cls(**values).fitted(*inputs)
    return op, op.shape(*inputs)


def misfit(name: str, *shapes: tuple[Size, ...], dtype: Dtype = "float32", **values: Any) -> Misfit:
    """Why a layer does not fit these inputs."""
    (cls,) = LAYERS.find(name)
    inputs = [Tensor(shape, dtype) for shape in shapes]
    with pytest.raises(Misfit) as caught:
        cls(**values).fitted(*inputs).shape(*inputs)
    return caught.value


@pytest.mark.parametrize(
    ("word", "rank", "name"),
    [
        ("bn", 2, "BatchNorm1d"),
        ("bn", 3, "BatchNorm1d"),
        ("batchnorm", 4, "BatchNorm2d"),
        ("pool", 5, "MaxPool3d"),
        ("maxpool", 3, "MaxPool1d"),
        ("avgpool", 4, "AvgPool2d"),
        ("adaptive_avg_pool", 4, "AdaptiveAvgPool2d"),
        ("zero_pad", 3, "ZeroPad1d"),
        ("instancenorm", 5, "InstanceNorm3d"),
        ("conv", 4, "Conv2d"),
    ],
)
def test_general_words_choose_by_rank(word: str, rank: int, name: str) -> None:
    assert [cls.__name__ for cls in LAYERS.find(word) if cls.takes_rank(rank)] == [name]


@pytest.mark.parametrize(
    ("name", "shape", "values", "wanted"),
    [
        ("MaxPool1d", (BATCH, 8, T), {"kernel_size": 2}, (BATCH, 8, (T - 2) // 2 + 1)),
        ("MaxPool1d", (BATCH, 8, T), {"kernel_size": 2, "ceil_mode": True}, (BATCH, 8, (T + 1) // 2)),
        ("AvgPool1d", (BATCH, 8, T), {"kernel_size": 1, "stride": 2, "ceil_mode": True}, (BATCH, 8, (T + 1) // 2)),
        ("GAP", (BATCH, 8, T, T), {}, (BATCH, 8, 1, 1)),
        ("AdaptiveAvgPool2d", (BATCH, 8, T, 9), {"output_size": (None, 3)}, (BATCH, 8, T, 3)),
        ("Flatten", (BATCH, 8, T), {}, (BATCH, T * 8)),
        ("Flatten", (T, BATCH, 8), {"start_dim": 0, "end_dim": 1}, (T * BATCH, 8)),
        ("Unflatten", (BATCH, T * 8), {"dim": 1, "unflattened_size": (8, -1)}, (BATCH, 8, T)),
        ("Upsample", (BATCH, 8, T), {"scale_factor": 2}, (BATCH, 8, T * 2)),
        ("PixelUnshuffle", (BATCH, 4, T * 2, 6), {"downscale_factor": 2}, (BATCH, 16, T, 3)),
        ("ReflectionPad1d", (BATCH, 8, T), {"padding": (1, 2)}, (BATCH, 8, T + 3)),
        ("Unfold", (BATCH, 3, T, 4), {"kernel_size": 2, "stride": 2}, (BATCH, 12, ((T - 2) // 2 + 1) * 2)),
        ("Embedding", (BATCH, T), {"num_embeddings": 9, "embedding_dim": 4}, (BATCH, T, 4)),
        ("Softmax", (BATCH, T), {"dim": -1}, (BATCH, T)),
    ],
)
def test_open_sizes_stay_in_the_arithmetic(
    name: str, shape: tuple[Size, ...], values: dict[str, Any], wanted: tuple[Size, ...]
) -> None:
    (cls,) = LAYERS.find(name)
    x = Tensor(shape, "int64" if name == "Embedding" else "float32")
    assert cls(**values).fitted(x).shape(x) == Tensor(wanted)


@pytest.mark.parametrize(
    ("name", "shape", "values"),
    [
        ("LayerNorm", (BATCH, T), {}),
        ("BatchNorm1d", (BATCH, T), {}),
        ("GLU", (BATCH, T), {}),
        ("Upsample", (BATCH, 8, T), {"scale_factor": 1.5}),
        ("PixelShuffle", (BATCH, 4, 4), {"upscale_factor": 2}),
        ("Unflatten", (BATCH, T), {"dim": 1, "unflattened_size": (2, 4)}),
        ("FC", (BATCH, T), {"out_features": 2}),
        ("Fold", (BATCH, 9, T), {"output_size": 4, "kernel_size": 3}),
        ("FractionalMaxPool2d", (BATCH, 3, T, 8), {"kernel_size": 2, "output_ratio": 0.5}),
    ],
)
def test_sizes_that_must_be_known_say_so(name: str, shape: tuple[Size, ...], values: dict[str, Any]) -> None:
    assert misfit(name, shape, **values).code == "unknown-size"


@pytest.mark.parametrize(
    ("name", "shape", "values", "message"),
    [
        ("BatchNorm2d", (BATCH, 6, 4, 4), {"num_features": 8}, "declares 8 num_features, its input has 6"),
        ("MaxPool2d", (BATCH, 6, 4, 4), {"kernel_size": 5}, "has a window of 5, larger than its input's 4"),
        ("MaxPool2d", (BATCH, 6, 4, 4), {"kernel_size": 2, "padding": 2}, "has a padding of 2, which must not be"),
        ("GroupNorm", (BATCH, 6, 4, 4), {"num_groups": 4}, "cannot split 6 channels into 4 groups"),
        ("LayerNorm", (BATCH, 6, 4), {"normalized_shape": (6, 5)}, "normalises over 6 x 5, its input ends in 6 x 4"),
        ("InstanceNorm2d", (BATCH, 6, 1, 1), {}, "normalises over space, of which its input has a single place"),
        ("Softmax", (BATCH, 6), {}, "needs the axis that it runs along"),
        ("Unflatten", (BATCH, 6), {"dim": 1, "unflattened_size": (4, -1)}, "cannot make 4 x -1 of a size of 6"),
        ("MultiheadAttention", (5, BATCH, 6), {"num_heads": 4}, "cannot split a width of 6 into 4 heads"),
        ("LSTM", (BATCH, 6), {"hidden_size": 4}, "takes time x batch x features, its input is B x 6"),
        ("Upsample", (BATCH, 6, 4), {}, "needs one of size and scale_factor"),
        ("PReLU", (BATCH, 6, 4), {"num_parameters": 4}, "declares 4 slopes, its input has 6 channels"),
        ("Embedding", (BATCH, 6), {"num_embeddings": 4, "embedding_dim": 4}, "looks up whole numbers"),
    ],
)
def test_messages_follow_the_name_of_the_step(
    name: str, shape: tuple[Size, ...], values: dict[str, Any], message: str
) -> None:
    assert misfit(name, shape, **values).message.startswith(message)


def test_a_bag_needs_an_offset_beside_the_last() -> None:
    """torch crashes on this one instead of refusing it."""
    values = {"num_embeddings": 7, "embedding_dim": 2, "include_last_offset": True}
    found = misfit("EmbeddingBag", (8,), (1,), dtype="int64", **values)
    assert found.field == "include_last_offset"


def test_lstm_takes_its_states_as_a_pair() -> None:
    op, (output, (h, c)) = made("LSTM", (T, BATCH, 6), (1, BATCH, 4), (1, BATCH, 8), hidden_size=8, proj_size=4)
    assert (output.shape, h.shape, c.shape) == ((T, BATCH, 4), (1, BATCH, 4), (1, BATCH, 8))
    assert written.arguments(op, ["x", "h0", "c0"]) == ["x", "(h0, c0)"]
    assert misfit("LSTM", (T, BATCH, 6), (1, BATCH, 8), hidden_size=8).code == "inputs"
    assert "takes a state of 1 x B x 8" in misfit("GRU", (T, BATCH, 6), (BATCH, 8), hidden_size=8).message


def test_recurrent_layers_find_the_batch_where_it_stands() -> None:
    _, (output, h) = made("GRU", (BATCH, T, 6), hidden_size=8, batch_first=True, bidirectional=True)
    assert (output.shape, h.shape) == ((BATCH, T, 16), (2, BATCH, 8))


def test_the_word_attention_is_batch_first_and_gives_no_weights() -> None:
    op, result = made("attention", (BATCH, T, 8), num_heads=2)
    assert result == (Tensor((BATCH, T, 8)), None)
    assert written.construct(op) == "nn.MultiheadAttention(8, 2, batch_first=True)"
    assert written.arguments(op, ["x"]) == ["x", "x", "x", "need_weights=False"]


def test_attention_finds_the_width_of_keys_and_values() -> None:
    op, (_, weights) = made("multihead_attention", (5, BATCH, 8), (T, BATCH, 6), (T, BATCH, 4), num_heads=2)
    assert written.construct(op) == "nn.MultiheadAttention(8, 2, kdim=6, vdim=4)"
    assert weights == Tensor((BATCH, 5, T))


def test_two_inputs_are_queries_and_what_they_look_at() -> None:
    op, _ = made("attention", (BATCH, 5, 8), (BATCH, T, 8), num_heads=2)
    assert written.arguments(op, ["x", "memory"])[:3] == ["x", "memory", "memory"]


def test_causal_attention_makes_its_mask() -> None:
    op, _ = made("attention", (BATCH, T, 8), num_heads=2, is_causal=True)
    assert written.arguments(op, ["x"])[3:] == ["need_weights=False", "attn_mask=causal_mask(x, 1)", "is_causal=True"]
    assert misfit("attention", *[(BATCH, 4, 8)] * 3, (4, 4), num_heads=2, is_causal=True).code == "contradiction"


def test_an_encoder_is_made_of_its_layer() -> None:
    op, _ = made("transformer_encoder", (T, BATCH, 8), nhead=2, num_layers=3, norm=True, dim_feedforward=16)
    layer = "nn.TransformerEncoderLayer(8, 2, dim_feedforward=16)"
    assert written.construct(op) == (
        f"nn.TransformerEncoder({layer}, num_layers=3, norm=nn.LayerNorm(8), enable_nested_tensor=False)"
    )


def test_indices_are_a_part_of_the_result_when_asked_for() -> None:
    _, (output, indices) = made("MaxPool2d", (BATCH, 3, 8, 8), kernel_size=2, return_indices=True)
    assert output.shape == indices.shape == (BATCH, 3, 4, 4)
    assert indices.dtype == "int64"


def test_dropout_runs_as_the_module_around_it_does() -> None:
    assert written.called(made("dropout", (BATCH, 8), p=0.1)[0], ["x"]) == "F.dropout(x, 0.1, self.training)"
    inplace = made("dropout", (BATCH, 8), p=0.1, inplace=True)[0]
    assert written.called(inplace, ["x"]) == "F.dropout(x, 0.1, self.training, inplace=True)"
