"""Splits by group, by time and into folds: reproducible, whole, and without a sample that tells of another part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import netspec
from netspec.datasets.base import Arrays, Part
from netspec.errors import DataError
from netspec.runtime.data.holdout import split
from netspec.runtime.data.loading import load_data
from netspec.sections.data import Split
from tests.data.writing import section

COUNT = 60


def arrays(count: int = COUNT, groups: int = 12, **more: Any) -> Arrays:
    """Samples that are their own numbers, in groups of different sizes, at times that grow by twos."""
    target = np.arange(count) % 3
    group = np.sort(np.random.RandomState(0).randint(0, groups, count)).astype(str)

    def key(name: str, what: str) -> np.ndarray[Any, Any]:
        return group if what == "group" else np.arange(count)[::-1] // 2.0

    return Arrays(Part((np.arange(count)[:, None],), target, key=key), classes=("0", "1", "2"), **more)


def parts(found: Arrays) -> dict[str, set[int]]:
    named = {"train": found.train, "val": found.val, "test": found.test}
    return {name: set(part.inputs[0][:][:, 0].tolist()) for name, part in named.items() if part is not None}


def groups_of(found: Arrays) -> dict[str, set[str]]:
    assert found.train.key is None
    group = arrays().train.key("g", "group")  # type: ignore[misc]
    return {name: {str(group[i]) for i in rows} for name, rows in parts(found).items()}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shares", [{"val": 0.2}, {"val": 0.2, "test": 0.3}, {"val": 5, "test": 1}])
def test_a_group_is_in_one_part_alone(shares: dict[str, float], seed: int) -> None:
    found = split(arrays(), Split(**shares, group="g", seed=seed), 0.1)
    held, groups = parts(found), groups_of(found)
    assert sum(map(len, held.values())) == COUNT == len(set().union(*held.values()))
    assert sum(map(len, groups.values())) == len(set().union(*groups.values()))
    assert all(groups.values())
    assert held == parts(split(arrays(), Split(**shares, group="g", seed=seed), 0.1))
    wanted = shares["val"] if shares["val"] > 1 else shares["val"] * COUNT
    assert abs(len(held["val"]) - wanted) <= 5


def test_folds_are_apart_and_make_a_whole() -> None:
    for options in ({}, {"group": "g"}, {"stratify": False}, {"test": 0.2}):
        found = [split(arrays(), Split(fold=f"{i} of 4", **options), 0.1) for i in (1, 2, 3, 4)]
        held = [parts(x) for x in found]
        rest = COUNT - len(held[0].get("test", ()))
        assert len(set().union(*(x["val"] for x in held))) == sum(len(x["val"]) for x in held) == rest
        assert all(x["train"] | x["val"] | x.get("test", set()) == set(range(COUNT)) for x in held)
        assert all(abs(len(x["val"]) - rest / 4) <= 3 for x in held)
        assert len({frozenset(x.get("test", ())) for x in held}) == 1
        assert held == [parts(split(arrays(), Split(fold=f"{i} of 4", **options), 0.1)) for i in (1, 2, 3, 4)]
        if "group" in options:
            assert all(not (groups_of(x)["train"] & groups_of(x)["val"]) for x in found)
        elif options.get("stratify", True):
            for x in found:
                assert x.val is not None
                assert np.ptp(np.bincount(x.val.target[:])) <= 1


def test_the_folds_never_change() -> None:
    found = split(arrays(20), Split(fold="1 of 4"), 0.1)
    assert sorted(parts(found)["val"]) == [0, 2, 7, 18, 19]


def test_what_comes_last_is_held_out() -> None:
    found = split(arrays(), Split(val=9, test=10, time="t"), 0.1)
    held = parts(found)
    # Samples are the later the smaller their number, and two are of one time.
    assert held["test"] == set(range(10))
    assert held["val"] in (set(range(10, 18)), set(range(10, 20)))
    assert len(held["train"]) == COUNT - 10 - len(held["val"])
    folds = [parts(split(arrays(), Split(fold=f"{i} of 3", time="t"), 0.1)) for i in (1, 2, 3)]
    for fold in folds:
        assert min(fold["train"]) > max(fold["val"])
        assert {i // 2 for i in fold["train"]}.isdisjoint(i // 2 for i in fold["val"])
    assert [len(fold["train"]) for fold in folds] == [16, 30, 46] or [len(f["train"]) for f in folds] == [14, 30, 44]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"group": "g", "fold": "1 of 30"}, "12 groups of g, too few for 30 folds"),
        ({"fold": "1 of 61"}, "60 samples, too few for 61 folds"),
        ({"time": "t", "fold": "1 of 30"}, "too few for 31 folds"),
    ],
)
def test_too_few_for_so_many_folds(options: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        split(arrays(), Split(**options), 0.1)


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(
        DataError, match="g has 1 group, too few for train and 1 part beside it: a group is in one part alone"
    ):
        split(arrays(groups=1), Split(group="g"), 0.1)


def test_a_source_without_columns_is_told() -> None:
    with pytest.raises(DataError, match=r"has no columns, so there is nothing that split\.group can go by"):
        load_data(section({"source": "digits", "split": {"group": "writer", "val": 0.1}}), Path())


# --- of tables and files --------------------------------------------------------------------------


def write(root: Path, name: str = "a.csv", first: int = 0) -> None:
    rows = [f"{i % 5},p{first + i // 4},2026-{1 + i // 28:02}-{1 + i % 28:02},{'ab'[i % 2]}" for i in range(COUNT)]
    (root / name).write_text("\n".join(["size,patient,day,kind", *rows]))


def test_the_column_that_a_split_goes_by_is_no_input(tmp_path: Path) -> None:
    write(tmp_path)
    for by in ("patient", "day"):
        source = "csv a.csv kind " + ("drop=day" if by == "patient" else "drop=patient")
        way = "group" if by == "patient" else "time"
        data = load_data(section({"source": source, "split": {"val": 0.2, way: by}}), tmp_path)
        assert data.names == ("numbers",)
        assert any(f"{by} (the split goes by it)" in line for line in data.told)
        assert data.told[-1] == f"  split by {by}: train 48, val 12"
    spec = {"source": "csv a.csv kind categories=patient", "split": {"val": 0.2, "group": "patient"}}
    assert load_data(section(spec), tmp_path).names == ("categories",)


def test_a_file_of_its_own_shares_no_group(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, "v.csv", first=14)
    wanted = section({"source": "csv a.csv kind drop=day val=v.csv", "split": {"group": "patient"}})
    with pytest.raises(DataError, match=r"patient 'p14' is in .*v\.csv, the val part, and in .*a\.csv"):
        load_data(wanted, tmp_path)
    write(tmp_path, "v.csv", first=15)
    data = load_data(wanted, tmp_path)
    assert data.val is not None
    assert (len(data.train), len(data.val)) == (COUNT, COUNT)


def test_arrays_of_a_file(tmp_path: Path) -> None:
    group, when = np.arange(COUNT) // 6, np.arange(COUNT)[::-1] * 1.5
    np.savez(tmp_path / "a.npz", x=np.arange(COUNT)[:, None] * 1.0, y=np.arange(COUNT) % 2, who=group, when=when)
    data = load_data(section({"source": "npz a.npz", "split": {"val": 0.2, "group": "who"}}), tmp_path)
    assert data.val is not None
    train, val = ({int(i) // 6 for i in part.inputs[0].flatten()} for part in (data.train, data.val))
    assert not train & val
    data = load_data(section({"source": "npz a.npz", "split": {"val": 0.2, "time": "when"}}), tmp_path)
    assert data.val is not None
    assert data.val.inputs[0].flatten().tolist() == list(range(12))
    with pytest.raises(DataError, match="has no array 'whom'"):
        load_data(section({"source": "npz a.npz", "split": {"group": "whom"}}), tmp_path)
    with pytest.raises(DataError, match=r"array 'x' holds float64 of \(60, 1\), expected a group for each of 60"):
        load_data(section({"source": "npz a.npz", "split": {"group": "x"}}), tmp_path)


def test_a_run_is_measured_on_the_fold_that_it_did_not_see(tmp_path: Path) -> None:
    write(tmp_path)
    text = """netspec: 1
