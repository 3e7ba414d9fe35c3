"""What a command writes to, by name or on its standard streams, whatever that is."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from netspec.cli import main
from netspec.errors import UsageError
from netspec.files import need_writable, write_text

SPEC = "netspec: 1\nname: Small\ninput: 8\nlayers: [fc 4, relu, fc 3]\n"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SPEC)
    return path


def ended(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main(tuple(map(str, arguments)))
    assert isinstance(caught.value.code, int)
    return caught.value.code


def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "netspec", *map(str, arguments)]
    return subprocess.run(command, check=False, **{"capture_output": True, **options})  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("command", ["build", "graph"])
def test_the_spec_is_not_written_over(command: str, spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    link = spec.parent / ("link.svg" if command == "graph" else "link")
    link.symlink_to(spec)
    for name in (spec, link, spec.parent / "." / spec.name):
        assert ended(command, spec, "-o", name) == 2
        said = "is what this command reads" if name == link else "small.yaml is not called"
        assert said in capsys.readouterr().err
    assert spec.read_text() == SPEC


def test_nor_is_the_spec_that_a_run_was_trained_from(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = "netspec: 1\ninput: 1x8x8\nlayers: [fc 10]\ndata: digits\n"
    spec.write_text(head + "train: {loss: cross_entropy, optimizer: sgd lr=0.1, max_steps: 1}\n")
    text = spec.read_text()
    assert ended("train", spec, "--run", spec.parent / "run") == 0
    link = spec.with_name("net.onnx")
    link.symlink_to(spec)
    assert ended("export", spec.parent / "run", "-o", link) == 2
    assert "is what this command reads" in capsys.readouterr().err
    assert spec.read_text() == text


def test_nor_is_a_spec_that_it_extends_or_a_plugin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "base.yaml").write_text(SPEC)
    (tmp_path / "top.yaml").write_text("extends: base.yaml\nname: Top\n")
    (tmp_path / "own_words.py").write_text("x = 1\n")
    plugin = ("--plugin", tmp_path / "own_words.py")
    (tmp_path / "link").symlink_to("base.yaml")
    for name in ("link", "own_words.py"):
        assert ended("build", tmp_path / "top.yaml", *plugin, "-o", tmp_path / name) == 2
    assert (tmp_path / "base.yaml").read_text() == SPEC
    assert (tmp_path / "own_words.py").read_text() == "x = 1\n"
    assert capsys.readouterr().err.count("is what this command reads") == 2


def test_a_link_stays_and_its_file_is_replaced(spec: Path) -> None:
    folder = spec.parent
    (folder / "deep").mkdir()
    (folder / "deep" / "net.py").write_text("old")
    (folder / "two").symlink_to("one")
    (folder / "one").symlink_to("deep/net.py")
    assert ended("build", spec, "-o", folder / "two") == 0
    assert (folder / "two").readlink() == Path("one")
    assert (folder / "deep" / "net.py").read_text().startswith('"""Small')
    (folder / "dangling").symlink_to("deep/new.py")
    assert ended("build", spec, "-o", folder / "dangling") == 0
    assert (folder / "dangling").is_symlink()
    assert (folder / "deep" / "new.py").is_file()
    (folder / "circle").symlink_to("circle")
    assert ended("build", spec, "-o", folder / "circle") == 2
    assert ended("init", folder / "circle") == 2
    assert (folder / "circle").is_symlink()


