"""`netspec init --from`: the reference architectures, which are installed with the package."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.cli.test_commands import ROOT, run

SPECS = sorted((ROOT / "specs").glob("*.yaml"))


def test_they_are_installed_with_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"] == {"specs": "netspec/specs"}


def test_alone_it_lists_them(tmp_path: Path) -> None:
    for arguments in (["--from"], ["net.yaml", "--from"]):
        done = run("init", *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert [line.split()[0] for line in done.stdout.splitlines()] == [path.stem for path in SPECS]
    assert "torchvision's resnet18, name for name" in done.stdout
    assert not list(tmp_path.iterdir())


def test_each_is_written_and_fits(tmp_path: Path) -> None:
    for path in SPECS:
        done = run("init", f"{path.stem}.yaml", "--from", path.stem, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    written = sorted(tmp_path.glob("*.yaml"))
    assert len(written) == len(SPECS)
    checked = run("check", *map(str, written))
    assert checked.returncode == 0, checked.stdout
    assert (tmp_path / "netspec.schema.json").is_file()
    assert (tmp_path / "resnet18.yaml").read_text("utf-8").startswith("# yaml-language-server: $schema=netspec.schema")


def test_what_it_extends_is_written_beside_it_where_it_is_not_there(tmp_path: Path) -> None:
    done = run("init", "net.yaml", "--from", "llama_cached", cwd=tmp_path)
    assert "llama.yaml, which it extends" in done.stderr
    assert run("check", "net.yaml", cwd=tmp_path).returncode == 0
    (tmp_path / "llama.yaml").write_text((ROOT / "specs" / "llama.yaml").read_text("utf-8") + "# mine\n", "utf-8")
    assert "extends" not in run("init", "other.yaml", "--from", "llama_cached", cwd=tmp_path).stderr
    assert (tmp_path / "llama.yaml").read_text("utf-8").endswith("# mine\n")


def test_it_may_stand_before_the_file(tmp_path: Path) -> None:
    assert run("init", "--from", "vgg16", "net.yaml", cwd=tmp_path).returncode == 0
    assert (tmp_path / "net.yaml").is_file()


def test_another_name_is_told(tmp_path: Path) -> None:
    done = run("init", "net.yaml", "--from", "resnet81", cwd=tmp_path)
    assert (done.returncode, "Did you mean 'resnet18'?" in done.stderr) == (2, True), done.stderr
