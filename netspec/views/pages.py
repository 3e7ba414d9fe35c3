"""Pages of HTML: templates in which text of anyone's is text."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from netspec.words import printable


@cache
def template(name: str) -> Any:
    """The template in a file below this folder, compiled once."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return made.get_template(name)


def _shown(value: Any) -> Any:
    """Text of anyone's with its control characters escaped; the page's own elements as they are."""
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