def test_a_pipe_is_written_to(spec: Path) -> None:
    pipe = spec.parent / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    assert ended("build", spec, "-o", pipe) == 0
    reader.join()
    assert read[0].startswith('"""Small')
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_device_is_written_to_and_stays_one(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    link = spec.parent / "null"  # a link, so that a mistake costs the link and not the machine's device
    link.symlink_to("/dev/null")
    assert ended("build", spec, "-o", link) == 0
    assert link.is_symlink()
    assert stat.S_ISCHR(link.stat().st_mode)
    full = spec.parent / "full"
    full.symlink_to("/dev/full")
    capsys.readouterr()
    assert ended("build", spec, "-o", full) == 2
    assert "full cannot be written: No space left" in capsys.readouterr().err


def test_standard_output_by_its_names(spec: Path, tmp_path: Path) -> None:
    links = [tmp_path / "stdout", tmp_path / "fd1"]
    for link, name in zip(links, ("/dev/stdout", "/dev/fd/1"), strict=True):
        link.symlink_to(name)
        assert run("build", spec, "-o", link).stdout.startswith(b'"""Small')
        assert link.is_symlink()
    with (tmp_path / "kept").open("wb+") as file:
        file.write(b"before\n")
        file.flush()
        run("build", spec, "-o", links[0], stdout=file, capture_output=False)
        file.seek(0)
        assert file.read().startswith(b'before\n"""Small')


def test_a_folder_and_what_lies_in_none(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("build", spec, "-o", spec.parent) == 2
    assert ended("build", spec, "-o", spec.parent / "nowhere" / "net.py") == 2
    said = capsys.readouterr().err
    assert "is a folder. Name a file in it" in said
    assert "there is no folder" in said
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(spec.parent / "s"))
        with pytest.raises(UsageError, match="is a socket"):
            need_writable(spec.parent / "s")


def test_init_writes_to_a_stream_and_no_schema_beside_it(tmp_path: Path) -> None:
    link = tmp_path / "out"
    link.symlink_to("/dev/stdout")
    assert run("init", link).stdout.startswith(b"#")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]
    assert ended("init", tmp_path / "netspec.schema.json") == 2


def test_files_have_the_mode_that_the_umask_gives_or_keep_theirs(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "new", "x")
        (tmp_path / "own").touch(0o600)
        write_text(tmp_path / "own", "x")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("new", "own")]
    assert modes == [0o640, 0o600]


@pytest.mark.parametrize("arguments", [["ops"], ["schema"], ["--help"], ["check", "SPEC"], ["build", "SPEC"]])
@pytest.mark.parametrize("how", ["> /dev/full", ">&-"])
def test_a_result_that_is_lost_is_told(arguments: list[str], how: str, spec: Path) -> None:
    words = " ".join(arguments).replace("SPEC", str(spec))
    done = subprocess.run(["sh", "-c", f"{sys.executable} -m netspec {words} {how}"], capture_output=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(b"netspec: standard output cannot be written: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("how", ["2> /dev/full", "2>&-", "2>&- <&-", "> /dev/full 2> /dev/full", ">&- 2>&- <&-"])
def test_words_that_nobody_hears_change_no_exit_code(how: str, spec: Path) -> None:
    start = f"{sys.executable} -m netspec"
    wrong = subprocess.run(["sh", "-c", f"{start} check {spec} layers=[fcc] {how}"], check=False, capture_output=True)
    assert wrong.returncode == (2 if ">&- 2" in how or "> /dev/full 2" in how else 3)
    quiet = subprocess.run(["sh", "-c", f"{start} build {spec} -o {spec.parent / 'net.py'} {how}"], check=False)
    assert quiet.returncode == 0
    assert (spec.parent / "net.py").read_text().startswith('"""Small')  # and no word of others


def test_a_reader_that_goes_is_no_fault(spec: Path) -> None:
    shell = f"{sys.executable} -m netspec schema | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, check=False)
    assert done.stdout == b"141\n"
    assert done.stderr == b""


@pytest.mark.parametrize("name", ["file", "link", "loop", "small.yaml/x", "/dev/full", "/proc/no/such"])
def test_the_reference_goes_into_a_folder_and_nothing_else(
    name: str, spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (spec.parent / "file").write_text("mine")
    (spec.parent / "link").symlink_to("nowhere")
    (spec.parent / "loop").symlink_to("loop")
    before = sorted(spec.parent.iterdir())
    assert ended("ops", "--markdown", spec.parent / name) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert sorted(spec.parent.iterdir()) == before


@pytest.mark.parametrize("name", ["loop.yaml", "loop/x.csv"])
def test_links_in_a_circle_lead_to_a_message(name: str, spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for loop in ("loop", "loop.yaml"):
        (spec.parent / loop).symlink_to(loop)
    data = spec.parent / name
    child = spec.parent / "child.yaml"
    child.write_text(f"extends: {name}\n")
    assert ended("check", data) in (2, 3)
    assert ended("check", child) == 3
    assert ended("init", spec.parent / "new.yaml", "--data", data) in (2, 4)
    assert ended("check", spec, "data={source: {csv: {path: " + name + "}}}") in (0, 3, 4)
    assert "a fault of netspec" not in capsys.readouterr().err
