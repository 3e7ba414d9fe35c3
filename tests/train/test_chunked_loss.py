"""A cross entropy that takes a stretch of rows at a time: the numbers of the whole one, never all scores at once."""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

import netspec
from netspec.api.spec import Spec
from netspec.runs.findings import _of_classes
from netspec.runtime.data.split import Data, Split
from netspec.runtime.network.stretches import Scores, holding_back
from netspec.runtime.store.run_folder import RunFolder
from netspec.runtime.train.run import train
from netspec.views.last_layers import last_layers
from tests.train.small import DEVICE, equal, few_scores

CLASSES, FEATURES = 11, 5
WEIGHT = [0.5, 2.0, 0.0, 1.0, 1.0, 3.0, 0.25, 1.0, 1.0, 1.0, 1.0]
LOSSES: list[dict[str, Any]] = [
    {},
    {"reduction": "sum"},
    {"label_smoothing": 0.2},
    {"weight": WEIGHT},
    {"weight": WEIGHT, "label_smoothing": 0.2, "ignore_index": 3},
    {"weight": WEIGHT, "label_smoothing": 0.2, "reduction": "sum"},
]


@pytest.mark.parametrize("ignored", ["none", "some", "all"])
@pytest.mark.parametrize("options", LOSSES, ids=str)
def test_loss_and_gradients_are_those_of_torch(options: dict[str, Any], ignored: str) -> None:
    given = {**options, "weight": torch.tensor(WEIGHT).double() if "weight" in options else None}
    loss = nn.CrossEntropyLoss(**given)
    torch.manual_seed(0)
    target = torch.randint(CLASSES, (3, 7))
    target[:, :: {"none": 8, "some": 3, "all": 1}[ignored]] = loss.ignore_index
    drawn = torch.randn(3, 7, FEATURES), torch.randn(CLASSES, FEATURES), torch.randn(CLASSES)
    found = []
    for bias, stretched in itertools.product((True, False), (True, False)):
        hidden, weight, offset = (x.double().requires_grad_() for x in drawn)
        scores = Scores(hidden, weight, offset if bias else None, short=False)
        with few_scores(2 * CLASSES):
            assert scores.rows == 2
            value = scores.cross_entropy(target, loss) if stretched else loss(scores.whole().movedim(-1, 1), target)
        (value.nan_to_num() * 3).backward()
        found.append((value.detach(), *(x.grad for x in (hidden, weight, offset) if x.grad is not None)))
    for (value, *gradients), (expected, *others) in zip(found[::2], found[1::2], strict=True):
        torch.testing.assert_close(value, expected, equal_nan=True)
        if ignored != "all":
            torch.testing.assert_close(gradients, others)
        assert all(bool(x.isfinite().all()) for x in gradients)


def test_what_needs_no_gradient_gets_none_and_short_floats_add_up_in_long_ones() -> None:
    torch.manual_seed(0)
    hidden, weight = torch.randn(64, FEATURES, requires_grad=True), torch.randn(CLASSES, FEATURES)
    target = torch.randint(CLASSES, (64,))
    with few_scores(2 * CLASSES):
        Scores(hidden, weight, None, short=False).cross_entropy(target, nn.CrossEntropyLoss()).backward()
    assert weight.grad is None
    assert hidden.grad is not None
    found = list[torch.Tensor]()
    for short in (False, True):
        matrix = weight.clone().requires_grad_()
        with few_scores(2 * CLASSES):
            Scores(hidden.detach(), matrix, None, short=short).cross_entropy(target, nn.CrossEntropyLoss()).backward()
        assert matrix.grad is not None
        found.append(matrix.grad)
    exact, rounded = found
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, rtol=0.02, atol=2e-3)


