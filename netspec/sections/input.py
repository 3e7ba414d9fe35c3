"""The `input` section: the shape of the one input, `1x32x32`."""

from __future__ import annotations

from typing import Any

from netspec.sections.base import Section


class Input(Section):
    """The shape of the single input, without the batch axis."""

    key = "input"
    after = "name"
    sentence = "the shape of the one input without the batch: 1x32x32"
    example = "input: 1x32x32"
    forms = (str, int)
    meant = ("input_shape", "input_size", "in", "shape")
    json = {"type": ["string", "integer"], "examples": ["1x32x32", "int T"]}

    def advice(self, value: Any) -> str:
        if isinstance(value, list) and value and all(isinstance(size, int) for size in value):
            return f"Write sizes with x between them: input: {'x'.join(map(str, value))}"
        if isinstance(value, dict):
            return "Several inputs by name stand in `inputs`."
        return super().advice(value)
