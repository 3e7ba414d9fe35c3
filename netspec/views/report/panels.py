"""Panels: what was measured and found, as charts and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final

from netspec.views.report.charts import NONE, Chart, Line, number
from netspec.views.report.verdict import Course

MEASURED: Final = frozenset({"epoch", "step", "lr", "grad_norm", "seconds", "samples_per_s"})
BESIDE: Final = (("lr", "learning rate"), ("grad_norm", "gradient norm"), ("samples_per_s", "samples a second"))
"""What is drawn besides what is measured on data."""
SQUARE: Final = 20
"""Classes whose confusions are drawn as a table; of more the worst pairs are told alone."""
LISTED: Final = 200
"""Classes whose precision and recall are told, at most."""
WORST: Final = 10
"""Pairs of classes that are told."""
PNG: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its caption; the first cell of a row is its head."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Square:
    """A table of confusions: a row for each true class, a column for what was said."""

    caption: str
    classes: Sequence[str]
    rows: Sequence[tuple[str, Sequence[tuple[int, int, bool]]]]
    """Of each true class its cells: how often, how dark from 0 to 10, and whether that is right."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample that the network is mistaken about."""

    where: str
    said: str
    picture: str = ""
    """A PNG in base64."""
    text: str = ""
    values: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Output:
    """What was found of one output."""

    title: str
    charts: Sequence[Chart] = ()
    square: Square | None = None
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()
    mistaken: Sequence[Sample] = field(default=())


def curves(course: Course) -> list[Chart]:
    """A chart for each value that was measured, training and validation together, the best epoch marked."""
    names: dict[str, list[str]] = {}
    for record in course.records:
        for name, value in record.items():
            part, dot, rest = name.partition(".")
            if name in MEASURED or not isinstance(value, int | float) or isinstance(value, bool):
                continue
            members = names.setdefault(rest if dot and part in ("train", "val") else name, [])
            if name not in members:
                members.append(name)
    best = course.best
    charts = []
    for group, members in sorted(names.items(), key=lambda item: _place(item[0])):
        lines = [Line(name, _series(course, name), 0 if name.startswith("train.") else 1) for name in sorted(members)]
        mark = None
        if best is not None and course.monitor in members:
            mark = (_at(best, course), float(best[course.monitor]))
        log = "loss" in group and _wide([y for line in lines for _, y in line.points])
        charts.append(_chart(group, lines, course, mark, log))
    for name, title in BESIDE:
        if points := _series(course, name):
            wide = name == "grad_norm" and _wide([y for _, y in points])
            charts.append(_chart(title, [Line(name, points, 2)], course, None, wide))
    return charts


def _wide(values: Sequence[float]) -> bool:
    """Whether positive values spread over so much that they are told apart by powers of ten."""
    return len(values) > 1 and min(values) > 0 and max(values) > 30 * min(values)


def _place(group: str) -> tuple[int, str]:
    """Where the chart of a value stands: the loss first, then what is measured, then the losses that it is a sum of."""
    return (0 if group == "loss" else 2 if group.endswith(".loss") else 1, group)


def _series(course: Course, name: str) -> list[tuple[float, float]]:
    """A value over the epochs."""
    held = ((_at(r, course), r.get(name)) for r in course.records)
    return [(x, float(y)) for x, y in held if isinstance(y, int | float)]


def _at(record: Mapping[str, Any], course: Course) -> float:
    """Where an evaluation stands on the axis: at its epoch, or at its step where an epoch has several."""
    return float(record["epoch" if _whole(course) else "step"])


def _whole(course: Course) -> bool:
    """Whether there is one evaluation for an epoch."""
    epochs = [r["epoch"] for r in course.records]
    return len(set(epochs)) == len(epochs)


def _chart(title: str, lines: Sequence[Line], course: Course, mark: tuple[float, float] | None, log: bool) -> Chart:
    """The chart of a value, with the words of it."""
    ends = [f"{line.name} {_course(line)}" if len(lines) > 1 else _course(line) for line in lines]
    axis = "epoch" if _whole(course) else "step"
    said = "; ".join(ends) + (f"; the best is {number(mark[1])} in {axis} {number(mark[0])}" if mark else "")
    legend = lines if len(lines) > 1 else ()
    return Chart(title, said, axis, title, lines, mark=mark, log=log, counts=True, legend=legend)


def _course(line: Line) -> str:
    """Where a line begins and ends."""
    values = [y for _, y in line.points]
    if len(values) > 1 and min(values) == max(values):
        return f"always {number(values[0])}"
    return f"from {number(values[0])} to {number(values[-1])}" if len(values) > 1 else number(values[0])


