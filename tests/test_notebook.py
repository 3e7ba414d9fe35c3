"""Notebooks: values show themselves, a cell is a spec, and a run draws its curves in one place."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import numpy as np
import pytest
from ipykernel.kernelspec import write_kernel_spec
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from traitlets.config import Config

import netspec
from netspec.api import notebook
from netspec.runs.prediction import Prediction
from netspec.runs.train import Trained
from netspec.runtime.train.history import History, Watch
from netspec.runtime.train.notebook import Plots, in_notebook
from netspec.runtime.train.progress import Lines, Plan
from netspec.runtime.train.telling import progress_for
from netspec.sweeps.results import Sweep, Trial
from tests.effort import HANGING
from tests.views.test_report import HOSTILE, Parsed, records, trained

__all__ = ["trained"]  # a fixture
EXAMPLE = Path(__file__).parent.parent / "examples" / "notebook.ipynb"
SMALL = "netspec: 1\nname: Small\ninput: 4\nlayers: [linear 3, relu]\n"


def words(value: Any) -> str:
    """What a value's HTML says; it is whole, and fetches nothing."""
    found = Parsed(value._repr_html_())
    assert "script" not in found.tags
    assert all(source.startswith("data:") for source in found.sources)
    return found.words


def test_a_spec_and_a_graph_show_themselves(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    spec = netspec.load(tmp_path / "small.yaml")
    assert repr(spec) == "<Spec Small in small.yaml: 4 -> 3, 15 parameters, 12 MACs>"
    assert repr(spec.graph) == "<Graph Small: 4 -> 3, 15 parameters, 12 MACs>"
    assert "layers: [linear 3, relu]" in words(spec)
    assert "4 -> 3, 15 parameters, 12 MACs." in words(spec.graph)


def test_runs_show_themselves(trained: Path) -> None:
    run = netspec.Run.read(trained)
    assert repr(run) == f"<Run {trained} of Net: {run.spec.graph.in_words}>"
    assert "val.accuracy is" in words(run)
    history = History("val.loss", records(), best=0.4167, best_epoch=6, epochs=6, seconds=9.0)
    left = Trained(run.module(), history, None)
    assert repr(left) == "<Trained: val.loss 0.4167 in epoch 6 of 6, 9.0 s>"
    assert "val.loss is 0.4167 at best" in words(left)
    assert "val.accuracy is" in words(Trained(left.module, history, trained))


def test_sweeps_and_predictions_show_themselves(tmp_path: Path) -> None:
    trials = (Trial(1, "trained", tried={}, value=0.5), Trial(2, "trained", tried={}, value=0.25))
    sweep = Sweep("Net", tmp_path, "val.loss", "min", (), trials)
    assert repr(sweep) == f"<Sweep of Net in {tmp_path}: 2 trials, val.loss 0.2500 in trial 2>"
    assert words(sweep).index("0.2500") < words(sweep).index("0.5000")
    shares = Prediction({"out": np.array([[0.25, 0.75]])}, ("cat", HOSTILE), {"file": [HOSTILE]})
    assert repr(shares) == f"<Prediction of 1 sample: {HOSTILE} 75.0%>"
    assert "75.0%" in words(shares)
    assert "{{ 7*7 }}{% raw %}" in words(shares)
    values = Prediction({"out": np.arange(60.0).reshape(30, 2)}, None)
    assert repr(values) == "<Prediction of 30 samples: out 30 x 2>"
    assert "The first 20 of 30 samples." in words(values)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A shell that is a notebook's as far as netspec asks, and what it was given to show."""
    shown: list[str] = []
    handle = SimpleNamespace(update=shown.append)
    magics: dict[str, Any] = {}
    found = SimpleNamespace(
        kernel=object(), user_ns={}, shown=shown, magics=magics,
        register_magic_function=lambda function, kind, name: magics.update({name: function}),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: found))

    def display(text: str, display_id: bool) -> SimpleNamespace:
        """Show it, in a place where it can be drawn anew."""
        assert display_id
        shown.append(text)
        return handle

    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(HTML=str, display=display))
    return found


