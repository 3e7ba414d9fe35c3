"""Several losses: the bits of a hand-written loop, each told by its name, measured, predicted and resumed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import netspec
from netspec.errors import NetspecError
from netspec.runs.answers import records, table
from netspec.runs.data import data_of
from netspec.runtime.data.split import Data, seeded
from netspec.runtime.store.run_folder import RunFolder
from netspec.runtime.train.history import Record
from netspec.runtime.train.run import train
from netspec.views.training import text, training
from tests.train.headed import AUX, LEARNED, TWO, Headed, headed, ignoring, plain, targets
from tests.train.small import DEVICE, equal, section
from tests.train.test_resume import same_whether_stopped_or_not

Criterion = Callable[[dict[str, torch.Tensor], dict[str, torch.Tensor]], torch.Tensor]


def by_hand(
    net: nn.Module, optimizer: torch.optim.Optimizer, data: Data, criterion: Criterion, epochs: int = 3
) -> None:
    """The loop that anyone would write: batches of 16 in the order of the seed 0."""
    data = data.to(DEVICE)
    (x,), y = data.train.inputs, {"cls": data.train.target, **data.train.others}
    torch.manual_seed(0)
    for epoch in range(3):
        for rows in torch.randperm(len(x), generator=seeded(0, epoch)).split(16):
            optimizer.zero_grad()
            criterion(net(x[rows]), {name: target[rows] for name, target in y.items()}).backward()
            optimizer.step()


def two(found: dict[str, torch.Tensor], y: dict[str, torch.Tensor]) -> torch.Tensor:
    box = nn.functional.smooth_l1_loss(found["box"], y["box"], beta=0.5)
    return nn.functional.cross_entropy(found["cls"], y["cls"]) + box * 0.3


def three(found: dict[str, torch.Tensor], y: dict[str, torch.Tensor]) -> torch.Tensor:
    return two(found, y) + nn.functional.cross_entropy(found["aux"], y["cls"]) * 0.4


@pytest.mark.parametrize(("loss", "make", "criterion"), [(TWO, plain, two), (AUX, headed, three)], ids=["two", "aux"])
def test_steps_are_those_of_a_hand_written_loop_to_the_bit(
    loss: Any, make: Callable[[], Headed], criterion: Criterion
) -> None:
    mine, theirs = make(), make()
    train(mine, section(loss=loss, optimizer="sgd lr=0.1 momentum=0.9", epochs=3), targets())
    by_hand(theirs.train(), torch.optim.SGD(theirs.parameters(), 0.1, momentum=0.9, fused=True), targets(), criterion)
    assert equal(mine, theirs)


def test_learnt_weights_are_those_of_a_hand_written_loop(tmp_path: Path) -> None:
    mine, theirs = plain(), plain()
    s = {name: nn.Parameter(torch.zeros((), device=DEVICE)) for name in LEARNED}

    def criterion(found: dict[str, torch.Tensor], y: dict[str, torch.Tensor]) -> torch.Tensor:
        cls, box = nn.functional.cross_entropy(found["cls"], y["cls"]), nn.functional.mse_loss(found["box"], y["box"])
        return (torch.exp(-s["cls"]) * cls + s["cls"] / 2) + (0.5 * torch.exp(-s["box"]) * box + s["box"] / 2)

    with RunFolder.create(tmp_path / "run", "") as run:
        train(mine, section(loss=LEARNED, optimizer="sgd lr=0.1", epochs=3), targets(), run)
    by_hand(theirs.train(), torch.optim.SGD([*theirs.parameters(), *s.values()], 0.1, fused=True), targets(), criterion)
    assert equal(mine, theirs)
    saved = load_file(tmp_path / "run" / "last.loss.safetensors")
    assert {name: saved[f"log_variance.{name}"].item() for name in s} == {name: p.item() for name, p in s.items()}
    assert all(abs(p.item()) > 1e-3 for p in s.values())
    assert not any("log_variance" in name for name in load_file(tmp_path / "run" / "last.safetensors"))


CELLS: list[tuple[dict[str, Any], Callable[[], Headed], Callable[[], Data]]] = [
    ({"loss": TWO}, plain, targets),
    ({"loss": AUX, "metrics": {"cls": ["accuracy"], "box": "mae"}, "ema": 0.8}, headed, targets),
    ({"loss": LEARNED, "evaluate": {"steps": 3}, "early_stop": "val.box.loss patience=4 min_delta=10"}, plain, targets),
    ({"loss": AUX, "accumulate": 2, "batch": 8}, headed, targets),
    ({"loss": AUX, "accumulate": 3, "batch": 5, "clip_grad": 0.5}, headed, ignoring),
    ({"loss": LEARNED, "accumulate": 2, "batch": 8, "precision": "bf16"}, plain, ignoring),
    ({"loss": TWO, "optimizer": "lbfgs lr=0.1 max_iter=2"}, plain, targets),
    ({"loss": TWO, "scheduler": {"plateau": {"monitor": "train.cls.loss", "patience": 0}}}, plain, targets),
]


@pytest.mark.parametrize("stops", [[6], [3, 4, 1]], ids=["once", "often"])
@pytest.mark.parametrize(("cell", "make", "data"), CELLS, ids=[str(cell) for cell, _, _ in CELLS])
def test_resumed_to_the_bit(
    cell: dict[str, Any],
    make: Callable[[], Headed],
    data: Callable[[], Data],
    stops: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train_ = section(**{"optimizer": "adamw lr=0.01", **cell, "epochs": 4})
    same_whether_stopped_or_not(train_, data(), stops, make, tmp_path, monkeypatch)


def told(found: Record) -> dict[str, float]:
    return {name: value for name, value in found.items() if name.endswith("loss")}


@pytest.mark.parametrize("data", [targets, ignoring], ids=["all alike", "some ignored"])
@pytest.mark.parametrize("loss", [AUX, LEARNED], ids=["fixed", "learned"])
def test_pieces_of_a_step_make_the_whole_step(loss: Any, data: Callable[[], Data]) -> None:
    """Each loss is a mean over the step, whatever it skips, and a weight that is learnt counts once."""
    found = []
    for pieces in ({"batch": 32}, {"batch": 8, "accumulate": 4}):
        net = headed(0.0, aux="aux" in loss)
        net.body[1] = nn.Identity()  # a norm sees the pieces
        history = train(net, section(loss=loss, optimizer="sgd lr=0.1", epochs=2, **pieces), data())
        found.append((net.state_dict(), [told(r) for r in history.records]))
    torch.testing.assert_close(found[0], found[1])


def test_the_sum_is_of_what_is_told_by_name() -> None:
    history = train(headed(), section(loss=AUX, optimizer="sgd lr=0.1", epochs=2), targets())
    for record in history.records:
        parts = [record[f"train.{name}.loss"] for name in ("cls", "box", "aux")]
        assert record["train.loss"] == pytest.approx(parts[0] + 0.3 * parts[1] + 0.4 * parts[2], rel=1e-5)
        assert record["val.loss"] == pytest.approx(record["val.cls.loss"] + 0.3 * record["val.box.loss"], rel=1e-6)
        assert "val.aux.loss" not in record


def test_a_loss_of_sums_beside_one_of_means() -> None:
    loss = {"cls": "cross_entropy", "box": "mse reduction=sum weight=0.01"}
    history = train(plain(), section(loss=loss, optimizer="sgd lr=0.01", epochs=1, batch=64), targets())
    (record,) = history.records
    assert record["val.box.loss"] == pytest.approx(_mean_square(targets()), rel=0.5)


def _mean_square(data: Data) -> float:
    """About what a network that gives nothing is away from the numbers, a sample."""
    assert data.val is not None
    return float(data.val.others["box"].square().sum(1).mean())


# --- from a spec ----------------------------------------------------------------------------------

SPEC = """\
netspec: 1
name: Two
input: 8
layers:
  body: fc 16, relu
  aux: [dropout 0.3, fc 3]
  cls: fc(body) 3
  box: fc(body) 4
