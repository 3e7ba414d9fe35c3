"""The long form of a level, `{layers: ..., repeat: ..., outputs: ...}`, told from steps by name."""

from __future__ import annotations

from typing import Any, Final

GROUP: Final = {"layers", "repeat", "as", "when", "order", "outputs", "scan", "route"}
"""The keys of a group, and of the long form of a level."""


def is_group(body: Any) -> bool:
    """Whether a mapping is a group or the long form of a level, and not steps by name.

    `layers` alone is such a name, the commonest one of all. It is a body beside what says something of it, and where
    a step inside it has the name itself.
    """
    if not isinstance(body, dict) or "layers" not in body or not body.keys() <= GROUP:
        return False
    inner = body["layers"]
    named = isinstance(inner, dict) and "layers" in inner and not (len(inner) > 1 and inner.keys() <= GROUP)
    return len(body) > 1 or named
