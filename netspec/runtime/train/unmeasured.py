"""NaN and undefined metrics: which values they are, what is said of them, and what may stand in for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, isnan
from typing import Any, Final

from netspec.runtime.train.history import Record
from netspec.sections.train_record import Train
from netspec.words import listed

WHY: Final = (
    "The validation data has nothing to measure it on, as where a class is missing there or all targets are ignored, "
    "or the network gives nan for it"
)


def number(value: Any) -> bool:
    """Whether a value was measured. In a record that was read from a file, what was not finite is None."""
    return isinstance(value, int | float) and not isnan(value)


def never_seen(record: Record, before: Sequence[Record]) -> list[str]:
    """The values that are nan in a record, and in none before it were a number."""
    lost = [name for name, value in record.items() if isinstance(value, float) and isnan(value)]
    return [name for name in lost if not any(number(earlier.get(name)) for earlier in before)]


def news(record: Record, before: Sequence[Record]) -> str:
    """What to say of values that are not finite in a record and were not told before; nothing where there are none."""
    odd = {name: value for name, value in record.items() if isinstance(value, float) and not isfinite(value)}
    told = {name for earlier in before for name, v in earlier.items() if v is None or (name in odd and not _finite(v))}
    new = [f"{name} is {value}" for name, value in odd.items() if name not in told]
    return f"{', '.join(new)} in epoch {record['epoch']}; what is no number never counts as better" if new else ""


def stand_in(train: Train, record: Record) -> str:
    """What chooses the best weights where the first metric cannot: the next one that can, else the loss."""
    _, loss, *metrics = train.monitors()
    return next((name for name in (*metrics, loss) if number(record.get(name))), "")


def refusal(followed: Mapping[str, str], record: Record) -> str:
    """What is said of a run that would go by values which cannot be measured; `followed` has them by their keys."""
    others = [n for n, v in record.items() if n.startswith(("val.", "train.")) and number(v)]
    names, keys = (listed(words) for words in (followed.values(), (f"train.{key}" for key in followed)))
    many = len(set(followed.values())) > 1
    are, them = ("are", "them") if many else ("is", "it")
    text = f"{names} {are} nan at the first evaluation (epoch {record['epoch']}, step {record['step']:,})"
    text += f", and {keys} {'go' if len(followed) > 1 else 'goes'} by {them}"
    then = "that is another run" if "scheduler" in followed else "--resume goes on with it"
    return f"{text}. {WHY}. Mend the data, or name another value there, {', '.join(others)}: {then}."


def never_finite(monitor: str, records: Sequence[Record]) -> bool:
    """Whether a value was measured, and never was a finite number."""
    found = [record[monitor] for record in records if monitor in record]
    return bool(found) and not any(map(_finite, found))


def _finite(value: Any) -> bool:
    """Whether a value of a record is a number, and finite."""
    return isinstance(value, int | float) and isfinite(value)
