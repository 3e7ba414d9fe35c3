"""Samples that are handed in for inference, on their way to a network: on its scale, and within its bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from netspec.datasets.base import Gives
from netspec.datasets.files import show
from netspec.datasets.rows import pieces
from netspec.datasets.values import Values
from netspec.dims import names
from netspec.errors import DataError
from netspec.lint import Facts, rules
from netspec.runs.learnt import LEARNT
from netspec.runtime.data.handed import Handed, arrays_in, handed
from netspec.runtime.data.ranges import on_scale
from netspec.spec import Spec
from netspec.tensors import Tensor

if TYPE_CHECKING:
    from netspec.datasets.base import Column

Array = np.ndarray[Any, Any]

COUNTS: Final = "The first axis of a file's array counts the samples."

REARRANGED: Final[Mapping[str, Callable[[Array], Array]]] = {
    "x.transpose(0, 3, 1, 2)": lambda x: x.transpose(0, 3, 1, 2),
    "x.transpose(0, 2, 3, 1)": lambda x: x.transpose(0, 2, 3, 1),
    "x[:, None]": lambda x: x[:, None],
    "x[..., None]": lambda x: x[..., None],
    "x[None]": lambda x: x[None],
    "x.transpose(2, 0, 1)[None]": lambda x: x.transpose(2, 0, 1)[None],
    "x[None, None]": lambda x: x[None, None],
    "x.squeeze(1)": lambda x: x.squeeze(1),
    "x.squeeze(-1)": lambda x: x.squeeze(-1),
}
"""What people save in another order of axes, or without the axis of samples or channels."""


def samples_in(spec: Spec, files: Sequence[Path], learnt: Mapping[str, Any], as_is: bool, keeper: str) -> Handed:
    """The samples in files as a network is to be given them, before any transform; `keeper` is what was trained.

    Raises DataError.
    """
    wanted, section = spec.graph.inputs, spec.experiment.data
    if section is not None and "inputs" not in learnt:
        raise DataError(f"{keeper} does not keep how its data is seen: {LEARNT} is missing or of an older version")
    source = section.source if section is not None else None
    if section is not None and section.draw:  # what was drawn is given now
        given = arrays_in(files, (*learnt["inputs"]["names"], *section.draw))
    else:
        given = handed(source, files, learnt, {name: x.shape for name, x in wanted.items()})
    label = ", ".join(map(show, files))
    if given.judged and not as_is:
        given = _on_scale(given, learnt, label)
    counts = {len(array) for array in given.inputs}
    if len(counts) > 1 or 0 in counts:
        text = " and ".join(f"{len(array):,}" for array in given.inputs)
        raise DataError(f"{label}: the inputs hold {text} samples, expected the same number of each, at least 1")
    return given


def rearranged(inputs: Sequence[str], arrays: Sequence[Column], fits: Callable[[list[Array]], object]) -> str:
    """What to save in place of an array that only has its axes in another order, or lacks one; nothing of others.

    What `fits` raises DataError for does not fit the network.
    """
    for place, array in enumerate(arrays):
        for text, change in REARRANGED.items():
            others = [np.zeros((1, *x.shape[1:]), x.dtype) for x in arrays]
            try:
                others[place] = change(np.broadcast_to(np.zeros((), array.dtype), array.shape))[:1].copy()
                fits(others)
            except (DataError, ValueError, IndexError):  # of another number of axes, or no better
                continue
            name = f"{inputs[place]} as " if len(arrays) > 1 else ""
            return f"Save {name}{text}, which fits."
    return ""


def batch_axis(tensor: Tensor) -> int:
    """The axis of a tensor that counts samples."""
    return next((axis for axis, size in enumerate(tensor.shape) if "B" in names(size)), 0)


def of_network(spec: Spec, learnt: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was learnt of the inputs that the network takes; those behind them were for further passes of it."""
    if "inputs" not in learnt:
        return learnt
    section, known = spec.experiment.data, learnt["inputs"]
    count = len(spec.graph.inputs) - len(section.draw if section is not None else ())
    steps = zip(learnt.get("transform", ()), learnt["places"], strict=True) if "places" in learnt else ()
    found = {**learnt, "inputs": {**known, "names": known["names"][:count]}, "values": learnt.get("values", [])[:count]}
    return (
        {**found, "transform": [step for step, of in steps if any(place < count for place in of)]} if steps else found
    )


def _on_scale(given: Handed, learnt: Mapping[str, Any], label: str) -> Handed:
    """The same on the scale that the run was trained on, with what is told of it. Raises DataError."""
    kept, names, peak = (
        learnt.get("values"),
        learnt.get("inputs", {}).get("names"),
        learnt.get("inputs", {}).get("peak"),
    )
    if kept is None or len(kept) != len(given.inputs) or not all(map(len, given.inputs)):
        return given
    heads = [f"{label}, {name}" for name in names] if len(names) > 1 else [label]
    pairs = zip(given.inputs, kept, heads, strict=True)
    found = [on_scale(x, Values.of(values), peak, head, given.photos) for x, values, head in pairs]
    return replace(given, inputs=[x for x, _ in found], told=(*given.told, *(said for _, said in found if said)))


def need_rows(spec: Spec, given: Handed, label: str) -> None:
    """Refuse whole numbers that an embedding has no vector for. Raises DataError."""
    bounds = tuple(_bounds(x) if x.dtype == np.int64 else None for x in given.inputs)
    facts = Facts(spec.graph, spec.experiment, Gives(numbers=bounds))
    for problem in (p for rule in rules(("embedding_rows",)) for p in rule.check(facts)):
        tokens = [x[:] for x in given.inputs if x.dtype == np.int64]
        beyond = [x < 0 if x.min() < 0 else x == x.max() for x in tokens]
        where = f", first in row {beyond[0].reshape(len(beyond[0]), -1).any(1).argmax()}" if len(tokens) == 1 else ""
        raise DataError(f"{label}: {problem.message.replace('the data', 'the file')}{where}")


def _bounds(numbers: Column) -> tuple[int, int]:
    """The smallest and the largest of whole numbers."""
    ends = [(int(piece.min()), int(piece.max())) for _, piece in pieces(numbers)]
    return min(low for low, _ in ends), max(high for _, high in ends)
