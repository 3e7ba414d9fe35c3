"""Prediction files, as people take them away: a row or a record for each sample, and files of either, or of arrays."""

from __future__ import annotations

import csv
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np

from netspec.errors import UsageError
from netspec.files import write_file
from netspec.graph.model import Graph
from netspec.json_text import json_text
from netspec.runs.prediction import Answer, Prediction, joined

ROW: Final = "row"
"""What a sample is called by that has nothing but its number."""


def records(found: Prediction) -> list[dict[str, Any]]:
    """A mapping for each sample: what names it, then its class and the probabilities, or its values by label or output.

    Where the network chooses a class for each place, as for each token or point, these are lists in the form of the
    places.
    """
    if found.answers:
        return _named_records(found)
    heads, shares, places = _heads(found), found.shares, found.places()
    rest = dict(list(found.outputs.items())[places is not None :])
    if shares is None and found.labels:
        (_, first), *others = rest.items()
        rest = {**{label: first[:, place] for place, label in enumerate(found.labels)}, **dict(others)}
    taken = {"class", "probabilities", *rest}
    return [
        {
            **{_free(name, taken): column[i] for name, column in heads.items()},
            **(_choice(places[i], shares, i, found.classes) if places is not None else {}),
            **{name: values[i].tolist() for name, values in rest.items()},
        }
        for i in range(len(found.first))
    ]


def _named_records(found: Prediction) -> list[dict[str, Any]]:
    """The same of several outputs that are trained each by a loss of its own: what each says stands under its name."""
    heads, told = _heads(found), list[dict[str, Any]]()
    chosen = {name: (answer.places(), answer.shares) for name, answer in found.answers.items()}
    for i in range(len(found.first)):
        record = {_free(name, found.answers): column[i] for name, column in heads.items()}
        for name, answer in found.answers.items():
            places, shares = chosen[name]
            if places is not None:
                record[name] = _choice(places[i], shares, i, answer.classes)
            else:
                record[name] = answer.values[i].tolist()
        told.append(record)
    return told


def _choice(chosen: Any, shares: Any, row: int, classes: Any) -> dict[str, Any]:
    """The class of each place of a sample, and the probabilities by class where they are known."""
    said: dict[str, Any] = {"class": str(chosen) if isinstance(chosen, str) else chosen.tolist()}
    if shares is None:
        return said
    names = classes[: shares.shape[-1]]
    return said | {"probabilities": {name: shares[row, ..., i].tolist() for i, name in enumerate(names)}}


def table(found: Prediction) -> Iterator[list[Any]]:
    """The names of the columns, then a row for each sample, whose numbers are written with all their digits."""
    shares, places, columns = found.shares, found.places(), dict[str, Any]()
    if found.answers:
        columns = {name: column for each in found.answers.items() for name, column in _columns(*each)}
    elif places is not None:
        names = (found.classes or ())[: shares.shape[-1]] if shares is not None else ()
        plain = not {*names} & {"class", *_heads(found), *list(found.outputs)[1:]}
        columns |= _places("class", places)
        for i, name in enumerate(names):
            columns[name if plain else f"probability of {name}"] = shares[:, i].tolist()  # type: ignore[index]
    rest = [] if found.answers else list(found.outputs.items())[places is not None :]
    for place, (name, values) in enumerate(rest):
        labels = found.labels if places is None and not place else ()
        flat = values.reshape(len(values), -1)
        called = labels or ([name] if flat.shape[1] == 1 else [f"{name} {i}" for i in range(flat.shape[1])])
        columns |= {each: flat[:, i].tolist() for i, each in enumerate(called)}
    heads = {_free(name, columns): column for name, column in _heads(found).items()}
    yield [*heads, *columns]
    yield from (list(row) for row in zip(*heads.values(), *columns.values(), strict=True))


