"""The verdict on a run: its best value, where and after how long, and what to try next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite, nan
from typing import Any, Final

from netspec.sections.train_record import NEWEST
from netspec.views.report.charts import number
from netspec.words import in_shell

Record = dict[str, Any]

FEW: Final = 3
"""Evaluations that say something about where a curve leads."""
WIDE: Final = 1.3
"""How many times the loss of training that of validation is, where it is told to be far above."""


@dataclass(frozen=True, slots=True)
class Course:
    """How a run went, as far as it went."""

    folder: str
    monitor: str
    """The value that chooses the best weights."""
    goal: str
    """`min` or `max`."""
    records: Sequence[Record]
    """One for each evaluation, in their order."""
    epochs: int = 0
    """That the spec asks for; 0 where it says none."""
    augments: bool = False
    """Whether its data is augmented, or is none that could be."""
    drops: bool = False
    """Whether the network has a dropout."""
    stops: bool = False
    """Whether it stops where nothing gets better."""

    goals: Mapping[str, str] = field(default_factory=dict)
    """`min` or `max` of what else is measured, by its name without `val.`; `min` where none is said."""

    def goal_of(self, name: str) -> str:
        """Whether more (`max`) or less (`min`) of a value is better."""
        return self.goals.get(name.partition(".")[2], "min")

    def watching(self, name: str) -> Course:
        """The same, where another value chooses what is best."""
        return replace(self, monitor=name, goal=self.goal_of(name))

    @property
    def best(self) -> Record | None:
        """The first evaluation with the best finite value."""
        known = [r for r in self.records if _finite(r.get(self.monitor))]
        choose = min if self.goal == "min" else max
        return choose(known, key=lambda r: r[self.monitor], default=None)

    @property
    def by_turns(self) -> bool:
        """Whether players take turns, of whose weights the newest are taken."""
        return self.monitor == NEWEST

    @property
    def seconds(self) -> float:
        """How long it has trained and measured, with the parts before it went on."""
        return max((_of(r, "seconds") for r in self.records if _finite(r.get("seconds"))), default=0.0)


def sentence(course: Course) -> str:
    """The best value, where, and after how long."""
    best = course.best
    if best is None:
        return f"Nothing was measured yet that says how good the network is: {course.monitor} has no value."
    last = course.records[-1]
    of = max(course.epochs, last["epoch"])
    if course.by_turns:
        head, at = "No loss says which weights of players are best; the newest are", "of"
    else:
        head, at = f"{course.monitor} is {number(best[course.monitor])} at best,", "in"
    return f"{head} {at} epoch {best['epoch']} of {of}, step {best['step']:,}; {duration(course.seconds)} in all."


def advice(course: Course) -> Iterator[tuple[str, str]]:
    """What the curves suggest, each with the numbers that it follows from, and what to write, where that is said.

    Nothing before a few evaluations. A loss of validation that rises while that of training falls tells of learning
    by heart; a best value at the very end of stopping too early; a loss that hardly falls of a wrong rate.
    """
    best, records = course.best, course.records
    if best is None or len(records) < FEW or course.by_turns:
        return
    last = records[-1]
    rising = _rising(course)
    if rising is not None:
        turn, before, now = rising
        ways = ["augment the data" if not course.augments else "", "add a dropout" if not course.drops else ""]
        ways += ["raise weight_decay", "take a smaller network, or more data"]
        text = f"val.loss has risen from {number(before)} in epoch {turn} to {number(now)} while train.loss fell"
        yield f"{text}: it learns by heart. To try: {', '.join(filter(None, ways))}.", ""
        if not course.stops:
            yield (
                "Stopping early would have ended it sooner; the best weights are kept all the same:",
                "early_stop: val.loss",
            )
        return
    if best is last and last["epoch"] >= course.epochs > 0:
        more = in_shell("netspec", "train", "--resume", course.folder, f"train.epochs={2 * course.epochs}")
        yield "The last evaluation is the best one, so it was still learning. To go on:", more
    first, now, loss = _of(records[0], "train.loss"), _of(last, "train.loss"), _of(last, "val.loss")
    if now > 0.98 * first:
        went = f"train.loss went from {number(first)} to {number(now)}"
        yield f"{went}: it hardly learns. Try another lr, by powers of ten.", ""
    if 0 < now * WIDE < loss and best is not last:
        more = "more data" if course.augments else "more data, or augment"
        yield f"val.loss is {number(loss / now)} times train.loss in the end: {more} may help.", ""


def _rising(course: Course) -> tuple[int, float, float] | None:
    """The epoch of the least val.loss, that value and the last one, where it rose since while train.loss fell."""
    found = [r for r in course.records if _finite(r.get("val.loss")) and _finite(r.get("train.loss"))]
    if len(found) < FEW:
        return None
    least = min(found, key=lambda r: r["val.loss"])
    after = found[found.index(least) + 1 :]
    if len(after) < FEW or after[-1]["val.loss"] < 1.05 * least["val.loss"]:
        return None
    fell = after[-1]["train.loss"] < least["train.loss"]
    return (least["epoch"], least["val.loss"], after[-1]["val.loss"]) if fell else None


def duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _of(record: Record, name: str) -> float:
    """A value of an evaluation; nan where there is none, which is neither more nor less than any other."""
    value = record.get(name)
    return float(value) if value is not None and _finite(value) else nan


def _finite(value: object) -> bool:
    """Whether a value is a number that says something."""
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
