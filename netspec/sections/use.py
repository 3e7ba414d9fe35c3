"""The `use` section: files whose blocks are brought in under a name, before anything else of the spec is read."""

from __future__ import annotations

from netspec.sections.base import Section


class Use(Section):
    key = "use"
    after = "extends"
    sentence = "blocks of other files, each file under a name: `use: {vit: blocks/vit.yaml}`, then `vit.encoder 64`"
    example = "use: {vit: blocks/vit.yaml}"
    forms = (dict,)
    meant = ("imports", "include", "includes")
    json = {"type": "object", "additionalProperties": {"type": "string"}}
