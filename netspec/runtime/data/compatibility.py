"""Compatibility of data with a network: what was read is held against the rules that look at a spec before it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from netspec.datasets.base import Gives
from netspec.datasets.rows import pieces
from netspec.errors import DataError, Problem
from netspec.lint import Facts, rules
from netspec.lint.base import taken, undrawn
from netspec.runtime.data.classes import as_meant
from netspec.spec import Spec
from netspec.text.report import SpecError
from netspec.words import FEW, printable

if TYPE_CHECKING:
    from netspec.runtime.arrays.data import ArrayData
    from netspec.runtime.data.split import Data, Split

OF_DATA: Final = ("class_count", "embedding_rows", "position_rows", "value_range")
"""Rules that ask for other data, or for a network of its size."""
OF_TRAINING: Final = ("loss_target", "mixed_target", "step_networks", "past_the_end")
"""Rules that ask for another loss, or for a longer run."""
OF_LENGTH: Final = ("schedule_length", "past_the_end")
"""Rules that tell what does not come about in a run of its length."""


def need_fit(spec: Spec, data: Data | ArrayData) -> None:
    """Refuse data that the network or the loss cannot take, before the first step. Raises DataError or SpecError."""
    draw, train = spec.experiment.data.draw if spec.experiment.data else {}, spec.experiment.train
    noise = undrawn(spec.graph.inputs, draw, train)
    data.need_fit(spec.graph.inputs, lambda given, wanted: taken(given, wanted, draw, train), noise)
    beside = {name: each.graph for name, each in spec.beside.items()}
    facts = Facts(spec.graph, spec.experiment, measured(data), data.raw, beside=beside, names=data.names)
    faults = [p for rule in rules(OF_DATA) for p in rule.check(facts) if p.severity == "error"]
    if faults:
        raise DataError("\n".join(f"{p.message}. {p.hint} {_met(p, data)}".rstrip() for p in faults))
    faults = [p for rule in rules(OF_TRAINING) for p in rule.check(facts) if p.severity == "error"]
    if faults:
        raise SpecError([as_meant(p, data.classes or ()) for p in faults], spec.document.source)


def remarks(spec: Spec, data: Data) -> list[str]:
    """What a person should know of data that was read, and can be trained on all the same."""
    found = [*class_remarks(data), *_left_behind(spec, data)]
    before, facts = Facts(spec.graph, spec.experiment), Facts(spec.graph, spec.experiment, measured(data), data.raw)
    for rule in rules(OF_LENGTH):
        told = [*rule.check(before)]  # by `check`
        found += [f"{p.message}. {p.hint}" for p in rule.check(facts) if p not in told]
    return found


def _left_behind(spec: Spec, data: Data) -> Iterator[str]:
    """Augmentation that moves images, whose target is several numbers: they may say where things are, as boxes do."""
    section, training, raw = spec.experiment.data, spec.experiment.train, data.raw
    images = [x for x in raw.inputs or () if len(x.shape) == 4] if raw is not None else []
    if section is None or training is None or not images:
        return
    names = (data.train.lead, *data.train.others) if data.train.lead else ()
    numbers = [data.led_by(t.target_of(names)).target for t in training.terms if t.loss.target_kind == "value"]
    sizes = [target.shape[1] for target in numbers if len(target.shape) == 2]
    count = max((size for size in sizes if isinstance(size, int)), default=1)
    for each in section.augment if count != 1 else ():
        if each.to is None and each.step.moves:
            text = f"{each.step.said} moves images, and leaves the {count} numbers of each target as they are"
            row = f"augment: {{{next(iter(spec.graph.inputs))}: {each.step.said}}}"
            yield f"{text}. Where they say where things are, drop it; where not, name the input: {row}"


def class_remarks(data: Data) -> list[str]:
    """Classes of which a part has no sample, and data that is of one class alone; of several targets, of the first."""
    data = data.led_by("")
    if not data.classes or len(data.target.shape) != 1 or data.target.dtype != "int64":
        return []
    counts = {name: _counted(part, len(data.classes)) for name, part in data.parts.items()}
    found = []
    present = [data.classes[i] for i in np.flatnonzero(counts["train"]).tolist()]
    if len(present) == 1:
        text = f"all samples that are trained on are of the class {printable(present[0])}"
        found.append(f"{text}: there is nothing to tell it from")
    for name, count in counts.items():
        missing = [printable(data.classes[i]) for i in np.flatnonzero(count == 0).tolist()]
        if missing and len(present) > 1 and count.sum() >= len(count):  # fewer samples cannot show every class
            shown = ", ".join(missing[:FEW]) + f" and {len(missing) - FEW} more" * (len(missing) > FEW)
            found.append(f"the {name} part has no sample of the class{'es' * (len(missing) > 1)} {shown}")
    return found


def _counted(part: Split, classes: int) -> np.ndarray[Any, Any]:
    """How many targets of each class a part has."""
    counts = np.zeros(classes, np.int64)
    for target in part.targets():
        kept = target[(target >= 0) & (target < classes)].cpu().numpy()
        counts += np.bincount(kept, minlength=classes)
    return counts


def measured(data: Data | ArrayData) -> Gives:
    """What the data really gives."""
    parts = data.parts.values()
    numbers = tuple(_bounds([part.inputs[i] for part in parts]) for i in range(len(data.train.inputs)))
    classes = len(data.classes) if data.classes else None
    targets = _bounds([part.target for part in parts]) if classes else None
    own = (data.inputs, data.target, classes, len(data.train), numbers, targets[0] if targets else 0)
    return Gives(*own, others={name: measured(data.led_by(name)) for name in data.train.others})


def _is_integer(x: Any) -> bool:
    """Whether a field holds whole numbers, in memory or in its file."""
    return str(x.dtype).removeprefix("torch.") == "int64"


def _bounds(columns: list[Any]) -> tuple[int, int] | None:
    """The least and the largest number of an input; None for one of floats."""
    if not _is_integer(columns[0]):
        return None
    bounds = [(int(piece.min()), int(piece.max())) for x in columns for _, piece in pieces(x)]
    return min(low for low, _ in bounds), max(high for _, high in bounds)


def _met(problem: Problem, data: Data | ArrayData) -> str:
    """Where the class or the number that goes furthest is met first."""
    if problem.code == "class-count":
        held = [(part, -1, part.target) for part in data.parts.values()]
    elif problem.code == "embedding-rows":
        held = [(p, i, x) for p in data.parts.values() for i, x in enumerate(p.inputs) if _is_integer(x)]
    else:
        return ""
    least, largest = _bounds([x for *_, x in held]) or (0, 0)
    furthest = least if least < 0 else largest
    part, place, row = next(
        (part, place, start + int(np.argwhere(np.asarray(piece == furthest))[0][0]))
        for part, place, x in held
        for start, piece in pieces(x)
        if (piece == furthest).any()
    )
    name = data.classes[furthest] if problem.code == "class-count" and data.classes else str(furthest)
    shown = f"{furthest} ({name})" if name != str(furthest) else name
    return f"{shown} is first met in {part.origin.at(row, place)}."