def _columns(name: str, answer: Answer) -> Iterator[tuple[str, Any]]:
    """The columns of one of several outputs: its class and the probabilities, or its values."""
    shares, places = answer.shares, answer.places()
    flat = answer.values.reshape(len(answer.values), -1)
    if shares is None and places is not None:
        yield from _places(name, places).items()
        return
    if shares is not None and places is not None:
        yield name, places.tolist()
        called = [f"{name} probability of {each}" for each in (answer.classes or ())[: shares.shape[-1]]]
    elif answer.labels:
        called = [f"{name} {label}" for label in answer.labels] if len(answer.labels) > 1 else [name]
    else:
        called = [name] if flat.shape[1] == 1 else [f"{name} {i}" for i in range(flat.shape[1])]
    yield from ((each, flat[:, i].tolist()) for i, each in enumerate(called))


def _places(name: str, places: np.ndarray[Any, Any]) -> dict[str, list[Any]]:
    """The columns of chosen classes: one, or where a sample has several places one for each."""
    if places.ndim == 1:
        return {name: places.tolist()}
    flat = places.reshape(len(places), -1)
    return {f"{name} {i}": flat[:, i].tolist() for i in range(flat.shape[1])}


def _heads(found: Prediction) -> Mapping[str, Sequence[Any]]:
    """What stands above the values of each output: names of classes, or numbers."""
    return found.names or {ROW: range(found.start, found.start + len(found.first))}


def _free(name: str, taken: Any) -> str:
    """`name`, with a line behind it where it is taken."""
    return name if name not in taken else _free(f"{name}_", taken)


# --- files ----------------------------------------------------------------------------------------


def need_format(path: Path, graph: Graph, chosen: Container[str] = ()) -> None:
    """Refuse a format that cannot hold what a network gives, before anything is computed. Raises UsageError.

    Of the outputs that are `chosen` classes are given and no scores, which are on an axis fewer.
    """
    outputs, ending = graph.outputs, _format(path)
    if ending == ".npy" and len(outputs) > 1:
        text = f"the network gives {', '.join(outputs)}, which one .npy file cannot hold: name a .npz file"
        raise UsageError(text)
    for name, output in outputs.items():
        if ending == ".csv" and len(output.shape) - (name in chosen) > 2:
            text = f"the network gives a grid of values for each sample as {name}, which no row of a table can hold"
            raise UsageError(f"{text}: name a .json, .npy or .npz file")


def save(pieces: Iterable[Prediction], path: Path) -> None:
    """Write predictions, piece by piece, in the format that the name of a file says. Raises UsageError."""
    write_file(path, lambda whole: FORMATS[_format(path)](pieces, whole))


def json_pieces(pieces: Iterable[Prediction]) -> Iterator[str]:
    """The records of all pieces as one list of JSON, in parts of its text."""
    start = "["
    for record in chain.from_iterable(map(records, pieces)):
        yield f"{start}\n  {json_text(record, 2).replace(chr(10), chr(10) + '  ')}"
        start = ","
    yield "[]" if start == "[" else "\n]"


def _format(path: Path) -> str:
    """What a file is written as: a pipe or a device, which may be called anything, takes a table."""
    ending = path.suffix.lower()
    return ending if ending in FORMATS else ".csv"


def _csv(pieces: Iterable[Prediction], path: Path) -> None:
    """Write a line for each sample."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        for number, found in enumerate(pieces):
            head, *rows = table(found)
            writer.writerows(rows if number else [head, *rows])


def _json(pieces: Iterable[Prediction], path: Path) -> None:
    """Write a mapping for each sample."""
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(json_pieces(pieces))
        stream.write("\n")


def _npy(pieces: Iterable[Prediction], path: Path) -> None:
    """Write the first output as one array."""
    with path.open("wb") as stream:
        np.save(stream, joined(pieces).first, allow_pickle=False)


def _npz(pieces: Iterable[Prediction], path: Path) -> None:
    """Write each output as an array by its name."""
    with path.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **joined(pieces).outputs)


FORMATS: Final[dict[str, Callable[[Iterable[Prediction], Path], None]]] = {
    ".csv": _csv,
    ".json": _json,
    ".npy": _npy,
    ".npz": _npz,
}
"""What writes a file, by what its name ends in."""
