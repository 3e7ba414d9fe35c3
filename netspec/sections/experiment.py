"""The sections around the network: data, training, export, read together with the document's params."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netspec.errors import Problem
from netspec.sections.document import Document
from netspec.sections.params import Params

if TYPE_CHECKING:
    from netspec.sections.data import DataSection
    from netspec.sections.export import ExportSection
    from netspec.sections.train import Train
    from netspec.transforms.base import Maps


@dataclass(frozen=True, slots=True)
class Experiment:
    """What a spec says besides its network; None where it says nothing, or nothing that can be read."""

    data: DataSection | None = None
    train: Train | None = None
    export: ExportSection | None = None


def read_experiment(document: Document) -> tuple[Experiment, list[Problem]]:
    """The sections that are there, and everything wrong with them. A section that is not there imports nothing.

    What is wrong with the params is reported with the network.
    """
    given, params = document.sections, Params(document)
    data = train = export = None
    problems: list[Problem] = []
    in_training: list[Problem] = []
    if "train" in given:  # before the data, whose targets are moved as the loss takes them
        from netspec.sections.train_reader import read_train

        train, in_training = read_train(given["train"], ("train",), params)
    if "data" in given:
        from netspec.sections.data import read_data

        data, found = read_data(given["data"], ("data",), params, _inputs(given), _maps(train))
        problems += found
    problems += in_training
    if "export" in given:
        from netspec.sections.export import read_export

        export, found = read_export(given["export"], ("export",), params)
        problems += found
    return Experiment(data, train, export), problems


def _inputs(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the network's inputs, one without a name being called `input`."""
    return tuple(given.get("inputs", ())) or ("input",)


def _maps(train: Train | None) -> Maps:
    """How a target that lies on an image's grid is moved: as the loss takes it."""
    from netspec.transforms.base import TORCHS, Maps

    if train is None:
        return TORCHS
    kind, skipped = train.loss.target_kind, train.loss.ignored()
    return Maps(kind in ("class", "label"), skipped if kind == "class" or skipped is not None else 0)
