"""Helpers and tables compute what their sentences say."""

from __future__ import annotations

import math

import pytest
import torch

from netspec.dims import BATCH, named
from netspec.layers.base import Op
from netspec.tensors import Misfit, Tensor
from tests import written
from tests.ops import reference
from tests.ops.examples import read


def value(row: str, *tensors: torch.Tensor) -> torch.Tensor:
    """What a row gives for tensors."""
    op = read(row)
    names = {f"x{i}": tensor for i, tensor in enumerate(tensors)}
    like = "torch.zeros(1)" if op.needs_device else ""
    text = written.construct(op) if op.owned else written.called(op, list(names), like)
    found: torch.Tensor = reference.evaluate(text, written.helpers(op), **names)
    return found


def test_sincos_is_the_table_of_the_paper() -> None:
    table = value("buffer 20x6 init=sincos")
    for place, k in ((0, 0), (7, 1), (19, 2)):
        angle = place / 10000 ** (2 * k / 6)
        assert table[place, 2 * k : 2 * k + 2].tolist() == pytest.approx([math.sin(angle), math.cos(angle)], abs=1e-5)


def test_relative_index_counts_as_swin_does() -> None:
    coords = torch.stack(torch.meshgrid(torch.arange(2), torch.arange(3), indexing="ij")).flatten(1)
    relative = (coords[:, :, None] - coords[:, None, :]).permute(1, 2, 0) + torch.tensor([1, 2])
    assert torch.equal(value("relative_index 2x3"), relative[..., 0] * 5 + relative[..., 1])


def test_shift_mask_agrees_with_numbered_regions() -> None:
    regions = torch.zeros(6, 6)
    bounds = ((0, -3), (-3, -1), (-1, None))
    for n, (rows, columns) in enumerate((a, b) for a in bounds for b in bounds):
        regions[slice(*rows), slice(*columns)] = n
    windows = regions.view(2, 3, 2, 3).permute(0, 2, 1, 3).reshape(4, 9)
    expected = torch.where(windows[:, None] != windows[:, :, None], -100.0, 0.0)
    assert torch.equal(value("shift_mask 6x6 3 1"), expected)


def test_heads_agree_with_attention_written_out() -> None:
    q, k, v = torch.randn(3, 2, 5, 8).unbind(0)
    parts = [(q[..., i : i + 4] @ k[..., i : i + 4].mT / 2).softmax(-1) @ v[..., i : i + 4] for i in (0, 4)]
    assert torch.allclose(value("sdpa(q k v) heads=2", q, k, v), torch.cat(parts, -1), atol=1e-6)


def test_causal_mask_agrees_with_is_causal() -> None:
    q = torch.randn(2, 5, 8)
    masked = value("sdpa(q k v m)", q, q, q, value("causal 5"))
    assert torch.allclose(masked, value("sdpa(q k v) is_causal", q, q, q), atol=1e-6)


def test_drop_path_keeps_the_mean_and_whole_samples() -> None:
    op = read("drop_path 0.25")
    torch.manual_seed(0)
    x = torch.ones(4000, 3)
    found = reference.evaluate("drop_path(x, 0.25, True)", written.helpers(op), x=x)
    assert found.mean().item() == pytest.approx(1, abs=0.05)
    assert torch.equal(found, found[:, :1].expand(-1, 3))
    assert torch.equal(reference.evaluate("drop_path(x, 0.25, False)", written.helpers(op), x=x), x)


def misfit(op: Op, *inputs: Tensor) -> Misfit:
    with pytest.raises(Misfit) as caught:
        op.shape(*inputs)
    return caught.value


def test_misfits_name_both_shapes() -> None:
    found = misfit(read("concat(a b)"), Tensor((BATCH, 3, 8)), Tensor((BATCH, 4, 9)))
    assert found.message == "joins B x 3 x 8 with B x 4 x 9 along axis 1: 8 and 9 on axis 2 differ"
    found = misfit(read("add(a b)"), Tensor((BATCH, 3)), Tensor((BATCH, 4)))
    assert found.message == "adds B x 3 and B x 4: 3 and 4 on axis 1 differ"


def test_the_batch_is_never_broadcast_by_accident() -> None:
    found = misfit(read("sub(a b)"), Tensor((BATCH,)), Tensor((BATCH, 1)))
    assert found.code == "batch-misplaced"
    state, steps = Tensor((BATCH, 8)), Tensor((named("T"), BATCH, 8))
    assert str(read("add(a b)").shape(steps, state)) == "T x B x 8"


def test_sizes_not_known_to_be_equal_are_refused() -> None:
    found = misfit(read("add(a b)"), Tensor((BATCH, named("T"))), Tensor((BATCH, 5)))
    assert (found.code, found.message) == (
        "unknown-size",
        "adds B x T and B x 5: T and 5 on axis 1 are not known to be equal",
    )


def test_forgetting_the_batch_has_a_hint() -> None:
    assert "batch" in misfit(read("reshape 16 8"), Tensor((BATCH, 128))).hint


def test_macs_of_products() -> None:
    a, b = Tensor((BATCH, 4, 10, 8)), Tensor((BATCH, 4, 8, 10))
    out = Tensor((BATCH, 4, 10, 10))
    assert str(read("matmul(a b)").macs([a, b], out)) == "3200*B"
    assert str(read("einsum(a b) bhid/bhdj:bhij").macs([a, b], out)) == "3200*B"
    q = Tensor((BATCH, named("T"), 32))
    assert str(read("sdpa(q k v) heads=4").macs([q, q, q], q)) == "64*B*T*T"
