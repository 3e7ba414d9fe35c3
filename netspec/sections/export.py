"""The `export` section: `{onnx: {output: probabilities}}`, or the row `onnx output=probabilities`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from netspec.errors import At, Path, Problem
from netspec.exporters.base import Exporter
from netspec.language.calls import Lookup, nothing, read_entry
from netspec.language.refusals import Refused
from netspec.records import Entry
from netspec.sections.base import Around, Section, entry_schema
from netspec.vocabulary import EXPORTERS


@dataclass(frozen=True, slots=True)
class ExportSection:
    """How the network is exported: the options of each format that is named; others have their defaults."""

    formats: tuple[Exporter, ...] = ()


def read_export(
    data: Any, path: Path = ("export",), lookup: Lookup = nothing
) -> tuple[ExportSection | None, list[Problem]]:
    """The `export` section and everything that is wrong with it; None where that leaves no section."""
    problems: list[Problem] = []
    found: dict[type[Exporter], Exporter] = {}
    if data is None:
        return ExportSection(), []
    if not isinstance(data, str | dict):
        hint = "For example: export: {onnx: {opset: 20}}"
        return None, [Problem("bad-section", "export holds formats", At(path), hint)]
    if isinstance(data, dict) and data and not any(map(EXPORTERS.find, data)) and (row := _meant(data)):
        text = "export holds formats, each with its options"
        return None, [Problem("bad-section", text, At((*path, next(iter(data))), on_key=True), f"Write export: {row}")]
    for item in [{word: options} for word, options in data.items()] if isinstance(data, dict) else [data]:
        try:
            entry, _ = read_entry(item, path, EXPORTERS, lookup)
            found[type(entry)] = entry
        except Refused as refused:
            problems += refused.problems
    return (None if problems else ExportSection(tuple(found.values()))), problems


def _meant(data: dict[str, Any]) -> str:
    """The row that options without their format mean, or beside it as `format: onnx`; empty for anything else."""
    from netspec.language.misshapen import with_options, written  # only a mistake pays for it

    having = [cls for cls in EXPORTERS.classes() if any(key in cls.fields for key in data)]
    return written(data, EXPORTERS) or (with_options(having[0].called(), data) if len(having) == 1 else "")


class Export(Section):
    """The format of the exported file, and its options."""

    key = "export"
    after = "train"
    sentence = "how the network is exported"
    example = "export: onnx opset=20"
    forms = (dict, str)
    network = False

    def read(self, value: Any, path: Path, around: Around) -> tuple[ExportSection | None, list[Problem]]:
        return read_export(value, path, around.lookup)

    def classes(self, word: str, path: Path) -> list[type[Entry]]:
        return list(EXPORTERS.find(word))

    def schema(self) -> dict[str, Any]:
        schema = entry_schema(EXPORTERS, "how the network is exported, by format")
        formats = {**schema["anyOf"][1]}
        del formats["maxProperties"], formats["minProperties"]
        return {"description": schema["description"], "anyOf": [schema["anyOf"][0], formats]}
