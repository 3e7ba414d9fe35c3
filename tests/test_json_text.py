"""JSON: one place writes it, and what it writes is JSON whatever the numbers and the names are."""

from __future__ import annotations

import json
import re
from math import inf, nan
from pathlib import Path

import pytest

import netspec
from netspec.errors import UsageError
from netspec.json_text import json_text
from netspec.sweeps.space import read_space

QUOTING = {
    *("proposals/proposal.py", "views/format/yaml_text.py", "sweeps/study.py"),
    *("views/c/program.py", "views/cached/writing.py"),
}
"""They quote words in YAML or write a spec, take a hash of plain data, and say in ASCII what a C file computes."""


def test_what_is_not_finite_is_null() -> None:
    value = {"a": nan, "b": [inf, (-inf, 1.5)], "c": {"d": nan}, "e": 1e308 * 10}
    assert json.loads(json_text(value), parse_constant=pytest.fail) == {
        "a": None,
        "b": [None, [None, 1.5]],
        "c": {"d": None},
        "e": None,
    }


def test_words_stand_as_they_are_and_names_that_are_no_text_are_escaped() -> None:
    assert json_text({"größe": "å"}) == '{"größe": "å"}'
    assert json.loads(json_text({"file": "a\udcff", "größe": 1}).encode()) == {"file": "a\udcff", "größe": 1}


def test_nothing_else_writes_json() -> None:
    root = Path(netspec.__file__).parent
    writers = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if re.search(r"\bjson\.dumps?\(|JSONEncoder|to_json\(", path.read_text(encoding="utf-8"))
    }
    assert writers == {"json_text.py", *QUOTING}


@pytest.mark.parametrize("values", ["1..1e999", "-1e400..1", "1e-4..1e400:log", "0..1:step=1e999", f"1..{'9' * 30}"])
def test_a_range_without_end_is_refused(values: str) -> None:
    with pytest.raises(UsageError, match="more than any number that is tried"):
        read_space([f"params.width={values}"])
