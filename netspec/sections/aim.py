"""What the `data` section says of the target: which class is yes, its scale, and how often each class is drawn."""

from __future__ import annotations

from typing import Any, Final

from netspec.records import Checked, Choice, Entry, Maybe, refuse


def _class_name(value: Any) -> str:
    """The name of a class, which YAML may have read as a number or as true."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float) or value == "":
        raise refuse("the name of a class")
    return str(value)


NAME: Final = {"type": ["string", "number", "boolean"]}


class Aim(Entry):
    """What a target is taken for. All of it is learnt from the training part and kept with the run."""

    positive = Maybe(
        Checked(
            "of two classes the one that is meant by yes, 1 and binary metrics; by default the second by name",
            _class_name,
            NAME,
            None,
            textual=True,
        )
    )
    scale_target = Maybe(
        Choice(
            "standard: a target of numbers is trained on with mean 0 and deviation 1, learnt from the training part; "
            "predictions, metrics and the exported network give it in its own units, losses are of the scaled numbers",
            ("standard",),
            None,
        )
    )
    sample = Maybe(
        Choice(
            "balanced: an epoch draws from every class equally often, as many samples in all as there are; of a rare "
            "class each of them several times, of a frequent one only some",
            ("balanced",),
            None,
        )
    )
