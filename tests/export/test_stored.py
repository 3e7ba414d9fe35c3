"""Export without torch: held against what training stored, verified later, and never called proven where it is not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file, save_file

import netspec
from netspec.cli import main
from netspec.errors import DataError, ExportMismatch
from netspec.exporters.base import NeedsTorch
from netspec.graph.model import Graph
from netspec.runs.direct import export_run, export_spec
from netspec.runs.verifying import verify_file, verify_run
from netspec.runtime.export.emission import End
from netspec.runtime.export.proof import FORMAT, read_proof
from netspec.runtime.network.plain import weights_in
from netspec.runtime.network.weights import save_weights
from netspec.runtime.store.arrays import read_arrays
from netspec.views.onnx import emit

SPEC = """\
netspec: 1
name: Small
input: 1x8x8
layers: [conv 4 k3 nobias, batchnorm, relu, flatten, fc 10 wrap=weight_norm]
data: digits
train: {loss: cross_entropy, optimizer: adamw lr=1e-2, epochs: 1, batch: 256, device: cpu}
export: {onnx: {output: probabilities}}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored")
    (folder / "small.yaml").write_text(SPEC)
    netspec.load(folder / "small.yaml").train(folder / "run")
    return folder / "run"


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def ended(*arguments: object) -> object:
    with pytest.raises(SystemExit) as caught:
        main(tuple(map(str, arguments)))
    return caught.value.code


def test_nothing_imports_torch(run: Path) -> None:
    """Of exporting a run, verifying the file, and showing its spec; in a process of its own."""
    code = """
import contextlib, sys
from netspec.cli import main
for words in (["export", RUN], ["verify", RUN], ["show", RUN + "/model.onnx"]):
    try:
        main(words)
    except SystemExit as end:
        assert not end.code, (words, end.code)
assert "torch" not in sys.modules
""".replace("RUN", repr(str(run)))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"compared with outputs stored by training (torch {torch.__version__})" in done.stdout
    assert "validation data  8 " in done.stdout
    assert (run / "spec.yaml").read_text().strip() in done.stdout


def test_it_writes_what_torch_would_write(run: Path) -> None:
    read = netspec.Run.read(run)
    stored = read.export(run / "a.onnx")
    asked = read.export(run / "b.onnx", with_torch=True)
    assert (stored.compared.split()[0], asked.compared) == ("outputs", f"torch {torch.__version__}")
    assert [d.what for d in stored.differences] == [d.what for d in asked.differences]
    one, other = (_tensors(run / name) for name in ("a.onnx", "b.onnx"))
    assert one.keys() == other.keys()
    assert all(np.allclose(one[name], other[name], atol=1e-7) for name in one)
    again = read.export(run / "c.onnx")
    assert again.bytes == stored.bytes
    assert (run / "a.onnx").read_bytes() == (run / "c.onnx").read_bytes()


def _tensors(path: Path) -> dict[str, Any]:
    return {x.name: onnx.numpy_helper.to_array(x) for x in onnx.load(path).graph.initializer}


def test_what_is_stored_is_what_torch_gives(run: Path) -> None:
    proof = read_proof(run / "proof.safetensors")
    assert proof is not None
    read = netspec.Run.read(run)
    network = read.module()
    cases = [case for case in proof.cases if not case.raw]
    for case in cases:
        (x,) = proof.inputs(case, read.spec.graph)
        with torch.no_grad():
            assert np.allclose(network(torch.tensor(x)), case.outputs[0], atol=1e-5)
    assert [len(case.outputs[0]) for case in cases] == [1, 2, 5, 8]
    assert [(case.what, len(case.outputs[0])) for case in proof.cases if case.raw] == [
        *(("batch 1", 1), ("batch 2", 2), ("batch 5", 5), ("validation data", 8))
    ]
    assert (run / "proof.safetensors").stat().st_size < 20_000


def test_other_weights_are_compared_with_torch(run: Path) -> None:
    weights = load_file(run / "best.safetensors")
    save_file({name: x + 0.01 if x.is_floating_point() else x for name, x in weights.items()}, run / "best.safetensors")
    report = netspec.Run.read(run).export(run / "model.onnx")
    assert report.compared == f"torch {torch.__version__}"
    assert report.note == "done with torch, because the outputs that training stored are those of other weights"