# --- what was found -----------------------------------------------------------------------------


def outputs(found: Mapping[str, Any]) -> list[Output]:
    """What was found of each output.

    The file of findings may come from anyone: every value is turned into what it is shown as, and LookupError,
    TypeError or ValueError is raised for what cannot be.
    """
    return [KINDS[each["kind"]](each) for each in found["outputs"]]


def _classes(found: Mapping[str, Any]) -> Output:
    """Of classes: confusions, each class, how sure is right, and curves of two."""
    names = [_seen(str(name)) for name in found["classes"]]
    table = [(int(i), int(j), int(n)) for i, j, n in found["confusions"]]
    if any(not 0 <= i < len(names) or not 0 <= j < len(names) for i, j, _ in table):
        raise ValueError("a class that there is not")
    charts = [_calibration(found["calibration"])] if found["calibration"] else []
    if "curves" in found:
        charts += _two(found["curves"], names[1])
    tables = [_each_class(names, table)] if table else []
    wrong = sorted(((n, i, j) for i, j, n in table if i != j), key=lambda each: (-each[0], each[1:]))
    totals = _sums(table, 0)
    if wrong:
        rows = [[names[i], names[j], f"{n:,}", _share(n, totals[i])] for n, i, j in wrong[:WORST]]
        tables.append(Table("The worst pairs", ["true class", "taken for", "how often", "of that class"], rows))
    right, total = sum(n for i, j, n in table if i == j), sum(n for *_, n in table)
    notes = [f"{right:,} of {total:,} are right, {_share(right, total)}."] if total else []
    square = _square(names, table) if len(names) <= SQUARE and table else None
    mistaken = [_sample(each, _mistaken) for each in found["mistaken"]]
    return Output(_title(found), charts, square, tables, notes, mistaken)


def _seen(name: str) -> str:
    """The name of a class, in quotes where it would not be seen otherwise, as a blank."""
    return name if name.strip() == name and name.isprintable() and name else repr(name)


def _title(found: Mapping[str, Any]) -> str:
    """The name of an output's loss, where there are several."""
    return str(found["name"])


def _sums(table: Sequence[tuple[int, int, int]], axis: int) -> dict[int, int]:
    """How often each true class is there, or each was said."""
    sums: dict[int, int] = {}
    for row in table:
        sums[row[axis]] = sums.get(row[axis], 0) + row[2]
    return sums


def _square(names: Sequence[str], table: Sequence[tuple[int, int, int]]) -> Square:
    """The table of confusions, the darker the more of its class."""
    counts, totals = {(i, j): n for i, j, n in table}, _sums(table, 0)
    rows = [
        (
            name,
            [
                (n := counts.get((i, j), 0), round(10 * n / totals[i]) if totals.get(i) else 0, i == j)
                for j in range(len(names))
            ],
        )
        for i, name in enumerate(names)
    ]
    return Square("True in rows, said in columns", names, rows)


def _each_class(names: Sequence[str], table: Sequence[tuple[int, int, int]]) -> Table:
    """Precision and recall of each class, the least recalled first."""
    hits = {i: n for i, j, n in table if i == j}
    true, said = _sums(table, 0), _sums(table, 1)
    met = sorted({*true, *said}, key=lambda i: (hits.get(i, 0) / true[i] if true.get(i) else 2, i))
    rows = [
        [
            names[i],
            _share(hits.get(i, 0), said.get(i, 0)),
            _share(hits.get(i, 0), true.get(i, 0)),
            f"{true.get(i, 0):,}",
        ]
        for i in met[:200]
    ]
    return Table("Each class, the least recalled first", ["class", "precision", "recall", "samples"], rows)


def _share(part: float, whole: float) -> str:
    """A part of a whole in percent; a dash of nothing."""
    return f"{100 * part / whole:.1f} %" if whole else NONE


def _calibration(stretches: Sequence[Mapping[str, Any]]) -> Chart:
    """How often it is right for how sure it is."""
    points = [(float(s["sure"]), float(s["right"])) for s in stretches]
    total = sum(int(s["count"]) for s in stretches)
    error = sum(int(s["count"]) * abs(float(s["sure"]) - float(s["right"])) for s in stretches) / max(total, 1)
    return Chart(
        "calibration",
        f"expected calibration error {error:.3f}; dotted: perfect",
        "how sure",
        "how often right",
        [Line("right", points, 1)],
        points,
        x_range=(0.0, 1.0),
        y_range=(0.0, 1.0),
        even=True,
    )