outputs: {cls: cls, box: box, aux: aux when training}
data: {source: {npz: {path: d.npz, target: [box, cls]}}, split: {val: 0.2}}
train:
  loss: {cls: cross_entropy, box: smooth_l1 weight=0.5, aux: cross_entropy weight=0.4 target=cls}
  optimizer: sgd lr=0.1
  epochs: 2
  batch: 16
  metrics: {cls: [accuracy], box: mae}
"""


def written(folder: Path, **changes: str) -> Path:
    """The spec with other lines in place of some of them, beside its data."""
    x = np.random.RandomState(0).randn(60, 8).astype("f4")
    np.savez(folder / "d.npz", x=x, cls=(x[:, 0] > 0).astype("i8") + (x[:, 1] > 0), box=x[:, :4] * 2)
    lines = [changes.get(line.strip().partition(":")[0], line) for line in SPEC.splitlines()]
    (folder / "two.yaml").write_text("\n".join(lines) + "\n")
    return folder / "two.yaml"


def test_a_spec_is_trained_measured_and_asked(tmp_path: Path) -> None:
    spec = netspec.load(written(tmp_path))
    assert not spec.warnings
    spec.train(tmp_path / "run")
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    last = json.loads(lines[-1])
    names = ["loss", "cls.loss", "box.loss", "cls.accuracy", "box.mae"]
    assert [n for n in last if n.startswith("val.")] == [f"val.{name}" for name in names]
    assert [n for n in last if n.startswith("train.")] == [
        f"train.{n}" for n in ("loss", "cls.loss", "box.loss", "aux.loss")
    ]
    run = netspec.Run.read(tmp_path / "run")
    best = max(map(json.loads, lines), key=lambda record: record["val.cls.accuracy"])
    assert run.evaluate() == {name.removeprefix("val."): best[name] for name in best if name.startswith("val.")}
    np.savez(tmp_path / "new.npz", x=np.load(tmp_path / "d.npz")["x"][:3])
    found = run.predict(tmp_path / "new.npz")
    assert [*found.outputs] == ["cls", "box"]
    assert np.allclose(found.outputs["cls"].sum(1), 1, atol=1e-5)
    assert [*records(found)[0]] == ["row", "cls", "box"]
    assert records(found)[0]["cls"]["class"] == found.answers["cls"].places()[0]  # type: ignore[index]
    assert next(table(found)) == [
        *("row", "cls", "cls probability of 0", "cls probability of 1", "cls probability of 2"),
        *("box 0", "box 1", "box 2", "box 3"),
    ]


def test_each_target_has_its_own_scale_and_weights(tmp_path: Path) -> None:
    row = "{cls: {cross_entropy: {weight: balanced}, weight: 0.7}, box: mse, aux: cross_entropy target=cls}"
    path = written(
        tmp_path,
        loss=f"  loss: {row}",
        data="data: {source: {npz: {path: d.npz, target: [box, cls]}}, split: {val: 0.2}, scale_target: standard}",
    )
    run = tmp_path / "run"
    netspec.load(path).train(run)
    learnt = json.loads((run / "data.json").read_text())["losses"]
    assert {name: [*of] for name, of in learnt.items()} == {"cls": ["weights"], "box": ["scale"]}
    read = netspec.Run.read(run)
    np.savez(tmp_path / "new.npz", x=np.load(tmp_path / "d.npz")["x"][:3])
    scale = {name: torch.tensor(values) for name, values in learnt["box"]["scale"].items()}
    given = read.module()(torch.tensor(np.load(tmp_path / "new.npz")["x"]))["box"].detach()
    told = torch.tensor(read.predict(tmp_path / "new.npz").outputs["box"])
    torch.testing.assert_close(told, given * scale["deviation"] + scale["mean"])


WRONG = {
    "an output that is not there": (
        {"loss": "  loss: {cls: cross_entropy, bbox: smooth_l1}", "metrics": ""},
        "the network has no output 'bbox'",
    ),
    "a value inside": ({"loss": "  loss: {cls: cross_entropy, body: mse}", "metrics": ""}, "body: body when training"),
    "a target that is not there": (
        {"loss": "  loss: {cls: cross_entropy, box: smooth_l1, aux: cross_entropy}"},
        "the data has no target 'aux'",
    ),
    "metrics of an output that is there in training": (
        {"metrics": "  metrics: {aux: accuracy}"},
        "gives in training only",
    ),
    "metrics of no loss": ({"metrics": "  metrics: {clas: accuracy}"}, "no loss of an output 'clas'"),
    "a loss that validation does not measure": (
        {"batch": "  early_stop: val.aux.loss"},
        "val.aux.loss is not measured",
    ),
    "one loss on several outputs": ({"loss": "  loss: cross_entropy", "metrics": ""}, "Give each a loss"),
    "a weight below nothing": ({"loss": "  loss: {cls: cross_entropy weight=-1, box: mse}", "metrics": ""}, "-1"),
    "a target with another form": (
        {"loss": "  loss: {cls: cross_entropy, box: cross_entropy, aux: cross_entropy target=cls}", "metrics": ""},
        "array 'box', row 0",
    ),
    "an output in training before others": ({"outputs": "outputs: [aux when training, cls, box]"}, "Put it last"),
    "nothing outside training": ({"outputs": "outputs: [aux when training]"}, "nothing outside training"),
    "another condition": ({"outputs": "outputs: [cls, box, aux when x > 1]"}, "always, or `when training`"),
}


@pytest.mark.parametrize("title", WRONG)
def test_what_is_wrong_is_told_before_a_step(title: str, tmp_path: Path) -> None:
    changes, text = WRONG[title]
    with pytest.raises(NetspecError) as caught:
        netspec.load(written(tmp_path, **changes)).train()  # what an array holds only the run knows
    assert text in str(caught.value)
    assert str(caught.value).count("error[") <= 1


def test_an_output_without_a_loss_is_warned_of(tmp_path: Path) -> None:
    path = written(tmp_path, loss="  loss: {cls: cross_entropy, aux: cross_entropy target=cls}", metrics="")
    assert "no loss is on the output box" in "".join(p.message for p in netspec.load(path).warnings)


def test_a_metric_without_a_name_measures_what_it_can(tmp_path: Path) -> None:
    spec = netspec.load(written(tmp_path, metrics="  metrics: [accuracy, mae]"))
    assert not spec.warnings
    record = spec.train().history.records[-1]
    assert {"val.accuracy", "val.mae"} <= record.keys()


def test_a_summary_tells_each_loss(tmp_path: Path) -> None:
    spec = netspec.load(written(tmp_path))
    told = text(training(spec.name, spec.graph, spec.experiment, 48))
    assert told.startswith("loss       cls: CrossEntropyLoss, box: SmoothL1Loss * 0.5, aux: CrossEntropyLoss * 0.4\n")


def test_targets_read_from_their_files_are_those_of_memory(tmp_path: Path) -> None:
    """A mask on the image's grid goes along with it, and numbers beside it stay; the rows of each stay together."""
    random = np.random.RandomState(0)
    x = random.randint(0, 256, (40, 1, 8, 8)).astype("u1")
    np.savez(tmp_path / "maps.npz", x=x, mask=(x[:, 0] > 127).astype("i8"), kind=(x[:, 0, 0, 0] % 3).astype("i8"))
    found = []
    for memory in ("memory: 1KB, workers: 0", "memory: 1GB"):
        text = f"""\
netspec: 1
input: 1x8x8
layers: {{body: conv 4 k3 same, mask: conv 2 k1, kind: [gap(body), fc 3]}}
outputs: {{mask: mask, kind: kind}}
data: {{source: {{npz: {{path: maps.npz, target: [mask, kind]}}}}, augment: [flip, crop 8 pad=1], split: 0, {memory}}}
train: {{loss: {{mask: cross_entropy, kind: cross_entropy}}, optimizer: sgd}}
"""
        (tmp_path / "maps.yaml").write_text(text)
        data = data_of(netspec.load(tmp_path / "maps.yaml"), False)
        found.append(data.train.batch(torch.arange(40), seeded(1)))
    (inputs, target), (held, other) = found
    assert [*target] == ["kind", "mask"]
    assert torch.equal(inputs[0], held[0])
    assert all(torch.equal(target[name], other[name]) for name in target)
    inside = target["mask"] >= 0  # what comes in from outside is skipped
    assert torch.equal(inputs[0][:, 0][inside] > 0.5, target["mask"][inside] == 1)
    assert torch.equal(target["kind"], torch.tensor(x[:, 0, 0, 0] % 3).long())


