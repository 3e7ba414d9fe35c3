"""Run folders that come from anyone: nothing outside of them is read, overwritten or deleted, and faults are named."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netspec.cli import main
from netspec.files import sha256
from netspec.runtime.store.checkpoint import FILES, FORMAT, MANIFEST, Checkpoints
from netspec.runtime.store.own import OWN
from netspec.runtime.store.run_folder import RunFolder

SPEC = """\
netspec: 1
name: Small
input: 2
layers: [fc 4, relu, fc 2]
data: {source: csv data.csv label, transform: standardize}
train: {loss: cross_entropy, optimizer: sgd lr=0.1, epochs: 2, batch: 16, device: cpu, checkpoint: {every: 1}}
"""
TABLE = "a,b,label\n" + "".join(f"{i % 7},{i % 5},{('no', 'yes')[i % 2]}\n" for i in range(40))
SECRET = TABLE.replace("yes", "agent")


def ended(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main(tuple(map(str, arguments)))
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project: its spec, its data, and a run."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "small.yaml").write_text(SPEC)
    (folder / "data.csv").write_text(TABLE)
    assert ended("train", folder / "small.yaml", "--run", folder / "runs" / "a") == 0
    return folder


@pytest.fixture
def project(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A folder of someone else's, beside the project."""
    folder = tmp_path / "victim"
    folder.mkdir()
    (folder / "data.csv").write_text(SECRET)
    return folder


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def resumed(project: Path, *more: str) -> int:
    return ended("train", project / "small.yaml", "train.epochs=3", "--run", project / "runs" / "a", "--resume", *more)


