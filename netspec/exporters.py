"""Formats that a network is exported to."""

from __future__ import annotations

from netspec.catalogue import Entry
from netspec.records import Choice, Float, Int

OLDEST_OPSET, NEWEST_OPSET = 18, 23


class Exporter(Entry):
    """A format and how a file of it is made."""


class ONNX(Exporter):
    """One .onnx file, compared with the network in ONNX Runtime before it is kept.

    Both agree where |exported - torch| <= atol + rtol * the largest |torch| of that output.
    """

    words = ("onnx",)
    example = "onnx output=probabilities"

    opset = Int("version of ONNX's operators", 20, ge=OLDEST_OPSET, le=NEWEST_OPSET)
    output = Choice(
        "what the file gives: the network's own output, or the probabilities that the loss makes of it",
        ("logits", "probabilities"),
        "logits",
    )
    atol = Float("difference that is always allowed", 1e-7, ge=0)
    rtol = Float("difference allowed in proportion to the largest value of an output", 1e-4, ge=0)
