"""Targets as they are meant: yes and no of two named classes, classes weighed and drawn alike, scaled numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import netspec
from netspec.api.run import Run
from netspec.errors import DataError, Interrupted, UsageError
from netspec.losses.classes import CrossEntropyLoss
from netspec.runs.data import data_of
from netspec.runs.train import train
from netspec.runtime.data.split import Data, drawn_alike, seeded
from netspec.runtime.data.streaming import Streamed
from netspec.runtime.train.loss import Objective
from netspec.runtime.train.progress import Silent
from netspec.text.report import SpecError
from tests.cli.test_commands import run as command

SPEC = """netspec: 1
name: small
input: {input}
layers: [{layers}]
data: {data}
train: {train}
"""
TRAIN = "{loss: LOSS, optimizer: adam lr=0.05, epochs: 12, metrics: [METRICS]}"


def spec(
    root: Path,
    data: str,
    loss: str,
    metrics: str = "",
    layers: str = "fc 1",
    size: str = "2",
    section: str = TRAIN,
) -> netspec.Spec:
    section = section.replace("LOSS", loss).replace("METRICS", metrics)
    text = SPEC.replace("{input}", size).replace("{layers}", layers).replace("{data}", data).replace("{train}", section)
    return netspec.loads(text).at(root)


class Heard(Silent):
    """Keeps what a person is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def tell(self, lines: Any) -> None:
        self.lines += lines


def table(root: Path, rows: int = 240, rare: float = 0.8) -> Path:
    """Two numbers, a class that is rare where the first is large, and a price far from 0."""
    draw = np.random.RandomState(0)
    lines = ["a,b,kind,price"]
    for a, b in draw.rand(rows, 2):
        lines.append(f"{a:.4f},{b:.4f},{'fraud' if a > rare else 'regular'},{5000 + 30 * a + 10 * b:.4f}")
    (root / "a.csv").write_text("\n".join(lines) + "\n")
    return root


KIND = "source: {csv: {path: a.csv, target: kind, numbers: [a, b]}}"
PRICE = "source: {csv: {path: a.csv, target: price, numbers: [a, b], regression: true}}"


@pytest.mark.parametrize("loss", ["bce_logits", "bce", "soft_margin", "multilabel_soft_margin"])
def test_one_output_answers_with_names(loss: str, tmp_path: Path) -> None:
    layers = "fc 1, sigmoid" if loss == "bce" else "fc 1"
    section = TRAIN.replace("12", "20, batch: 8")
    made = spec(table(tmp_path), f"{{{KIND}, positive: fraud}}", loss, "accuracy, roc_auc", layers, section=section)
    heard = Heard()
    trained = train(made, tmp_path / "run", progress=heard)
    assert heard.lines[-1:] == ["positive: fraud, which is 1 and what binary metrics measure; negative: regular"]
    assert trained.history.records[-1]["val.roc_auc"] > 0.95
    (tmp_path / "new.csv").write_text("a,b\n0.99,0.5\n0.01,0.5\n")
    found = Run.read(tmp_path / "run").predict(tmp_path / "new.csv")
    assert found.classes == ("regular", "fraud")
    chosen = found.best(2)
    assert chosen is not None
    assert [best[0][0] for best in chosen] == ["fraud", "regular"]
    assert all(abs(sum(share for _, share in best) - 1) < 1e-6 for best in chosen)


def test_the_second_name_is_positive_without_a_word(tmp_path: Path) -> None:
    data = data_of(spec(table(tmp_path), f"{{{KIND}}}", "bce_logits"), False)
    assert (data.classes, data.learnt["positive"]) == (("fraud", "regular"), "regular")
    other = data_of(spec(tmp_path, f"{{{KIND}, positive: Fraud}}", "bce_logits"), False)
    assert (other.classes, other.learnt["positive"]) == (("regular", "fraud"), "fraud")
    assert torch.equal(other.train.target, 1 - data.train.target)
    assert data.train.target.shape == (216, 1)
    flat = data_of(spec(tmp_path, f"{{{KIND}}}", "bce_logits", layers="fc 1, squeeze -1"), False)
    assert flat.train.target.shape == (216,)


