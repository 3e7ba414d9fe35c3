"""Files of C, of Python and of torch.export are verified later as those of ONNX are: by what they say of themselves."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

import netspec
from netspec.errors import DataError, ExportMismatch, UsageError
from netspec.runs.verifying import verify_file
from netspec.runtime.export.formats.c import C
from netspec.runtime.export.formats.py import Py
from tests.train.test_handed import ended, trained

SPEC = """\
name: Seal  # */ ??/ "é" \\ /*
inputs: {x: 4, size-1: int 2}
layers:
  net: [linear(x) 5, relu, linear 2]
  _0: [embedding(size-1) 7 3, flatten, linear 2]
  both: add(net _0)
outputs: {first: both, second: net}
"""
ENDINGS = (".c", ".py", ".pt2")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of each format, called after it."""
    folder = tmp_path_factory.mktemp("seals")
    spec = netspec.loads(SPEC)
    for ending in ENDINGS:
        spec.export(folder / f"net_{ending[1:]}{ending}")
    return folder


def copied(written: Path, ending: str, folder: Path) -> Path:
    """The file of a format with what is beside it, in a folder of its own."""
    for file in written.glob(f"net_{ending[1:]}.*"):
        (folder / file.name).write_bytes(file.read_bytes())
    return folder / f"net_{ending[1:]}{ending}"