def test_a_cell_is_a_spec(shell: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    netspec.load_ipython_extension(shell)
    magic = shell.magics["netspec"]
    assert magic("net params.w=5", "input: 4\nparams: {w: 2}\nlayers: [linear $w]") is None
    assert shell.user_ns["net"].graph.parameter_count == 25
    assert magic("", SMALL).name == "Small"
    with pytest.raises(netspec.SpecError) as caught:
        magic("net", "input: 4\nlayers: [liner 3]\n")
    assert caught.value._render_traceback_()[0].startswith("<cell>:2:10  error")
    assert any("^^^^^" in line for line in caught.value._render_traceback_())
    with pytest.raises(ValueError, match="no name of a variable"):
        magic("3net", SMALL)
    with pytest.raises(ValueError, match="'class' is no name of a variable"):
        magic("class", SMALL)
    text = "input: 4\nlayers: [linear 2]\ntrain: {loss: mse, optimizer: adam}"
    assert magic("net train.optimizer='sgd lr=0.5'", text) is None
    assert shell.user_ns["net"].experiment.train.optimizer.lr == 0.5


def test_a_shell_runs_such_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the example in the small, in this process."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    config = Config()
    config.HistoryManager.enabled = False
    shells: Any = InteractiveShell  # its functions have no types
    shell = shells(config=config)
    shell.run_cell("%load_ext netspec").raise_error()
    shell.run_cell("%%netspec net params.w=5\ninput: 4\nparams: {w: 2}\nlayers: [linear $w]").raise_error()
    assert shell.user_ns["net"].graph.parameter_count == 25
    data, _ = shell.display_formatter.format(shell.run_cell("net.graph").result)
    assert data["text/plain"] == "<Graph Net: 4 -> 5, 25 parameters, 20 MACs>"
    assert "image/svg+xml" in data["text/html"]
    wrong = shell.run_cell("%%netspec\ninput: 4\nlayers: [liner 3]")
    assert isinstance(wrong.error_in_exec, netspec.SpecError)


def test_curves_are_drawn_in_one_place(shell: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert in_notebook()
    plots = progress_for()
    assert isinstance(plots, Plots)
    plots.tell(["column a is left out"])
    plots.start(Plan(6, 10, 60, 0, 32, Watch("val.loss"), "training on cpu"))
    monkeypatch.setattr("netspec.runtime.train.notebook.SHARE", 1e9)
    for record in records():
        plots.tick(record["epoch"] - 1, 5, 0.5)
        plots.measured(record, True)
    plots.warn(HOSTILE)
    plots.close()
    assert len(shell.shown) == 15
    last = Parsed(shell.shown[-1])
    for each in ("column a is left out", "training on cpu", "val.loss is 0.4167 at best", "{{ 7*7 }}"):
        assert each in last.words
    monkeypatch.setattr("netspec.runtime.train.notebook.SHARE", 0.0)
    plots.measured(records()[0], False)
    assert len(shell.shown) == 15


def test_elsewhere_nothing_changes() -> None:
    assert not in_notebook()
    assert isinstance(progress_for(), Lines) or sys.stderr.isatty()


def test_kinds_are_those_that_show_themselves() -> None:
    assert {*notebook.KINDS} == {"Spec", "Graph", "Run", "Trained", "Sweep", "Prediction"}


def test_the_example_runs_in_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_kernel_spec(str(tmp_path / "kernels" / "python3"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    books: Any = nbformat  # its functions have no types
    book = books.read(EXAMPLE, as_version=4)
    book.cells.append(books.v4.new_code_cell("%%netspec\ninput: 4\nlayers: [liner 3]", id="wrong"))
    NotebookClient(book, timeout=HANGING, allow_errors=True).execute(cwd=str(tmp_path))
    told = {cell.id: cell.outputs for cell in book.cells if cell.cell_type == "code"}
    assert [name for name, outputs in told.items() if any(o.output_type == "error" for o in outputs)] == ["wrong"]
    (wrong,) = told["wrong"]
    assert "^^^^^" in "\n".join(wrong.traceback)
    assert "Traceback" not in "\n".join(wrong.traceback)
    curves, left = told["cell-5"]
    assert "val.accuracy" in curves.data["text/html"]
    assert left.data["text/plain"].startswith("<Trained: ")
    assert "image/svg+xml" in told["cell-8"][0].data["text/html"]
