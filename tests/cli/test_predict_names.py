"""Names of classes are data, and write nothing but themselves on a terminal."""

from __future__ import annotations

import numpy as np

from netspec.cli.predict import _lines
from netspec.runs.prediction import Prediction


def test_classes_cannot_write_escapes() -> None:
    found = Prediction({"out": np.array([[0.75, 0.25]])}, ("\x1b[31mred\x07", "blue"))
    assert _lines(found, 1) == [r"0: \u001b[31mred\u0007 (0.750)"]
