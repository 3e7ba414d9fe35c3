"""The `defaults` section: arguments for every operation of a kind."""

from __future__ import annotations

from netspec.sections.base import Section


class Defaults(Section):
    """Arguments that calls of a kind of operation need not give."""

    key = "defaults"
    after = "blocks"
    sentence = "arguments for every operation of a kind, `{bn: eps=0.001}`"
    example = "defaults: {bn: eps=0.001}"
    forms = (dict,)
