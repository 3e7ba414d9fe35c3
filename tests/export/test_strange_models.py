"""Models of ONNX that come from anyone: refused by name before anything of them is opened or run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

import netspec
from netspec.cli import main
from netspec.errors import DataError, ExportMismatch
from netspec.json_text import json_text
from netspec.runs.verifying import verify_file
from netspec.runtime.export import model_file
from netspec.runtime.export.manifest import MANIFEST, seal
from netspec.runtime.store.notes import plain

SPEC = "netspec: 1\nname: Tiny\ninput: 2\nlayers: [linear 3]\n"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    netspec.loads(SPEC).export(path)
    return path.read_bytes()


def ended(*arguments: object) -> object:
    with pytest.raises(SystemExit) as caught:
        main(tuple(map(str, arguments)))
    return caught.value.code


def rewritten(whole: bytes, change: Callable[[onnx.ModelProto], object], path: Path) -> None:
    """The model with a change, and a manifest that fits it: what somebody can do who wants to."""
    model = onnx.load_from_string(whole)
    said = {p.key: p.value for p in model.metadata_props}
    del model.metadata_props[:]
    for key, value in said.items():
        if key != MANIFEST:
            model.metadata_props.add(key=key, value=value)
    change(model)
    path.write_bytes(model.SerializeToString())
    seal(path, plain(said[MANIFEST]))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no version and no graph"),
        (b"netspec: 1\ninput: 2\n", "does not begin as one"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "."),
        (b"PK\x03\x04" + bytes(64), "."),
        (b"\x08\x07\x3a\xff\xff\xff\xff\x0f", "is not whole"),
        (b"\x08\x07\x3a\x80", "ends too early"),
        (b"\x08" + b"\xff" * 30, "does not begin as one"),
        (b"\x08\x07\x3a\x00" + b"\x40\x00" * 10_001, "more than 10,000 fields"),
        (b"\x08\x07\x3a\x00\x72\x04\x0a\x02\xff\xfe", "no text"),
    ],
)
@pytest.mark.parametrize("command", ["verify", "show"])
def test_what_is_no_model(
    data: bytes, why: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.onnx").write_bytes(data)
    assert ended(command, tmp_path / "a.onnx") == 4
    said = capsys.readouterr().err
    assert "is no model of ONNX that is read" in said
    assert why in said


@pytest.mark.parametrize("cut", [1, 10, 100, 400])
def test_a_part_of_a_model(cut: int, whole: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(whole[:-cut])
    with pytest.raises((DataError, ExportMismatch)):
        verify_file(tmp_path / "a.onnx")


def test_too_large(whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.onnx").write_bytes(whole)
    monkeypatch.setattr(model_file, "MAX_FILE", len(whole) - 1)
    with pytest.raises(DataError, match=r"it takes .* bytes, at most"):
        verify_file(tmp_path / "a.onnx")
    monkeypatch.setattr(model_file, "MAX_FILE", len(whole))
    monkeypatch.setattr(model_file, "MAX_SAID", 100)
    with pytest.raises(DataError, match="what it says of itself takes more than 100 bytes"):
        verify_file(tmp_path / "a.onnx")


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "a/b", "..", "", "c:secret", "a\\b"])
def test_tensors_elsewhere(location: str, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def outside(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)

    rewritten(whole, outside, tmp_path / "a.onnx")
    monkeypatch.setattr("netspec.runtime.export.onnx_check.opened", lambda _: pytest.fail("it was opened"))
    with pytest.raises(DataError, match="which is no file beside it"):
        verify_file(tmp_path / "a.onnx")


def test_tensors_behind_a_link(whole: bytes, tmp_path: Path) -> None:
    def beside(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="linked")

    (tmp_path / "linked").symlink_to("/etc/passwd")
    rewritten(whole, beside, tmp_path / "a.onnx")
    with pytest.raises(DataError, match="lie in 'linked', which is no file"):
        verify_file(tmp_path / "a.onnx")


def test_a_spec_of_another_network(whole: bytes, tmp_path: Path) -> None:
    def other(model: onnx.ModelProto) -> None:
        next(p for p in model.metadata_props if p.key == "netspec.spec").value = SPEC.replace("linear 3", "linear 4")

    rewritten(whole, other, tmp_path / "a.onnx")
    with pytest.raises(ExportMismatch, match="is another than it was written of"):
        verify_file(tmp_path / "a.onnx")


def test_other_weights_behind_a_fitting_checksum(whole: bytes, tmp_path: Path) -> None:
    """A forged checksum hides no other numbers from the checks."""

    def other(model: onnx.ModelProto) -> None:
        tensor = next(t for t in model.graph.initializer if t.name.endswith("bias"))
        tensor.raw_data = bytes(len(tensor.raw_data))

    rewritten(whole, other, tmp_path / "a.onnx")
    with pytest.raises(ExportMismatch, match=r"(?s)does not give what it was to give.*batch 1 .*differs"):
        verify_file(tmp_path / "a.onnx")


@pytest.mark.parametrize(
    "manifest",
    [
        '{"format": 1, "checks": [{"what": "x", "inputs": [{"shape": [99999999, 99], "dtype": "float32"}]}]}',
        '{"format": 1, "checks": [{"what": "x", "inputs": [{"shape": [-1, 2], "dtype": "float32"}]}]}',
        '{"format": 1, "checks": [7]}',
        '{"format": 1, "checks": 7}',
        '{"format": 2}',
        "[]",
        "{",
    ],
)
def test_a_manifest_that_is_none(manifest: str, whole: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"")
    rewritten(whole, lambda _: None, tmp_path / "a.onnx")
    model = onnx.load(tmp_path / "a.onnx")
    entry = next(p for p in model.metadata_props if p.key == MANIFEST)
    known = plain(entry.value)
    try:
        given = plain(manifest)
    except ValueError:
        given = None
    if isinstance(given, dict) and given.get("format") == 1:
        model.metadata_props.remove(entry)
        (tmp_path / "a.onnx").write_bytes(model.SerializeToString())
        seal(tmp_path / "a.onnx", known | given)
    else:
        entry.value = manifest if given is None else json_text(given)
        onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(DataError, match=r"the manifest of .* is none"):
        verify_file(tmp_path / "a.onnx")


def test_a_model_of_others(whole: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = onnx.load_from_string(whole)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "a.onnx")
    assert ended("verify", tmp_path / "a.onnx") == 4
    assert "has no manifest" in capsys.readouterr().err
    assert ended("show", tmp_path / "a.onnx") == 4
    assert "carries no spec" in capsys.readouterr().err


def test_show_recovers_the_spec(whole: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.onnx").write_bytes(whole)
    assert ended("show", tmp_path / "a.onnx") == 0
    out, err = capsys.readouterr()
    assert netspec.loads(out).graph.name == "Tiny"
    assert "compared" in err
    assert ended("show", tmp_path / "none.onnx") == 4