def test_positive_is_measured_by_binary_metrics_of_two_outputs_too(tmp_path: Path) -> None:
    table(tmp_path)
    values = {}
    for positive in ("fraud", "regular"):
        data = f"{{{KIND}, positive: {positive}}}"
        made = spec(tmp_path, data, "cross_entropy", "recall average=binary", "fc 2")
        trained = data_of(made, False)
        assert trained.classes is not None
        assert trained.classes[1] == positive
        objective = Objective(CrossEntropyLoss())
        always = torch.tensor([[0.0, 1.0]]).expand(len(trained.train), 2)
        metric = made.experiment.train.metrics[0]  # type: ignore[union-attr]
        values[positive] = metric.value(metric.count(always, trained.train.target, objective.criteria[0].loss))
        share = trained.train.target.float().mean().item()
        assert (share < 0.5) == (positive == "fraud")
    assert values == {"fraud": 1.0, "regular": 1.0}


def test_yes_and_no_of_images_by_folders(tmp_path: Path) -> None:
    for name, shade in (("ok", 40), ("broken", 220)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(8):
            Image.new("RGB", (4, 4), (shade + i, shade, shade)).save(tmp_path / "photos" / name / f"{i}.png")
    made = spec(tmp_path, "{source: images photos size=4, positive: broken}", "bce_logits", "accuracy", size="3x4x4")
    made.train(tmp_path / "run")
    found = Run.read(tmp_path / "run").predict(tmp_path / "photos" / "broken")
    chosen = found.best(1)
    assert chosen is not None
    assert {best[0][0] for best in chosen} == {"broken"}


def test_yes_and_no_of_numbers(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.random.RandomState(0).rand(40, 2).astype("f4"), y=np.arange(40) % 2)
    data = data_of(spec(tmp_path, "{source: npz a.npz, split: 0}", "bce_logits"), False)
    assert data.train.target[:4].tolist() == [[0], [1], [0], [1]]
    assert data.learnt["positive"] == "1"
    assert data_of(spec(tmp_path, "{source: npz a.npz, positive: 0}", "bce_logits"), False).learnt["positive"] == "0"


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        ("red green blue", "bce_logits with one output says yes or no, the data has 3 classes: blue, green, red. End"),
        ("red", "the data has 1 class: red. There is nothing to tell it from"),
    ],
)
def test_other_than_two_classes_are_refused(kinds: str, words: str, tmp_path: Path) -> None:
    names = kinds.split()
    rows = [f"{i % 7},{i % 5},{names[i % len(names)]}" for i in range(60)]
    (tmp_path / "a.csv").write_text("\n".join(["a,b,kind", *rows]) + "\n")
    with pytest.raises(DataError) as caught:
        spec(tmp_path, f"{{{KIND}}}", "bce_logits").train()
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("data", "loss", "words"),
    [
        ("positive: fruad", "bce_logits", "positive is fruad, the classes are fraud, regular. Did you mean 'fraud'"),
        ("sample: balanced, split: 0", "bce_logits", ""),
    ],
)
def test_a_name_that_is_none(data: str, loss: str, words: str, tmp_path: Path) -> None:
    made = spec(table(tmp_path), f"{{{KIND}, {data}}}", loss)
    if not words:
        assert len(data_of(made, False).train.strata) == 2
        return
    with pytest.raises(DataError) as caught:
        data_of(made, False)
    assert words in str(caught.value)


def test_a_class_that_a_part_lacks_is_told(tmp_path: Path) -> None:
    rows = [f"{i},{i % 5},{'yes' if i == 3 else 'no'}" for i in range(50)]
    (tmp_path / "a.csv").write_text("\n".join(["a,b,kind", *rows]) + "\n")
    told = data_of(spec(tmp_path, f"{{{KIND}, split: 0.2}}", "bce_logits"), False).told
    assert [line for line in told if "has no sample" in line] in (
        ["the val part has no sample of the class yes"],
        ["the training part has no sample of the class yes"],
    )


