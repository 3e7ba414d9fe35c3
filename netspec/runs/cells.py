"""What stands in a file in place of the tables that a run has learnt of its data: of characters, words, categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from netspec.datasets.base import Dataset
from netspec.datasets.kinds import UNKNOWN as OTHER
from netspec.datasets.table import Tabular
from netspec.datasets.text import Text, need_characters
from netspec.datasets.tokens import PADDING, UNKNOWN
from netspec.emit.onnx.cells import Cells
from netspec.errors import UsageError
from netspec.words import printable

ASCII: Final = 128
"""Characters that are bytes of UTF-8 by themselves."""
Fills = tuple[float | None, ...]


def cells_of(source: Dataset, learnt: Mapping[str, Any], in_bytes: bool) -> dict[int, Cells]:
    """What the file takes in place of whole numbers, by the places of the inputs; `in_bytes` where it is asked to.

    Raises UsageError where bytes are asked of what has other characters, and DataError where what was learnt is none.
    """
    if isinstance(source, Text):
        return _of_text(source, learnt, in_bytes)
    if not isinstance(source, Tabular):
        return {}
    columns, found = learnt["columns"], dict[int, Cells]()
    place = int(bool(columns["numbers"] or columns.get("dates")))
    if columns["categories"]:
        found[place] = Cells("string", _categories(columns["categories"]), OTHER)
        place += 1
    for known in columns.get("texts", {}).values():
        if known["tokenizer"] != "file":
            found[place] = _of_words(known)
        place += 1 + (source.mask != "none")
    return found


def fills_of(learnt: Mapping[str, Any]) -> Fills:
    """What stands in for an empty cell of each column of numbers, those of dates behind; None where that is refused."""
    columns = learnt.get("columns", {})
    dates = (fill for date in columns.get("dates", {}).values() for fill in date["fills"])
    return (*columns.get("numbers", {}).values(), *dates)


def _of_text(source: Text, learnt: Mapping[str, Any], in_bytes: bool) -> dict[int, Cells]:
    """The same of a text: nothing of one with a tokenizer, whose numbers the file takes."""
    if source.tokenizer:
        return {}
    if source.units == "bytes":
        return {0: Cells("uint8")}
    letters = learnt["classes"] or ()
    need_characters(letters)
    wide = next((letter for letter in letters if ord(letter) >= ASCII), None)
    if in_bytes and wide is not None:
        text = f"input: uint8 takes a character for a byte, and the text has {printable(wide)!r}, which has several"
        raise UsageError(f"{text}. Leave out input, and the file takes the code points of characters.")
    table = {letter: number for number, letter in enumerate(letters)}
    return {0: Cells("uint8" if in_bytes else "int64", (table,), table.get(source.unknown))}


def _categories(columns: Mapping[str, list[str]]) -> tuple[Mapping[str, int], ...]:
    """The numbers of the texts of each column, which run through all of them."""
    found, start = [], OTHER + 1
    for texts in columns.values():
        found.append({text: start + i for i, text in enumerate(texts)})
        start += len(texts)
    return tuple(found)


def _of_words(known: Mapping[str, Any]) -> Cells:
    """What is taken of a column of texts: its words in small letters, or its characters, filled up with nothing."""
    table = {token: UNKNOWN + 1 + i for i, token in enumerate(known["tokens"])}
    if known["tokenizer"] == "characters":
        return Cells("int64", ({**table, "\0": PADDING},), UNKNOWN, "\0")
    return Cells("string", ({**table, "": PADDING},), UNKNOWN, "")
