"""A spec as an object: read once, checked whole, and turned into whatever is asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from netspec.displays import Displayed
from netspec.errors import Problem
from netspec.graph.expand import expand
from netspec.graph.model import Graph
from netspec.graph.size import Limits, beyond, beyond_machine
from netspec.lint import Facts, lint
from netspec.paths import real
from netspec.sections.document import Document, read_document
from netspec.sections.experiment import Experiment, read_experiment
from netspec.sections.extending import FIRST, laid
from netspec.sections.overrides import not_laid, overridden, override_path
from netspec.text.reader import read_file, read_text
from netspec.text.report import MisfitError, SpecError
from netspec.text.source import Source
from netspec.words import sparing

if TYPE_CHECKING:
    from netspec.sections.train_record import Train
    from netspec.weights.fit import Fit


@dataclass(frozen=True, repr=False)
class Spec(Displayed):
    """A spec that fits together; what makes one raises SpecError with every problem of one that does not."""

    document: Document
    """The sections as plain data, and the text that they stand in."""
    graph: Graph
    """The network with every block expanded and every shape known."""
    experiment: Experiment = field(default=Experiment())
    """The sections around the network."""
    warnings: tuple[Problem, ...] = field(default=())
    """What is odd about it and keeps nobody from using it."""
    limits: Limits = field(default=Limits())
    """How large the network may be."""
    root: Path = field(default_factory=Path.cwd)
    """The folder that paths in the spec start from: that of its file, or where the program runs."""
    file: str = ""
    """The name of its file there, if it has one."""
    beside: Mapping[str, Spec] = field(default_factory=dict)
    """The networks that training has beside it: that of a teacher under this name, those of players under theirs."""

    @classmethod
    def load(
        cls,
        path: str | Path,
        overrides: Sequence[str] = (),
        *,
        max_params: int | None = None,
        max_memory: int | None = None,
        root: str | Path | None = None,
    ) -> Self:
        """The spec in the file at `path`, with `section.key=value` overrides laid over it.

        `max_params` and `max_memory`, in bytes, are limits that the network must keep. Specs that it extends may
        stand anywhere in `root`, by default the repository that it is part of.
        """
        with sparing():
            limits = Limits(max_params, max_memory)
            spec = cls.of(read_file(path), Path(path).parent, overrides, limits, root)
            return replace(spec, file=Path(path).name)

    @classmethod
    def loads(
        cls,
        text: str,
        overrides: Sequence[str] = (),
        name: str = "<spec>",
        *,
        max_params: int | None = None,
        max_memory: int | None = None,
    ) -> Self:
        """The same for a spec that is already in memory, which has no folder and so extends no other."""
        with sparing():
            return cls._checked(laid(read_text(text, name), None, overrides), Limits(max_params, max_memory))

    @classmethod
    def of(
        cls,
        source: Source,
        folder: Path,
        overrides: Sequence[str] = (),
        limits: Limits | None = None,
        root: str | Path | None = None,
    ) -> Self:
        """The same for one that has been read, with its paths starting from `folder`."""
        with sparing():
            whole = laid(source, folder, overrides, Path(root) if root is not None else None)
            return cls._checked(whole, limits or Limits()).at(real(folder))

    def __repr__(self) -> str:
        """Its file, and its network in a few words."""
        return f"<Spec {self.name}{f' in {self.file}' if self.file else ''}: {self.graph.in_words}>"

    @property
    def name(self) -> str:
        """The name of its network."""
        return self.graph.name

    @property
    def text(self) -> str:
        """The spec as YAML, with everything that was set over it, and without rules in whose place others hold."""
        return self.document.source.without(self.graph.idle).text

    @property
    def data(self) -> dict[str, Any]:
        """The spec as plain data, as `text` has it."""
        data: dict[str, Any] = self.document.source.without(self.graph.idle).data
        return data

    def at(self, root: Path, file: str = "") -> Self:
        """The same spec, with its paths starting from another folder, where it is the `file` of that name."""
        return replace(self, root=root, file=file, beside={n: each.at(root, file) for n, each in self.beside.items()})

    def over(self, overrides: Sequence[str]) -> Self:
        """The same spec with `section.key=value` overrides laid over it. Raises SpecError."""
        for text in overrides:
            if override_path(text.partition("=")[0])[:1] in FIRST:
                what = "what this spec extends and uses is part of it already"
                raise not_laid(text, what, "Set it where the file is read.")
        with sparing():
            return self._checked(overridden(self.document.source, overrides), self.limits).at(self.root, self.file)

    def folded(self) -> Self:
        """The same spec without small matrices of lora: the network that weights are for which have them folded in."""
        document = replace(self.document, folded=True)
        with sparing():
            return replace(self, document=document, graph=expand(document)[0])

    def source(self) -> str:
        """The network as a readable Python file that needs only torch."""
        return self._printed

    @cached_property
    def _printed(self) -> str:
        """The text of its network, printed once."""
        from netspec.views.code import source

        return source(self.document)

    def fitted(self) -> Fit | None:
        """How the weights that it names fit the network, by the headers of their files; None where it names none.

        Raises MisfitError, a DataError, with everything about them that is wrong.
        """
        for name in self.beside:
            self._fit_beside(name)
        if not self.graph.weights.loads:
            return None
        from netspec.views.weights import fitted

        with sparing():
            found = fitted(self.graph, self.root)
        if found.problems:
            raise MisfitError(found.problems, self.document.source)
        return found

    def _fit_beside(self, name: str) -> None:
        """Raises MisfitError where the weights of a network beside do not fit it."""
        from netspec.sections.beside import moved, place_of

        try:
            self.beside[name].fitted()
        except MisfitError as error:
            path = place_of(name)
            said = (*path, "weights") in self.document.source.marks
            problems = [moved(problem, path if said else (*path, "spec")) for problem in error.problems]
            raise MisfitError(problems, self.document.source) from None

    def need_room(self, *, training: bool = False) -> None:
        """Raises SpecError for a network that this machine cannot hold, before torch is imported."""
        train = self.experiment.train if training else None
        batch, device = (train.batch, train.device) if train else (1, "cpu")
        problems = beyond_machine(self.graph, batch=batch, device=device, training=training)
        if problems:
            raise SpecError(problems, self.document.source)

    @classmethod
    def _checked(cls, source: Source, limits: Limits) -> Self:
        """The spec of a source, with its warnings. Raises SpecError with every problem."""
        document, problems = read_document(source)
        source = document.source
        graph, in_graph = expand(document)
        experiment, around = read_experiment(document)
        whole = not any(p.severity == "error" for p in (*problems, *in_graph))
        beside, in_others = _beside(source, experiment.train, limits)
        problems = [*problems, *in_graph, *around, *in_others]
        if whole and experiment.train and experiment.train.groups:
            from netspec.graph.groups import assigned

            groups, unfit, idle = assigned(graph, experiment.train.groups, source)
            experiment = experiment.over(train=experiment.train.replace(groups=groups))
            graph = replace(graph, idle=(*graph.idle, *idle))
            problems += unfit
        if whole and experiment.train and experiment.train.penalties:
            from netspec.graph.groups import penalised

            lines, unfit = penalised(graph, experiment.train.penalties)
            experiment = experiment.over(train=experiment.train.replace(penalties=lines))
            problems += unfit
        if whole:
            batch = experiment.train.batch if experiment.train else 1
            problems += beyond(graph, limits, batch=batch, training=experiment.train is not None)
        others = {name: each.graph for name, each in beside.items()}
        problems += lint(Facts(graph, experiment, beside=others), whole and not in_others)
        problems = [p for p in problems if p.severity == "error" or p.code not in experiment.ignored]
        if any(p.severity == "error" for p in problems):
            raise SpecError(problems, source)
        return cls(document, graph, experiment, tuple(problems), limits, beside=beside)


def _beside(source: Source, train: Train | None, limits: Limits) -> tuple[dict[str, Spec], list[Problem]]:
    """The networks of a teacher and of players, and everything wrong with them."""
    if train is None or not train.composed:
        return {}, []
    from netspec.sections.beside import moved, part_of, place_of

    found, problems = dict[str, Spec](), list[Problem]()
    for name, each in train.beside.items():
        path = place_of(name)
        part = part_of(source, (*path, "spec"))
        if each.weights is not None:
            part = part.with_section("weights", part_of(source, (*path, "weights")))
        document, wrong = read_document(part)
        graph, more = expand(document)
        errors = [problem for problem in (*wrong, *more) if problem.severity == "error"]
        apart = each.weights is not None
        problems += [
            moved(problem, path if apart and problem.at.path[:1] == ("weights",) else (*path, "spec"))
            for problem in errors
        ]
        if not errors:
            found[name] = Spec(document, graph, limits=limits)
    return found, problems
