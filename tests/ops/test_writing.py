"""The text of an operation is what a person would write, and computes what was meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netspec import dims
from netspec.ops.arithmetic import Add, Div, Mul, Pow, Sub
from netspec.ops.elementwise import Neg
from netspec.ops.indexing import Slice
from netspec.ops.reshaping import Reshape
from netspec.python.nodes import Code, named
from netspec.tensors import Tensor
from tests import written
from tests.ops.examples import read

TEXTS = [
    ("add(a b c)", ["a", "b", "c"], "a + b + c"),
    ("add -1", ["x"], "x - 1"),
    ("sub(a b)", ["a", "b - c"], "a - (b - c)"),
    ("rsub 1", ["x"], "1 - x"),
    ("mul 0.5", ["a + b"], "(a + b) * 0.5"),
    ("div 2", ["x"], "x / 2"),
    ("pow 2", ["-x"], "(-x) ** 2"),
    ("pow -1", ["x"], "x**-1"),
    ("rpow 10000.0", ["-x"], "10000.0**-x"),
    ("neg", ["a + b"], "-(a + b)"),
    ("maximum 0", ["x"], "torch.clamp(x, min=0)"),
    ("clamp 0 1", ["x"], "torch.clamp(x, min=0, max=1)"),
    ("exp", ["x * 0.5"], "torch.exp(x * 0.5)"),
    ("ne 0", ["ids"], "ids != 0"),
    ("logical_and(a b)", ["a > 0", "b"], "(a > 0) & b"),
    ("logical_not", ["a == b"], "~(a == b)"),
    ("concat(a b)", ["x", "skip"], "torch.cat([x, skip], dim=1)"),
    ("stack(a b) dim=-1", ["a", "b"], "torch.stack([a, b], dim=-1)"),
    ("chunk 3 -1", ["x"], "x.chunk(3, dim=-1)"),
    ("split 16x48", ["x"], "x.split((16, 48), dim=1)"),
    ("unbind 2", ["x"], "x.unbind(2)"),
    ("select 1 0", ["x"], "x[:, 0]"),
    ("select 2 -1", ["x"], "x[:, :, -1]"),
    ("select -2 0", ["x"], "x[..., 0, :]"),
    ("slice 2 0 -3", ["x"], "x[:, :, :-3]"),
    ("slice 1 -1", ["x"], "x[:, -1:]"),
    ("slice -1 0 null 2", ["x"], "x[..., ::2]"),
    ("permute 0 2 3 1", ["x"], "x.permute(0, 2, 3, 1)"),
    ("transpose 1 2", ["a + b"], "(a + b).transpose(1, 2)"),
    ("squeeze 2", ["x"], "x.squeeze(2)"),
    ("reshape -1 10", ["x"], "x.reshape(-1, 10)"),
    ("roll -3x-3 1x2", ["x"], "x.roll((-3, -3), (1, 2))"),
    ("pad 1 1 2 2", ["x"], "F.pad(x, (1, 1, 2, 2))"),
    ("interpolate scale_factor=2", ["x"], "F.interpolate(x, scale_factor=2)"),
    ("interpolate 8 mode=bilinear", ["x"], 'F.interpolate(x, size=8, mode="bilinear")'),
    ("mean 1", ["x"], "x.mean(1)"),
    ("mean 2 3 keepdim", ["x"], "x.mean((2, 3), keepdim=True)"),
    ("amax 2", ["x"], "x.amax(2)"),
    ("normalize", ["x"], "F.normalize(x)"),
    ("matmul(a b)", ["x", "w + v"], "x @ (w + v)"),
    ("masked_fill(x m) -1e9", ["x", "mask"], "x.masked_fill(mask, -1e9)"),
    ("einsum(a b) bij/bjk:bik", ["a", "b"], 'torch.einsum("bij,bjk->bik", a, b)'),
    ("layer_norm(x w b) eps=1e-6", ["x", "self.weight", "self.bias"],
     "F.layer_norm(x, self.weight.shape, self.weight, self.bias, eps=1e-6)"),
    ("sdpa(q k v) is_causal", ["q", "k", "v"], "F.scaled_dot_product_attention(q, k, v, is_causal=True)"),
    ("sdpa(q k v m) heads=4 dropout_p=0.1", ["q", "k", "v", "m"],
     "attend(q, k, v, 4, attn_mask=m, dropout_p=0.1 if self.training else 0.0)"),
    ("masked_fill(x m)", ["x", "m"], 'x.masked_fill(m, float("-inf"))'),
    ("drop_path 0.1", ["x"], "drop_path(x, 0.1, self.training)"),
    ("drop_path 0", ["x"], "x"),
    ("arange 5", [], "torch.arange(5)"),
    ("eye 3", [], "torch.eye(3)"),
    ("zeros_like", ["ids"], "torch.zeros_like(ids)"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "inputs", "text"), TEXTS, ids=[row for row, *_ in TEXTS])
def test_text(row: str, inputs: list[str], text: str) -> None:
    assert written.called(read(row), inputs) == text


def test_a_source_lies_where_the_network_does() -> None:
    assert written.called(read("arange 5"), like="x + 1") == "torch.arange(5, device=(x + 1).device)"
    assert written.called(read("zeros 3 dtype=bool"), like="x") == "torch.zeros(3, dtype=torch.bool, device=x.device)"


STATE = [
    ("parameter 1x1x32", "nn.Parameter(torch.zeros(1, 1, 32))"),
    ("parameter 96x1x1 init=1e-6", "nn.Parameter(torch.full((96, 1, 1), 1e-6))"),
    (
        "parameter 169x3 init=trunc_normal std=0.02",
        "nn.Parameter(nn.init.trunc_normal_(torch.empty(169, 3), std=0.02))",
    ),
    ("parameter 8 init=2 trainable=false", "nn.Parameter(torch.full((8,), 2.0), requires_grad=False)"),
    ("buffer 1x512 init=arange", "torch.arange(512).view(1, 512)"),
    ("buffer 1x1x8x8 init=tril", "torch.ones(1, 1, 8, 8).tril()"),
    ("buffer 500x1x16 init=sincos", "sincos(500, 1, 16)"),
    ("relative_index 7 flat", "relative_index(7, 7).flatten()"),
    ("shift_mask 56x56 7 3", "shift_mask((56, 56), (7, 7), (3, 3))"),
]


@pytest.mark.parametrize(("row", "text"), STATE, ids=[row for row, _ in STATE])
def test_construction(row: str, text: str) -> None:
    assert written.construct(read(row)) == text


def test_one_name_for_all_sizes_is_unpacked() -> None:
    op = Reshape(sizes=[2, 3]).replace(sizes=Code(named("self.sizes")))
    assert written.called(op, ["x"]) == "x.reshape(*self.sizes)"


def test_an_axis_that_is_no_number_still_works() -> None:
    text = written.called(Slice(dim=1, start=2).replace(dim=Code(named("self.dim"))), ["x"])
    assert text == "x.movedim(self.dim, 0)[2:].movedim(0, self.dim)"


def expression() -> st.SearchStrategy[tuple[str, float]]:
    """Texts made by arithmetic operations, with the number that each stands for."""
    leaf = st.sampled_from([("a", 2.0), ("b", 3.0), ("c", 5.0)])

    def grown(inner: st.SearchStrategy[tuple[str, float]]) -> st.SearchStrategy[tuple[str, float]]:
        pair = st.tuples(inner, inner)
        return st.one_of(
            pair.map(lambda p: (written.called(Add(), [p[0][0], p[1][0]]), p[0][1] + p[1][1])),
            pair.map(lambda p: (written.called(Sub(), [p[0][0], p[1][0]]), p[0][1] - p[1][1])),
            pair.map(lambda p: (written.called(Mul(), [p[0][0], p[1][0]]), p[0][1] * p[1][1])),
            pair.map(lambda p: (written.called(Div(other=2), [p[0][0]]), p[0][1] / 2)),
            inner.map(lambda p: (written.called(Neg(), [p[0]]), -p[1])),
            inner.map(lambda p: (written.called(Pow(other=2), [p[0]]), p[1] ** 2)),
            inner.map(lambda p: (written.called(Add(other=-3), [p[0]]), p[1] - 3)),
        )

    return st.recursive(leaf, grown, max_leaves=6)


@given(expression())
def test_brackets_keep_the_meaning(pair: tuple[str, float]) -> None:
    text, value = pair
    found = eval(text, {"a": 2.0, "b": 3.0, "c": 5.0})
    assert found == pytest.approx(value, rel=1e-9, abs=1e-9)


def test_run_time_sizes_stay_in_shapes() -> None:
    tokens = dims.named("T")
    x = Tensor((dims.named("B"), tokens, 48))
    assert str(read("reshape B T 4 -1").shape(x)) == "B x T x 4 x 12"
    assert str(read("slice 1 1").shape(x)) == "B x (T - 1) x 48"
    assert str(read("arange T").shape()) == "T"
    assert str(read("expand B -1 -1").shape(Tensor((1, 1, 48)))) == "B x 1 x 48"
