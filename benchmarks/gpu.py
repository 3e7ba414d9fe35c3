"""How fast netspec trains on a CUDA device, against a loop that a person wrote with the same settings.

LeNet on images of 32 x 32 points, ResNet-18 on 64 x 64, ResNet-50 on 224 x 224 and a U-Net, with AdamW, bytes on the
device, weights and maps stored channels last. The loop launches one kernel at a time; netspec records a step as a CUDA
graph, several to a launch where they are short, and takes only kernels that give the same bits each time. What several
steps to a launch gain over one is a row by itself, with weights of the same bits. A GPT-2 of 124 million parameters
trains in bfloat16 as nanoGPT does it, run as it stands and compiled, and its peak memory is compared as well. The
times are those of an epoch, in turns.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import netspec
from benchmarks.forward import SPECS, LeNet, ResNet
from benchmarks.kinds import GPT, UNET
from benchmarks.peers import networks
from benchmarks.ratios import Row, pairs, report
from netspec.runtime.data.split import Data, Split
from netspec.runtime.network.build import build
from netspec.runtime.train import update
from netspec.runtime.train.run import train
from netspec.views.last_layers import last_layers

LR = 1e-3


@dataclass(frozen=True, slots=True)
class Case:
    """A network and its images, as both train it."""

    name: str
    spec: str
    """A file of specs/, or the layers themselves."""
    by_hand: Callable[[], nn.Module]
    image: tuple[int, int, int]
    classes: int
    batch: int
    steps: int
    at_least: float
    places: tuple[int, ...] = ()
    """The axes of a target behind the batch."""


CASES = (
    Case("LeNet, batch 64", "lenet5_tutorial.yaml", LeNet, (1, 32, 32), 10, 64, 400, 3.0),
    Case("LeNet, batch 256", "lenet5_tutorial.yaml", LeNet, (1, 32, 32), 10, 256, 200, 1.5),
    Case("ResNet-18, batch 128", "resnet18.yaml", ResNet, (3, 64, 64), 1000, 128, 40, 1.0),
    Case("ResNet-50, batch 64", "resnet50.yaml", networks.resnet50, (3, 224, 224), 1000, 64, 20, 1.0),
    Case("U-Net, batch 64", UNET, networks.UNet, (3, 64, 64), 3, 64, 100, 1.0, (64, 64)),
)
LAUNCHED = 3
"""How many of them, the small ones first, are also trained with one step to a launch."""


def samples(case: Case) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (case.steps * case.batch, *case.image), dtype=torch.uint8, generator=generator)
    return images, torch.randint(case.classes, (len(images), *case.places), generator=generator)


def engine(case: Case, device: str = "cuda") -> Callable[[], float]:
    """An epoch as netspec trains it."""
    size = "x".join(map(str, case.image))
    settings = f"{{loss: cross_entropy, optimizer: adamw lr={LR}, epochs: 1, batch: {case.batch}, device: {device}}}"
    over = [f"input={size}", f"train={settings}"]
    file = SPECS / case.spec if case.spec.endswith(".yaml") else None
    spec = netspec.load(file, over) if file else netspec.loads(f"netspec: 1\n{case.spec}\n", over)
    section = spec.experiment.train
    assert section is not None
    images, labels = samples(case)
    data, module = Data(Split((images,), labels), None, None, ("image",), None), build(spec, reorder=section.reorder)

    def epoch() -> float:
        (record,) = train(module, section, data).records
        return len(images) / float(record["samples_per_s"])

    return epoch


def at_most(steps: int, work: Callable[[], float]) -> Callable[[], float]:
    """The same with no more steps to a launch."""

    def epoch() -> float:
        before, update.MOST = update.MOST, steps
        try:
            return work()
        finally:
            update.MOST = before

    return epoch


def by_hand(case: Case, device: str = "cuda") -> Callable[[], float]:
    """The same as a loop."""
    images, labels = (x.to(device) for x in samples(case))
    net = case.by_hand().to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(net.parameters(), lr=LR, fused=True)

    def epoch() -> float:
        _wait(device)
        start = time.perf_counter()
        net.train()
        for rows in torch.randperm(len(images)).to(device).split(case.batch):
            inputs = images.index_select(0, rows).float().div_(255)
            optimizer.zero_grad()
            outputs = net(inputs.contiguous(memory_format=torch.channels_last))
            F.cross_entropy(outputs, labels.index_select(0, rows)).backward()
            optimizer.step()
        _wait(device)
        return time.perf_counter() - start

    return epoch


@dataclass(frozen=True, slots=True)
class Text:
    """A GPT and what a step of it takes."""

    vocab: int = 50304
    length: int = 1024
    width: int = 768
    heads: int = 12
    depth: int = 12
    batch: int = 16
    steps: int = 20


GPT2 = Text()


def texts(case: Text) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens of an epoch, and those behind each."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(case.vocab, (case.batch * case.steps, case.length + 1), generator=generator)
    return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()


def gpt(case: Text, compiled: bool, device: str = "cuda") -> Callable[[], float]:
    """An epoch of the GPT as netspec trains it."""
    sizes = {name: getattr(case, name) for name in ("vocab", "length", "width", "heads", "depth")}
    how = f"batch: {case.batch}, device: {device}, precision: bf16, compile: {str(compiled).lower()}"
    settings = f"{{loss: cross_entropy axis=-1, optimizer: adamw lr={LR}, epochs: 1, {how}}}"
    spec = netspec.loads(f"netspec: 1\n{GPT.format(**sizes, bias=' nobias')}\n", [f"train={settings}"])
    section = spec.experiment.train
    assert section is not None
    x, y = texts(case)
    data, module = Data(Split((x,), y), None, None, ("text",), None), build(spec)
    last = last_layers(spec.graph, section)

    def epoch() -> float:
        (record,) = train(module, section, data, last=last).records
        return len(x) / float(record["samples_per_s"])

    return epoch


def nano(case: Text, compiled: bool, device: str = "cuda") -> Callable[[], float]:
    """The same as nanoGPT does it."""
    x, y = (z.to(device) for z in texts(case))
    net = networks.GPT(case.vocab, case.length, case.width, case.heads, case.depth).to(device)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LR, fused=True)
    forward = torch.compile(net) if compiled else net

    def epoch() -> float:
        _wait(device)
        start = time.perf_counter()
        net.train()
        for rows in torch.randperm(len(x)).to(device).split(case.batch):
            with torch.autocast(device, torch.bfloat16):
                scores = forward(x.index_select(0, rows))
                loss = F.cross_entropy(scores.view(-1, case.vocab), y.index_select(0, rows).view(-1), ignore_index=-1)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        _wait(device)
        return time.perf_counter() - start

    return epoch


def _wait(device: str) -> None:
    """Let the device finish what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def peak(work: Callable[[], float]) -> float:
    """The most memory that tensors take on the device in an epoch, in MiB."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    work()
    return torch.cuda.max_memory_allocated() / 2**20


def compare_texts(count: int) -> Iterator[Row]:
    """The rows of the GPT."""
    for compiled in (False, True):
        name = f"GPT-2 of 124M, {'compiled' if compiled else 'eager'}"
        if not torch.cuda.is_available():
            yield Row(f"{name}: netspec / nanoGPT's way", None, at_least=1.0, note="there is no CUDA device")
            yield Row(f"{name}: peak memory", None, at_most=0.8, note="there is no CUDA device")
            continue
        own = gpt(GPT2, compiled)
        most = peak(own)  # before the other's tensors are there
        other = nano(GPT2, compiled)
        found = pairs(other, own, count)
        tokens = GPT2.batch * GPT2.steps * GPT2.length
        note = "{:,.0f} against {:,.0f} tokens/s".format(*(tokens / min(s) for s in (found.second, found.first)))
        yield Row(f"{name}: netspec / nanoGPT's way", found.ratio, at_least=1.0, note=note)
        del own
        others = peak(other)
        note = f"{most:,.0f} against {others:,.0f} MiB"
        yield Row(f"{name}: peak memory", most / others, at_most=0.8, note=note)


def tried(cases: Sequence[Case] = CASES) -> Iterator[Row]:
    """All that is compared, with a few tiny samples on the CPU: it shows that it runs, and nothing else."""
    for case in cases:
        side = min(case.image[1], 64)
        few = replace(case, image=(case.image[0], side, side), batch=2, steps=1)
        found = pairs(by_hand(few, "cpu"), engine(few, "cpu"), 1)
        yield Row(f"{case.name}: tried on a CPU", found.ratio, at_least=0)
    text = Text(vocab=64, length=8, width=16, heads=2, depth=1, batch=2, steps=1)
    found = pairs(nano(text, False, "cpu"), gpt(text, False, "cpu"), 1)
    yield Row("GPT-2: tried on a CPU", found.ratio, at_least=0)


def measure(count: int) -> Iterator[Row]:
    for case in CASES:
        name = f"{case.name}: netspec / by hand"
        if not torch.cuda.is_available():
            yield Row(name, None, at_least=case.at_least, note="there is no CUDA device")
            continue
        found = pairs(by_hand(case), engine(case), count)
        images = case.steps * case.batch
        rates = (images / min(seconds) for seconds in (found.second, found.first))
        note = "{:,.0f} against {:,.0f} samples/s".format(*rates)
        yield Row(name, found.ratio, at_least=case.at_least, note=note)
    yield from compare_launches(count)
    yield from compare_texts(count)


def compare_launches(count: int) -> Iterator[Row]:
    """The rows of several steps to a launch against one."""
    for case in CASES[:LAUNCHED]:
        name = f"{case.name}: several steps to a launch / one"
        if not torch.cuda.is_available():
            yield Row(name, None, at_least=1.0, note="there is no CUDA device")
            continue
        found = pairs(at_most(1, engine(case)), engine(case), count)
        yield Row(name, found.ratio, at_least=1.0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--try", action="store_true", dest="tiny", help="run all of it on the CPU, with tiny sizes")
    given = parser.parse_args()
    report(list(tried() if given.tiny else measure(given.pairs)))
