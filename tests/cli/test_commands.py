"""The commands as a person runs them: what they print, and what they end with."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from netspec.cli import main
from netspec.cli.group import COMMANDS
from netspec.runtime.store.run_folder import RunFolder

ROOT = Path(__file__).parent.parent.parent
LENET = str(ROOT / "specs" / "lenet5_tutorial.yaml")
DIGITS = str(ROOT / "specs" / "lenet5_digits.yaml")
TORCHLESS = [
    ["--help"],
    ["check", LENET],
    ["check", DIGITS, "--json"],
    ["summary", LENET],
    ["graph", LENET],
    ["summary", DIGITS, "--train", "--fit", "8GB"],
    ["launch", DIGITS, "--print", "slurm"],
    ["build", LENET],
    ["fmt", LENET],
    ["fmt", LENET, "--long"],
    ["diff", LENET, DIGITS],
    ["schema"],
    ["ops"],
    ["ops", "conv2d"],
    ["ops", "adaptive", "pool", "--json"],
    ["init"],
    ["init", "--from", "resnet18"],
    ["ops", "early_stop"],
    *([name, "--help"] for name in COMMANDS),
]


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A command as its own process would end; in this one, which has torch already."""
    out, err, code = StringIO(), StringIO(), 0
    with chdir(cwd or Path.cwd()), redirect_stdout(out), redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


