"""What is to be trained: the spec of a combination, unless there is a reason not to train it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from netspec.files import write_text
from netspec.spec import Spec
from netspec.sweeps.space import Space
from netspec.sweeps.study import Claim, Study, digest
from netspec.text.report import SpecError

TRIED_AT_MOST: Final = 20
"""Combinations that are checked before the first trial: if none fits, the mistake is not theirs."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Networks that are too large to be trained; None is no limit."""

    parameters: int | None = None
    """The most that a network may have."""
    macs: int | None = None
    """The most multiply-accumulates of one sample."""

    def exceeded(self, spec: Spec) -> str:
        """Why a network is not trained; empty for one that may be."""
        count, macs = spec.graph.parameter_count, spec.graph.macs()
        if self.parameters is not None and count > self.parameters:
            return f"{count:,} parameters, more than {self.parameters:,}"
        if self.macs is None:
            return ""
        if not isinstance(macs, int):
            return "its MACs are not known before it runs"
        return f"{macs:,} MACs, more than {self.macs:,}" if macs > self.macs else ""


class Plan:
    """What makes a trial of a combination."""

    def __init__(self, spec: Spec, space: Space, metric: str, limits: Limits) -> None:
        """`metric` is what trials are compared by; their runs keep the weights that are best by it."""
        self.spec, self.space, self.metric, self.limits = spec, space, metric, limits
        kept = spec.experiment.train is not None and spec.experiment.train.best == metric
        self.watched = [] if kept else [f"train.checkpoint.best={metric}"]

    def overrides(self, tried: dict[str, str]) -> list[str]:
        """What a combination lays over the spec as it was given."""
        return [*self.space.fixed, *self.watched, *(f"{path}={value}" for path, value in tried.items())]

    def need_one_that_fits(self, seed: int) -> None:
        """Refuse a sweep of which no combination fits, such as one over a path that is misspelled. Raises SpecError."""
        first: SpecError | None = None
        for tried in self.space.samples(seed, TRIED_AT_MOST):
            try:
                self.spec.over(self.overrides(tried))
            except SpecError as error:
                first = first or error
            else:
                return
        assert first is not None
        raise first

    def prepared(self, claim: Claim, study: Study) -> Spec | None:
        """The spec of a trial that is to be trained; None for one that was told to be none."""
        overrides = self.overrides(claim.tried)
        about: dict[str, Any] = {"overrides": overrides, "tried": claim.tried}
        try:
            spec = self.spec.over(overrides)
        except SpecError as error:
            claim.note(**about)
            claim.tell("unfit", reason=next(p.message for p in error.problems if p.severity == "error"))
            return None
        key, macs = _key(spec), spec.graph.macs()
        about |= {"key": key, "parameters": spec.graph.parameter_count, "macs": macs if isinstance(macs, int) else None}
        claim.note(**about)
        if reason := self.limits.exceeded(spec):
            claim.tell("too large", reason=reason)
            return None
        twin = study.twin(key, claim.number)
        if twin is not None:
            reason = f"the same as trial {twin.number}"
            if twin.end == "running":
                claim.tell("failed", reason=f"{reason}, which runs")
            else:
                claim.tell("same", twin.value, reason=reason)
            return None
        write_text(claim.folder / "overrides.txt", "".join(f"{text}\n" for text in overrides))
        return spec


def _key(spec: Spec) -> str:
    """What two trials have in common that train the very same network with the very same values."""
    around = (spec.experiment.data, spec.experiment.train, spec.document.sections.get("weights"))
    return digest([spec.source(), repr(around)])
