"""What the processors here can do at the most, measured: and how much of it a training uses.

A large matrix product and a large convolution give the floating point operations of a second, a copy the bytes; each is
the fastest of several. A training is held against the faster of the first two, by the operations of a step as `netspec
summary --train` counts them: six for each multiply-accumulate of the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812

from benchmarks.ratios import Row
from netspec.dims import substitute
from netspec.spec import Spec

TIMES = 8
"""How often each is tried."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The most of a second."""

    product: float
    """Floating point operations of a matrix product."""
    convolution: float
    """Those of a convolution."""
    copy: float
    """Bytes that are read and written."""

    @property
    def most(self) -> float:
        """The most operations."""
        return max(self.product, self.convolution)

    def __str__(self) -> str:
        rates = f"{self.product / 1e9:,.0f} and {self.convolution / 1e9:,.0f} GFLOP/s"
        return f"a matrix product and a convolution have {rates}, a copy {self.copy / 1e9:,.1f} GB/s"


def measured(clock: Callable[[], float], threads: int, size: int = 1024) -> Bound:
    """The bound in the seconds of a clock, with so many threads; `size` is that of the matrices."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        a, b = torch.randn(size, size), torch.randn(size, size)
        side = max(8, size // 16)
        x = torch.randn(8, 64, side, side).contiguous(memory_format=torch.channels_last)
        weight = torch.randn(64, 64, 3, 3).contiguous(memory_format=torch.channels_last)
        many = torch.zeros(size * size * 8)
        there = torch.empty_like(many)
        macs = 8 * 64 * 64 * 9 * side**2
        return Bound(
            2 * size**3 / _fastest(lambda: torch.mm(a, b), clock),
            2 * macs / _fastest(lambda: F.conv2d(x, weight, padding=1), clock),
            2 * many.nbytes / _fastest(lambda: there.copy_(many), clock),
        )
    finally:
        torch.set_num_threads(before)


def _fastest(action: Callable[[], object], clock: Callable[[], float]) -> float:
    """Seconds of the fastest of several."""
    found = []
    for _ in range(TIMES):
        begun = clock()
        action()
        found.append(clock() - begun)
    return max(min(found), 1e-9)


def share(name: str, spec: Spec, samples: float, bound: Bound, sizes: Mapping[str, int] | None = None) -> Row:
    """How much of the arithmetic bound a training of so many samples a second uses."""
    macs = spec.graph.macs()
    each = substitute(macs, {"B": 1, **(sizes or {})}) if macs is not None else None
    if not isinstance(each, int):
        return Row(f"{name}: share of the arithmetic bound", None, note="its operations are not counted")
    used = 6 * each * samples
    note = f"{used / 1e9:,.1f} GFLOP/s; {bound}"
    return Row(f"{name}: share of the arithmetic bound", used / bound.most, note=note)
