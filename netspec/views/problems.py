"""Problems as rows for a machine: editors, CI, `netspec check --json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from netspec.errors import Problem
from netspec.text.report import in_order
from netspec.text.source import Place, Source

LISTED: Final = 1_000


def rows(problems: Sequence[Problem], source: Source) -> list[dict[str, Any]]:
    """One flat mapping for each problem, in the order of the text; after LISTED one that counts the rest."""
    placed, left_out = in_order(problems, source, LISTED)
    listed = [
        {
            "code": problem.code,
            "message": problem.message,
            "hint": problem.hint,
            **_where(place),
            "severity": problem.severity,
            "used_at": [_where(source.place(at)) for at in problem.used_at],
        }
        for place, problem in placed
    ]
    if left_out:
        listed.append({**listed[-1], "code": "more", "message": f"and {left_out:,} more", "hint": "", "used_at": []})
    return listed


def _where(place: Place) -> dict[str, Any]:
    """A place for a machine; lines and columns count from 1."""
    return {"file": place.file.name, "line": place.line, "column": place.column}