input: 1
layers: [fc 2]
data: {source: csv a.csv kind drop=day, split: {fold: 2 of 5, group: patient}}
train: {loss: cross_entropy, optimizer: sgd lr=0.01, epochs: 1}
"""
    (tmp_path / "net.yaml").write_text(text)
    trained = netspec.load(tmp_path / "net.yaml").train(tmp_path / "run")
    measured = netspec.Run.read(tmp_path / "run").evaluate()["loss"]
    assert measured == pytest.approx(trained.history.records[-1]["val.loss"])


# --- windows --------------------------------------------------------------------------------------


def series(root: Path, count: int = 40, stations: str = "ab") -> None:
    """The load of stations, a row an hour; the rows in no order."""
    rows = [
        f"2026-01-{1 + i // 24:02} {i % 24:02}:00,{name},{i % 7},{100 * place + i}"
        for place, name in enumerate(stations)
        for i in range(count)
    ]
    order = np.random.RandomState(0).permutation(len(rows))
    (root / "a.csv").write_text("\n".join(["hour,station,wind,load", *(rows[i] for i in order)]))


def windows(**more: Any) -> dict[str, Any]:
    return {"csv": {"path": "a.csv", "target": "load", "window": 6, "series": "station", "time": "hour", **more}}


def test_a_window_shows_what_was_and_asks_for_what_follows(tmp_path: Path) -> None:
    series(tmp_path)
    data = load_data(section({"source": windows(horizon=2), "split": {"val": 0}}), tmp_path)
    assert len(data.train) == 2 * (40 - 6 - 2 + 1)
    (x,), y = data.train.batch(torch.tensor([0, 33]))
    assert x.shape == (2, 2, 6)
    assert x[0].tolist() == [[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]]
    assert y.tolist() == [[6, 7], [106, 107]]
    assert "  left out: station (windows go by it), hour (windows go by it)" in data.told
    wide = load_data(section({"source": windows(stride=5, numbers="wind"), "split": {"val": 0}}), tmp_path)
    (x,), y = wide.train.batch(torch.tensor([0, 6, 7]))
    assert (len(wide.train), x.shape) == (14, (3, 1, 6))
    assert y.tolist() == [[9], [39], [109]]
    assert section({"source": windows(horizon=2, numbers="wind")}).gives().target is not None


def test_no_target_of_the_training_part_is_held_out(tmp_path: Path) -> None:
    series(tmp_path)
    for wanted in ({"val": 0.2, "test": 0.1}, {"fold": "2 of 3"}):
        data = load_data(section({"source": windows(horizon=4), "split": wanted}), tmp_path)
        assert data.val is not None
        hours = [{int(t) % 100 for t in part.target.flatten()} for part in (data.train, data.val, data.test) if part]
        assert max(hours[0]) < min(hours[1])
        assert len(hours) == 2 or max(hours[1]) < min(hours[2])
    data = load_data(section({"source": windows(), "split": {"val": 0.5, "group": "station"}}), tmp_path)
    assert data.val is not None
    stations = [{int(t) // 100 for t in part.target.flatten()} for part in (data.train, data.val)]
    assert not stations[0] & stations[1]


@pytest.mark.parametrize(
    ("options", "wanted", "words"),
    [
        ({"series": None, "drop": "station"}, {}, "is the time of another row too. Write series= where rows belong"),
        ({"window": 40}, {}, "the longest series has 40 rows, too few for a window of 40 and the 1 after it"),
        ({}, {"group": "wind"}, "wind may change within a window: windows are split by the column that"),
        ({}, {"time": "hour"}, "windows are split by their own time"),
        (
            {"time": "station", "series": None, "drop": "hour"},
            {},
            "expected times to split by. Write them as numbers, or as dates",
        ),
    ],
)
def test_windows_that_cannot_be(options: dict[str, Any], wanted: dict[str, Any], words: str, tmp_path: Path) -> None:
    series(tmp_path)
    with pytest.raises(DataError) as caught:
        load_data(section({"source": windows(**options), "split": wanted}), tmp_path)
    assert words in str(caught.value)


def test_windows_are_learnt_from_their_training_part_and_foretell(tmp_path: Path) -> None:
    series(tmp_path)
    text = """netspec: 1