EACH = """
import contextlib, io, json, os, sys
from netspec.cli import main
for arguments in json.load(sys.stdin):
    child = os.fork()
    if not child:
        unseen = io.StringIO()
        try:
            with contextlib.redirect_stdout(unseen), contextlib.redirect_stderr(unseen):
                main(arguments)
        except SystemExit as end:
            heavy = [m for m in ('torch', 'numpy', 'onnx', 'optuna', 'rich') if m in sys.modules]
            print(f'imported {heavy}' if heavy else f'{end.code}', flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.fixture(scope="module")
def torchless() -> dict[str, str]:
    """How each command ended, in a process of its own that had imported no more than the command line."""
    done = subprocess.run(
        [sys.executable, "-c", EACH], input=json.dumps(TORCHLESS), capture_output=True, text=True, check=True
    )
    return dict(zip(map(" ".join, TORCHLESS), done.stdout.splitlines(), strict=True))


@pytest.mark.parametrize("arguments", TORCHLESS, ids=lambda a: " ".join(x.rpartition("/")[2] for x in a))
def test_no_torch_is_imported(arguments: list[str], torchless: dict[str, str]) -> None:
    assert torchless[" ".join(arguments)] == "0"


def test_check_says_what_fits() -> None:
    done = run("check", LENET)
    assert done.returncode == 0
    assert "1 x 32 x 32 -> 10, 61,706 parameters, 416,520 MACs" in done.stdout


def test_check_as_json_names_each_place(tmp_path: Path) -> None:
    spec = tmp_path / "bad.yaml"
    spec.write_text("netspec: 1\ninput: 1x8x8\nlayers:\n  - conv 4 k9\n  - fcc 10\n")
    done = run("check", str(spec), "--json")
    assert done.returncode == 3
    rows = json.loads(done.stdout)
    assert [(row["code"], row["line"], row["column"]) for row in rows] == [
        ("shape-mismatch", 4, 12),
        ("unknown-op", 5, 5),
    ]


def test_overrides_reach_any_value() -> None:
    done = run("summary", LENET, "input=1x28x28", "layers.2=fc 10", "--json")
    assert done.returncode == 0, done.stderr
    assert "256" in done.stdout


def test_build_writes_a_module_that_runs_alone(tmp_path: Path) -> None:
    target = tmp_path / "net.py"
    assert run("build", LENET, "-o", str(target)).returncode == 0
    code = "import torch, net; print(list(net.LeNet5()(torch.zeros(2, 1, 32, 32)).shape))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[2, 10]", done.stderr


def test_train_evaluate_export(tmp_path: Path) -> None:
    trained = run("train", DIGITS, "train.epochs=2", "--run", "run", "--json", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)["epochs"] == 2
    assert trained.stderr.count("\nepoch ") == 2
    names = {p.name for p in (tmp_path / "run").iterdir()}
    assert names >= {
        "spec.yaml",
        "environment.json",
        "metrics.jsonl",
        "best.safetensors",
        "last.safetensors",
        "checkpoints",
    }
    measured = run("eval", "run", "--json", cwd=tmp_path)
    assert json.loads(measured.stdout)["val.accuracy"] > 0.5
    exported = run("export", "run", "-o", "m.onnx", "--json", cwd=tmp_path)
    assert exported.returncode == 0, exported.stderr
    assert exported.stderr == ""
    assert json.loads(exported.stdout)["absolute"] < 1e-4
    again = run("train", DIGITS, "train.epochs=2", "--run", "run", cwd=tmp_path)
    assert again.returncode == 2
    assert "Resume it" in again.stderr


def test_resume_auto_begins_and_goes_on(tmp_path: Path) -> None:
    begun = run("train", "--run", "run", "--resume", "auto", DIGITS, "train.epochs=1", cwd=tmp_path)
    assert begun.returncode == 0, begun.stderr
    assert "all epochs are done; the run is in run" in begun.stderr
    for arguments in (["--resume", "auto", DIGITS], [DIGITS, "--resume", "auto"], [DIGITS, "--resume"]):
        done = run("train", "--run", "run", *arguments, "train.epochs=1", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stderr.startswith("resumed after epoch 1\n")
    missing = run("train", "--run", "other", DIGITS, "--resume", cwd=tmp_path)
    assert (missing.returncode, "not a run's folder" in missing.stderr) == (2, True)


def test_a_run_whose_time_is_up_is_no_failure(tmp_path: Path) -> None:
    done = run("train", DIGITS, "train.epochs=1000", "train.max_time=1s", "--run", "run", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ended"] == "time"
    assert "max_time is over, --resume goes on from there; the run is in run" in done.stderr


def test_a_run_that_diverges_says_in_which_step(tmp_path: Path) -> None:
    done = run("train", DIGITS, "train.optimizer=sgd lr=1e30", "--run", "run", cwd=tmp_path)
    assert done.returncode == 5, done.stderr
    assert "in step 2 (epoch 1) the loss is nan" in done.stderr
    assert "another run with a smaller lr" in done.stderr


def test_a_folder_belongs_to_one_run(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run", ""):
        for resume in ([], ["--resume"]):
            done = run("train", DIGITS, "--run", "run", *resume, cwd=tmp_path)
            assert (done.returncode, "another run is writing to run" in done.stderr) == (2, True), done.stderr


def test_a_place_that_takes_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in ("file", "file/run"):
        done = run("train", DIGITS, "--run", place, cwd=tmp_path)
        assert (done.returncode, f"{place} cannot be written" in done.stderr) == (2, True), done.stderr


def test_an_export_that_does_not_match_leaves_no_file(tmp_path: Path) -> None:
    done = run("export", DIGITS, "export.onnx.atol=0", "export.onnx.rtol=0", "--onnx", "-o", "m.onnx", cwd=tmp_path)
    assert done.returncode == 6, done.stderr
    assert not list(tmp_path.iterdir())


def test_init_writes_specs_that_fit(tmp_path: Path) -> None:
    for template in ("lenet", "mlp", "resnet", "gpt"):
        assert run("init", f"{template}.yaml", "--template", template, cwd=tmp_path).returncode == 0
        done = run("check", f"{template}.yaml", cwd=tmp_path)
        assert done.returncode == 0, done.stdout
    assert run("init", "lenet.yaml", cwd=tmp_path).returncode == 2


def test_the_readers_end_is_no_fault() -> None:
    done = subprocess.run(
        f"{sys.executable} -m netspec schema | head -1", shell=True, capture_output=True, text=True, check=False
    )
    assert done.stdout == "{\n"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["chekc", LENET], 2, "Did you mean 'check'?"),
        (["check", "nowhere.yaml"], 3, "nowhere.yaml"),
        (["check", str(ROOT)], 3, "is a folder"),
        (["check", LENET, "epochs"], 3, "not path=value"),
        (["export", LENET, "--onnx", "net.onnx"], 3, "as in -o FILE"),
        (["train", LENET], 2, "no data section"),
        (["train", DIGITS, "--resume"], 2, "--run"),
        (["eval", str(ROOT)], 2, "no spec.yaml"),
        (["train", DIGITS, "data.source=npz nowhere.npz"], 4, "nowhere.npz"),
        (["train", DIGITS, "train.optimizer=adamm"], 3, "Did you mean"),
    ],
    ids=lambda v: "",
)
def test_mistakes_are_told_without_a_traceback(arguments: list[str], code: int, text: str, tmp_path: Path) -> None:
    done = run(*arguments, cwd=tmp_path)
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert text in said
    assert "Traceback" not in said
