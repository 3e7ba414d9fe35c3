"""The `inputs` section: the shapes of several inputs, each by its name."""

from __future__ import annotations

from netspec.sections.base import Section


class Inputs(Section):
    """The shapes of several inputs by name, without the batch axis."""

    key = "inputs"
    after = "input"
    sentence = "the shapes of several inputs by name"
    example = "inputs: {image: 3x64x64, meta: 12}"
    forms = (dict,)
    json = {"type": "object", "additionalProperties": {"type": ["string", "integer"]}}
