"""The report of a run: well-formed, of its own, said in words, small, soon written, and never a run's end."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

import netspec
from netspec.errors import NetspecError
from netspec.runs import report
from netspec.runs.findings import _calibration, _curves
from netspec.runs.listing import Listed, listed, table
from netspec.runtime.store.own import FINDINGS, REPORT
from netspec.views.report import page
from netspec.views.report.charts import Chart, Line, number
from netspec.views.report.page import Told
from netspec.views.report.plots import plots
from netspec.views.report.verdict import Course, advice, sentence
from tests.cli.test_commands import run
from tests.effort import computing

NO_MORE: Mapping[str, Sequence[Any]] = {}
VOID = {"meta", "link", "img", "input"}
HOSTILE = "<script>alert(1)</script>\"'>\x1b[31m\u202e{{ 7*7 }}{% raw %}"


class Parsed(HTMLParser):
    """A page whose elements are closed in their order, with its text and what it would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.words = ""
        self.sources: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        held = dict(attrs)
        assert len(held) == len(attrs)
        assert not any(name.startswith("on") for name in held)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def parsed(text: str) -> Parsed:
    """A page that needs nothing but itself."""
    found = Parsed(text)
    assert "script" not in found.tags
    assert all(source.startswith("data:") for source in found.sources)
    assert "http" not in text.replace('http-equiv="', "").replace("http://www.w3.org", "")
    return found


def records(count: int = 6, more: Mapping[str, Sequence[Any]] = NO_MORE) -> list[dict[str, Any]]:
    return [
        {"epoch": i + 1, "step": 10 * (i + 1), "lr": 0.1, "train.loss": 2 / (i + 1), "val.loss": 2.5 / (i + 1)}
        | {"val.accuracy": 1 - 1 / (i + 2), "seconds": 1.5 * (i + 1), "samples_per_s": 900.0}
        | {name: values[i] for name, values in more.items()}
        for i in range(count)
    ]


def course(rows: list[dict[str, Any]], **more: Any) -> Course:
    held: dict[str, Any] = {"folder": "runs/a", "monitor": "val.accuracy", "goal": "max", "epochs": len(rows)}
    return Course(records=rows, goals={"accuracy": "max"}, **(held | more))


def told(**more: Any) -> Told:
    held: dict[str, Any] = {
        "name": "Net: a",
        "course": course(records()),
        "spec": "input: 8\n",
        "again": "netspec train a.yaml",
    }
    return Told(**(held | more))


CLASSES: dict[str, Any] = {
    "part": "val", "samples": 9, "of": 9,
    "outputs": [{
        "name": "", "kind": "class", "classes": ["cat", HOSTILE], "places": 9,
        "confusions": [[0, 0, 4], [0, 1, 2], [1, 1, 3]],
        "calibration": [{"count": 9, "sure": 0.8, "right": 0.7}],
        "curves": {"roc": [[0, 0], [1, 1]], "precision": [[0, 1], [1, 0.5]], "area": 0.5, "average": 0.6, "share": 0.5},
        "mistaken": [
            {"where": HOSTILE, "picture": "aGk=", "chance": 0.1, "truth": "cat", "said": HOSTILE, "share": 0.9},
            {"where": "line 3", "values": [HOSTILE], "text": HOSTILE, "chance": 0.2, "wrong": 2, "places": 3},
        ],
    }],
}  # fmt: skip


def test_a_page_is_whole_and_needs_nothing_else() -> None:
    found = parsed(page([told(found=CLASSES, picture="<svg/>", environment={"torch": "2"})]))
    assert found.words.index("val.accuracy is 0.8571 at best") < found.words.index("How it went")
    for words in ("7 of 9 are right, 77.8 %", "cat", "66.7 %", "area 0.5", "netspec train a.yaml", "torch"):
        assert words in found.words


def test_hostile_words_are_text_everywhere() -> None:
    rows = [{**record, f"val.{HOSTILE}": 1.0} for record in records()]
    hostile = {"name": HOSTILE, "spec": HOSTILE, "again": HOSTILE, "about": HOSTILE, "environment": {HOSTILE: HOSTILE}}
    for runs in ([told(found=CLASSES, course=course(rows), **hostile)], [told(**hostile), told(name=HOSTILE)]):
        text = page(runs)
        found = parsed(text)
        assert "{{ 7*7 }}{% raw %}" in found.words
        assert not {"\x1b", "\u202e"} & set(text)
        assert "alert(1)" in found.words


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "other"},
        {"confusions": [[0, 7, 1]]},
        {"confusions": 3},
        {"mistaken": [{"where": "x", "picture": "a\" onerror='x'", "chance": 0, "wrong": 1, "places": 1}]},
    ],
)
def test_findings_that_no_run_leaves_are_refused(change: dict[str, Any], folder: Path) -> None:
    wrong = {**CLASSES, "outputs": [{**CLASSES["outputs"][0], **change}]}
    (folder / FINDINGS).write_text(json.dumps(wrong))
    done = run("report", str(folder))
    assert (done.returncode, done.stdout) == (4, "")
    assert "is not as a run leaves it" in done.stderr


