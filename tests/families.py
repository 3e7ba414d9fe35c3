"""Writes which words each family file answers to, so that only those in use are loaded: `python -m tests.families`.

The tables in the packages of the catalogues, and that of the checks, are what the classes in their files say; run it
after a change to these. A new file needs no line anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from textwrap import wrap
from types import ModuleType
from typing import Any, Final

from netspec import datasets, exporters, layers, lint, losses, metrics, ops, optimizers, schedulers, transforms
from netspec.datasets.base import Dataset
from netspec.exporters.base import Exporter
from netspec.layers.base import Op
from netspec.lint.base import Rule
from netspec.losses.base import Loss
from netspec.metrics.base import Metric
from netspec.optimizers.base import Optimizer
from netspec.records import Entry
from netspec.runtime.export import formats
from netspec.schedulers.base import Scheduler
from netspec.transforms.base import Random, Transform


def answers(classes: list[type[Entry]]) -> str:
    """The words that records answer to: the names of their classes, then their short words."""
    found = [cls for cls in classes if cls.example]
    words = [cls.__name__ for cls in found]
    words += [word for cls in found for word in (*cls.words, *cls.general)]
    return " ".join(dict.fromkeys(words))


def spoken(classes: list[type[Entry]]) -> str:
    """The same for records that are named after nothing of torch's: a class that is a single word is written small."""
    return " ".join(
        word for cls in classes if cls.example for word in (cls.__name__ if cls.words else cls.called(), *cls.words)
    )


def about(classes: list[type[Rule]]) -> str:
    """The stage of a check, and the traits that it is about."""
    return " ".join(word for cls in classes for word in (cls.stage, *cls.about))


@dataclass(frozen=True)
class Table:
    """A table of a package: for each of its files what the classes of one kind in it say."""

    package: ModuleType
    name: str
    base: type
    words: Callable[[list[Any]], str] = answers
    stands: ModuleType | None = None
    """The package that the table stands in, where that is another."""

    @property
    def place(self) -> ModuleType:
        return self.stands or self.package

    @property
    def held(self) -> dict[str, str]:
        """The table as it stands."""
        found: dict[str, str] = vars(self.place)[self.name]
        return found

    def derived(self) -> dict[str, str]:
        """The table as the files say it. Those that are in it keep their order, new ones follow."""
        files = {path.stem for place in self.package.__path__ for path in Path(place).glob("*.py")}
        said = {file: self._said(file) for file in files - {"__init__", "base"}}
        known = list(self.held)
        order = sorted(said, key=lambda file: (known.index(file) if file in known else len(known), file))
        return {file: said[file] for file in order if said[file]}

    def _said(self, file: str) -> str:
        module = import_module(f"{self.package.__name__}.{file}")
        own = (cls for cls in vars(module).values() if isinstance(cls, type) and cls.__module__ == module.__name__)
        return self.words([cls for cls in own if issubclass(cls, self.base)])

    def write(self) -> None:
        """Put the derived table in the place of the one that stands in the package."""
        assert self.place.__file__ is not None
        file = Path(self.place.__file__)
        block = re.compile(rf"{self.name}: dict\[str, str\] = \{{.*?\}}\n", re.DOTALL)
        file.write_text(block.sub(lambda _: written(self.name, self.derived()), file.read_text(), count=1))


TABLES: Final = (
    Table(layers, "FAMILIES", Op),
    Table(ops, "FAMILIES", Op),
    Table(losses, "FAMILIES", Loss),
    Table(optimizers, "FAMILIES", Optimizer),
    Table(schedulers, "FAMILIES", Scheduler),
    Table(metrics, "FAMILIES", Metric),
    Table(datasets, "FAMILIES", Dataset, spoken),
    Table(transforms, "TRANSFORMS", Transform, spoken),
    Table(transforms, "AUGMENTATIONS", Random, spoken),
    Table(formats, "FAMILIES", Exporter, spoken, exporters),
    Table(lint, "RULES", Rule, about),
)


def written(name: str, table: dict[str, str]) -> str:
    """A table as source."""
    lines = [line for file, words in table.items() for line in _lines(file, words)]
    return "\n".join([f"{name}: dict[str, str] = {{", *lines, "}", ""])


def _lines(file: str, words: str) -> list[str]:
    if len(line := f'    "{file}": "{words}",') <= 120:
        return [line]
    parts = wrap(words, 108, break_on_hyphens=False)
    return [f'    "{file}": (', *(f'        "{part} "' for part in parts[:-1]), f'        "{parts[-1]}"', "    ),"]


def main() -> None:
    for table in TABLES:
        table.write()


if __name__ == "__main__":
    main()