@pytest.mark.parametrize(
    ("line", "loss", "layers", "words"),
    [
        ("{source: digits, scale_target: standard}", "cross_entropy", "fc 10", "scale_target is for numbers"),
        ("{source: digits, positive: 3}", "cross_entropy", "fc 10", "positive is one of two classes, the data has 10"),
        ("{source: digits, sample: balanced}", "mse", "fc 1", "sample draws from classes alike, mse knows none"),
        ("{source: digits}", "bce_logits", "fc 1", "bce_logits with one output says yes or no, the data has 10"),
    ],
)
def test_check_says_what_is_not_meant_for_the_target(line: str, loss: str, layers: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec(Path(), line, loss, layers=layers, size="1x8x8")
    assert words in str(caught.value)


# --- weights ------------------------------------------------------------------------------------


def test_weights_are_counted_on_the_training_part_alone(tmp_path: Path) -> None:
    made = spec(table(tmp_path), f"{{{KIND}, split: 0.25}}", "cross_entropy weight=balanced", "accuracy", "fc 2")
    data = data_of(made, False)
    counts = data.train.target.bincount(minlength=2)
    expected = (len(data.train) / (2 * counts.double())).tolist()
    assert data.learnt["weights"]["weight"]["of"] == "balanced"
    learnt = data.learnt["weights"]["weight"]["values"]
    assert learnt == pytest.approx(expected)
    objective = Objective(made.experiment.train.loss, learnt=data.learnt)  # type: ignore[union-attr]
    assert torch.equal(objective.module.state_dict()["weight"], torch.tensor(learnt))
    assert data.told[-1] == (
        f"weight of the loss, counted on the training part: fraud {expected[0]:.4g}, regular {expected[1]:.4g}"
    )


def test_the_loss_of_yes_is_balanced(tmp_path: Path) -> None:
    made = spec(table(tmp_path), f"{{{KIND}, positive: fraud}}", "bce_logits pos_weight=balanced", "accuracy")
    data = data_of(made, False)
    yes = int(data.train.target.sum())
    assert data.learnt["weights"]["pos_weight"]["values"] == [(len(data.train) - yes) / yes]


def test_weights_by_name(tmp_path: Path) -> None:
    table(tmp_path)
    for loss, layers, values in (
        ("{cross_entropy: {weight: {regular: 0.5, fraud: 3}}}", "fc 2", [3.0, 0.5]),
        ("{cross_entropy: {weight: {fraud: 3}}}", "fc 2", [3.0, 1.0]),
        ("{nll: {weight: {fraud: 3}}}", "fc 2, log_softmax 1", [3.0, 1.0]),
        ("{bce_logits: {pos_weight: {regular: 4}}}", "fc 1", [4.0]),
    ):
        data = data_of(spec(tmp_path, f"{{{KIND}}}", loss, layers=layers), False)
        (field,) = data.learnt["weights"].values()
        assert field == {"of": "names", "values": values}
    with pytest.raises(DataError, match=r"weight has no 'fruad' to weigh\. Did you mean 'fraud'"):
        data_of(spec(tmp_path, f"{{{KIND}}}", "{cross_entropy: {weight: {fruad: 3}}}", layers="fc 2"), False)
    with pytest.raises(DataError, match=r"pos_weight has no 'fraud' to weigh\. There are: regular"):
        data_of(spec(tmp_path, f"{{{KIND}}}", "{bce_logits: {pos_weight: {fraud: 4}}}"), False)


def test_weights_of_other_values_are_refused() -> None:
    for value in ("much", "[1, -1]", "{a: x}", "{a: -1}", "{}", "[0, 0]"):
        with pytest.raises(SpecError, match="weight"):
            spec(Path(), "{source: digits}", f"{{cross_entropy: {{weight: {value}}}}}", layers="fc 10", size="1x8x8")
    with pytest.raises(SpecError, match="expected a list of numbers, or numbers by the names of classes"):
        spec(Path(), "{source: digits}", "bce_logits weight=balanced", layers="fc 10", size="1x8x8")


def test_a_class_without_a_sample_has_no_weight(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((40, 2), "f4"), y=np.arange(40) % 2 * 2)
    made = spec(tmp_path, "{source: npz a.npz}", "cross_entropy weight=balanced", layers="fc 3")
    with pytest.raises(DataError, match="weight=balanced: the training part has no sample of 1, so its weight"):
        made.train()


def test_weights_stay_with_the_run(tmp_path: Path) -> None:
    """Other data is measured with the weights that the run was trained with."""
    loss = "cross_entropy weight=balanced"
    made = spec(table(tmp_path), f"{{{KIND}, split: 0.25}}", loss, "accuracy", "fc 2")
    made.train(tmp_path / "run")
    kept = json.loads((tmp_path / "run" / "data.json").read_text())["weights"]
    table(tmp_path, rare=0.3)
    run = Run.read(tmp_path / "run")
    assert data_of(run.spec, True, run.learnt).learnt["weights"] == kept
    assert data_of(run.spec, True).learnt["weights"] != kept
    with pytest.raises(UsageError, match="cross_entropy has weight by the data's classes"):
        Objective(made.experiment.train.loss)  # type: ignore[union-attr]


# --- drawing ------------------------------------------------------------------------------------


def test_classes_are_drawn_alike() -> None:
    strata = (torch.arange(0, 90), torch.arange(90, 97), torch.arange(97, 100))
    for seed in range(5):
        drawn = drawn_alike(strata, 100, seeded(seed))
        counts = [torch.isin(drawn, rows).sum().item() for rows in strata]
        assert sorted(counts) == [33, 33, 34]
        often = drawn.bincount(minlength=100)
        for rows in strata:  # none comes again before all of its class have come
            assert often[rows].max() - often[rows].min() <= 1
        assert not torch.equal(drawn, drawn_alike(strata, 100, seeded(seed + 1)))
    assert torch.equal(drawn_alike(strata, 100, seeded(3)), drawn_alike(strata, 100, seeded(3)))


def test_batches_of_classes_alike_are_the_same_from_files(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.RandomState(0).rand(90, 300).astype("f4"))
    np.save(tmp_path / "y.npy", (np.arange(90) % 10 == 0).astype("i8"))

    def loaded(more: str) -> Data:
        data = f"{{source: npy x.npy y.npy, sample: balanced{more}}}"
        return data_of(spec(tmp_path, data, "cross_entropy", layers="fc 2", size="300"), False)

    there, streamed = loaded(""), loaded(", memory: 10KB, workers: 0")
    assert isinstance(streamed.train, Streamed)
    rows = there.train.order(seeded(0, 1))
    assert torch.equal(rows, streamed.train.order(seeded(0, 1)))
    streamed.train.expect([rows])
    given, target = there.train.batch(rows)
    other, same = streamed.train.batch(rows)
    assert torch.equal(given[0], other[0])
    assert torch.equal(target, same)
    assert abs(target.float().mean().item() - 0.5) < 0.01


class Stops(Silent):
    """Ends the run, as Ctrl-C does, in the middle of an epoch."""

    interval = 0.0

    def __init__(self) -> None:
        self.ticks = 0

    def tick(self, epoch: int, step: int, loss: float) -> None:
        import os
        import signal

        self.ticks += 1
        if self.ticks == 5:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(
    ("data", "loss", "layers"),
    [
        (f"{{{KIND}, sample: balanced}}", "cross_entropy weight=balanced", "fc 2"),
        (f"{{{KIND}, sample: balanced, positive: fraud}}", "bce_logits pos_weight=balanced", "fc 1"),
        (f"{{{PRICE}, scale_target: standard}}", "mse", "fc 1"),
    ],
)
def test_going_on_ends_with_the_same_bits(data: str, loss: str, layers: str, tmp_path: Path) -> None:
    section = "{loss: LOSS, optimizer: adam lr=0.05, epochs: 2, batch: 32}"
    made = spec(table(tmp_path), data, loss, layers=layers, section=section)
    whole = made.train().module.state_dict()
    with pytest.raises(Interrupted):
        train(made, tmp_path / "run", progress=Stops())
    resumed = made.train(tmp_path / "run", resume=True).module.state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


# --- scales -------------------------------------------------------------------------------------


def test_numbers_are_given_back_in_their_own_units(tmp_path: Path) -> None:
    made = spec(table(tmp_path), f"{{{PRICE}, scale_target: standard}}", "mse", "mae, rmse, r2", "fc 16, relu, fc 1")
    heard = Heard()
    train(made, tmp_path / "run", progress=heard)
    run = Run.read(tmp_path / "run")
    scale = run.learnt["scale"]
    target = data_of(made, False).train.target.double()
    assert scale["mean"] == pytest.approx([target.mean().item()])
    assert scale["deviation"] == pytest.approx([target.std(correction=0).item()])
    assert heard.lines[-1].startswith(f"target: trained on with mean {scale['mean'][0]:.6g}, deviation")
    measured = run.evaluate("val", allow_outside=True)
    assert measured["r2"] > 0.9
    assert measured["rmse"] == pytest.approx(measured["loss"] ** 0.5 * scale["deviation"][0], rel=1e-4)
    (tmp_path / "new.csv").write_text("a,b\n0.5,0.5\n0.1,0.9\n")
    found = run.predict(tmp_path / "new.csv").first.ravel()
    assert found == pytest.approx([5020, 5012], abs=6)
    run.export(tmp_path / "x.onnx", allow_outside=True)
    session = pytest.importorskip("onnxruntime").InferenceSession(tmp_path / "x.onnx")
    given = session.run(None, {session.get_inputs()[0].name: np.array([[0.5, 0.5], [0.1, 0.9]], "f4")})[0]
    assert given.ravel() == pytest.approx(found, rel=1e-5)
    assert "netspec.scale" not in session.get_modelmeta().custom_metadata_map


def test_each_column_has_a_scale(tmp_path: Path) -> None:
    x = np.random.RandomState(0).rand(60, 2).astype("f4")
    np.savez(tmp_path / "a.npz", x=x, y=np.stack([1000 * x[:, 0], 5 + 0.01 * x[:, 1]], 1))
    made = spec(tmp_path, "{source: npz a.npz, scale_target: standard, split: 0}", "l1", layers="fc 2")
    learnt = data_of(made, False).learnt["scale"]
    assert learnt["mean"] == pytest.approx([1000 * x[:, 0].mean(), 5 + 0.01 * x[:, 1].mean()], rel=1e-5)
    (objective,) = Objective(made.experiment.train.loss, learnt={"scale": learnt}).criteria  # type: ignore[union-attr]
    right = torch.tensor([[1000 * 0.5, 5.005]])
    assert objective.scores([objective.scale.taken_out(right)]) == pytest.approx(right)  # type: ignore[union-attr]


def test_what_has_no_scale(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((20, 2), "f4"), y=np.full((20, 1), 7.5))
    made = spec(tmp_path, "{source: npz a.npz, scale_target: standard}", "mse")
    with pytest.raises(DataError, match=r"the target is 7\.5 in all samples that are trained on: it has no scale"):
        data_of(made, False)


def test_a_run_keeps_to_its_scale(tmp_path: Path) -> None:
    made = spec(table(tmp_path), f"{{{PRICE}, scale_target: standard}}", "mse", "mae")
    made.train(tmp_path / "run")
    with pytest.raises(DataError, match=r"trained on a scaled target, data\.scale_target says otherwise"):
        Run.read(tmp_path / "run", ["data.scale_target=null"]).evaluate(allow_outside=True)


def test_eval_names_the_positive_class(tmp_path: Path) -> None:
    spec(table(tmp_path), f"{{{KIND}, positive: fraud}}", "bce_logits", "recall").train(tmp_path / "run")
    found = command("eval", str(tmp_path / "run"), "--allow-outside")
    assert found.stdout.startswith("positive: fraud\n")
    said = json.loads(command("eval", str(tmp_path / "run"), "--allow-outside", "--json").stdout)
    assert said["positive"] == "fraud"


def test_an_exported_file_names_the_positive_class(tmp_path: Path) -> None:
    spec(table(tmp_path), f"{{{KIND}, positive: fraud}}", "bce_logits").train(tmp_path / "run")
    Run.read(tmp_path / "run").export(tmp_path / "x.onnx", allow_outside=True)
    told = pytest.importorskip("onnxruntime").InferenceSession(tmp_path / "x.onnx").get_modelmeta().custom_metadata_map
    assert json.loads(told["netspec.classes"]) == ["regular", "fraud"]
    assert json.loads(told["netspec.positive"]) == "fraud"


def test_labels_and_masks_are_counted_place_by_place(tmp_path: Path) -> None:
    y = np.zeros((40, 3), "f4")
    y[:10, 0], y[:20, 1], y[::4, 2] = 1, 1, 1
    np.savez(tmp_path / "labels.npz", x=np.zeros((40, 2), "f4"), y=y)
    loss = "bce_logits pos_weight=balanced"
    data = data_of(spec(tmp_path, "{source: npz labels.npz, split: 0}", loss, layers="fc 3"), False)
    assert data.learnt["weights"]["pos_weight"]["values"] == [3.0, 1.0, 3.0]
    masks = np.zeros((10, 4, 4), "i8")
    masks[:, 0] = 1
    masks[:, 1] = -100
    np.savez(tmp_path / "masks.npz", x=np.zeros((10, 3, 4, 4), "f4"), y=masks)
    made = spec(
        tmp_path, "{source: npz masks.npz, split: 0}", "cross_entropy weight=balanced", layers="conv 2 k1", size="3x4x4"
    )
    assert data_of(made, False).learnt["weights"]["weight"]["values"] == [0.75, 1.5]
    assert made.train().history.records


@pytest.mark.parametrize(
    "kept",
    [
        {"scale": {"mean": [0], "deviation": [0]}},
        {"scale": [1]},
        {"weights": {"weight": [1]}},
        {"positive": 3},
        {"own": {"classes": 4}},
    ],
)
def test_a_run_that_keeps_other_than_it_learnt_is_refused(kept: dict[str, Any], tmp_path: Path) -> None:
    spec(table(tmp_path), f"{{{KIND}}}", "bce_logits").train(tmp_path / "run")
    learnt = json.loads((tmp_path / "run" / "data.json").read_text())
    (tmp_path / "run" / "data.json").write_text(json.dumps(learnt | kept))
    with pytest.raises(DataError, match="is not what a run has learnt"):
        Run.read(tmp_path / "run").evaluate(allow_outside=True)
