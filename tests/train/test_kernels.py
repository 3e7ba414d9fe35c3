"""What a step runs, counted: no copy is made twice, and what does nothing runs nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import netspec
from netspec.runtime.data.split import Data, Split
from netspec.runtime.network.build import build
from netspec.runtime.train.progress import Silent
from netspec.runtime.train.run import train
from netspec.views.last_layers import last_layers

TEXT = "inputs: {t: int 6}\nlayers: [embedding 11 8, linear 8, gelu, linear 8, dropout 0, linear 13]"
COUNT = 4


class Kernels(TorchDispatchMode):
    """Counts kernels with the sizes of what they give."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: Counter[tuple[str, int]] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        copies = isinstance(out, torch.Tensor) and (not args or out is not args[0])
        if copies:
            self.seen[func.overloadpacket.__name__, out.numel()] += 1
        return out


def kernels(layers: str, x: torch.Tensor, y: torch.Tensor, **more: Any) -> Counter[tuple[str, int]]:
    """The kernels of one step over all of these samples."""
    loss = "cross_entropy axis=-1" if y.dim() > 1 else "cross_entropy"
    spec = netspec.loads(layers, [f"train={{loss: {loss}, optimizer: sgd lr=0.1, epochs: 1, batch: {COUNT}}}"])
    section = spec.experiment.train
    assert section is not None
    section = section.replace(**more)
    module = build(spec, reorder=section.reorder)
    data = Data(Split((x,), y), None, None, ("t",), None)
    found = Kernels()
    with found:
        train(module, section, data, progress=Silent(), last=last_layers(spec.graph, section))
    return found.seen


def texts() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randint(11, (COUNT, 6)), torch.randint(13, (COUNT, 6))


def test_short_floats_are_copied_once() -> None:
    seen = kernels(TEXT, *texts(), precision="bf16")
    scores, weight = COUNT * 6 * 13, 13 * 8
    assert seen["_to_copy", scores] == 2  # the scores to float32, and their gradient back
    assert seen["_to_copy", weight] == 2  # the weight to bfloat16, and its gradient back


def test_a_dropout_of_nothing_runs_nothing() -> None:
    seen = kernels(TEXT, *texts())
    assert not [name for name, _ in seen if "dropout" in name or "bernoulli" in name]


@pytest.mark.parametrize(("channels", "copies"), [(1, 0), (3, 1)])
def test_a_batch_is_picked_once_and_ordered_once(channels: int, copies: int) -> None:
    layers = f"input: {channels}x5x7\nlayers: [conv 4 k3 nobias, relu, gap, flatten, fc 3]"
    seen = kernels(layers, torch.randn(COUNT, channels, 5, 7), torch.randint(3, (COUNT,)))
    size = COUNT * channels * 35
    picked = seen["index_select", size]
    assert 1 <= picked <= 3  # and where the run looks at its data before it begins
    assert seen["clone", size] == copies  # a map of one channel lies in either order
