"""The `wrap` section: layers whose weight is wrapped, by patterns of their names."""

from __future__ import annotations

from typing import Any

from netspec.sections.base import Section
from netspec.vocabulary import WRAPS


class Wraps(Section):
    """What wraps the layers that a pattern means, the first that matches each of them."""

    key = "wrap"
    after = "weights"
    sentence = 'what wraps layers, by patterns of names, `{"blocks.*.attn": lora rank=8 alpha=16}`'
    example = "wrap: {fc: lora rank=8 alpha=16}"
    forms = (dict,)
    entries = {("*",): WRAPS}

    def schema(self) -> dict[str, Any]:
        examples = ["none", *(cls.example for cls in WRAPS.classes())]
        return {"type": "object", "additionalProperties": {"type": ["string", "object"], "examples": examples}}
