"""Problems as rows for a machine: editors, CI, `netspec check --json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netspec.errors import Problem
from netspec.source import Place, Source


def rows(problems: Sequence[Problem], source: Source) -> list[dict[str, Any]]:
    """One flat mapping for each problem, in the order of the text."""
    placed = sorted(((source.place(p.at), p) for p in problems), key=lambda x: (x[0].line, x[0].column))
    return [
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


def _where(place: Place) -> dict[str, Any]:
    return {"file": place.file.name, "line": place.line, "column": place.column}
