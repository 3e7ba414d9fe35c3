"""The `order` section: in which order the network registers its members."""

from __future__ import annotations

from netspec.sections.base import Section


class Order(Section):
    """The order of registration, and so that of the state_dict."""

    key = "order"
    after = "outputs"
    sentence = "the order in which members are registered, by name or pattern; others follow as they are written"
    example = "order: [conv*, fc*]"
    forms = (list,)
    json = {"type": "array", "items": {"type": "string"}}