def test_another_network_is_compared_with_torch(run: Path) -> None:
    read = netspec.Run.read(run, ["layers.2=elu"])
    with pytest.raises(NeedsTorch, match="those of another network"):
        export_run(read, run / "model.onnx")
    assert read.export(run / "model.onnx").compared == f"torch {torch.__version__}"


def test_without_a_proof_torch_is_asked(run: Path) -> None:
    (run / "proof.safetensors").unlink()
    report = netspec.Run.read(run).export(run / "model.onnx")
    assert report.note == "done with torch, because training stored no outputs of its weights"


def test_a_spec_with_weights_of_a_run_needs_no_torch(run: Path) -> None:
    spec = netspec.loads(SPEC.replace("data: digits\n", "weights: {load: run/best.safetensors}\n"))
    report = export_spec(spec.at(run.parent), run / "net.onnx")
    assert report.compared.startswith("outputs stored by training")


def test_weights_that_come_to_another_place_are_compared_with_torch(run: Path) -> None:
    load = '{load: run/best.safetensors, rename: {"fc1.bias": "fc1.bias"}}'
    spec = netspec.loads(SPEC.replace("data: digits\n", f"weights: {load}\n"))
    with pytest.raises(NeedsTorch, match="brought to other places"):
        export_spec(spec.at(run.parent), run / "net.onnx")


def test_a_network_that_takes_no_made_up_input_is_trained_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise IndexError("no such word")

    monkeypatch.setattr("netspec.runtime.export.example_inputs.Examples.draw", refuses)
    netspec.loads(SPEC).train(tmp_path / "run")
    assert (tmp_path / "run" / "best.safetensors").exists()
    assert not (tmp_path / "run" / "proof.safetensors").exists()


def test_a_spec_that_draws_weights_does(tmp_path: Path) -> None:
    with pytest.raises(NeedsTorch, match="its weights are initialised"):
        export_spec(netspec.loads(SPEC), tmp_path / "net.onnx")


