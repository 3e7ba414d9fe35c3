"""What an exported file says about where it comes from. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from netspec.json_text import json_text

INSIDE: Final = ("scale", "weights", "own")
"""What a run has learnt that whoever feeds an exported file need not know."""


def metadata(version: str, name: str, text: str, learnt: Mapping[str, Any]) -> dict[str, str]:
    """What a file says about where it comes from: netspec's version, the spec's name and text.

    With it, as JSON, what was `learnt` of the data, which whoever feeds the file must know: `netspec.classes`, the
    names of the classes; `netspec.positive`, the one of two whose probability a single output gives;
    `netspec.columns`, the numbers of the categories; `netspec.transform`, the means; `netspec.values`, what the inputs
    hold before any transform. The scale of a target and the weights of a loss are in the file itself, or not needed but
    to measure it, and stand under `netspec.measures`.
    """
    known = {"netspec.version": version, "netspec.name": name, "netspec.spec": text}
    taught = {key: value for key, value in learnt.items() if key not in INSIDE and value}
    measures = {key: learnt[key] for key in ("scale", "weights") if learnt.get(key)}
    taught |= {"measures": measures} if measures else {}
    words = {f"netspec.{key}": json_text(value) for key, value in taught.items()}
    return known | words
