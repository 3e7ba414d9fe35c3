"""Whether a step of a training fits into memory, before it begins."""

from __future__ import annotations

from netspec import machine
from netspec.spec import Spec
from netspec.text.report import SpecError
from netspec.views.forecast import ITSELF, Forecast, forecast, lacking


def need_room(spec: Spec, limit: int | None = None) -> Forecast | None:
    """Refuse a step that needs more than is free here, or than a `limit` of bytes. Raises SpecError.

    Returns the forecast of the step; None for a spec that is not trained.
    """
    if spec.experiment.train is None:
        spec.need_room(training=True)
        return None
    beside = {name: each.graph for name, each in spec.beside.items()}
    found = forecast(spec.name, spec.graph, spec.experiment, beside)
    problem = lacking(found, limit, "are allowed") if limit is not None else None
    if problem is None and found.device == "cpu":
        room = machine.free_memory() - ITSELF[found.device]
        problem = lacking(found, max(room, 0), "are free on this machine beside torch itself")
    elif problem is None:
        spec.need_room(training=True)
        from netspec.runtime.device.device import free_on

        problem = lacking(found, free_on(found.device), "are free on the GPU")
    if problem is not None:
        raise SpecError([problem], spec.document.source)
    spec.need_room(training=True)
    return found
