"""A spec laid over another: keys merge, places stay, and nothing outside the folder is read."""

from __future__ import annotations

from pathlib import Path

import pytest

import netspec

BASE = "netspec: 1\ninput: 4\nparams: {width: 8}\nlayers: [fc $width, fc 2]\n"


def test_the_upper_spec_wins_key_by_key(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "top.yaml").write_text("extends: base.yaml\nparams: {width: 16}\n")
    shapes = list(netspec.load(tmp_path / "top.yaml").graph.parameters().values())
    assert shapes == [(16, 4), (16,), (2, 16), (2,)]


def test_a_problem_stands_in_the_file_it_was_written_in(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE.replace("fc 2", "fc 9->2"))
    (tmp_path / "top.yaml").write_text("extends: base.yaml\n")
    with pytest.raises(netspec.SpecError, match=r"base\.yaml:4:24 "):
        netspec.load(tmp_path / "top.yaml")


@pytest.mark.parametrize("name", ["../base.yaml", "/etc/passwd", "nowhere.yaml", "top.yaml"])
def test_what_cannot_be_extended(tmp_path: Path, name: str) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "top.yaml").write_text(f"extends: {name}\n")
    with pytest.raises(netspec.SpecError) as caught:
        netspec.load(tmp_path / "in" / "top.yaml")
    assert caught.value.problems[0].code == "extends"


def test_paths_start_from_the_folder_of_the_file_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "with a zero\u200bwidth space"
    folder.mkdir()
    (folder / "base.yaml").write_text(BASE)
    spec = netspec.load(folder / "base.yaml")
    assert spec.root == folder.resolve()
    assert spec.over(["params.width=16"]).root == folder.resolve()
    # A text has no folder, also where its name is that of a file.
    monkeypatch.chdir(tmp_path)
    assert netspec.loads(BASE, name=str(folder / "base.yaml")).root == tmp_path.resolve()
