"""The `layers` section: the network itself."""

from __future__ import annotations

from netspec.sections.base import BODY, Section
from netspec.vocabulary import OPERATIONS


class Layers(Section):
    """The body of the network: a list of rows, or steps by name."""

    key = "layers"
    after = "defaults"
    sentence = "the network itself"
    example = "layers: [conv 6 k5, relu, fc 10]"
    forms = (list, dict, str)
    required = True
    meant = ("model", "network", "net", "architecture", "modules", "backbone")
    json = BODY
    entries = {(): OPERATIONS}
