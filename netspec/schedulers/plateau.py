"""Schedules that look at how the training goes: the rate falls on a plateau."""

from __future__ import annotations

from netspec.records import Choice, Float, Int, Text
from netspec.schedulers.base import Scheduler


class ReduceLROnPlateau(Scheduler):
    """Lowers the rate when a measured value has not improved for a while."""

    words = ("plateau",)
    example = "plateau patience=5 factor=0.5"

    mode = Choice("whether less or more of the value is better", ("min", "max"), "min")
    factor = Float("what the rate is multiplied by", 0.1, ge=0, lt=1)
    patience = Int("evaluations without improvement that are borne", 10, ge=0)
    threshold = Float("what counts as an improvement", 1e-4, ge=0)
    threshold_mode = Choice("whether the threshold is a share or a difference", ("rel", "abs"), "rel")
    cooldown = Int("evaluations to wait after a fall", 0, ge=0)
    min_lr = Float("the lowest rate", 0, ge=0)
    eps = Float("the least change of the rate that is made at all", 1e-8, ge=0)
    monitor = Text("the value that is watched; null is val.loss", None, torch=False, keyword=True)

    def problems(self) -> list[tuple[str, str]]:
        return [("every", "looks at evaluations, and counts them")] if self.every == "step" else []
