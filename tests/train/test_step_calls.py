"""What a step costs beside its kernels, counted: what is decided once is not decided again in every step."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

import netspec
from netspec.runtime.data.split import Data, Split
from netspec.runtime.network.build import build
from netspec.runtime.train.optimizers import light
from netspec.runtime.train.progress import Silent
from netspec.runtime.train.run import train
from netspec.views.last_layers import last_layers

FEW, MANY = 2, 6
"""Steps of two epochs, of which all but the steps is the same."""
BATCH = 4
Run = Callable[[int], None]
"""Takes so many steps."""


def own(layers: str, given: tuple[torch.Tensor, torch.Tensor], more: str = "") -> Run:
    """As netspec trains on what is `given`, the inputs and targets of MANY steps."""
    x, y = given
    loss = "cross_entropy axis=-1" if y.dim() > 1 else "cross_entropy"
    text = f"{{loss: {loss}, optimizer: adamw lr=1e-3, epochs: 1, batch: {BATCH}, device: cpu{more}}}"
    spec = netspec.loads(layers, [f"train={text}"])
    section = spec.experiment.train
    assert section is not None
    module, last = build(spec), last_layers(spec.graph, section)

    def run(steps: int) -> None:
        count = steps * section.samples
        data = Data(Split((x[:count],), y[:count]), None, None, ("input",), None)
        train(module, section, data, progress=Silent(), last=last)

    return run


def by_hand(module: nn.Module, x: torch.Tensor, y: torch.Tensor) -> Run:
    """The loop that a person tunes by hand."""

    def run(steps: int) -> None:
        optimizer = light(torch.optim.AdamW)(module.parameters(), fused=True)  # type: ignore[call-arg]
        for rows in torch.randperm(steps * BATCH).split(BATCH):
            inputs, target = x.index_select(0, rows), y.index_select(0, rows)
            optimizer.zero_grad()
            functional.cross_entropy(module(inputs), target).backward()
            optimizer.step()

    return run


def table() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(MANY * BATCH * 2, 8), torch.randint(3, (MANY * BATCH * 2,))


def maps() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(MANY * BATCH, 3, 4, 4), torch.randint(3, (MANY * BATCH,))


def texts() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randint(11, (MANY * BATCH, 6)), torch.randint(13, (MANY * BATCH, 6))


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))


ROOT = str(Path(netspec.__file__).parent)
TABLE = "input: 8\nlayers: [fc 16, relu, fc 3]"


def per_step(run: Run, seen: Callable[[Run, int], Counter[str]]) -> dict[str, float]:
    """What a step does so often, by its names; `seen` counts what so many steps do."""
    run(FEW)
    few, many = seen(run, FEW), seen(run, MANY)
    return {name: (many[name] - few[name]) / (MANY - FEW) for name in many if many[name] != few[name]}


def calls(run: Run, steps: int) -> Counter[str]:
    """The functions of Python's that are called, those of netspec by `netspec ` and their names."""
    found: Counter[str] = Counter()

    def note(frame: FrameType, event: str, arg: Any) -> None:
        if event == "call":
            code = frame.f_code
            found[f"{'netspec ' * code.co_filename.startswith(ROOT)}{code.co_qualname}"] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        run(steps)
    finally:
        sys.setprofile(before)
    return found


def operations(run: Run, steps: int) -> Counter[str]:
    """The operations of torch's."""
    found: Counter[str] = Counter()

    class Noting(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            found[func.overloadpacket.__name__] += 1
            return func(*args, **(kwargs or {}))

    with Noting():  # type: ignore[no-untyped-call]
        run(steps)
    return found


def parted(found: dict[str, float]) -> tuple[float, float]:
    """How many calls are of netspec's functions, and of all others."""
    mine = sum(count for name, count in found.items() if name.startswith("netspec "))
    return mine, sum(found.values()) - mine


@pytest.mark.parametrize(
    ("layers", "given", "more", "most"),
    [
        (TABLE, table, "", 64),
        ("input: 3x4x4\nlayers: [conv 4 k3, bn, relu, flatten, fc 3]", maps, "", 67),
        ("inputs: {t: int 6}\nlayers: [embedding 11 8, linear 13]", texts, "", 62),
        (TABLE, table, ", clip_grad: 1.0, scheduler: cosine", 65),
        (TABLE, table, ", accumulate: 2", 100),
    ],
    ids=["table", "maps", "texts", "clipping and a schedule", "accumulation"],
)
def test_a_step_calls_few_functions(layers: str, given: Any, more: str, most: int) -> None:
    found = per_step(own(layers, given(), more), calls)
    assert parted(found)[0] <= most, found


def test_a_step_calls_hardly_more_of_torch_than_a_loop_by_hand() -> None:
    x, y = table()
    mine, theirs = (parted(per_step(run, calls))[1] for run in (own(TABLE, (x, y)), by_hand(perceptron(), x, y)))
    assert mine <= theirs + 10


def test_a_step_computes_hardly_more_than_a_loop_by_hand() -> None:
    x, y = table()
    mine, theirs = (per_step(run, operations) for run in (own(TABLE, (x, y)), by_hand(perceptron(), x, y)))
    more = {name: mine.get(name, 0) - theirs.get(name, 0) for name in mine.keys() | theirs.keys()}
    # The samples are a slice of those of the epoch, and the loss is read and put in its place among the others.
    assert sum(more.values()) <= 5, more
