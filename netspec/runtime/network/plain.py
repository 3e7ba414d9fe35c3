"""The weights of a network as plain arrays, from files alone: what torch would have in the state_dict. Needs no torch.

What would have to be drawn, resized or computed by torch is not done here: `NeedsTorch` says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from netspec.errors import At, DataError
from netspec.exporters.base import NeedsTorch
from netspec.files import shown
from netspec.graph.model import Graph, Step
from netspec.runtime.store.arrays import arrays_in
from netspec.views.weights import wanted
from netspec.weights.fit import BASE, COUNT, Fit, fit
from netspec.weights.header import read_header
from netspec.weights.kinds import FLOATS
from netspec.weights.load import Load
from netspec.wraps import WeightNorm, WeightNormHook

Array = np.ndarray[Any, Any]
MEASURED: Final = "running_var"
"""What norms measure and take the root of."""
PIECE: Final = 2**20
"""Numbers that are looked at together, so that a large tensor is not copied."""


def weights_in(graph: Graph, path: Path) -> dict[str, Array]:
    """The plain weights that a run has saved for its network. Raises DataError where they are another's."""
    if BASE in read_header(path).metadata:
        raise NeedsTorch("its weights are small matrices beside a base")
    return plain(graph, fit([Load(path.name, At())], wanted(graph), path.parent))


def plain(graph: Graph, found: Fit) -> dict[str, Array]:
    """The plain weights of files that fit a network, under all names that it has for them.

    Raises DataError where they do not fit or are not finite, NeedsTorch where some begin fresh or are resized.
    """
    if found.problems:
        raise DataError("; ".join(problem.message for problem in found.problems))
    if found.fresh:
        raise NeedsTorch(f"{next(iter(found.fresh))} is initialised")
    if found.resized:
        raise NeedsTorch(f"{found.resized[0].name} is resized")
    held: dict[str, Array] = {}
    for path in dict.fromkeys(each.file for each in found.taken):
        taken = {each.name: each.entry for each in found.taken if each.file == path}
        held |= arrays_in(path, taken)
    own: dict[str, Array] = {}
    buffers = graph.buffers().keys()
    for each in wanted(graph):
        name = next((name for name in each.names if name in held), "")
        if not name and each.names[0].endswith(COUNT):
            continue
        array = _as(held[name], each.kind)
        _need_finite(each.names[0], array, buffer=each.names[0] in buffers)
        own |= dict.fromkeys(each.names, array)
    return own | dict(_unwrapped(graph, own))


def _as(array: Array, kind: str) -> Array:
    """An array with the kind of numbers that the network has; itself where that is the same."""
    known = kind or ("float32" if str(array.dtype) in FLOATS else str(array.dtype))
    return array if array.dtype == known else array.astype(known)


def _need_finite(name: str, array: Array, *, buffer: bool) -> None:
    """Refuse weights that are not finite, and variances below 0; a `buffer` may be infinite. Raises DataError."""
    if array.dtype.kind != "f":
        return
    flat, open_ = array.reshape(-1), buffer and not name.endswith((MEASURED, "running_mean"))
    for begin in range(0, flat.size, PIECE):
        piece = flat[begin : begin + PIECE]
        if not _sums_up(piece) and not (~np.isnan(piece) if open_ else np.isfinite(piece)).all():
            hint = "They were saved after a training that diverged, or are damaged: load others"
            raise DataError(f"the weights hold numbers that are not finite: {shown(name)}. {hint}.")
        if name.endswith(MEASURED) and (piece < 0).any():
            raise DataError(f"the weights hold variances below 0: {shown(name)}. They are damaged: load others.")


def _sums_up(numbers: Array) -> bool:
    """Whether their sum is finite, as it never is where one of them is not: that takes a fraction of the time."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(numbers.sum()))


def _unwrapped(graph: Graph, own: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """The weight of each wrapped layer, by its plain name. Raises NeedsTorch for a wrap that torch has to undo."""
    for path, step in graph.root.owners():
        if step.wrap is not None:
            yield f"{path}.weight", _weight(step, path, own)


def _weight(step: Step, path: str, own: Mapping[str, Array]) -> Array:
    """What a wrap makes of its tensors in evaluation."""
    inner = f"{path}.parametrizations.weight"
    if isinstance(step.wrap, WeightNorm):
        hook, kept = isinstance(step.wrap, WeightNormHook), step.wrap.dim
        length, way = (own[f"{path}.weight_{x}"] if hook else own[f"{inner}.original{i}"] for i, x in enumerate("gv"))
        norm = np.sqrt(np.square(way, dtype=np.float64).sum(tuple({*range(way.ndim)} - {kept}), keepdims=True))
        return np.asarray(way * (length / norm), way.dtype)
    assert step.wrap is not None
    raise NeedsTorch(f"{path} is wrapped in {step.wrap.word}")
