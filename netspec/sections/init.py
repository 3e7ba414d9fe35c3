"""The `init` section: what fills the parameters before training, the first rule that matches each of them."""

from __future__ import annotations

from typing import Any

from netspec.sections.base import Section
from netspec.vocabulary import INITIALIZERS


class Init(Section):
    """Initialisation of the parameters, by class of layer or by pattern of names."""

    key = "init"
    after = "tie"
    sentence = "how parameters are initialised, by kind of layer or by name"
    example = "init: {conv: kaiming_normal}"
    forms = (dict,)
    entries = {("*",): INITIALIZERS, ("*", "*"): INITIALIZERS}

    def schema(self) -> dict[str, Any]:
        examples = [cls.example for cls in INITIALIZERS.classes()]
        return {"type": "object", "additionalProperties": {"type": ["string", "object"], "examples": examples}}
