"""The `extends` section: the spec that this one is laid over, before anything else of it is read."""

from __future__ import annotations

from netspec.sections.base import Section


class Extends(Section):
    """The base spec, in whose place this one's own values stand."""

    key = "extends"
    after = "wrap"
    sentence = "a spec that this one is laid over, or several, later ones over earlier"
    example = "extends: base.yaml"
    forms = (str, list)
    json = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
