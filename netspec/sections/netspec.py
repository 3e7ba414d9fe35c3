"""The `netspec` section: the version of the language that a spec is written in."""

from __future__ import annotations

from typing import Any

from netspec.errors import At, Problem
from netspec.sections.base import Section


class Version(Section):
    """The version of the language that the spec is written in."""

    key = "netspec"
    sentence = "the version of the language, 1"
    example = "netspec: 1"
    forms = (int,)
    json = {"const": 1}

    def plain(self, value: Any) -> tuple[Any, list[Problem]]:
        if value == 1:
            return value, []
        text = f"this is version {value} of the language; only version 1 is known"
        return value, [Problem("version", text, At((self.key,)), "Write netspec: 1, or update netspec.")]
