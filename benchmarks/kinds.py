"""How fast netspec trains networks of other kinds than LeNet on a CPU, against loops that a person tuned by hand.

A char model, a small ResNet on 32 x 32 points, an MLP on a table, an LSTM, a U-Net, an encoder, and a GPT with 50,304
classes, whose peak memory is measured as well. Both of a pair train the same layers on the same made-up samples with
AdamW, on two threads, each in a process of its own, in turns; what counts is the CPU time of an epoch, which others on
the machine do not change. The loops hold all samples in memory, slice them by a permutation, use the fused
optimizer, store maps channels last and keep freed memory.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import netspec
from benchmarks.apart import apart
from benchmarks.bound import measured, share
from benchmarks.peers import keep_memory, networks
from benchmarks.ratios import Row, pairs, report
from netspec.api.spec import Spec
from netspec.runtime.data.split import Data, Split
from netspec.runtime.network.build import build
from netspec.runtime.train.history import Record
from netspec.runtime.train.progress import Plan, Silent
from netspec.runtime.train.run import train
from netspec.views.last_layers import last_layers

LR = 1e-3
GPT = """\
inputs: {{text: int T}}
params: {{d: {width}, heads: {heads}}}
blocks:
  block:
    ln_1: layernorm{bias}
    attn:
      c_attn: linear $(3*d){bias}
      y: chunk 3 -1, sdpa(prev.0 prev.1 prev.2) heads=$heads is_causal
      c_proj: linear $d{bias}, dropout 0
    x: add(attn in)
    ln_2: layernorm{bias}
    mlp: [linear $(4*d){bias}, gelu, linear $d{bias}, dropout 0]
    out: add(mlp x)
layers:
  wte: embedding {vocab} $d
  positions: arange T
  wpe: embedding(positions) {length} $d
  drop: add(wte wpe), dropout 0
  h: [block x{depth}]
  ln_f: layernorm{bias}
  head: linear {vocab} nobias
tie: {{head.weight: wte.weight}}
init: {{linear: normal std=0.02, embedding: normal std=0.02}}
"""
RESNET = """\
input: 3x32x32
blocks:
  basic c s=1:
    conv1: conv $c k3 s$s same nobias
    bn1: bn, relu
    conv2: conv $c k3 same nobias
    bn2: bn
    downsample: {when: s != 1 or in.c != c, layers: [conv(in) $c k1 s$s nobias, bn]}
    out: add(bn2 downsample), relu
layers: [conv 16 k3 same nobias, bn, relu, basic 16, basic 32 s2, basic 64 s2, gap, flatten, linear 10]
"""
UNET = """\
input: 3x64x64
defaults: {relu: inplace=true}
blocks:
  twice c: [conv $c k3 same nobias, bn, relu, conv $c k3 same nobias, bn, relu]
layers:
  down1: twice 8
  down2: pool 2, twice 16
  low: pool 2, twice 32
  up2: conv_transpose 16 k2 s2, concat(prev down2)
  both2: twice 16
  up1: conv_transpose 8 k2 s2, concat(prev down1)
  both1: twice 8
  out: conv 3 k1
"""
ENCODER = """\
inputs: {text: int 64}
layers:
  embed: embedding 2000 128
  places: arange 64
  place: embedding(places) 64 128
  both: add(embed place)
  layers: {repeat: 2, layers: [transformer_encoder_layer 4 dim_feedforward=512 activation=gelu batch_first]}
  first: select 1 0
  out: linear 4
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """A network as a spec and as a person writes it, and what a step takes."""

    layers: str
    by_hand: Callable[[], nn.Module]
    shape: tuple[int, ...]
    classes: int
    batch: int
    steps: int
    tokens: int = 0
    """How many there are, where samples are texts."""
    places: tuple[int, ...] = ()
    """The axes of a target behind the batch."""
    channels_last: bool = False

    @property
    def last(self) -> bool:
        """Whether the classes are on the last axis, behind those of a text."""
        return bool(self.tokens and self.places)


def _gpt(vocab: int, length: int, width: int, depth: int, batch: int, steps: int) -> Kind:
    text = GPT.format(vocab=vocab, length=length, width=width, heads=4, depth=depth, bias="")
    return Kind(
        text,
        lambda: networks.GPT(vocab, length, width, 4, depth, bias=True),
        *((length,), vocab, batch, steps, vocab, (length,)),
    )


KINDS: dict[str, Kind] = {
    "char model": _gpt(65, 128, 64, 2, 16, 60),
    "ResNet on 32x32": Kind(RESNET, networks.residual, (3, 32, 32), 10, 64, 24, channels_last=True),
    "MLP on a table": Kind(
        "input: 32\nlayers: [fc 256, relu, fc 256, relu, fc 256, relu, fc 2]",
        networks.perceptron,
        (32,),
        *(2, 128, 1200),
    ),
    "LSTM": Kind(
        "input: 48x16\nlayers: {rnn: lstm 128 batch_first, last: select 1 -1, out: linear 10}",
        networks.Recurrent,
        (48, 16),
        *(10, 64, 80),
    ),
    "U-Net": Kind(UNET, networks.UNet, (3, 64, 64), 3, 16, 40, places=(64, 64), channels_last=True),
    "encoder": Kind(ENCODER, networks.Encoder, (64,), 4, 32, 16, tokens=2000),
    "GPT of 50,304 classes": _gpt(50304, 128, 128, 2, 8, 6),
}
HEAVY = "GPT of 50,304 classes"
"""The one whose peak memory is measured."""


