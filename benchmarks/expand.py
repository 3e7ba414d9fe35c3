"""What checking and printing a spec cost in the process, from text to graph and every problem, and how they grow.

The network is a repeated block of ten layers; a second one has each of its thousand layers written out. A network of
12,000 layers is timed in turns with twelve checks of one of 1,000; printing one of 4,000 layers with names of their own
with four of 1,000.
"""

from __future__ import annotations

import argparse
import gc
from statistics import median

import netspec
from benchmarks.ratios import Row, Work, pairs, report, timed
from netspec.views.code import source

SIZES = (1_000, 5_000, 12_000)

REPEATED = """
netspec: 1
input: 64x16x16
blocks:
  bottleneck:
    conv1: conv 16 k1 nobias
    bn1: bn, relu
    conv2: conv 16 k3 same nobias
    bn2: bn, relu
    conv3: conv 64 k1 nobias
    bn3: bn
    out: add(bn3 in), relu
layers:
  body: {{repeat: {count}, layers: [bottleneck]}}
"""


def written_out(layers: int) -> str:
    rows = "\n".join("  - conv 16 k3 same nobias\n  - bn\n  - relu\n  - dropout 0.1" for _ in range(layers // 4))
    return f"netspec: 1\ninput: 16x16x16\nlayers:\n{rows}\n"


def checked(text: str, layers: int, times: int = 1) -> Work:
    """Checking `text`, a network of so many layers, `times` over; returns the seconds that a layer takes."""
    assert sum(step.op is not None for step in netspec.loads(text).graph.root.walk()) == layers

    def work() -> float:
        gc.collect()  # the graphs of the time before, which have cycles, or this time would pay for them
        return timed(lambda: netspec.loads(text), times)() / layers

    return work


def printed(layers: int, times: int = 1) -> Work:
    """Printing a network of so many named layers, `times` over; returns the seconds that a layer takes."""
    spec = netspec.loads("netspec: 1\ninput: 16\nlayers:\n" + "".join(f"  l{n}: fc 16\n" for n in range(layers)))

    def work() -> float:
        gc.collect()
        return timed(lambda: source(spec.document), times)() / layers

    return work


def measure(count: int, sizes: tuple[int, ...] = SIZES) -> list[Row]:
    small, *larger = sizes
    repeated = {size: REPEATED.format(count=size // 10) for size in sizes}
    out = checked(written_out(small), small)
    once = checked(repeated[small], small)
    rows = [
        Row(f"{small:,} layers by repeat", small * median(once() for _ in range(5 * count)), at_most=0.15, unit=" s"),
        Row(f"{small:,} layers written out", small * median(out() for _ in range(5 * count)), at_most=0.15, unit=" s"),
    ]
    for size in larger:
        many = checked(repeated[small], small, times=size // small)
        found = pairs(checked(repeated[size], size), many, count)
        rows.append(Row(f"a layer of {size:,} / of {small:,}", found.ratio, at_most=1.25, note=str(found)))
    found = pairs(printed(4 * small), printed(small, times=4), count)
    rows.append(Row(f"a printed layer of {4 * small:,} / of {small:,}", found.ratio, at_most=1.5, note=str(found)))
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    report(measure(parser.parse_args().pairs))
