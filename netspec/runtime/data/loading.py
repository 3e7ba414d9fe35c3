"""Data loading: what the `data` section names is read, split, held in memory as far as it fits, and prepared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from netspec.datasets.base import Arrays, Gives, Part
from netspec.datasets.rows import Rows
from netspec.datasets.values import measured
from netspec.errors import DataError
from netspec.machine import shown_bytes
from netspec.runtime.data.aim import aimed
from netspec.runtime.data.in_use import chain_for, known_steps
from netspec.runtime.data.looking import check_steps
from netspec.runtime.data.memory import room_for, workers_for
from netspec.runtime.data.mixing import Mixer
from netspec.runtime.data.prefetch import Reader
from netspec.runtime.data.reading import Reading, doubts, files_of, given, range_of, read
from netspec.runtime.data.split import CHUNK, Data, Split, Steps
from netspec.runtime.data.streaming import Streamed
from netspec.runtime.data.weighing import Compared
from netspec.sections.data import DataSection
from netspec.tensors import Tensor as Described
from netspec.transforms.route import Placed

if TYPE_CHECKING:
    from netspec.datasets.base import Column

BEGUN: Final = 8
"""Samples that are kept as the source has them."""


def load_data(
    section: DataSection,
    root: Path,
    *,
    allow_outside: bool = False,
    doubt: str = "",
    device: torch.device | str = "cpu",
    learnt: Mapping[str, Any] | None = None,
    hold: bool = True,
    ahead: bool = True,
    compared: Sequence[Compared] = (),
    reading: Reading | None = None,
) -> Data:
    """Read, split and prepare the data of a spec.

    Paths start from `root`, the folder of the spec, and leave it only if `allow_outside`; where there is a `doubt`
    whether it is that folder, nothing there is read without. Which samples are held out depends on the section alone.
    Classes, categories and means are learnt from the training part, or are those that a run has `learnt` before.
    Without `hold`, what can stay in its files does, as is best where only a little of the data is looked at. Without
    `ahead` all that is done to samples is done a batch at a time, and the parts hold them as the source has them. The
    target becomes what it is `compared` as: whole numbers floats for a loss that takes only these, and names of two
    classes yes and no; of several targets each by its name. What has `learnt` nothing may be read ahead, which is what
    `reading` waits for. Raises DataError.
    """
    learnt = learnt or {}
    if reading is None or learnt:
        files = files_of(section, root, allow_outside=allow_outside, doubt=doubt)
        reading = partial(read, section, files, learnt, compared)
    arrays, own = reading()
    section = replace(section, maps=section.maps_of.get(arrays.lead, section.maps))
    inputs, target, others = given(arrays)
    check_steps(section, inputs, target, arrays.names, len(arrays.classes or ()), others)
    splits, room = _splits(section, arrays, torch.device(device), hold)
    room = room if ahead else 0
    looked = splits.get("val", splits["train"])
    begun = () if isinstance(looked, Streamed) else looked.first(BEGUN)
    written = section.placed(inputs, arrays.names)
    done = _fitted(written, splits["train"], arrays.peak, learnt.get("transform", ()))
    ways = section.ways(inputs, target, arrays.names, done, others)
    plain = Steps(*ways.in_use, arrays.peak, section.maps, section.maps_of)
    train = _prepared(splits.pop("train"), Steps(*ways.in_training, arrays.peak, section.maps, section.maps_of), room)
    if section.mixing:
        train = replace(train, mixer=Mixer(section.mixing, len(arrays.classes or ())))
    held_out = {name: _prepared(part, plain, room) for name, part in splits.items()}
    taught = {
        **arrays.learnt,
        "values": learnt.get("values") or [measured(column).kept() for column in arrays.train.inputs],
        "classes": arrays.classes,
        "inputs": {"names": arrays.names, "peak": arrays.peak},
        "transform": _taught(written, done),
        **({} if section.names else {"places": [[*placed.inputs] for placed in written]}),
        **({"own": own} if own else {}),
        **({"targets": {"lead": arrays.lead, "classes": dict(arrays.classes_of)}} if arrays.lead else {}),
    }
    raw = Gives(inputs, target, ranges=tuple(map(range_of, arrays.train.inputs)))
    val, test = held_out.get("val"), held_out.get("test")
    data = Data(train, val, test, arrays.names, arrays.classes, plain, taught, raw, arrays.told)
    data = replace(data, begun=begun, classes_of=arrays.classes_of, doubts=(*arrays.doubts, *doubts(arrays, learnt)))
    return aimed(data, section.aim, compared, learnt)


def _splits(section: DataSection, arrays: Arrays, device: torch.device, hold: bool) -> tuple[dict[str, Split], int]:
    """The parts by name, what is held of them on the device, and the bytes that may still be taken there."""
    parts = {name: part for name, part in (("train", arrays.train), ("val", arrays.val), ("test", arrays.test)) if part}
    room, workers = room_for(section.reading.memory, device), workers_for(section.reading.workers)
    kept = _kept(parts.values(), room, hold)
    # What is done ahead is done where batches are, or it would not be the very bits that a batch at a time gets.
    splits = {name: _split(part, kept, workers, arrays.lead).to(device) for name, part in parts.items()}
    return splits, room - sum(_bytes(field) for part in parts.values() for field in part.columns if id(field) in kept)


def steps_for(section: DataSection, learnt: Mapping[str, Any], inputs: Sequence[Described]) -> Steps:
    """What is done to new samples with these inputs, as a run has `learnt` it; no data is read. Raises DataError."""
    return Steps(*chain_for(section, learnt, inputs), learnt["inputs"]["peak"], section.maps)


def _kept(parts: Iterable[Part], room: int, hold: bool) -> set[int]:
    """The fields that are held in memory, by their ids: those that are there, then the smallest as far as they fit.

    Raises DataError.
    """
    everything = [field for part in parts for field in part.columns]
    there = [field for field in everything if not isinstance(field, Rows)]
    taken = sum(map(_bytes, there))
    if taken > room:
        text = f"the data takes {shown_bytes(taken)} of memory, data.memory allows {shown_bytes(room)}"
        hint = "What is packed or text can only be read whole. Save it as .npy, which is read a batch at a time"
        raise DataError(f"{text}. {hint}, or allow more.")
    kept = {id(field) for field in there}
    for field in sorted((f for f in everything if isinstance(f, Rows)), key=lambda f: f.nbytes):
        taken += field.nbytes
        if hold and taken <= room:
            kept.add(id(field))
    return kept


def _bytes(field: Column) -> int:
    """What a field takes in memory; where samples overlap, as windows over a text do, that is less than they hold."""
    if isinstance(field, Rows):
        return field.nbytes
    reach = sum((size - 1) * abs(stride) for size, stride in zip(field.shape, field.strides, strict=True))
    return min(field.nbytes, int(reach) + field.itemsize)


def _split(part: Part, kept: set[int], workers: int, lead: str) -> Split:
    """The part, with those of its fields that are kept in memory; of several targets, `lead` is the first's name."""
    columns: list[Any] = [
        field if isinstance(field, Rows) and id(field) not in kept else _held(field, workers) for field in part.columns
    ]
    count, rows = len(part.inputs), [x for x in columns if isinstance(x, Rows)]
    others = dict(zip(part.others, columns[count + 1 :], strict=True))
    known: dict[str, Any] = {"inputs": tuple(columns[:count]), "target": columns[count], "others": others}
    known |= {"origin": part.origin, "lead": lead}
    if not rows:
        return Split(**known)
    return Streamed(**known, reader=Reader(rows, workers), place=torch.device("cpu"))


