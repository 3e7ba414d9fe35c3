"""Every ready spec is in its short form, and its long form is the same network and the way back."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.api.spec import formatted, loads
from netspec.text.reader import read_file, read_text
from netspec.views.format import formatted as format_source

ROOT = Path(__file__).parents[2]
READY = [*sorted((ROOT / "specs").glob("*.yaml")), *sorted((ROOT / "netspec" / "templates").glob("*.yaml"))]
SPECS = [path for path in READY if "extends: " not in path.read_text()]
"""Those that are whole by themselves; a text in memory extends nothing."""


@pytest.fixture(params=SPECS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def test_ready_specs_are_in_their_short_form(path: Path) -> None:
    assert formatted(path) == path.read_text()


def test_long_and_back_is_the_same_text(path: Path) -> None:
    long = formatted(path, long=True)
    assert long != path.read_text()
    assert format_source(read_text(long), long=True) == long
    assert format_source(read_text(long)) == path.read_text()


def test_both_forms_are_the_same_network(path: Path) -> None:
    short, long = loads(path.read_text()), loads(formatted(path, long=True))
    assert long.graph.parameters() == short.graph.parameters()
    assert long.graph.macs() == short.graph.macs()
    assert long.source() == short.source()


def test_every_comment_stays(path: Path) -> None:
    comments = [line.partition("#")[2] for line in read_file(path).file.lines if " #" in line]
    assert all(comment in formatted(path, long=True) for comment in comments)
