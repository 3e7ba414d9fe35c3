"""The `outputs` section: what the network gives, where that is not its last value alone."""

from __future__ import annotations

from netspec.sections.base import Section


class Outputs(Section):
    """The values that forward returns: one, several in a tuple, or a dictionary by name."""

    key = "outputs"
    after = "layers"
    sentence = "what the network gives, if not its last value"
    example = "outputs: [boxes, scores]"
    forms = (list, dict, str)
    json = {"type": ["array", "object", "string"]}