def test_a_long_run_is_small_and_soon_written() -> None:
    rows = records(1_000)
    page([told()])
    with computing(10):
        text = page([told(course=course(rows), found=CLASSES)])
    assert len(text) < 300_000
    assert "980 between the first and the last left out" in text


def test_several_runs_are_set_side_by_side() -> None:
    better = course(records(7))
    found = parsed(page([told(), told(name="Net: b", course=better, spec="input: 9\n")]))
    assert "Net: b is ahead: val.accuracy is 0.875" in found.words
    assert "-input: 8\n+input: 9" in found.words
    other = told(course=course(records(), monitor="val.loss", goal="min"))
    assert "watch different values" in page([told(), other])


# --- words ----------------------------------------------------------------------------------------


def test_the_verdict_says_what_is_best() -> None:
    assert sentence(course(records())).endswith("in epoch 6 of 6, step 60; 9.0 s in all.")
    assert "has no value" in sentence(course([]))
    tied = course([{**r, "val.accuracy": 0.5} for r in records()])
    assert "in epoch 1 of 6" in sentence(tied)
    broken = course(records(more={"val.accuracy": [0.1, float("nan"), None, 0.9, 0.2, 0.3]}))
    assert "0.9 at best, in epoch 4" in sentence(broken)


def test_advice_follows_from_the_numbers() -> None:
    ((text, words),) = advice(course(records()))
    assert "still learning" in text
    assert words == "netspec train --resume runs/a train.epochs=12"
    rising = records(8, {"val.loss": [3, 2, 1, 1.2, 1.3, 1.5, 1.6, 1.9]})
    lines = dict(advice(course(rising, monitor="val.loss", goal="min")))
    assert lines.pop(next(iter(lines))) == ""
    assert [*lines.values()] == ["early_stop: val.loss"]
    flat = records(more={"train.loss": [2.3] * 6, "val.accuracy": [0.3, 0.2, 0.1, 0.1, 0.1, 0.1]})
    assert any("hardly learns" in line for line, _ in advice(course(flat)))
    assert not [*advice(course(records(2)))]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00003, "3e-5"),
        (12345.0, "12,345"),
        (0.123456, "0.1235"),
        (1e9, "1e9"),
        (-2.0, "-2"),
        (11402.7, "11,403"),
        (2e11, "2e11"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize("points", [[], [(1.0, 2.0)], [(1.0, float("nan")), (2.0, 3.0)], [(0.0, 5.0), (1.0, 5.0)]])
@pytest.mark.parametrize("log", [False, True])
def test_any_line_is_drawn(points: list[tuple[float, float]], log: bool) -> None:
    drawn = Chart("a", "b", "x", "y", [Line("l", points)], log=log).svg()
    assert drawn.startswith("<svg")
    assert "nan" not in drawn
    assert "inf" not in drawn


def test_charts_say_their_axes_and_count_in_whole_numbers() -> None:
    drawn = page([told(course=course(records(3)), found=CLASSES)])
    ticks = re.findall(r'text-anchor="middle">([^<]*)<', drawn)
    assert {"1", "2", "3"} <= {*ticks}
    assert "1.5" not in ticks
    words = parsed(drawn).words
    for each in (
        "learning rate always 0.1",
        "the best is 0.75 in epoch 3",
        "how often right",
        "calibration error 0.100; dotted",
    ):
        assert each in " ".join(words.split())


def test_numbers_taken_for_others_are_read_easily() -> None:
    column = {"name": "", "pairs": [[7e5, 4e4], [1e5, 5e4]], "edges": [0, 1], "counts": [2], "mean": 1, "root": 1}
    mistaken = [{"where": "line 2", "truth": "7.337e+05", "said": "4.253e+04", "apart": 691139.2}]
    each = {"name": "", "kind": "value", "columns": [{**column, "bias": 1, "explained": None}], "mistaken": mistaken}
    drawn = page([told(found={**CLASSES, "outputs": [each]})])
    assert "733,700 taken for 42,530, 691,139 apart" in parsed(drawn).words
    assert 'class="even" d="M52.0,186.0 L346.0,22.0"' in drawn  # from corner to corner: both axes are the same


# --- what is found --------------------------------------------------------------------------------


def test_curves_of_two_classes_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    for ties in (False, True):
        score = generator.random(400)
        score = score.round(1) if ties else score
        yes = generator.random(400) < score
        found = _curves(score, yes)
        assert found["area"] == pytest.approx(roc_auc_score(yes, score))
        assert found["average"] == pytest.approx(average_precision_score(yes, score))


def test_calibration_is_how_often_it_is_right() -> None:
    sure, right = np.array([0.95, 0.91, 1.0, 0.55]), np.array([True, False, True, False])
    low, high = _calibration(sure, right)
    assert (low["count"], low["sure"], low["right"]) == (1, 0.55, 0.0)
    assert high["count"] == 3
    assert high["right"] == pytest.approx(2 / 3)


DIGITS = """\
netspec: 1
input: 1x8x8
layers: {body: [conv 2 k3, relu, flatten], head: fc 10}
data: {source: digits}
train: {loss: cross_entropy, optimizer: adam lr=0.01, epochs: 2, batch: 256, metrics: [accuracy], device: cpu}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("runs")
    (place / "net.yaml").write_text(DIGITS)
    netspec.load(place / "net.yaml", ["train.epochs=3"]).train(place / "runs" / "first")
    return place / "runs" / "first"


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of a run's folder."""
    import shutil

    shutil.copytree(trained, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_run_leaves_its_report(trained: Path) -> None:
    found = parsed((trained / REPORT).read_text("utf-8"))
    kept = json.loads((trained / FINDINGS).read_text())
    (output,) = kept["outputs"]
    right = sum(n for i, j, n in output["confusions"] if i == j)
    accuracy = netspec.Run.read(trained).evaluate()["accuracy"]
    assert right / kept["samples"] == pytest.approx(accuracy)
    assert f"val.accuracy is {number(accuracy)} at best" in found.words
    assert "netspec train net.yaml train.epochs=3" in found.words
    assert output["mistaken"][0]["picture"]
    assert not report.read(trained).course.augments
    assert "digits" not in output["mistaken"][0]["where"] or "row" in output["mistaken"][0]["where"]


def test_the_report_is_written_again_by_its_command_without_torch(folder: Path) -> None:
    before = (folder / REPORT).read_text("utf-8")
    (folder / REPORT).unlink()
    done = run("report", str(folder))
    assert (done.returncode, done.stdout) == (0, f"{folder / REPORT}\n")
    assert (folder / REPORT).read_text("utf-8").replace("Net: copy", "Net: first").count("<svg") == before.count("<svg")
    assert run("report", str(folder / "no")).returncode == 2


def test_a_report_that_cannot_be_written_ends_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> str:
        raise RuntimeError("no ink")

    monkeypatch.setattr(report, "page", broken)
    with pytest.warns(UserWarning, match=r"report\.html cannot be written: RuntimeError, no ink") as told:
        left = netspec.loads(DIGITS).train(tmp_path / "run")
    assert len(told) == 1
    assert left.history.ended == "epochs"
    assert (tmp_path / "run" / "best.safetensors").exists()


def test_what_is_measured_faster_than_it_is_written_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bool] = []

    def noted(runs: Sequence[Told]) -> str:
        written.append(runs[0].ended)
        return ""

    monkeypatch.setattr(report, "page", noted)
    monkeypatch.setattr(report, "SHARE", 0.0)
    netspec.loads(DIGITS.replace("epochs: 2", "epochs: 5")).train(tmp_path / "run")
    assert written == [False, True]


def test_the_random_state_is_left_as_it_was(tmp_path: Path) -> None:
    spec = netspec.loads(DIGITS)
    one = spec.train(tmp_path / "with").module
    after = torch.random.get_rng_state()
    other = spec.train().module
    assert torch.equal(after, torch.random.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


VALUES = """\
netspec: 1
input: 3
layers: [fc 8, relu, fc WIDTH]
data: {source: {csv: {path: table.csv, target: TARGET, numbers: [a, b, c]}}, transform: standardize}
train: {loss: LOSS, optimizer: adam, epochs: 1, device: cpu}
"""


@pytest.mark.parametrize(
    ("target", "width", "loss", "words"),
    [
        ("price", "1", "mse", ["predictions of price", "residuals of price", "R²", "taken for"]),
        ("buys", "1", "bce_logits", ["ROC of yes", "precision and recall of yes", "calibration"]),
        ("town", "3", "cross_entropy", ["The worst pairs", "Oslo"]),
    ],
)
def test_tables_are_shown_in_their_own_units(
    target: str, width: str, loss: str, words: list[str], tmp_path: Path
) -> None:
    generator = np.random.default_rng(0)
    lines = ["a,b,c,price,buys,town"]
    for i in range(200):
        a, b, c = generator.normal(50, 10, 3).round(2)
        lines.append(f"{a},{b},{c},{a + b:.2f},{'yes' if a > 50 else 'no'},{('Bern', 'Oslo', 'Rome')[i % 3]}")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    text = VALUES.replace("TARGET", target).replace("WIDTH", width).replace("LOSS", loss)
    (tmp_path / "net.yaml").write_text(text.replace("fc 1]", "fc 1, flatten 0]" if loss == "bce_logits" else "fc 1]"))
    netspec.load(tmp_path / "net.yaml").train(tmp_path / "run")
    found = parsed((tmp_path / "run" / REPORT).read_text("utf-8"))
    for each in words:
        assert each in found.words
    assert report.read(tmp_path / "run").course.augments, "a table is not told to be augmented"
    first = json.loads((tmp_path / "run" / FINDINGS).read_text())["outputs"][0]["mistaken"][0]
    line = int(first["where"].removeprefix("table.csv, line "))
    held = [float(cell) for cell in lines[line - 1].split(",")[:3]]
    assert [float(value.split()[1]) for value in first["values"]] == pytest.approx(held, rel=1e-3)


def test_no_value_is_the_best_of_players_that_take_turns() -> None:
    turns = course(records(), monitor="step", goal="max")
    text = page([told(course=turns)])
    assert "the newest are of epoch 6 of 6, step 60" in parsed(text).words
    assert not list(advice(turns))
    words = parsed(page([told(course=turns), told(course=turns)])).words
    assert "so none of the runs is ahead" in words
    assert "step is" not in words
    found = Listed(Path("runs/a"), turns)
    assert found.plain() | {"monitor": None, "best": None, "epoch": 6} == found.plain()
    assert [*table([found])][1].split()[:4] == ["runs/a", "-", "-", "6"]


# --- plots that stand alone ---------------------------------------------------------------------


def test_plots_stand_alone_and_hold_text_as_text() -> None:
    rows = [{**record, f"val.{HOSTILE}": 1.0, "grad_norm": 10.0 ** record["epoch"]} for record in records()]
    drawn = dict(plots(told(found=CLASSES, course=course(rows), picture="<svg/>")))
    assert {"loss", "accuracy", "gradient-norm", "learning-rate", "confusions", "calibration", "network"} <= {*drawn}
    assert "var(" not in "".join(drawn.values())
    for name, svg in drawn.items():
        assert re.fullmatch(r"[a-z0-9-]+", name)
        words = "".join(ElementTree.fromstring(svg).itertext())
        assert "\x1b" not in words
    assert "{% raw %}" in drawn["confusions"]


def test_plots_are_written_as_png(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run("report", str(folder), "--png", str(tmp_path / "plots"))
    assert done.returncode == 0, done.stderr
    written = {path.stem: path.read_bytes() for path in (tmp_path / "plots").iterdir()}
    assert {"loss", "gradient-norm", "confusions", "network"} <= {*written}
    assert all(data.startswith(b"\x89PNG") for data in written.values())
    assert f"wrote {len(written)} plots" in done.stderr
    assert run("report", str(folder), str(folder), "--png", str(tmp_path / "plots")).returncode == 2
    assert run("graph", str(folder / "spec.yaml"), "-o", str(tmp_path / "net.png")).returncode == 0
    assert (tmp_path / "net.png").read_bytes().startswith(b"\x89PNG")
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    without = run("graph", str(folder / "spec.yaml"), "-o", str(tmp_path / "other.png"))
    assert without.returncode == 2
    assert "pip install 'netspec-torch[png]'" in without.stderr


def test_a_run_leaves_the_norm_of_its_gradient(trained: Path) -> None:
    rows = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert all(row["grad_norm"] > 0 for row in rows)
    assert "gradient norm" in parsed((trained / REPORT).read_text("utf-8")).words


# --- lists ----------------------------------------------------------------------------------------


def test_runs_are_listed_and_sorted(trained: Path, tmp_path: Path) -> None:
    import shutil

    for name in ("a", "b"):
        shutil.copytree(trained, tmp_path / name)
    rows = [json.loads(line) for line in (tmp_path / "b" / "metrics.jsonl").read_text().splitlines()]
    better = [{**row, "val.accuracy": 0.99} for row in rows]
    (tmp_path / "b" / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in better))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "spec.yaml").write_text("layers: [fcc 3]\n")
    found = [each.folder.name for each in listed(tmp_path, "val.accuracy")]
    assert found == ["b", "a", "broken"]
    lines = [*table(listed(tmp_path, "val.accuracy"), "val.accuracy")]
    assert "0.99" in lines[1]
    assert "its spec does not fit" in lines[3]
    with pytest.raises(NetspecError, match=r"Did you mean 'val\.accuracy'"):
        listed(tmp_path, "val.acuracy")
    done = run("runs", str(tmp_path), "--json")
    assert {row["run"].rpartition("/")[2] for row in json.loads(done.stdout)} == {"a", "b", "broken"}
    assert run("runs", str(tmp_path / "none")).returncode == 2
    assert [each.folder for each in listed(trained)] == [trained]
    assert "a run's folder" in run("report", str(tmp_path / "broken" / "spec.yaml")).stderr