def test_a_file_that_gives_something_else_is_not_kept(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(End, "__call__", lambda _, scores: scores)
    with pytest.raises(ExportMismatch, match=r"(?s)validation data +8 .* differs.*No file is written") as caught:
        export_run(netspec.Run.read(run), run / "model.onnx")
    assert caught.value.exit_code == 6
    assert not (run / "model.onnx").exists()


def test_unproven_is_said_to_be_unproven(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("export", run, "--unproven") == 0
    assert "compared with nothing" in capsys.readouterr().out
    assert ended("verify", run / "model.onnx") == 0
    assert "what it is to compute is not known" in capsys.readouterr().err
    assert ended("export", run, "--unproven", "--json") == 0
    assert json.loads(capsys.readouterr().out)["compared"] is None
    assert ended("export", run, "--unproven", "--with-torch") == 2


def test_verify_repeats_the_comparison(run: Path) -> None:
    read = netspec.Run.read(run)
    read.export(run / "model.onnx")
    found = verify_run(read)
    assert [d.what for d in found.differences] == ["batch 1", "batch 2", "batch 5", "validation data"]
    assert "its weights are those of best.safetensors" in found.notes
    weights = load_file(run / "best.safetensors")
    save_file(weights | {"fc1.bias": weights["fc1.bias"] + 1}, run / "best.safetensors")
    with pytest.raises(ExportMismatch, match=r"other weights than best\.safetensors has now"):
        verify_run(netspec.Run.read(run))


def test_a_file_of_a_spec_is_verified_as_well(tmp_path: Path) -> None:
    netspec.loads("input: int T\nlayers: [embedding 5 4, lstm 3 batch_first, linear 2]").export(tmp_path / "a.onnx")
    found = verify_file(tmp_path / "a.onnx")
    assert [d.what for d in found.differences] == ["batch 1", "batch 2"]
    assert "the spec that it carries is that of its network" in found.notes


def test_a_changed_file_is_known(run: Path) -> None:
    path = run / "model.onnx"
    netspec.Run.read(run).export(path)
    whole = path.read_bytes()
    at = whole.index(b"raw") if b"raw" in whole else 400
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises((ExportMismatch, DataError)):
        verify_file(path)
    model = onnx.load_from_string(whole)
    model.graph.doc_string = "touched by a tool"
    onnx.save(model, path)
    with pytest.raises(ExportMismatch, match="has changed since it was written"):
        verify_file(path)


def test_weights_of_other_kinds_are_read(run: Path) -> None:
    """bfloat16, which numpy lacks, and float16 become what the network has; and what is not finite is refused."""
    graph: Graph = netspec.Run.read(run).spec.graph
    weights = load_file(run / "best.safetensors")
    for dtype in (torch.bfloat16, torch.float16):
        save_file({n: x.to(dtype) if x.is_floating_point() else x for n, x in weights.items()}, run / "w.safetensors")
        found = weights_in(graph, run / "w.safetensors")
        expected = weights["conv1.weight"].to(dtype).float().numpy()
        assert found["conv1.weight"].dtype == np.float32
        assert np.array_equal(found["conv1.weight"], expected)
    save_file(weights | {"conv1.weight": weights["conv1.weight"] * float("nan")}, run / "w.safetensors")
    with pytest.raises(DataError, match=r"not finite: conv1\.weight"):
        weights_in(graph, run / "w.safetensors")
    save_file({name: x for name, x in weights.items() if name != "conv1.weight"}, run / "w.safetensors")
    with pytest.raises(DataError, match=r"no file of weights has conv1\.weight"):
        weights_in(graph, run / "w.safetensors")


def test_a_damaged_proof_is_refused(run: Path) -> None:
    arrays = {n: torch.from_numpy(x.copy()) for n, x in read_arrays(run / "proof.safetensors").items()}
    said = {"format": FORMAT, "torch": "2", "network": "", "weights": "", "data": "", "inputs": "1"}
    for cases in ("[]]", '[{"what": 1}]', "7", '[{"what": "x", "inputs": 1e99, "outputs": 1, "sizes": {}}]'):
        save_file(arrays, run / "proof.safetensors", {**said, "netspec.proof": cases})
        with pytest.raises(DataError, match="not what training left there"):
            read_proof(run / "proof.safetensors")


def test_a_link_for_a_proof_is_refused(run: Path, tmp_path: Path) -> None:
    (run / "proof.safetensors").rename(tmp_path / "else.safetensors")
    (run / "proof.safetensors").symlink_to(tmp_path / "else.safetensors")
    with pytest.raises(DataError, match="is a link to"):
        netspec.Run.read(run)


def test_a_large_file_has_its_tensors_beside_it(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netspec.views.onnx.file.ONE_FILE", 100)
    read = netspec.Run.read(run)
    read.export(run / "model.onnx")
    assert (run / "model.onnx.data").exists()
    assert len(verify_run(read).differences) == 4
    data = bytearray((run / "model.onnx.data").read_bytes())
    data[8] ^= 1
    (run / "model.onnx.data").write_bytes(data)
    with pytest.raises(ExportMismatch, match=r"model\.onnx\.data is not what was written beside it"):
        verify_run(read)


def test_no_tensor_is_copied() -> None:
    """What is left apart is the very array that was given, of every weight."""
    spec = netspec.loads("input: 4\nlayers: [linear 3]")
    weights = {name: x.detach().numpy() for name, x in spec.build().named_parameters()}
    arrays: dict[str, Any] = {}
    model = emit(spec.graph, weights, opset=20, outputs=["y"], metadata={}, apart=arrays)
    assert all(arrays[name] is weights[name] for name in weights)
    assert not any(tensor.raw_data for tensor in model.graph.initializer)


def test_plain_says_what_only_torch_makes(run: Path) -> None:
    spec = netspec.loads(SPEC.replace("weight_norm", "orthogonal"))
    network = spec.build()
    save_weights(network.state_dict(), run / "w.safetensors")
    with pytest.raises(NeedsTorch, match="wrapped in orthogonal"):
        weights_in(spec.graph, run / "w.safetensors")
