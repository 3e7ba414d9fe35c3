"""`netspec fmt` as a command: printed, written, or only named."""

from __future__ import annotations

from pathlib import Path

from tests.cli.test_commands import run

LOOSE = "netspec: 1\ninput: 3x8x8\nlayers:\n  - conv  6 kernel_size=3 # six\n"
SHORT = "netspec: 1\ninput: 3x8x8\nlayers:\n  - conv 6 k3 # six\n"


def test_prints_writes_and_names(tmp_path: Path) -> None:
    loose, neat = tmp_path / "loose.yaml", tmp_path / "neat.yaml"
    loose.write_text(LOOSE)
    neat.write_text(SHORT)
    assert run("fmt", str(loose)).stdout == SHORT
    named = run("fmt", "--check", str(loose), str(neat))
    assert (named.returncode, named.stderr) == (3, f"{loose} would change\n")
    assert loose.read_text() == LOOSE
    assert run("fmt", "-w", str(loose), str(neat)).stderr == f"{loose} is written anew\n"
    assert loose.read_text() == SHORT
    assert run("fmt", "--check", str(loose), str(neat)).returncode == 0


def test_what_cannot_be(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(LOOSE.replace("kernel_size", "kern"))
    done = run("fmt", "-w", str(bad))
    assert done.returncode == 3
    assert "no argument 'kern'" in done.stderr
    assert "kern" in bad.read_text()
    assert run("fmt", str(bad), str(bad)).returncode == 2
    assert run("fmt", "-w", "--check", str(bad)).returncode == 2


def test_rows_that_stay_are_told(tmp_path: Path) -> None:
    spec = tmp_path / "wide.yaml"
    spec.write_text("extends: base.yaml\nlayers: {a: conv 6 k3}\n")
    done = run("fmt", "--long", str(spec))
    assert done.stdout == spec.read_text()
    assert done.stderr == f"{spec} extends another spec, where a mapping merges and a row replaces: rows stay rows\n"
