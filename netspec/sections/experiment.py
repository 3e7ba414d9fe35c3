"""The sections around the network, read together with the document's params: data, training, export and the like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from netspec.errors import Problem
from netspec.sections.document import Document
from netspec.sections.known import section
from netspec.sections.params import Params

if TYPE_CHECKING:
    from netspec.sections.data import DataSection
    from netspec.sections.export import ExportSection
    from netspec.sections.train_record import Train


@dataclass(frozen=True, slots=True)
class Experiment:
    """What a spec says besides its network."""

    said: Mapping[str, Any] = field(default_factory=dict)
    """What each section says, by its key; None where that cannot be read."""

    @property
    def data(self) -> DataSection | None:
        """The checked `data` section, if there is one."""
        found: DataSection | None = self.said.get("data")
        return found

    @property
    def train(self) -> Train | None:
        """The checked `train` section, if there is one."""
        found: Train | None = self.said.get("train")
        return found

    @property
    def export(self) -> ExportSection | None:
        """The checked `export` section, if there is one."""
        found: ExportSection | None = self.said.get("export")
        return found

    @property
    def ignored(self) -> frozenset[str]:
        """The codes of the warnings that the spec does not want."""
        found: frozenset[str] = self.said.get("lint", frozenset())
        return found

    def over(self, **said: Any) -> Experiment:
        """The same with something else said by some sections."""
        return Experiment({**self.said, **said})


class Reading:
    """Reads the sections of a document, each once, when it is first asked for."""

    def __init__(self, document: Document) -> None:
        self.given = document.sections
        self.lookup = Params(document)
        self.inputs = tuple(document.sections.get("inputs", ())) or ("input",)
        """The names of the network's inputs, one without a name being called `input`."""
        self.found: dict[str, tuple[Any, list[Problem]]] = {}

    def value(self, key: str) -> Any:
        """What a section says; None where it is not there or cannot be read."""
        if key not in self.given:
            return None
        if key not in self.found:
            self.found[key] = section(key).read(self.given[key], (key,), self)
        return self.found[key][0]


def read_experiment(document: Document) -> tuple[Experiment, list[Problem]]:
    """The sections that are there, and everything wrong with them. A section that is not there imports nothing.

    What is wrong with the params is reported with the network.
    """
    reading = Reading(document)
    said = {key: reading.value(key) for key in document.sections if not section(key).network}
    return Experiment(said), [problem for key in said for problem in reading.found[key][1]]
