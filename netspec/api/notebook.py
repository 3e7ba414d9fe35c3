"""Notebooks: how values show themselves there, and the cell magic that reads a spec."""

from __future__ import annotations

import keyword
import shlex
from pathlib import Path
from typing import Any, Final

from netspec.api.spec import Spec
from netspec.graph.model import Graph
from netspec.views.notebook import piece
from netspec.views.report.charts import NONE
from netspec.views.report.panels import Table, curves
from netspec.views.report.verdict import Course, advice, sentence

MAX_PICTURE: Final = 200_000
"""Bytes of a picture in a notebook; a larger one is drawn with its levels closed."""
SHOWN: Final = 20
"""Samples of a prediction that are shown."""
CELL: Final = "<cell>"
"""What a spec in a cell is called in messages."""


def html(value: Any) -> str:
    """A value as a piece of a notebook."""
    name = next(each.__name__ for each in type(value).__mro__ if each.__name__ in KINDS)
    return str(KINDS[name](value))


def _spec(spec: Spec) -> str:
    """A spec: its network, and its text."""
    return piece(spec.name, [f"{spec.graph.in_words}."], picture=_picture(spec.graph), text=spec.text)


def _graph(graph: Graph) -> str:
    """A network as a picture."""
    return piece(graph.name, [f"{graph.in_words}."], picture=_picture(graph))


def _picture(graph: Graph) -> str:
    """A network as SVG: whole, or with its levels closed where that is large."""
    from netspec.views.picture import picture

    return next((drawn for d in (None, 2, 1) if len(drawn := picture(graph, d)) <= MAX_PICTURE), "")


def _run(run: Any) -> str:
    """A run's verdict and its curves."""
    from netspec.runs.report import read

    told = read(run.folder)
    return _course(f"{told.name}", told.course)


def _trained(trained: Any) -> str:
    """How training went."""
    if trained.folder is not None:
        return _run(trained)
    history = trained.history
    values = [r[history.monitor] for r in history.records if isinstance(r.get(history.monitor), int | float)]
    goal = "max" if values and history.best == max(values) and max(values) > min(values) else "min"
    return _course("Trained", Course("", history.monitor, goal, history.records))


def _course(title: str, course: Course) -> str:
    """How a run went."""
    tips = [f"{line} {words}".strip() for line, words in advice(course)] if course.folder else []
    return piece(title, [sentence(course), *tips], charts=curves(course) if course.records else ())


def _sweep(sweep: Any) -> str:
    """The trials of a sweep, the best first."""
    from netspec.sweeps.picture import picture
    from netspec.sweeps.results import cells

    heads, *rows = cells(sweep)
    return piece(f"Sweep of {sweep.name}", picture=picture(sweep), table=Table("", heads, rows[:SHOWN]))


def _prediction(prediction: Any) -> str:
    """What was said of the first samples."""
    best, names = prediction.best(3), prediction.names
    count = len(prediction.first)
    heads = [*(names or ["sample"]), *(["likeliest", "next", "then"] if best else list(prediction.outputs))]
    rows = []
    for i in range(min(count, SHOWN)):
        row = [str(column[i]) for column in names.values()] or [str(prediction.start + i)]
        if best:
            row += [f"{name} {share:.1%}" for name, share in best[i]]
        else:
            row += [_values(values[i]) for values in prediction.outputs.values()]
        rows.append([*row, *[NONE] * (len(heads) - len(row))])
    more = [f"The first {SHOWN} of {count:,} samples."] if count > SHOWN else []
    return piece("Prediction", [*prediction.told, *more], table=Table("", heads, rows))


def _values(values: Any) -> str:
    """Some numbers, or their shape where they are many."""
    if values.ndim > 1 or values.size > 12:
        return " x ".join(map(str, values.shape))
    return ", ".join(str(v) if isinstance(v, str) else f"{v:.4g}" for v in values.reshape(-1).tolist())


KINDS: Final[dict[str, Any]] = {
    "Spec": _spec, "Graph": _graph, "Run": _run, "Trained": _trained, "Sweep": _sweep, "Prediction": _prediction,
}  # fmt: skip
"""What draws a value, by the name of its class."""


def register(shell: Any) -> None:
    """Teach a notebook's shell the cell magic `%%netspec`."""

    def magic(line: str, cell: str) -> Spec | None:
        """Check the spec in the cell. `%%netspec net train.epochs=3` calls it net, with values set over it."""
        words = shlex.split(line)  # as a shell reads them: train.optimizer="adamw lr=1e-3" is one
        name = words.pop(0) if words and "=" not in words[0] else ""
        spec = of_cell(cell, words)
        if not name:
            return spec
        if not name.isidentifier() or keyword.iskeyword(name):
            raise ValueError(f"{name!r} is no name of a variable")
        shell.user_ns[name] = spec
        return None

    shell.register_magic_function(magic, "cell", "netspec")


def of_cell(text: str, overrides: list[str]) -> Spec:
    """The spec in a cell, whose paths start where the notebook runs; its warnings are told. Raises SpecError."""
    from netspec.text.reader import read_text
    from netspec.text.report import report

    spec = Spec.of(read_text(text, CELL), Path.cwd(), overrides)
    if spec.warnings:
        print(report(spec.warnings, spec.document.source))  # noqa: T201  where a cell says what it has to say
    return spec