def test_a_run_reads_the_data_of_its_spec(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = project / "runs" / "a"
    assert ended("eval", run) == 0
    assert ended("export", run, "--onnx", "-o", project / "net.onnx") == 0
    assert resumed(project) == 0
    moved = project.parent / "moved"
    project.rename(moved)  # all of it, as one that is cloned or unpacked
    assert ended("eval", moved / "runs" / "a") == 0


def test_a_run_that_went_on_by_itself_still_knows_its_data(project: Path) -> None:
    run = project / "runs" / "a"
    note = (run / "origin.json").read_text()
    for epochs in (3, 4):
        assert ended("train", "--resume", run, f"train.epochs={epochs}") == 0
        assert (run / "origin.json").read_text() == note
    assert ended("eval", run) == 0


@pytest.mark.parametrize("words", [("train", "--resume"), ("export",)], ids=" ".join)
def test_limits_hold_for_what_a_run_says(
    words: tuple[str, ...], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(*words, project / "runs" / "a", "--max-params", "21") == 3
    assert "22 parameters" in capsys.readouterr().err


def test_a_run_behind_resume_is_none_that_run_names(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = project / "runs" / "a"
    assert ended("train", "--resume", run, "--run", project / "b") == 2
    assert "name a folder each" in capsys.readouterr().err


@pytest.mark.parametrize("root", ["../../../victim", "ABSOLUTE", "../../..", "/"])
@pytest.mark.parametrize("command", ["eval", "export"])
def test_a_root_elsewhere_is_not_read(
    root: str, command: str, project: Path, victim: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, place = project / "runs" / "a", (victim if root == "ABSOLUTE" else root)
    kept = json.loads((run / "origin.json").read_text())
    (run / "origin.json").write_text(json.dumps({**kept, "root": str(place)}))
    options = ("--onnx", "-o", project / "net.onnx") if command == "export" else ()
    assert ended(command, run, *options) == 4
    said = capsys.readouterr().err
    assert "says that its data lies in" in said
    assert "add --allow-outside" in said
    assert not (project / "net.onnx").exists()


def test_a_root_elsewhere_is_read_where_a_person_allows_it(project: Path, victim: Path) -> None:
    run = project / "runs" / "a"
    (victim / "data.csv").write_text(TABLE)
    (run / "origin.json").write_text(json.dumps({"root": str(victim)}))
    assert ended("eval", run) == 4
    assert ended("eval", run, "--allow-outside") == 0


def test_the_spec_there_must_name_the_same_data(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = project / "runs" / "a"
    (project / "private.csv").write_text(SECRET)
    (run / "spec.yaml").write_text(SPEC.replace("data.csv", "private.csv"))
    assert ended("eval", run) == 4
    assert "no spec small.yaml that names this data" in capsys.readouterr().err


def test_an_export_after_training_knows_its_data(project: Path) -> None:
    (project / "other.csv").write_text(TABLE)
    options = ("data.source=csv other.csv label", "train.epochs=1", "--run", project / "runs" / "b")
    assert ended("train", project / "small.yaml", *options, "--export", project / "net.onnx") == 0
    assert ended("eval", project / "runs" / "b") == 4
    assert ended("eval", project / "runs" / "b", "data.source=csv other.csv label") == 0


@pytest.mark.parametrize(
    "name", ["lock", "metrics.jsonl", "best.safetensors", "checkpoints", "spec.yaml", "data.json", "tensorboard"]
)
def test_links_in_a_run_are_not_followed(
    name: str, project: Path, victim: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, there = project / "runs" / "a", victim / name
    if (run / name).exists():
        (run / name).rename(there)
    else:
        there.mkdir()
    (run / name).symlink_to(Path("../../../victim", name))
    before = snapshot(victim)
    assert resumed(project) == 4
    said = capsys.readouterr().err
    assert f"{run / name} is a link to ../../../victim/{name}" in said
    assert ended("eval", run) == 4
    assert ended("train", project / "small.yaml", "--run", run, "--resume", "auto") == 4
    assert snapshot(victim) == before


def test_nor_are_links_deeper_in_it(project: Path, victim: Path, capsys: pytest.CaptureFixture[str]) -> None:
    newest = sorted((project / "runs" / "a" / "checkpoints").iterdir())[-1]
    newest.rename(victim / "step")
    newest.symlink_to(victim / "step")
    before = snapshot(victim)
    assert resumed(project) == 4
    assert f"{newest} is a link" in capsys.readouterr().err
    assert snapshot(victim) == before


def test_what_a_person_put_beside_the_run_may_be_a_link(project: Path, victim: Path) -> None:
    (project / "runs" / "a" / "notes").symlink_to(victim)
    assert resumed(project) == 0


@pytest.mark.parametrize(
    "name", ["lock", "data.json", "metrics.jsonl", "best.safetensors", "origin.json", "plugins.json"]
)
def test_a_pipe_in_a_run_is_not_waited_for(name: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "runs" / "a" / name).unlink()
    os.mkfifo(project / "runs" / "a" / name)
    assert resumed(project) == 4
    assert ended("eval", project / "runs" / "a") == 4
    assert capsys.readouterr().err.count(f"{name} is a pipe") == 2


DEEP = "[" * 100_000
NOTES: dict[str, str | bytes] = {
    "no JSON": "{",
    "empty": "",
    "binary": bytes(range(256)),
    "a zero byte": '{"root": "\\u0000"}',
    "a list": "[1, 2]",
    "a number": "7",
    "NaN": '{"root": NaN, "classes": NaN, "p": NaN}',
    "deep": DEEP,
    "numbers for texts": '{"root": 5, "classes": [1], "p.py": 3}',
    "a huge number": '{"root": ' + "9" * 10_000 + "}",
}


@pytest.mark.parametrize("content", NOTES)
@pytest.mark.parametrize("name", ["origin.json", "data.json", "plugins.json"])
def test_broken_notes_are_named(name: str, content: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, text = project / "runs" / "a" / name, NOTES[content]
    if content == "a zero byte" and name != "origin.json":
        text = '"\0"'
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert ended("eval", project / "runs" / "a") == 4
    said = capsys.readouterr().err
    assert f"{path} is not what a run writes: " in said
    assert "Fetch the folder again, or train anew." in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("name", ["origin.json", "data.json", "plugins.json", "best.safetensors", "metrics.jsonl"])
def test_folders_in_their_place_are_named(name: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "runs" / "a" / name
    path.unlink()
    path.mkdir()
    codes = {resumed(project), *([] if name == "metrics.jsonl" else [ended("eval", project / "runs" / "a")])}
    said = capsys.readouterr().err
    assert codes <= {0, 2, 4}
    assert codes != {0}
    assert f"{path} is a folder" in said or f"{path} cannot be written: Is a directory" in said


LEARNT: dict[str, Any] = {
    "classes": {"classes": "ab"},
    "inputs": {"inputs": {"names": ["a"], "peak": 0}},
    "columns": {"columns": {"numbers": {"a": "x"}, "categories": {}}},
    "transform": {"transform": [3]},
    "a transform": {"transform": [{"Normalize": {"mean": "x"}}]},
    "no transform": {"transform": [{"Nonsense": {}}]},
    "two classes of one name": {"classes": ["no", "no"]},
    "values of no size": {"values": [{"shape": [2], "dtype": "float32", "low": 0, "high": 6, "typical": 0, "mean": 3}]},
    "values without bounds": {
        "values": [{"shape": [2], "dtype": "float32", "low": 0, "high": 1e308, "typical": 1e-320, "mean": 3}]
    },
}


@pytest.mark.parametrize("what", LEARNT)
def test_what_a_run_has_learnt_is_held_against_what_runs_learn(
    what: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project / "runs" / "a" / "data.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **LEARNT[what]}))
    (project / "new.csv").write_text("a,b\n1,2\n")
    assert ended("eval", project / "runs" / "a") == 4
    assert ended("predict", project / "runs" / "a", project / "new.csv") == 4
    assert "a fault of netspec" not in capsys.readouterr().err


def test_classes_that_lack_in_a_run_are_numbered(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As those are that a network tells apart and the data does not have."""
    path = project / "runs" / "a" / "data.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "classes": ["one"]}))
    (project / "new.csv").write_text("a,b\n1,2\n")
    assert ended("predict", project / "runs" / "a", project / "new.csv") == 0
    assert "class 1 (" in capsys.readouterr().out


STATES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a list": lambda state: [],
    "nothing": lambda state: {"$dict": []},
    "another kind": lambda state: {"$module": 3},
    "a pair too long": lambda state: {"$dict": [[1, 2, 3]]},
    "no position": lambda state: {"$dict": [pair for pair in state["$dict"] if pair[0] != "position"]},
    "a position of texts": lambda state: {"$dict": [[k, "x" if k == "position" else v] for k, v in state["$dict"]]},
    "no such tensor": lambda state: {
        "$dict": [[k, {"$tensor": "x"} if k == "losses" else v] for k, v in state["$dict"]]
    },
    "an epoch that is a list": lambda state: edited(state, r'"epoch", \d+', '"epoch", [[]]'),
    "steps before the first": lambda state: edited(state, r'"index", 0', '"index", -1'),
    "steps without losses": lambda state: edited(state, r'"index", 0', '"index", 2'),
    "an option of the optimizer that is a text": lambda state: edited(
        state, r'"weight_decay", 0', '"weight_decay", "x"'
    ),
    "an option that is missing": lambda state: edited(state, r'\["weight_decay", 0\], ', ""),
    "what the optimizer holds of none": lambda state: edited(
        state, r'"state", {"\$dict": \[', r'\g<0>[99, {"$dict": []}]'
    ),
    "a best value that is a list": lambda state: edited(state, r'"waited", \d+', '"waited", []'),
    "a rate that is a list": lambda state: edited(state, r'"rate", [\d.]+', '"rate", [1]'),
    "random numbers that are none": lambda state: edited(state, r'"cuda", null', '"cuda", "x"'),
}


def edited(state: Any, pattern: str, new: str) -> Any:
    """A state with some of its text replaced."""
    text, count = re.subn(pattern, new, json.dumps(state))
    assert count, pattern
    return json.loads(text)


@pytest.mark.parametrize("what", STATES)
def test_a_state_that_no_run_saved_is_named(what: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = Checkpoints(project / "runs" / "a" / "checkpoints").list()
    for place in places:
        state = json.loads((place / FILES[1]).read_text())
        (place / FILES[1]).write_text(json.dumps(STATES[what](state)))
        entries = {name: {"bytes": (place / name).stat().st_size, "sha256": sha256(place / name)} for name in FILES}
        (place / MANIFEST).write_text(json.dumps({"format": FORMAT, "files": entries}, indent=1))
    assert resumed(project) == 4
    said = capsys.readouterr().err
    assert places[-1].name in said
    assert "a fault of netspec" not in said


@pytest.mark.parametrize(
    "line",
    [
        *(b"{", b"\0\xff\n", b"[]\n", b"3\n", b'{"step": "x"}\n', b'{"step": NaN}\n', b"[" * 90_000),
        b'{"epoch": 1, "step": 3, "val.loss": 1e999}\n',
        b'{"epoch": 1, "step": 3, "val.loss": ' + b"9" * 5_000 + b"}\n",
    ],
)
def test_metrics_that_no_run_wrote_are_told(line: bytes, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "runs" / "a" / "metrics.jsonl").write_bytes(line)
    assert resumed(project) == 0
    assert "metrics.jsonl is damaged: 2 of the records so far are lost" in capsys.readouterr().err


def test_more_metrics_than_the_state_knows_are_no_loss(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "runs" / "a" / "metrics.jsonl"
    path.write_text(path.read_text() * 2)
    assert resumed(project) == 0
    assert "damaged" not in capsys.readouterr().err


@pytest.mark.parametrize("command", ["export", "eval", "predict"])
def test_a_run_is_held_to_the_limits_of_whoever_asks(
    command: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, file = project / "runs" / "a", project / "net.onnx"
    more: dict[str, list[object]] = {"export": ["-o", file], "predict": [project / "none.npy"]}
    for limit in ("--max-params=10", "--max-memory=10B"):
        assert ended(command, run, *more.get(command, []), limit) == 3
    assert capsys.readouterr().err.count("error[too-large]") == 2
    assert not file.exists()


def test_predictions_do_not_replace_what_the_run_was_trained_on(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A link called .csv leads to the spec that the run comes from."""
    spec = next(project.glob("*.yaml"))
    text = spec.read_text()
    (project / "out.csv").symlink_to(spec)
    assert ended("predict", project / "runs" / "a", project / "none.npy", "-o", project / "out.csv") == 2
    assert "is what this command reads" in capsys.readouterr().err
    assert spec.read_text() == text


def test_a_long_line_of_metrics_takes_little_memory(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, SPEC) as run, run.metrics_file.open("wb") as stream:
        stream.write(b'{"epoch": 1, "step": 1, "x": "')
        stream.write(b"[1]," * 30_000_000)
    code = (
        "import resource, sys\nfrom netspec.runtime.store.run_folder import RunFolder\n"
        "run = RunFolder(sys.argv[1], None)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "from pathlib import Path\nrun.path = Path(sys.argv[1])\nassert run.records() == []\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 100 * 2**20


def test_every_file_that_a_run_writes_is_known_as_its_own(project: Path) -> None:
    found = {path.name for path in (project / "runs" / "a").iterdir()}
    assert found <= {*OWN}


def test_a_plugin_in_a_run_is_not_imported(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = project / "runs" / "a"
    (run / "evil.py").write_text("raise SystemExit(99)")
    (run / "plugins.json").write_text('{"evil.py": ""}')
    assert ended("eval", run) == 2
    assert "Name it: --plugin evil.py" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["loop", "loop/x.safetensors", "none", "."])
def test_weights_that_lead_nowhere(name: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "loop").symlink_to("loop")
    assert ended("train", project / "small.yaml", f"weights.load={name}", "--run", project / "runs" / "b") == 4
    said = {"none": "expected a file of weights", ".": "Name the file"}.get(name, "symbolic links")
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("harm", ["gone", "a pipe", "other weights"])
def test_a_run_that_goes_on_needs_no_weights_that_it_began_with(harm: str, project: Path, tmp_path: Path) -> None:
    weights, spec = project / "first.safetensors", project / "small.yaml"
    shutil.copy(project / "runs" / "a" / "last.safetensors", weights)
    spec.write_text(SPEC + "weights: {load: first.safetensors}\n")
    assert ended("train", spec, "--run", project / "runs" / "b") == 0
    shutil.copytree(project / "runs" / "b", project / "runs" / "c")
    assert ended("train", spec, "train.epochs=3", "--run", project / "runs" / "b", "--resume") == 0
    weights.unlink()
    if harm == "a pipe":
        os.mkfifo(weights)
    elif harm == "other weights":
        weights.write_bytes(b"none")
    assert ended("train", "--resume", project / "runs" / "c", "train.epochs=3") == 0
    assert (project / "runs/b/last.safetensors").read_bytes() == (project / "runs/c/last.safetensors").read_bytes()
    assert ended("train", spec, "--run", project / "runs" / "d") == 4
