"""`netspec weights convert`: files of torch.save as safetensors, and nothing of them run."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import netspec
from netspec.cli import main
from netspec.errors import DataError
from netspec.runtime.store.convert import converted
from tests.weights.files import sharded, stored


def done(source: Path, target: Path) -> list[str]:
    return list(converted(source, target))


STATE = {"conv.weight": torch.arange(12.0).reshape(2, 6), "conv.bias": torch.ones(2, dtype=torch.float16)}


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (STATE, ""),
        (
            {"state_dict": STATE, "epoch": 3, "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]}},
            "under state_dict",
        ),
        ({"model": {f"module.{n}": t for n, t in STATE.items()}, "args": None}, "module."),
        ({"model": {"state_dict": {f"_orig_mod.module.{n}": t for n, t in STATE.items()}}}, "_orig_mod.module."),
        ({**STATE, "epoch": 3}, "left out, for they are no tensors: epoch"),
    ],
    ids=range(5),
)
@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_are_found_under_whatever_is_around(held: Any, told: str, zipped: bool, tmp_path: Path) -> None:
    torch.save(held, tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    lines = done(tmp_path / "x.pth", tmp_path / "x.safetensors")
    assert told in "\n".join(lines)
    found = load_file(tmp_path / "x.safetensors")
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[n], STATE[n]) and found[n].dtype == STATE[n].dtype for n in STATE)


def test_an_archive_of_a_later_form_is_left_to_torch(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "x.pth")
    content = bytearray((tmp_path / "x.pth").read_bytes())
    content[content.find(b"PK\x01\x02") + 6] = 255  # the version that it says it takes
    (tmp_path / "x.pth").write_bytes(content)
    with contextlib.suppress(DataError):
        done(tmp_path / "x.pth", tmp_path / "x.safetensors")


def test_tensors_that_share_their_memory_are_written_whole(tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    torch.save({"a": base, "b": base, "c": base.t(), "d": base[1:]}, tmp_path / "x.pth")
    assert "share their memory: a, b, c, d" in "\n".join(done(tmp_path / "x.pth", tmp_path / "x.safetensors"))
    found = load_file(tmp_path / "x.safetensors")
    assert torch.equal(found["c"], base.t())
    assert torch.equal(found["d"], base[1:])


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (nn.Linear(2, 2), "it names torch.nn.modules.linear.Linear, which is no tensor"),
        ([torch.ones(2)], "holds no tensors by name: found list"),
        ({"epoch": 3}, "holds no tensors by name: found keys epoch"),
        ({1: torch.ones(2)}, "holds no tensors by name"),
        ({"a": torch.ones(2).to_sparse()}, "a is sparse_coo, which safetensors has not"),
        ({"__metadata__": torch.ones(2)}, "a name that safetensors keeps for itself"),
        ({"a": torch.ones(1), "model": {"b": torch.ones(1)}}, "tensors both beside 'model' and in it"),
    ],
)
def test_what_is_no_state_dict(held: Any, words: str, tmp_path: Path) -> None:
    torch.save(held, tmp_path / "x.pth")
    with pytest.raises(DataError, match=words):
        done(tmp_path / "x.pth", tmp_path / "x.safetensors")
    assert not (tmp_path / "x.safetensors").exists()


class Runs:
    """Pickled as a call of any function with any arguments."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def packed(path: Path, pickled: bytes, compression: int = zipfile.ZIP_STORED) -> Path:
    """A file in the form of torch.save's around any pickle."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("x/data.pkl", pickled)
        archive.writestr("x/version", "3\n")
    return path


def tricks() -> dict[str, bytes]:
    """Pickles that run something when they are read without care."""
    made = {
        "system": pickle.dumps(Runs(os.system, "touch RUN"), 2),
        "exec": pickle.dumps({"a": Runs(exec, "open('RUN', 'w')")}, 2),
        "import": b"cnetspec_never_there\nthing\n.",
        "reduce of a class that is allowed": b"ctorch._utils\n_rebuild_tensor_v2\n(cos\nsystem\n(S'touch RUN'\ntRtR.",
        "getattr": b"cbuiltins\ngetattr\n(cos\nsystem\nS'x'\ntR.",
        "stack global": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x09touch RUN\x85R.",
        "inst": b"(S'touch RUN'\nios\nsystem\n.",
        "obj": b"(cos\nsystem\nS'touch RUN'\no.",
        "build": b"ccollections\nOrderedDict\n)R}(S'__class__'\ncos\nsystem\ndb.",
        "persistent": b"(S'x'\nQ.",
        "cut": b"\x80\x02}q",
    }
    return {name: text if text[:1] == b"\x80" else b"\x80\x02" + text for name, text in made.items()}


def test_pickles_that_would_run_something(tmp_path: Path) -> None:
    """In a process that an audit hook watches: nothing is started or run, and no file is written."""
    for trick, pickled in tricks().items():
        name = trick.replace(" ", "_")
        packed(tmp_path / f"{name}_packed.pth", pickled)
        (tmp_path / f"{name}.pth").write_bytes(pickled)
    for zipped in (True, False):
        torch.save(STATE, tmp_path / f"good_{zipped}.pt", _use_new_zipfile_serialization=zipped)
    (tmp_path / "net.yaml").write_text("input: 4\nlayers: {a: fc 2}\nweights: x.pth\n")
    (tmp_path / "watch.py").write_text(WATCHED)
    ran = subprocess.run([sys.executable, "watch.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert not (tmp_path / "RUN").exists()
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["good.safetensors"]
    assert ran.stdout.count(".pth` converts it once") + ran.stdout.count(".safetensors` converts it once") == 23


WATCHED = """
import encodings.cp437
import sys
from pathlib import Path
from netspec.cli import main

