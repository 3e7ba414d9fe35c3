"""Pools before relus: the same bits, forward and backward."""

from __future__ import annotations

import ast
import copy
import itertools
from collections.abc import Callable

import pytest
import torch
from torch import nn

import netspec
from netspec.runtime.network.build import build
from netspec.runtime.network.peephole import pools_first
from tests.train.small import DEVICE


def test_the_order_of_the_calls() -> None:
    def order(line: str) -> str:
        return ast.unparse(pools_first(line))

    assert order("F.max_pool2d(F.relu(x), 2)") == "F.relu(F.max_pool2d(x, 2))"
    assert order("F.max_pool2d(F.max_pool2d(F.relu(x), 2), 3)") == "F.relu(F.max_pool2d(F.max_pool2d(x, 2), 3))"
    assert order("F.max_pool1d(F.relu(x, inplace=True), 3, padding=1)") == (
        "F.relu(F.max_pool1d(x, 3, padding=1), inplace=True)"
    )
    for kept in (
        "F.avg_pool2d(F.relu(x), 2)",
        "F.max_pool2d(F.gelu(x), 2)",
        "F.relu(F.max_pool2d(x, 2))",
        "F.max_pool2d(F.relu(x), 2, return_indices=True)",
    ):
        assert order(kept) == kept


def test_the_order_of_lines() -> None:
    def order(*lines: str) -> list[str]:
        text = "\n    ".join(["def forward(self, x):", *lines])
        return ast.unparse(pools_first(text)).splitlines()[1:]

    two = ["x = F.relu(self.conv1(x))", "x = F.max_pool2d(x, 2)"]
    assert order(*two) == ["    x = self.conv1(x)", "    x = F.relu(F.max_pool2d(x, 2))"]
    for kept in (
        ["h = F.relu(x)", "x = F.max_pool2d(h, 2)", "return x + h"],
        ["x = F.relu(x)", "x = F.max_pool2d(x, x.shape[1])"],
        ["x = F.relu(x)", "x = self.conv1(F.max_pool2d(x, 2), x)"],
    ):
        assert order(*kept) == [f"    {line}" for line in kept]


POOLS = [
    ("max_pool1d", "2", (3, 4, 13)),
    ("max_pool2d", "2", (2, 5, 12, 13)),
    ("max_pool2d", "3, stride=2, padding=1, ceil_mode=True", (2, 5, 12, 13)),
    ("max_pool2d", "3, stride=1, dilation=2", (2, 5, 12, 13)),
    ("max_pool3d", "2", (2, 3, 5, 6, 7)),
    ("adaptive_max_pool1d", "5", (3, 4, 13)),
    ("adaptive_max_pool2d", "(3, 4)", (2, 5, 12, 13)),
    ("adaptive_max_pool3d", "2", (2, 3, 5, 6, 7)),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("pool", "arguments", "shape"), POOLS, ids=lambda v: str(v).replace(" ", ""))
def test_the_bits_are_the_same(pool: str, arguments: str, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    line = f"F.{pool}(F.relu(x), {arguments})"
    (swapped,) = pools_first(line).body
    assert isinstance(swapped, ast.Expr)
    generator = torch.Generator().manual_seed(0)
    for spread, strange in itertools.product((0.0, 0.5, 3.0), (0.0, -0.0, float("inf"), float("-inf"), float("nan"))):
        # Whole numbers of a small range: many windows whose largest values are equal, zero, or none above it.
        x = torch.randn(shape, generator=generator).mul(spread).round()
        x[torch.rand(shape, generator=generator) < 0.1] = strange
        results = []
        for code in (compile(line, "", "eval"), compile(ast.Expression(swapped.value), "", "eval")):
            given = x.to(DEVICE, dtype).requires_grad_()
            result = eval(code, {"F": nn.functional, "x": given})
            result.backward(torch.arange(1.0, result.numel() + 1, device=DEVICE).view_as(result).to(dtype))
            assert given.grad is not None
            results.append((result.detach(), given.grad))
        for written, compiled in zip(*results, strict=True):
            torch.testing.assert_close(written, compiled, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ("[conv 4 k3, relu, pool 2, flatten, fc 10]", "x = F.max_pool2d(x, 2)"),
        ("['conv 4 k3, relu, pool 2', flatten, fc 10]", "x = F.max_pool2d(F.relu(self.conv1(x)), 2)"),
    ],
    ids=["lines", "nested"],
)
def test_only_a_run_computes_pools_first_and_the_text_stays(rows: str, text: str) -> None:
    train = "{loss: ce, optimizer: sgd, max_steps: 1, cuda_graph: false}"
    tail = f"data: {{source: digits, transform: resize 8}}\ntrain: {train}\n"
    whole = f"netspec: 1\ninput: 1x8x8\nlayers: {rows}\n{tail}"
    spec = netspec.loads(whole)
    assert text in spec.source()
    as_written, reordered = {(4, 6, 6)}, {(4, 3, 3)}
    x = torch.zeros(2, 1, 8, 8)
    assert _relus(lambda: spec.build()(x)) == as_written
    assert _relus(lambda: build(spec, reorder=True)(x)) == reordered
    assert _relus(lambda: copy.deepcopy(build(spec, reorder=True))(x)) == reordered
    assert _relus(spec.train) == reordered
    assert _relus(netspec.loads(whole, ["train.reorder=false"]).train) == as_written


def _relus(work: Callable[[], object]) -> set[tuple[int, ...]]:
    """The sizes of a sample in what relus are given."""
    sizes: set[tuple[int, ...]] = set()

    class Listen(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            if func is nn.functional.relu:
                sizes.add(tuple(args[0].shape[1:]))
            return func(*args, **(kwargs or {}))

    with Listen():
        work()
    return sizes


def test_a_fault_is_shown_where_it_stands_in_the_text() -> None:
    tree = pools_first("F.max_pool2d(F.relu(x), 2)")
    calls = {ast.unparse(node.func): node.col_offset for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert calls == {"F.max_pool2d": 0, "F.relu": 13}
