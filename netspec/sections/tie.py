"""The `tie` section: parameters that are one tensor."""

from __future__ import annotations

from netspec.sections.base import Section


class Tie(Section):
    """Tied parameters: several names for one tensor."""

    key = "tie"
    after = "order"
    sentence = "parameters that share one tensor, `{lm_head.weight: wte.weight}`"
    example = "tie: {lm_head.weight: wte.weight}"
    forms = (dict,)
    json = {"type": "object", "additionalProperties": {"type": "string"}}