seen = []
BAD = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.Popen", "os.remove", "os.rename")


def hook(event, arguments):
    written = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    ours = event in ("compile", "exec") or event == "import" and arguments[0] == "netspec_never_there"
    if event.startswith(BAD) or written or ours:
        seen.append((event, str(arguments)[:200]))


def run(*words):
    try:
        main(words)
    except SystemExit as end:
        return end.code


for good in ("good_True.pt", "good_False.pt"):  # imports whatever is needed before anything is watched
    assert run("weights", "convert", good, "good.safetensors") == 0
assert run("weights", "convert", "cut.pth", "x.safetensors") == 4
assert run("check", "net.yaml", "weights=cut.pth") == 4
sys.addaudithook(hook)
codes = []
for path in sorted(Path().glob("*.pth")):
    codes += [run("weights", "convert", path.name, "x.safetensors"), run("weights", path.name)]
    codes += [run("check", "net.yaml", f"weights={path.name}")]
found = list(seen)
sys.stdout.flush()
if set(codes) != {4} or found:
    sys.exit(f"{codes} {found}")
"""


def test_an_archive_that_unpacks_to_more_than_it_is(tmp_path: Path) -> None:
    packed(tmp_path / "x.pth", pickle.dumps("x" * 10_000_000), zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match="is compressed, as no file"):
        done(tmp_path / "x.pth", tmp_path / "x.safetensors")


def test_a_pickle_by_another_name_is_known_by_how_it_begins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for zipped in (True, False):
        torch.save(STATE, tmp_path / "x.safetensors", _use_new_zipfile_serialization=zipped)
        with pytest.raises(SystemExit) as caught:
            main(["weights", str(tmp_path / "x.safetensors")])
        assert caught.value.code == 4
        assert "x.converted.safetensors` converts it once" in capsys.readouterr().err
        done(tmp_path / "x.safetensors", tmp_path / "x.converted.safetensors")
        main_ends(["weights", str(tmp_path / "x.converted.safetensors")])


def main_ends(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 0


def test_a_header_that_is_as_long_as_a_pickle_begins_is_none(tmp_path: Path) -> None:
    """0x0280 bytes of header begin with the bytes of a pickle of protocol 2."""
    path = stored(tmp_path / "x.safetensors", {"a": (2,)})
    (length,) = struct.unpack("<Q", path.read_bytes()[:8])
    text = path.read_bytes()[8 : 8 + length].ljust(0x0280)
    path.write_bytes(struct.pack("<Q", 0x0280) + text + bytes(8))
    main_ends(["weights", str(path)])


def test_convert_writes_no_file_over_what_it_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(STATE, tmp_path / "x.safetensors")
    with pytest.raises(SystemExit) as caught:
        main(["weights", "convert", str(tmp_path / "x.safetensors"), str(tmp_path / "x.safetensors")])
    assert caught.value.code == 2
    assert "is what this command reads" in capsys.readouterr().err


NET = "input: 4\nlayers: {a: fc 2}\nweights: "
WHOLE = {"a.weight": (2, 4), "a.bias": (2,)}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../out.safetensors", "is no file in its folder"),
        ("in/../../out.safetensors", "is no file in its folder"),
        ("/etc/out.safetensors", "is no file in its folder"),
        ("C:\\out.safetensors", "is no file in its folder"),
        ("", "is no file in its folder"),
        ("out.pth", "is not called .safetensors"),
        ("link.safetensors", "lie outside"),
        ("folder/out.safetensors", "lie outside"),
        ("none.safetensors", "does not exist"),
        ("loop.safetensors", "cannot be read"),
    ],
)
def test_an_index_that_leads_out_of_its_folder(name: str, words: str, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    stored(tmp_path / "out.safetensors", {"a.bias": (2,)})
    (work / "link.safetensors").symlink_to("../out.safetensors")
    (work / "folder").symlink_to("..")
    (work / "loop.safetensors").symlink_to("loop.safetensors")
    sharded(work, {"1.safetensors": {"a.weight": (2, 4)}}, **{"a.bias": name})
    for weights in ("model.safetensors.index.json", "."):
        (work / "net.yaml").write_text(NET + weights + "\n")
        with pytest.raises(DataError, match=words):
            netspec.load(work / "net.yaml").build()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ("[]", "expected weight_map"),
        ('{"weight_map": {}}', "expected weight_map"),
        ('{"weight_map": {"a": 3}}', "is no file in its folder"),
        (
            '{"weight_map": {"a.weight": "1.safetensors"}}',
            "holds a.bias, which model.safetensors.index.json has nowhere",
        ),
        (
            '{"weight_map": {"a.weight": "1.safetensors", "a.bias": "1.safetensors", "c": "1.safetensors"}}',
            "is not there",
        ),
    ],
)
def test_an_index_that_is_none(text: str, words: str, tmp_path: Path) -> None:
    stored(tmp_path / "1.safetensors", WHOLE)
    (tmp_path / "model.safetensors.index.json").write_text(text)
    (tmp_path / "net.yaml").write_text(NET + "model.safetensors.index.json\n")
    with pytest.raises(DataError, match=words):
        netspec.load(tmp_path / "net.yaml").fitted()


@pytest.mark.parametrize("name", ["../out.safetensors", "link.safetensors", "/etc/passwd", "run", "pipe"])
def test_a_spec_reads_weights_in_its_folder_alone(name: str, tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "run").mkdir(parents=True)
    stored(tmp_path / "out.safetensors", WHOLE)
    (work / "link.safetensors").symlink_to("../out.safetensors")
    (work / "run" / "spec.yaml").write_text("netspec: 1\n")
    (work / "run" / "best.safetensors").symlink_to("../../out.safetensors")
    os.mkfifo(work / "pipe")
    (work / "net.yaml").write_text(NET + name + "\n")
    with pytest.raises((DataError, netspec.SpecError), match=r"lie outside|is a pipe"):
        netspec.load(work / "net.yaml").fitted()


def test_a_shape_of_very_many_sizes_is_not_multiplied(tmp_path: Path) -> None:
    header = (
        b'{"a":{"dtype":"F32","shape":[' + b",".join([b"9223372036854775807"] * 200_000) + b'],"data_offsets":[0,4]}}'
    )
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(SystemExit) as caught:
        main(["weights", str(tmp_path / "x.safetensors")])
    assert caught.value.code == 4


def test_names_cannot_write_to_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored(tmp_path / "x.safetensors", {"a\x1b[31m\nb": (2,)})
    main_ends(["weights", str(tmp_path / "x.safetensors")])
    assert "\x1b" not in capsys.readouterr().out
    (tmp_path / "net.yaml").write_text(NET + "x.safetensors\n")
    with pytest.raises(DataError) as caught:
        netspec.load(tmp_path / "net.yaml").fitted()
    assert "\x1b" not in str(caught.value)


def test_a_damaged_file_of_torch(tmp_path: Path) -> None:
    stream = io.BytesIO()
    torch.save(STATE, stream)
    (tmp_path / "x.pth").write_bytes(stream.getvalue()[:-200])
    with pytest.raises(DataError, match=r"is no file that torch\.save wrote, or is damaged"):
        done(tmp_path / "x.pth", tmp_path / "x.safetensors")
