"""The `blocks` section: reusable parts of the network, each under a header with its parameters."""

from __future__ import annotations

import re
from functools import lru_cache

from netspec.sections.base import BODY, Section
from netspec.vocabulary import OPERATIONS


@lru_cache(maxsize=1024)  # asked for every step of every use
def block_name(header: str) -> str:
    """The name of a block, which its inputs and parameters follow."""
    return re.split(r"[\s(]", header, maxsplit=1)[0]


class Blocks(Section):
    """Parts of a network that are written once and used by name."""

    key = "blocks"
    after = "params"
    sentence = "reusable parts with parameters, `basic c s=1: ...`"
    example = "blocks: {unit c: [conv $c k3 same, relu]}"
    forms = (dict,)
    json = {"type": "object", "additionalProperties": BODY}
    entries = {("*",): OPERATIONS}
