"""The `name` section: what the network's class is called."""

from __future__ import annotations

from typing import Any

from netspec.errors import At, Problem
from netspec.python.reserved import is_class_name
from netspec.sections.base import Section


class Name(Section):
    """The name of the network, which the class of the printed module takes."""

    key = "name"
    after = "netspec"
    sentence = "the name of the network, which its class takes"
    example = "name: LeNet5"
    forms = (str,)
    json = {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}

    def plain(self, value: Any) -> tuple[Any, list[Problem]]:
        if is_class_name(value) and not value.startswith("__"):
            return value, []
        hint = "A name has letters, digits and _, begins with no digit and no __, and is no word of Python's."
        return None, [Problem("name", f"the network cannot be called {value!r}", At((self.key,)), hint)]
