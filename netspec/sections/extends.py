"""The `extends` section: the spec that this one is laid over, before anything else of it is read."""

from __future__ import annotations

from netspec.sections.base import Section


class Extends(Section):
    """The base spec, in whose place this one's own values stand."""

    key = "extends"
    after = "weights"
    sentence = "a spec that this one is laid over"
    example = "extends: base.yaml"
    forms = (str,)
    json = {"type": "string"}