def _two(curves: Mapping[str, Any], positive: str) -> Iterator[Chart]:
    """The curves of two classes."""
    roc = [(float(x), float(y)) for x, y in curves["roc"]]
    span = (0.0, 1.0)
    area, average = f"{float(curves['area']):.3f}", f"{float(curves['average']):.3f}"
    yield Chart(
        f"ROC of {positive}",
        f"area {area}; dotted: guessing",
        "false positives",
        "recall",
        [Line("ROC", roc, 1)],
        x_range=span,
        y_range=span,
        even=True,
    )
    points = [(float(x), float(y)) for x, y in curves["precision"]]
    said = f"average precision {average}, where {_share(float(curves['share']), 1)} are {positive}"
    lines = [Line("PR", points, 1)]
    yield Chart(f"precision and recall of {positive}", said, "recall", "precision", lines, x_range=span, y_range=span)


def _labels(found: Mapping[str, Any]) -> Output:
    """Of several labels: each by itself."""
    rows = []
    for each in found["labels"]:
        hits, false, missed = (int(each[key]) for key in ("hits", "false", "missed"))
        cells = [_share(hits, hits + false), _share(hits, hits + missed), f"{hits + missed:,}"]
        rows.append([str(each["name"]) or "all", *cells])
    table = Table("Each label, at one half", ["label", "precision", "recall", "samples that have it"], rows)
    return Output(_title(found), tables=[table], mistaken=[_sample(each, _mistaken) for each in found["mistaken"]])


def _values(found: Mapping[str, Any]) -> Output:
    """Of numbers: what was said beside what was true, and how the differences lie."""
    charts, rows = list[Chart](), list[list[str]]()
    for each in found["columns"]:
        name = str(each["name"])
        pairs = [(float(x), float(y)) for x, y in each["pairs"]]
        behind = f" of {name}" if name else ""
        said = f"mean absolute error {number(float(each['mean']))}; dotted: no error"
        ends = [value for pair in pairs for value in pair if isfinite(value)]
        span = (min(ends), max(ends)) if ends and min(ends) < max(ends) else None
        title = f"predictions{behind}"
        charts.append(Chart(title, said, "true", "said", dots=pairs, x_range=span, y_range=span, even=True))
        edges, counts = [float(e) for e in each["edges"]], [int(n) for n in each["counts"]]
        bars = list(zip(edges, edges[1:], map(float, counts), strict=False))
        said = f"mean {number(float(each['bias']))}"
        charts.append(Chart(f"residuals{behind}", said, "said less true", "samples", bars=bars))
        explained = each["explained"]
        cells = [number(float(each[key])) for key in ("mean", "root", "bias")]
        rows.append([name or "output", *cells, NONE if explained is None else number(float(explained))])
    heads = ["number", "mean absolute error", "root mean square error", "mean error", "R²"]
    tables = [Table("Errors, in the target's own units", heads, rows)] if rows else []
    notes = [] if rows else [f"The mean absolute error is {number(float(found['mean']))}."]
    return Output(_title(found), charts, None, tables, notes, [_sample(e, _apart) for e in found["mistaken"]])


KINDS: Final = {"class": _classes, "label": _labels, "value": _values}
"""What shows an output, by what its target says."""


def _sample(found: Mapping[str, Any], told: Any) -> Sample:
    """A sample with what was said of it."""
    picture = str(found.get("picture", ""))
    if picture and not PNG.fullmatch(picture):
        raise ValueError("a picture that is none")
    values = [str(v) for v in found.get("values", ())]
    return Sample(str(found["where"]), told(found), picture, str(found.get("text", "")), values)


def _mistaken(found: Mapping[str, Any]) -> str:
    """What was said of a sample, and how likely the truth was held to be."""
    if "truth" in found:
        chance, share = float(found["chance"]), float(found["share"])
        return f"{_seen(found['truth'])} ({100 * chance:.1f} %) taken for {_seen(found['said'])} ({100 * share:.1f} %)"
    return f"{int(found['wrong']):,} of {int(found['places']):,} wrong"


def _apart(found: Mapping[str, Any]) -> str:
    """How far a sample's numbers are from what was true."""
    apart = f"{number(float(found['apart']))} apart"
    truth, said = (_read(str(found.get(key, ""))) for key in ("truth", "said"))
    return f"{truth} taken for {said}, {apart}" if "truth" in found else apart


def _read(value: str) -> str:
    """A number that was kept as text as people read it."""
    try:
        return number(float(value))
    except ValueError:
        return value
