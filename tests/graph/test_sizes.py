"""Networks that no machine, or not this one, can hold are refused before torch is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from netspec import SpecError, loads, machine
from netspec.cli import cli
from netspec.graph import size

TRAINED = "data: digits\ntrain: {loss: cross_entropy, optimizer: adam, batch: 512}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("input: 8\nlayers: [fc 9000000000000000]", "fc1's weight is 9000000000000000 x 8: 288 PB"),
        ("input: 3x2147483647x2147483647\nlayers: [relu]", "input has B x 3 x 2147483647 x 2147483647: 55.3 EB"),
        ("inputs: {a: 2147483647x2147483647xT}\nlayers: [relu]", "a has"),
        ("input: 4\nlayers: {p: parameter 99999999x99999999, q: add(input p)}", "p is 99999999 x 99999999: 40 PB"),
        ("input: 3x9x9\nlayers: [pad 900000000 900000000 900000000 900000000]", "pad1 gives"),
        ("input: 8\nlayers: [fc 4000000, fc 4000000, fc 4000000, fc 4000000]", "192 TB of parameters"),
        ("input: " + "x".join("1" * 64) + "\nlayers: [relu]", "65 axes"),
    ],
)
def test_what_no_machine_holds_is_refused_at_check(text: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        loads(text)
    assert words in str(caught.value)
    assert [p.code for p in caught.value.problems if p.severity == "error"] == ["too-large"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("input: 1000000\nlayers: [fc 1000000, relu, fc 10]", "4 TB of parameters"),
        ("input: 3x100000x100000\nlayers: [conv 64 k3 same, relu, gap, fc 10]", "2.56 TB at batch 1"),
    ],
)
def test_more_than_a_terabyte_is_to_be_asked_for(text: str, words: str) -> None:
    with pytest.raises(SpecError, match="1 TB are allowed without --max-memory") as caught:
        loads(text)
    assert words in str(caught.value)
    assert loads(text, max_memory=10**14).graph.parameter_count


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("input: 8\nlayers: [fc 100000, relu, fc 1000000]\n", "2:27", "400 GB of parameters"),
        ("input: 3x3000x3000\nlayers: [conv 10000 k1]\n", "2:10", "360 GB at batch 1"),
    ],
)
def test_what_this_machine_lacks_is_told_before_torch(
    text: str, place: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "memory", lambda: 10**9)
    spec = loads(text, name="net.yaml")
    with pytest.raises(SpecError) as caught:
        spec.build()
    assert str(caught.value).startswith(f"net.yaml:{place}  error[too-large]")
    assert words in str(caught.value)
    with pytest.raises(SpecError):
        spec.export(tmp_path / "net.onnx")


def test_the_batch_and_the_gradients_count_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory", lambda: 1_000_000)
    wide = loads("input: 1x8x8\nlayers: [conv 32 k1, relu, fc 10]\n" + TRAINED + "\n", ["train.device=cpu"])
    wide.need_room()
    with pytest.raises(
        SpecError, match=r"conv1 gives B x 32 x 8 x 8, 4\.19 MB at batch 512, beside .* of parameters; 1 MB are there"
    ):
        wide.need_room(training=True)
    deep = loads("input: 1x8x8\nlayers: [fc 2500]\n" + TRAINED, ["train.device=cpu", "train.batch=1"])
    deep.need_room()
    with pytest.raises(SpecError, match="of parameters with their gradients"):
        deep.need_room(training=True)


@pytest.mark.parametrize("command", [["train"], ["export", "--onnx"]])
def test_a_command_ends_before_it_imports_torch(command: list[str], tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text("input: 1x8x8\nlayers: [fc 3000000, relu, fc 3000000, fc 10]\n" + TRAINED)
    name, *options = command
    program = f"import sys, netspec.cli as c\nsys.modules['torch'] = None\nc.main({[name, str(spec), *options]!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "TB of parameters" in done.stderr


@pytest.mark.parametrize("command", ["check", "build", "summary"])
@pytest.mark.parametrize("limit", [["--max-params", "64"], ["--max-memory", "0.1KB"]])
def test_limits_are_kept_by_commands(command: str, limit: list[str], tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text("input: 8\nlayers: [fc 10]\n")
    ended = CliRunner().invoke(cli, [command, str(spec), *limit])
    assert ended.exit_code == 3 or isinstance(ended.exception, SpecError)
    assert CliRunner().invoke(cli, [command, str(spec), limit[0], "1M"]).exit_code == 0


@pytest.mark.parametrize("override", ["extends=b.yaml", "extends=c.yaml"])
def test_an_override_of_extends_is_heeded(override: str, tmp_path: Path) -> None:
    from netspec import load

    for name, width in {"a": 3, "b": 5}.items():
        (tmp_path / f"{name}.yaml").write_text(f"params: {{w: {width}}}\n")
    (tmp_path / "net.yaml").write_text("extends: a.yaml\ninput: 8\nlayers: [fc $w]\n")
    assert str(load(tmp_path / "net.yaml").graph.root.steps[-1].value.tensor) == "B x 3"
    if override.endswith("b.yaml"):
        loaded = load(tmp_path / "net.yaml", [override])
        assert str(loaded.graph.root.steps[-1].value.tensor) == "B x 5"
        with pytest.raises(SpecError, match="part of it already"):
            loaded.over([override])
    else:
        with pytest.raises(SpecError, match=r"'c\.yaml' is not a file"):
            load(tmp_path / "net.yaml", [override])


@pytest.mark.parametrize(
    ("text", "batch", "hint"),
    [
        (
            "input: 8\nlayers: [fc 90000, fc 90000]",
            64,
            "The largest part is fc2, with 8,100,090,000. Take smaller sizes.",
        ),
        ("input: 3x1000x1000\nlayers: [conv 400 k3]", 64, "Take smaller sizes or a smaller batch."),
        ("input: 3x1000x1000\nlayers: [conv 400 k3]", 1, "Take smaller sizes."),
    ],
)
def test_the_advice_is_for_what_is_too_large(text: str, batch: int, hint: str) -> None:
    (found,) = size.beyond(loads(text).graph, size.Limits(memory=10**9), batch=batch)
    assert found.hint == hint