input: 2x6
layers: [conv 8 k3, relu, fc 2]
data:
  source: {csv: {path: a.csv, target: load, window: 6, horizon: 2, series: station, time: hour, missing: mean}}
  transform: standardize
train: {loss: mse, optimizer: adamw lr=0.01, epochs: 2}
"""
    spec = netspec.loads(text).at(tmp_path)
    assert spec.look()[-1] == "  the network's inputs: {numbers: 2 x 6}"
    spec.train(tmp_path / "run")
    fill = netspec.Run.read(tmp_path / "run").learnt["columns"]["numbers"]["load"]
    assert fill < np.mean([*range(40), *range(100, 140)])  # the end of each series is not among what is learnt
    found = netspec.Run.read(tmp_path / "run").predict(tmp_path / "a.csv").first
    assert found.shape == (2 * (40 - 6 + 1), 2)
    source = spec.experiment.data
    assert source is not None
    last = source.source.samples([tmp_path / "a.csv"], netspec.Run.read(tmp_path / "run").learnt)[0]
    assert last[:][-1][1].tolist() == [134, 135, 136, 137, 138, 139]


@pytest.mark.parametrize(
    ("options", "columns"),
    [("", ["station", "hour"]), ("id: note, ", ["note", "station", "hour"])],
)
def test_what_is_foretold_says_of_which_series_and_when(options: str, columns: list[str], tmp_path: Path) -> None:
    """A sample is no row of the table, whose rows may be in any order."""
    series(tmp_path)
    lines = (tmp_path / "a.csv").read_text().splitlines()
    noted = [f"{line},{'note' if not number else f'n{number}'}" for number, line in enumerate(lines)]
    (tmp_path / "a.csv").write_text("\n".join(noted))
    source = f"csv: {{path: a.csv, target: load, numbers: [load], {options}window: 6, series: station, time: hour}}"
    text = f"netspec: 1\ninput: 1x6\nlayers: [fc 1]\ndata: {{source: {{{source}}}}}\n"
    spec = netspec.loads(f"{text}train: {{loss: mse, optimizer: sgd lr=1e-9, epochs: 1}}").at(tmp_path)
    spec.train(tmp_path / "run")
    run = netspec.Run.read(tmp_path / "run")
    found = run.predict(tmp_path / "a.csv")
    assert list(found.names) == columns
    assert not [told for told in found.told if "station" in told or "hour" in told]
    section = spec.experiment.data
    assert section is not None
    load = {(row[1], row[0]): float(row[3]) for row in (line.split(",") for line in lines[1:])}
    ends = section.source.samples([tmp_path / "a.csv"], run.learnt)[0][:][:, 0, -1].tolist()
    assert ends == [load[key] for key in zip(found.names["station"], found.names["hour"], strict=True)]
    assert len(ends) == len(found.first)


def test_windows_of_a_plain_table_are_called_by_their_last_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\n".join(["load", *map(str, range(40))]))
    text = "netspec: 1\ninput: 1x6\nlayers: [fc 1]\n"
    text += "data: csv a.csv load numbers=load window=6\ntrain: {loss: mse, optimizer: sgd lr=1e-9, epochs: 1}\n"
    netspec.loads(text).at(tmp_path).train(tmp_path / "run")
    run = netspec.Run.read(tmp_path / "run")
    assert run.predict(tmp_path / "a.csv").names["row"][:2] == ["5", "6"]
    assert run.predict(tmp_path / "a.csv").labels == ("load",)
    (tmp_path / "few.csv").write_text("load\n1\n2\n")
    with pytest.raises(DataError, match=r"the longest series has 2 rows, too few for a window of 6$"):
        run.predict(tmp_path / "few.csv")


def test_values_ahead_are_called_by_how_many_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\n".join(["load", *map(str, range(40))]))
    text = "netspec: 1\ninput: 1x6\nlayers: [fc 3]\n"
    text += "data: {source: {csv: {path: a.csv, target: load, numbers: load, window: 6, horizon: 3}}}\n"
    netspec.loads(f"{text}train: {{loss: mse, optimizer: sgd lr=1e-9, epochs: 1}}\n").at(tmp_path).train(
        tmp_path / "run"
    )
    found = netspec.Run.read(tmp_path / "run").predict(tmp_path / "a.csv")
    assert found.labels == ("load +1", "load +2", "load +3")
