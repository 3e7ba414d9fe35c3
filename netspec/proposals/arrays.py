"""Specs for arrays of numpy's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netspec.datasets.base import Arrays
from netspec.datasets.checks import are_classes
from netspec.datasets.files import Files, show
from netspec.datasets.npy import NPY
from netspec.datasets.npz import NPZ, PARTS, Archive, opened
from netspec.errors import DataError, UsageError
from netspec.proposals.network import convolutional, perceptron, segmenting, tokens
from netspec.proposals.proposal import Goal, Proposal, classes, counts, labels_of, listed, numbers, one_line, quoted
from netspec.words import did_you_mean, printable

if TYPE_CHECKING:
    from netspec.datasets.base import Column

TARGETS = ("y", "label", "labels", "target", "targets")
"""What the array to be learnt is mostly called."""
TOKENS = ("tokens", "ids", "input_ids", "token_ids", "text", "words")
"""What arrays are called whose whole numbers stand for words."""
CHANNELS = (1, 3, 4)
MOST_CLASSES = 64
"""Numbers of masks that are taken for classes; more are shades."""
SAMPLE = 10_000
"""Rows that are looked at for their mean and spread."""


def of_npy(files: Files, paths: Sequence[str]) -> Proposal:
    """For one .npy file for each input, and last that of the targets. Raises UsageError and DataError."""
    if len(paths) < 2:
        raise UsageError(f"{paths[0]} holds one array. Name that of the targets too: --data {paths[0]} --data y.npy")
    *inputs, target = paths
    found = NPY(inputs=tuple(inputs), target=target).read(files)
    source = ["source:", "  npy:", f"    inputs: {listed(inputs)}", f"    target: {quoted(target)}"]
    return _proposal(paths[0], found, source)


def of_npz(files: Files, path: str, target: str | None, choose: Callable[[Sequence[str]], str]) -> Proposal:
    """For the arrays of one .npz file. Raises UsageError and DataError."""
    file = files.file(path)
    with opened(file) as archive:
        names = list(dict.fromkeys(_base(name) for name in archive.names))
        if len(names) < 2:
            raise UsageError(f"{show(file)} holds {', '.join(names) or 'no array'}: inputs and a target are expected")
        if target is not None and target not in names:
            hint = did_you_mean(target, names) or f"It has: {', '.join(names)}."
            raise UsageError(f"{show(file)} has no array {target!r}. {printable(hint)}")
        chosen = target or next((name for name in TARGETS if name in names), None) or choose(names)
        suffix = "" if chosen in archive.names else "_train"
        count = len(archive.read(f"{chosen}{suffix}"))
        others = {name: _rows(archive, f"{name}{suffix}") for name in names if name != chosen}
    inputs = [name for name, rows in others.items() if rows == count]
    if not inputs:
        refused = [str(rows) for rows in others.values() if isinstance(rows, DataError)]
        text = f"{show(file)} has no array of numbers besides {chosen!r} with {count:,} rows, as that has"
        raise UsageError(". ".join([text, *refused]))
    found = NPZ(path=path, inputs=tuple(inputs), target=chosen).read(files)
    source = ["source:", "  npz:", f"    path: {quoted(path)}", f"    inputs: {listed(inputs)}"]
    return _proposal(path, found, [*source, f"    target: {quoted(chosen)}"])


def _base(name: str) -> str:
    """The name of an array without that of its part."""
    return next((name.removesuffix(f"_{part}") for part in PARTS if name.endswith(f"_{part}")), name)


def _rows(archive: Archive, name: str) -> int | DataError:
    """The rows of an array of numbers; for any other, such as the names of classes, why it is none."""
    try:
        return len(archive.read(name))
    except DataError as error:
        return error


def _proposal(path: str, found: Arrays, source: list[str]) -> Proposal:
    """What is seen in arrays, and a spec that trains on them."""
    train = found.train
    goal, learnt, first = _goal(train.target, len(found.classes or ()))
    source = [*source, f"    first: {first}             # the number of the first class"] if first else source
    seen = [f"  {len(train):,} samples"]
    seen += [f"  {name}: {_form(x)}" for name, x in zip(found.names, train.inputs, strict=True)]
    seen.append(f"  to be learnt: {learnt}")
    own = [name for name, part in (("val", found.val), ("test", found.test)) if part]
    seen += [f"  arrays for its own {name} part" for name in own]
    network, transform = _network(found.names, train.inputs, goal)
    data = [*source, *(["split: {val: 0.2}"] if "val" not in own else [])]
    data += [f"transform: {transform}"] if transform else []
    return Proposal(path, tuple(map(one_line, seen)), tuple(network), tuple(data), goal, len(train))


def _form(x: Column) -> str:
    """The shape and the dtype of a sample."""
    sizes = " x ".join(map(str, x.shape[1:])) or "one number"
    return f"{sizes} of {x.dtype}"


def _goal(target: Column, wanted: int) -> tuple[Goal, str, int]:
    """What is to be learnt, a class, yes or no, or numbers, that in words, and the number of the first class.

    `wanted` are the classes from 0 on. Raises UsageError for other targets.
    """
    if are_classes(target):
        labels = sorted(target[:].tolist())
        found, first = len(set(labels)), labels[0]
        if wanted - first > 2 * found:
            text = f"the targets are classes from {first:,} to {wanted - 1:,}, of which {found:,} occur"
            raise UsageError(f"{text}. Number them from 0 on, or save them as floats if they are quantities.")
        if wanted - first < 2:
            raise UsageError(f"the target is always {first}: there is nothing to learn")
        shown = counts([str(label) for label in labels])
        return classes(wanted - first), f"{wanted - first:,} classes: {shown}", first
    if target.ndim <= 2 and target.dtype.kind in "bi" and set(target[:].ravel().tolist()) == {0, 1}:
        if _one_hot(target[:]):
            raise UsageError(ONE_HOT)
        columns = target.shape[1] if target.ndim == 2 else 1
        learnt = "yes or no" if columns == 1 else f"{columns} labels, each yes or no"
        return labels_of(columns), learnt, 0
    if target.ndim in (3, 4) and target.dtype.kind in "bi" and (count := _points(target)):
        if count == 2:
            return Goal("conv 1 k1", "bce_logits", "accuracy"), "yes or no for each point", 0
        return Goal(f"conv {count} k1", "cross_entropy", "accuracy"), f"{count} classes for each point", 0
    if target.ndim > 2 or target.dtype.kind != "f":
        raise UsageError(
            f"the target is {_form(target)} a sample, for which there is no proposal: classes or numbers are"
        )
    values = target[:SAMPLE].astype("float64")
    mean, spread = float(values.mean()), float(values.std())
    if not spread:
        raise UsageError(f"the target is always {mean:g}: there is nothing to learn")
    if _one_hot(values):
        raise UsageError(ONE_HOT)
    columns = target.shape[1] if target.ndim == 2 else 1
    goal = numbers(columns, mean, spread, flat=target.ndim == 1)
    return goal, f"{columns} number{'s' * (columns > 1)}, {mean:.4g} in the mean, with a spread of {spread:.4g}", 0


def _points(target: Column) -> int:
    """The classes of masks, whose points have the numbers of few; 0 for what are none."""
    if target.ndim == 4 and target.shape[1] != 1:
        return 0
    values = target[:SAMPLE]
    low, high = int(values.min()), int(values.max())
    return 1 + max(1, high) if low >= 0 and high < MOST_CLASSES else 0


ONE_HOT = "the target is one-hot. Save the classes' numbers: numpy.save('y.npy', y.argmax(1))"


def _one_hot(values: Any) -> bool:
    """Whether each row has one 1, for its class."""
    return values.ndim == 2 and set(values.ravel().tolist()) == {0, 1} and bool((values.sum(1) == 1).all())


def _network(names: Sequence[str], inputs: Sequence[Column], goal: Goal) -> tuple[list[str], str]:
    """The lines of the network, and the transform of its first input."""
    if goal.head.startswith("conv") and (len(inputs) > 1 or len(inputs[0].shape) < 3):
        raise UsageError("the target is a grid for each sample, for which there is a proposal with one input of images")
    if len(inputs) > 1:
        return _joined(names, inputs, goal), _ready(inputs[0], [])
    (x,), shape = inputs, inputs[0].shape[1:]
    draw = segmenting if goal.head.startswith("conv") else convolutional
    if x.dtype.kind == "i" and names[0] in TOKENS and len(shape) == 1:
        return [f"input: int {shape[0]}", *tokens(1 + int(x[:].max()), goal)], ""
    if len(shape) == 2 and shape[0] == shape[1]:
        side = shape[0]
        return [f"input: 1x{side}x{side}", *draw(side, side, goal)], _ready(x, [f"reshape 1x{side}x{side}"])
    if len(shape) == 3 and shape[0] in CHANNELS:
        return [f"input: {_written(shape)}", *draw(shape[1], shape[2], goal)], _ready(x, [])
    if len(shape) == 3 and shape[2] in CHANNELS:
        turned = (shape[2], *shape[:2])
        return [f"input: {_written(turned)}", *draw(shape[0], shape[1], goal)], _ready(x, ["channels_first"])
    if not shape:
        return ["input: 1", *perceptron(goal)], _ready(x, ["reshape 1"])
    return [f"input: {_written(shape)}", *perceptron(goal)], _ready(x, [])


def _joined(names: Sequence[str], inputs: Sequence[Column], goal: Goal) -> list[str]:
    """Several inputs, each brought to some numbers, which are put beside each other."""
    good = [Path(name).stem for name in names]
    if not all(name.isidentifier() for name in good) or any(x.dtype.kind == "i" for x in inputs[1:]):
        raise UsageError("there is no proposal for several inputs with whole numbers or odd names among them")
    given = ", ".join(f"{name}: {_written(x.shape[1:] or (1,))}" for name, x in zip(good, inputs, strict=True))
    steps = [f"  of_{name}: fc({name}) 64, relu" for name in good]
    together = " ".join(f"of_{name}" for name in good)
    return [f"inputs: {{{given}}}", "layers:", *steps, f"  together: concat({together})",
            "  hidden: fc 64, relu, dropout 0.1", f"  head: [{goal.head}]"]  # fmt: skip


def _ready(x: Column, steps: list[str]) -> str:
    """The transform that makes numbers around 0 of an input: whole numbers become floats before."""
    whole = ["scale 1"] if x.dtype.kind in "ib" else []
    found = [*steps, *whole, "standardize"]
    return found[0] if len(found) == 1 else f"[{', '.join(found)}]"


def _written(shape: Sequence[int]) -> str:
    """A shape as a spec has it."""
    return "x".join(map(str, shape))