def _held(field: Column, workers: int) -> torch.Tensor:
    """All rows of a field as one tensor, each read once; by several processes where reading is work."""
    if not isinstance(field, Rows):
        return torch.from_numpy(field)
    stretches = torch.arange(len(field)).split(CHUNK)
    reader = Reader([field], min(workers, len(stretches) - 1) if field.decodes else 0)
    reader.expect(stretches)
    whole = torch.from_numpy(np.empty(field.shape, field.dtype))
    for rows in stretches:
        whole[rows[0] : rows[-1] + 1] = reader.read(rows)[0]
    reader.close()
    return whole


def _prepared(part: Split, steps: Steps, room: int) -> Split:
    """The part with what is done to its batches; done already, where all of it is in memory and there is room."""
    if isinstance(part, Streamed):
        return replace(part, steps=steps)
    batch, left = steps.ahead(part.whole, room)
    return part.holding(batch, left)


def _fitted(written: Sequence[Placed], train: Split, peak: int, learnt: Sequence[Any]) -> list[Placed]:
    """The transforms, with every step that learns fitted to the training part, as the steps before it leave it.

    `learnt` are such steps of a run, in long form, by their places.
    """
    done: list[Placed] = []
    for placed in known_steps(written, learnt):
        if placed.step.learns:  # what it becomes when it is fitted learns nothing
            ahead, (place,) = replace(train, steps=Steps(after=tuple(done), peak=peak)), placed.inputs
            fitted = placed.step.fitted(inputs[place] for inputs, _ in ahead.batches(CHUNK))
            placed = replace(placed, step=fitted)
        done.append(placed)
    return done


def _taught(written: Sequence[Placed], done: Sequence[Placed]) -> list[dict[str, Any] | None]:
    """The steps that were fitted, in long form by their places; None for those that learn nothing."""
    pairs = ((a.step, b.step) for a, b in zip(written, done, strict=True))
    return [{type(step).__name__: step.given} if plain.learns else None for plain, step in pairs]
