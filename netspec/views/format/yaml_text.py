"""Plain data as YAML text: inside brackets where that fits on a line, else a line for each."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from netspec.text.scalars import odd_number

WIDTH: Final = 120
_PLAIN: Final = re.compile(r"(?:[^\s\-?:,\[\]{}#&*!|>'\"%@`]|[-?:](?=\S))(?:.*\S)?")
_BREAKS: Final = re.compile(r": | #|:$")
_IN_FLOW: Final = re.compile(r"[,\[\]{}]|:(?=[,\[\]{}])")


def scalar(value: Any, flow: bool) -> str:
    """A word, quoted where YAML would read something else; `flow` is whether it stands inside brackets."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    text = str(value)
    plain = _PLAIN.fullmatch(text) and not _BREAKS.search(text) and not (flow and _IN_FLOW.search(text))
    return text if plain and odd_number(text) is None else json.dumps(text, ensure_ascii=False)


def flow(value: Any) -> str:
    """Data on one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{scalar(key, True)}: {flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(flow(item) for item in value)}]"
    return scalar(value, True)


def block(value: Any, column: int) -> str:
    """Data from a column on, over several lines where a row's calls or a long line ask for it."""
    if isinstance(value, list):
        return f"\n{' ' * column}".join(f"- {block(item, column + 2)}" for item in value)
    if not isinstance(value, dict):
        return scalar(value, False) if isinstance(value, str) else flow(value)
    lines = []
    for key, item in value.items():
        if key == "chain" and not all(isinstance(call, str) for call in item):
            lines.append("chain:")
            lines += [f"  - {block(call, column + 4)}" for call in item]
            continue
        line = f"{scalar(key, False)}: {block(item, column) if isinstance(item, str) else flow(item)}"
        if isinstance(item, dict) and column + len(line) > WIDTH:
            line = f"{scalar(key, False)}:\n{' ' * (column + 2)}{block(item, column + 2)}"
        lines.append(line)
    return f"\n{' ' * column}".join(lines)
