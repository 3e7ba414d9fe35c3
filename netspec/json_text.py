"""JSON as netspec writes it, on the screen and into every file.

JSON has neither NaN nor infinity: what is not finite is null.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any


def json_text(value: Any, indent: int | None = None, *, ordered: bool = False) -> str:
    """Plain data as JSON on one line, or indented; `ordered` is by name. Raises TypeError for what is no plain data."""
    found = _finite(value)
    text = json.dumps(found, indent=indent, sort_keys=ordered, ensure_ascii=False, allow_nan=False)
    if text.isascii() or _has_utf8(text):
        return text
    return json.dumps(found, indent=indent, sort_keys=ordered, allow_nan=False)


def _finite(value: Any) -> Any:
    """The value with null in place of numbers that JSON has not: NaN and infinity."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _has_utf8(text: str) -> bool:
    """Whether it can be written: names of files may hold bytes that are no text, which only an escape can tell."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