@pytest.mark.parametrize("ending", ENDINGS)
def test_it_is_what_was_written(ending: str, written: Path) -> None:
    found = verify_file(written / f"net_{ending[1:]}{ending}")
    assert [d.what for d in found.differences] == ["batch 1", "batch 2"]
    assert "the spec that it carries is that of its network" in found.notes


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_byte_counts_but_those_of_the_manifest(ending: str, written: Path, tmp_path: Path) -> None:
    path = copied(written, ending, tmp_path)
    for file in sorted(tmp_path.iterdir()):
        whole = file.read_bytes()
        begin, end = -1, 0
        if file.suffix == ".safetensors":
            manifest = json.dumps(Py.read_seal(path).said.metadata["netspec.manifest"]).encode()
            begin = whole.find(manifest)
            end = begin + len(manifest)
        elif ending == ".c":
            begin, end = whole.find(b"netspec.manifest"), len(whole)
        for at in range(0, len(whole), max(1, len(whole) // 40)):
            if 0 <= begin <= at < end:
                continue
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            with pytest.raises((ExportMismatch, DataError)):
                verify_file(path)
        for other in (whole + b"\n", whole[:-1], whole.replace(b"0.", b"1.", 1) + b"/* */\n"):
            file.write_bytes(other)
            with pytest.raises((ExportMismatch, DataError)):
                verify_file(path)
        file.write_bytes(whole)
    assert verify_file(path).differences


@pytest.mark.parametrize(("ending", "beside"), [(".c", ".h"), (".py", ".safetensors")])
def test_what_belongs_to_it_is_missed(ending: str, beside: str, written: Path, tmp_path: Path) -> None:
    path = copied(written, ending, tmp_path)
    path.with_suffix(beside).unlink()
    with pytest.raises((ExportMismatch, DataError), match=f"{path.stem}{beside}.* is not beside it"):
        verify_file(path)


def test_other_weights_behind_fitting_checksums_are_known(written: Path, tmp_path: Path) -> None:
    """They are those of another file, whose manifest was written for it: what it computes tells."""
    path = copied(written, ".py", tmp_path)
    weights = path.with_suffix(".safetensors")
    sealed = Py.read_seal(path)
    about = dict(sealed.said.metadata)
    del about["netspec.manifest"]
    save_file({name: x + 1 for name, x in load_file(weights).items()}, weights, about)
    Py().seal(path, {key: x for key, x in sealed.manifest.items() if key not in ("sha256", "beside")})
    with pytest.raises(ExportMismatch, match="does not give what it was to give"):
        verify_file(path)


def test_the_source_of_python_tells_of_the_network_alone(written: Path) -> None:
    assert "netspec" not in (written / "net_py.py").read_text()


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_command_shows_the_spec(ending: str, written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written / f"net_{ending[1:]}{ending}"
    assert ended("show", path) == 0
    assert capsys.readouterr().out == SPEC
    assert ended("show", path, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["manifest"]["checks"]) == 2


@pytest.mark.parametrize("text", ["", "int main(void) { return 0; }\n", "import torch\n", "PK\x05\x06" + "\0" * 18])
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_netspec_did_not_write(ending: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / f"other{ending}"
    path.write_text(text)
    assert ended("verify", path) == ended("show", path) == 4


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt2", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/extra/netspec.json", b" " * (65 * 2**20))
    with pytest.raises(DataError, match="68,157,440 bytes"):
        verify_file(tmp_path / "a.pt2")


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    for packing, told in ((zipfile.ZIP_DEFLATED, "while decompressing"), (zipfile.ZIP_LZMA, "is not read")):
        with zipfile.ZipFile(tmp_path / "net.pt2", "w", packing) as archive:
            archive.writestr("net/extra/netspec.json", "{}" + " " * 100)
            begin = archive.getinfo("net/extra/netspec.json").header_offset + 30 + len("net/extra/netspec.json")
        with (tmp_path / "net.pt2").open("r+b") as stream:
            stream.seek(begin)
            stream.write(b"\xff" * 4)
        with pytest.raises(DataError, match=told):
            verify_file(tmp_path / "net.pt2")


def test_without_a_compiler_the_bytes_are_compared(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(C, "lacking", classmethod(lambda cls: "a C compiler"))
    path = copied(written, ".c", tmp_path)
    with pytest.raises(UsageError, match=r"byte for byte what was written; to compare .* needs a C compiler"):
        verify_file(path)
    path.write_text(path.read_text().replace("step_1", "step_0"))
    with pytest.raises(ExportMismatch, match="its bytes are not those"):
        verify_file(path)


def test_a_run_is_verified_with_all_that_it_was_exported_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """ONNX is held against what training stored; programs, which may be a stranger's, are not run."""
    run = trained(
        tmp_path,
        "netspec: 1\ninput: 1x8x8\nlayers: [conv 2 k3, relu, fc 10]\ndata: digits\n"
        "train: {loss: cross_entropy, optimizer: sgd, epochs: 1, device: cpu}\n"
        "export: {onnx: {output: probabilities}, c: {dtype: int8, max_drop: 1}, py: {output: probabilities}}\n",
    )
    for ending in (".onnx", *ENDINGS):
        assert ended("export", run, "-o", run / f"model{ending}") == 0
    capsys.readouterr()
    assert ended("verify", run, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    files = [said, *said["also"]]
    assert sorted(Path(each["file"]).name for each in files) == ["model.c", "model.onnx", "model.pt2", "model.py"]
    assert {each["file"][-5:]: len(each["differences"]) for each in files if each["differences"]} == {".onnx": 4}
    notes = [note for each in files for note in each["notes"] if "is a program" in note]
    assert len(notes) == 3
    assert all(f"was not run: `netspec verify {run}/model." in note for note in notes)
    assert ended("verify", run) == 0
    told = capsys.readouterr().err.splitlines()
    assert {line.split(": ")[0].rpartition("/")[2] for line in told} == {Path(each["file"]).name for each in files}
    good = {name: (run / name).read_bytes() for name in ("model.py", "model.pt2")}
    for name, whole in good.items():
        (run / name).write_bytes(whole[:-1] + b" ")
    assert ended("verify", run) == 6
    told = capsys.readouterr().err.splitlines()
    assert sum("has changed since it was written" in line for line in told) == 2
    assert [line.rpartition("/")[2] for line in told[2:]] == [
        "model.onnx is what was written",
        "model.c is what was written",
    ]
    for name, whole in good.items():
        (run / name).write_bytes(whole)
    weights = load_file(run / "best.safetensors")
    save_file({name: x + 1 for name, x in weights.items()}, run / "best.safetensors")
    assert ended("verify", run) == 6
    assert "model.onnx has other weights than best.safetensors has now" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["show", "verify"])
def test_what_is_no_exported_file_is_told_what_is(
    command: str, written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.yaml").write_text(SPEC)
    for path in (tmp_path / "net.yaml", *[tmp_path] * (command == "show")):
        assert ended(command, path) == 4
        assert "expected an exported file: .c, .onnx, .pt2, .py" in capsys.readouterr().err
