"""Formats that a network is exported to."""

from __future__ import annotations

from netspec.catalogue import Entry
from netspec.fields import Choice, Float, Int

OLDEST_OPSET, NEWEST_OPSET = 18, 23


class Exporter(Entry):
    """A format and how a file of it is made."""


class ONNX(Exporter):
    """One .onnx file, compared with the network in ONNX Runtime before it is kept.

    Two values agree where |exported - torch| <= atol + rtol * |torch|.
    """

    words = ("onnx",)
    example = "onnx output=probabilities"

    opset = Int("version of ONNX's operators", 20, ge=OLDEST_OPSET, le=NEWEST_OPSET)
    output = Choice(
        "what the file gives: the network's own output, or its softmax over the classes (a sigmoid for one output)",
        ("logits", "probabilities"),
        "logits",
    )
    atol = Float("largest difference allowed near 0", 1e-4, ge=0)
    rtol = Float("largest difference allowed in proportion to the value", 1e-3, ge=0)
