"""Data of a run: what its spec names, seen as the run has learnt to see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from netspec.errors import UsageError
from netspec.runs.compared import compared_in
from netspec.runtime.data.loading import load_data
from netspec.runtime.data.reading import Reading
from netspec.runtime.data.split import Data
from netspec.spec import Spec


def data_of(
    spec: Spec,
    allow_outside: bool,
    learnt: Mapping[str, Any] | None = None,
    *,
    device: torch.device | str = "cpu",
    hold: bool = True,
    ahead: bool = True,
    doubt: str = "",
    reading: Reading | None = None,
) -> Data:
    """The data that a spec names. Raises UsageError where it names none, DataError.

    With a `doubt` about its folder no file there is opened, unless that is allowed. `reading` waits for what was read
    ahead, as is possible where nothing has been `learnt`.
    """
    section = spec.experiment.data
    if section is None:
        raise UsageError(f"{spec.name} has no data: its spec has no data section")
    return load_data(
        section,
        spec.root,
        allow_outside=allow_outside,
        doubt=doubt,
        device=device,
        learnt=learnt,
        hold=hold,
        ahead=ahead,
        compared=compared_in(spec),
        reading=reading,
    )