def samples(kind: Kind) -> tuple[torch.Tensor, torch.Tensor]:
    """Made-up samples of an epoch, and their classes."""
    generator = torch.Generator().manual_seed(0)
    count = kind.batch * kind.steps
    target = torch.randint(kind.classes, (count, *kind.places), generator=generator)
    if kind.tokens:
        return torch.randint(kind.tokens, (count, *kind.shape), generator=generator), target
    return torch.randn(count, *kind.shape, generator=generator), target


class Clock(Silent):
    """Takes the CPU time between the start of the steps and the record of their epoch."""

    seconds = 0.0

    def start(self, plan: Plan) -> None:
        self.began = time.process_time()

    def measured(self, record: Record, better: bool) -> None:
        self.seconds = time.process_time() - self.began


def described(name: str, threads: int = 2) -> Spec:
    """A kind of network as a spec."""
    kind = KINDS[name]
    loss = "cross_entropy axis=-1" if kind.last else "cross_entropy"
    settings = f"{{loss: {loss}, optimizer: adamw lr={LR}, epochs: 1, batch: {kind.batch}, threads: {threads}}}"
    return netspec.loads(f"netspec: 1\n{kind.layers}\n", [f"train={settings}"])


def engine(name: str, threads: int = 2) -> Callable[[], float]:
    """An epoch as netspec trains it."""
    kind, spec = KINDS[name], described(name, threads)
    section = spec.experiment.train
    assert section is not None
    x, y = samples(kind)
    data, module = Data(Split((x,), y), None, None, ("input",), None), build(spec, reorder=section.reorder)
    last = last_layers(spec.graph, section)

    def epoch() -> float:
        clock = Clock()
        train(module, section, data, progress=clock, last=last)
        return clock.seconds

    return epoch


def by_hand(name: str, threads: int = 2) -> Callable[[], float]:
    """The same as a loop."""
    keep_memory()
    torch.set_num_threads(threads)
    kind = KINDS[name]
    x, y = samples(kind)
    net = kind.by_hand()
    if kind.channels_last:
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def epoch() -> float:
        # A new one each time, as netspec makes it.
        optimizer = torch.optim.AdamW(net.parameters(), lr=LR, fused=True)
        start = time.process_time()
        net.train()
        for rows in torch.randperm(len(x)).split(kind.batch):
            inputs, target = x.index_select(0, rows), y.index_select(0, rows)
            if kind.channels_last:
                inputs = inputs.contiguous(memory_format=torch.channels_last)
            optimizer.zero_grad()
            scores = net(inputs)
            if kind.last:
                scores, target = scores.view(-1, kind.classes), target.view(-1)
            F.cross_entropy(scores, target).backward()
            optimizer.step()
        return time.process_time() - start

    return epoch


WAYS: dict[str, Callable[..., Callable[[], float]]] = {"netspec": engine, "by-hand": by_hand}


def peak(way: str, name: str) -> float:
    """The peak memory of a process that trains one epoch in one way, in MiB."""
    alone = [sys.executable, "-m", "benchmarks.kinds", "--peak", way, "--only", name]
    done = subprocess.run(alone, cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=True)
    return float(done.stdout)


def measure(count: int, names: Sequence[str] = tuple(KINDS), threads: int = 2) -> list[Row]:
    rows, bound = [], measured(time.process_time, threads)
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        with apart(engine, name, threads) as own, apart(by_hand, name, threads) as other:
            found = pairs(other, own, count)
        seen = KINDS[name].batch * KINDS[name].steps
        note = "{:,.0f} against {:,.0f} samples/s of CPU time".format(
            *(seen / min(s) for s in (found.second, found.first))
        )
        rows.append(Row(f"{name}: netspec / hand-tuned loop", found.ratio, at_least=0.97, note=note))
        sizes = {"T": samples(KINDS[name])[0].shape[1]} if KINDS[name].last else {}
        rows.append(share(name, described(name), seen / min(found.second), bound, sizes))
    if HEAVY in names:
        most, others = (peak(way, HEAVY) for way in WAYS)
        note = f"{most:,.0f} against {others:,.0f} MiB"
        rows.append(Row(f"{HEAVY}, peak memory", most / others, at_most=0.6, note=note))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--only", choices=KINDS, help="one kind of network alone")
    parser.add_argument("--threads", type=int, default=2, help="1 on a machine that does other things too")
    parser.add_argument("--peak", choices=WAYS, help="print the peak memory of this process, having trained in one way")
    given = parser.parse_args()
    if given.peak is None:
        report(measure(given.pairs, [given.only] if given.only else tuple(KINDS), given.threads))
    WAYS[given.peak](given.only or HEAVY)()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
