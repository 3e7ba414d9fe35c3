"""Data that is read ahead: while torch is imported, which takes longer than most data do. Needs no torch itself."""

from __future__ import annotations

import sys
from functools import partial

from netspec.meanwhile import meanwhile
from netspec.runs.compared import compared_in
from netspec.runtime.data.reading import Reading, files_of, read
from netspec.spec import Spec


def reading(spec: Spec, *, allow_outside: bool = False, doubt: str = "") -> Reading | None:
    """Begin to read the data of a run that begins, and give what waits for it; None where torch is there already.

    What is wrong with the data is raised by what waits.
    """
    section = spec.experiment.data
    if section is None or "torch" in sys.modules:
        return None
    import numpy as np  # noqa: F401  both torch and what reads want it, and one of them has to be the first

    files = files_of(section, spec.root, allow_outside=allow_outside, doubt=doubt)
    return meanwhile(partial(read, section, files, {}, compared_in(spec)))