TABLE = """\
netspec: 1
input: 2
layers: {body: "fc 8, relu", kind: fc 3, money: fc(body) 2}
outputs: {kind: kind, money: money}
data: {source: SOURCE, scale_target: standard}
train:
  loss: {kind: cross_entropy, money: mse weight=0.5}
  optimizer: adam lr=0.01
  epochs: 2
  batch: 16
  metrics: {kind: accuracy, money: mae}
"""
SOURCES = {
    "table": "{csv: {path: t.csv, target: {kind: animal, money: [price, size]}}}",
    "files": "{npy: {inputs: x.npy, target: {kind: animal.npy, money: sizes.npy}}}",
}


@pytest.mark.parametrize("title", SOURCES)
def test_targets_by_name_of_other_sources(title: str, tmp_path: Path) -> None:
    """Columns of a table, and files of arrays; a run that goes on and one that is asked know them again."""
    x = np.random.RandomState(0).randn(60, 2).astype("f4")
    kinds, sizes = (x[:, 0] > 0).astype("i8") + (x[:, 1] > 0), x * 10 + 50
    rows = [f"{a:.3f},{b:.3f},{'cde'[k]},{p:.2f},{s:.2f}" for (a, b), k, (p, s) in zip(x, kinds, sizes, strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,animal,price,size", *rows]) + "\n")
    for name, array in {"x": x, "animal": kinds, "sizes": sizes}.items():
        np.save(tmp_path / f"{name}.npy", array)
    (tmp_path / "s.yaml").write_text(TABLE.replace("SOURCE", SOURCES[title]))
    spec = netspec.load(tmp_path / "s.yaml")
    spec.look()
    data = data_of(spec, False)
    assert [*data.train.whole[1]] == ["kind", "money"]
    assert data.train.target[:6].tolist() == kinds[data_rows(data, x)][:6].tolist()
    torch.testing.assert_close(
        data.train.others["money"][:6], torch.tensor(sizes[data_rows(data, x)][:6]), rtol=0, atol=0.01
    )
    assert data.classes == (("c", "d", "e") if title == "table" else ("0", "1", "2"))
    spec.train(tmp_path / "run")
    history = spec.over(["train.epochs=3"]).train(tmp_path / "run", resume=True).history
    run = netspec.Run.read(tmp_path / "run")
    best = max(history.records, key=lambda r: r["val.kind.accuracy"])
    assert run.evaluate()["kind.accuracy"] == best["val.kind.accuracy"]
    found = run.predict(tmp_path / ("t.csv" if title == "table" else "x.npy"))
    assert found.answers["money"].labels == (("price", "size") if title == "table" else ())
    assert found.answers["kind"].classes == data.classes


def data_rows(data: Data, x: Any) -> Any:
    """Which of the points the training part has, in its order."""
    given = data.train.inputs[0].numpy()
    return [int(np.abs(x - each).sum(1).argmin()) for each in given]


def test_one_of_several_targets_of_a_table_may_not_be_a_window(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,animal,price,size\n" + "1,2,c,3.5,4.5\n" * 30)
    source = "{csv: {path: t.csv, window: 3, target: {kind: animal, money: [price, size]}}}"
    (tmp_path / "s.yaml").write_text(TABLE.replace("SOURCE", source).replace("input: 2", "input: 2x3"))
    with pytest.raises(NetspecError, match="are of one target, not of kind, money"):
        netspec.load(tmp_path / "s.yaml").look()