class Largest(TorchDispatchMode):
    """Notes the most scores of so many classes that an operation gives at once."""

    def __init__(self, classes: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.classes, self.count = classes, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        for x in found if isinstance(found, tuple | list) else [found]:
            if isinstance(x, torch.Tensor) and x.is_floating_point() and x.shape[-1:] == (self.classes,):
                self.count = max(self.count, x.numel())
        return found


TEXT = """\
netspec: 1
inputs: {text: int T}
layers:
  wte: embedding 200 6
  h: linear 6, gelu, dropout 0.1
  head: linear 200 %s
%s
train:
  loss: %s
  optimizer: adamw lr=0.02
  batch: 6
  accumulate: 2
  epochs: 2
  precision: %s
  checkpoint: {steps: 1}
  metrics: [perplexity, accuracy, topk 3]
"""


def text(loss: str = "cross_entropy axis=-1", *, bias: str = "nobias", tie: bool = True, short: bool = False) -> Spec:
    tied = "tie: {head.weight: wte.weight}" if tie else ""
    return netspec.loads(TEXT % (bias, tied, loss, "bf16" if short else "float32"))


def tokens() -> Data:
    generator = torch.Generator().manual_seed(3)
    words = torch.randint(200, (40, 9), generator=generator)
    train, val = (Split((words[rows, :-1],), words[rows, 1:]) for rows in (slice(28), slice(28, None)))
    return Data(train, val, None, ("text",), None)


def trained(spec: Spec, *, stretched: bool = True, most: int = 600, **more: Any) -> tuple[nn.Module, Any, int]:
    """The network of a run, its history, and the most scores that it had at once."""
    train_ = spec.experiment.train
    assert train_ is not None
    train_ = train_.replace(chunked_loss=stretched, device=DEVICE)
    torch.manual_seed(0)
    module = spec.build()
    with few_scores(most), Largest(200) as seen:
        history = train(module, train_, tokens(), last=last_layers(spec.graph, train_), **more)
    return module, history, seen.count


@pytest.mark.parametrize(
    "spec",
    [
        text(),
        text(bias="", tie=False),
        text("cross_entropy axis=-1 label_smoothing=0.1 ignore_index=5"),
        text("cross_entropy axis=2 reduction=sum"),
        text(short=True),
    ],
    ids=["tied", "bias", "smoothing", "sum", "short"],
)
def test_a_run_is_that_of_the_whole_loss(spec: Spec) -> None:
    whole, expected, all_scores = trained(spec, stretched=False)
    module, history, most = trained(spec)
    assert all_scores >= 6 * 8 * 200
    assert most <= 200 * 6  # the weight, turned
    short = spec.experiment.train is not None and spec.experiment.train.precision == "bf16"
    rtol, atol = (0.1, 0.03) if short else (1e-3, 1e-5)
    for a, b in zip(module.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=rtol, atol=atol)
    for record, other in zip(history.records, expected.records, strict=True):
        for name in ("train.loss", "val.loss", "val.perplexity", "val.accuracy", "val.top3"):
            assert record[name] == pytest.approx(other[name], rel=0.02 if short else 1e-4, abs=0.02 if short else 0)


def test_few_scores_are_those_of_the_text_to_the_bit() -> None:
    module, *_ = trained(text(), most=200 * 8 * 12)
    whole, *_ = trained(text(), stretched=False)
    assert equal(module, whole)


def test_a_run_that_goes_on_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole, *_ = trained(text())
    train_ = text().experiment.train
    assert train_ is not None
    with RunFolder.create(tmp_path / "run", "netspec: 1\n") as run, few_scores(600):
        torch.manual_seed(0)
        first = text().build()
        last = last_layers(text().graph, train_)
        train(first, train_.replace(device=DEVICE, max_steps=4), tokens(), run, last=last)
    with RunFolder.open(tmp_path / "run") as run:
        module, *_ = trained(text(), run=run, resume=True)
    assert equal(module, whole)


def test_the_switch_in_a_spec_and_the_evaluation_of_its_run(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("the quick brown fox jumps over the lazy dog " * 40)
    rows = "inputs: {text: int T}\nlayers: {wte: embedding 40 6, head: linear 40}"
    rest = "train: {loss: cross_entropy axis=-1, optimizer: adam, max_steps: 1, batch: 4, metrics: [perplexity]}"
    (tmp_path / "spec.yaml").write_text(f"netspec: 1\n{rows}\ndata: {{source: text words.txt 8}}\n{rest}\n")
    for number, chunked in enumerate((True, False)):
        spec = netspec.load(tmp_path / "spec.yaml", [f"train.chunked_loss={str(chunked).lower()}"])
        with few_scores(240), Largest(40) as seen:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("netspec.runs.findings.AT_ONCE", 8 * 40)
                patch.setattr("netspec.runs.proving.prove", lambda *_: None)  # a few samples of the text as it stands
                run = spec.train(tmp_path / f"run{number}")
            assert run.folder is not None
            found = netspec.Run.read(run.folder).evaluate("train")
        assert (seen.count <= 8 * 40) is chunked
        with few_scores(10**6):
            assert netspec.Run.read(run.folder).evaluate("train")["perplexity"] == pytest.approx(
                found["perplexity"], rel=1e-4
            )


def test_what_is_found_of_very_many_classes_takes_no_table_of_all_of_them() -> None:
    scores, targets = np.zeros((2, 3, 300_000), np.float32), np.array([[5, 7, -100], [299_999, 7, 1]])
    scores[:, :, 7] = 1
    criterion: Any = SimpleNamespace(loss=SimpleNamespace(ignored=lambda: -100))
    shown: Any = SimpleNamespace(sample=lambda number: {"row": number})
    found = _of_classes(scores, targets, None, criterion, shown)
    assert found["confusions"] == [[1, 7, 1], [5, 7, 1], [7, 7, 2], [299_999, 7, 1]]


LAST = [
    ("input: 8\nlayers: [fc 4, relu, fc 3]\ntrain: {loss: ce, optimizer: sgd}", ("fc2",)),
    (
        "input: 8\nlayers: {body: [linear 4, relu], head: [dropout 0.1, linear 3]}\ntrain: {loss: ce, optimizer: sgd}",
        ("head.1",),
    ),
    ("inputs: {x: int T}\nlayers: [embedding 9 4, linear 9]\ntrain: {loss: ce axis=-1, optimizer: sgd}", ("linear1",)),
    ("inputs: {x: int T}\nlayers: [embedding 9 4, linear 9]\ntrain: {loss: ce, optimizer: sgd}", ()),
    ("input: 2x4\nlayers: [fc 3]\ntrain: {loss: ce, optimizer: sgd}", ()),
    ("input: 8\nlayers: [fc 3]\ntrain: {loss: mse, optimizer: sgd}", ()),
    ("input: 8\nlayers: [linear 3 wrap=lora rank=2]\ntrain: {loss: ce, optimizer: sgd}", ()),
    ("input: 8\nlayers: [linear 3 wrap=weight_norm]\ntrain: {loss: ce, optimizer: sgd}", ("linear1",)),
    ("input: 8\nlayers: [fc 3, relu]\ntrain: {loss: ce, optimizer: sgd}", ()),
    ("input: 8\nlayers: {a: fc 3, b: add(a a)}\noutputs: [a, b]\ntrain: {loss: {a: ce, b: ce}, optimizer: sgd}", ()),
    (
        "input: 8\nlayers: {a: fc 3, b: fc(in) 3}\noutputs: [a, b]\ntrain: {loss: {a: ce, b: mse}, optimizer: sgd}",
        ("a",),
    ),
    ("input: 8\nlayers: {a: fc 8, b: use(a) a}\ntrain: {loss: ce, optimizer: sgd}", ()),
    (
        "input: 8\nlayers: {a: fc 3}\n"
        "train: {loss: {one: {ce: null, of: a}, two: {multi_margin: null, of: a}}, optimizer: sgd}",
        (),
    ),
]


@pytest.mark.parametrize(("rows", "paths"), LAST)
def test_which_layers_are_the_last(rows: str, paths: tuple[str, ...]) -> None:
    spec = netspec.loads(f"netspec: 1\n{rows}\n")
    assert spec.experiment.train is not None
    assert last_layers(spec.graph, spec.experiment.train) == paths


def test_a_layer_with_hooks_runs_as_it_stands() -> None:
    layer, seen = nn.Linear(4, 50), list[Any]()
    layer.register_forward_hook(lambda module, given, found: seen.append(found))
    with few_scores(60):
        found = holding_back(layer, [layer])(torch.randn(3, 4))
    assert isinstance(found, torch.Tensor)
    assert seen[0] is found
    torch.testing.assert_close(functional.linear(torch.ones(3, 4), layer.weight, layer.bias), layer(torch.ones(3, 4)))


def test_a_compiled_network_gives_scores_a_few_at_a_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    train_ = text().experiment.train
    assert train_ is not None
    found = []
    for compiled in (False, True):
        torch.manual_seed(0)
        module = text().build()
        with few_scores(600), Largest(200) as seen:
            about = train_.replace(compile=compiled, device=DEVICE, max_steps=3)
            train(module, about, tokens(), last=last_layers(text().graph, train_))
        assert seen.count <= 200 * 6
        found.append(module)
    assert equal(*found)
