"""What every schedule is: torch's fields, what it counts, and a linear warm-up before it."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from netspec.records import Choice, Entry, Field, Int
from netspec.schedulers.curve import Moving, Rate, Single

Unit = Literal["step", "epoch"]


class Scheduler(Entry):
    """A learning rate schedule of torch.optim.lr_scheduler.

    In the first `warmup` steps the rate is multiplied by 1/(warmup+1), 2/(warmup+1), ...; a
    schedule that counts steps begins after them.
    """

    habit: ClassVar[Unit] = "epoch"
    """What it counts where the spec does not say: what torch's own examples count."""

    every = Choice("what it counts; null is torch's habit", ("step", "epoch"), None, torch=False, keyword=True)
    warmup = Int("steps before it in which the rate rises linearly", 0, ge=0, torch=False, keyword=True)

    @classmethod
    def ordered(cls, fields: dict[str, Field[Any]]) -> dict[str, Field[Any]]:
        return dict(sorted(fields.items(), key=lambda item: not item[1].torch))

    @property
    def unit(self) -> Unit:
        """What one step of the schedule is: a step of the optimizer or an epoch."""
        return "step" if (self.every or self.habit) == "step" else "epoch"

    @property
    def sets_rate(self) -> bool:
        """Whether it gives all parameters one rate of its own, whatever that of their group."""
        return False

    @property
    def moves_momentum(self) -> bool:
        """Whether it sets the optimizer's momentum too, which the optimizer must then have."""
        return False

    def problems(self) -> list[tuple[str, str]]:
        """Arguments that contradict each other: the field and what is wrong."""
        return []

    def keywords(self, length: int) -> dict[str, Any]:
        """The arguments of torch's class by name, for a run of `length` steps of the schedule."""
        return self.given_to_torch

    # --- what it does to a rate, told without torch ---------------------------------------------

    def moving(self, rate: Rate, length: int) -> Moving:
        """The schedule under way on `rate`, in a run of `length` of its steps."""
        return Single(self.over(length), rate)

    def over(self, length: int) -> Self:
        """The same with everything said that follows from the length of the run."""
        return self

    def stretches(self, length: int) -> bool:
        """Whether its rates follow from the length of the run, so that a longer run has others from its start."""
        return self.over(length) != self

    def reach(self) -> int | None:
        """How many of its steps it takes until the rate has done what is written; None where there is no end."""
        return None

    def moves(self, length: int) -> int:
        """How often it moves at most; below 0 without an end."""
        return -1

    def prepare(self, rate: Rate) -> None:
        """What torch's constructor does to the rate before anything else."""

    def base(self, initial: float) -> float:
        """The rate that it starts from."""
        return initial

    def moved(self, at: int, rate: float, base: float) -> float:
        """The rate at step `at` of the schedule, from the rate before; at 0 its very first."""
        return rate
