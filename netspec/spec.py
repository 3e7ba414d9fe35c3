"""A spec as an object: read once, checked whole, and turned into whatever is asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from netspec.errors import At, Problem
from netspec.graph.expand import expand
from netspec.graph.model import Graph
from netspec.graph.size import Limits, beyond, beyond_machine
from netspec.lint import Facts, lint, silence
from netspec.sections.document import Document, read_document
from netspec.sections.experiment import Experiment, read_experiment
from netspec.sections.overrides import overridden
from netspec.text.overlay import merged, not_laid, override_path
from netspec.text.reader import read_file, read_text
from netspec.text.report import SpecError
from netspec.text.source import Source
from netspec.words import sparing

MAX_EXTENDS = 8
"""How many specs may extend each other in a row."""

if TYPE_CHECKING:
    from torch import Tensor, nn

    from netspec.runs.run import Trained
    from netspec.runtime.export.export import Report
    from netspec.sweeps.results import Sweep


@dataclass(frozen=True)
class Spec:
    """A spec that fits together. Made by `load` and `loads`, which raise SpecError for one that does not."""

    document: Document
    graph: Graph
    """The network with every block expanded and every shape known."""
    experiment: Experiment = field(default=Experiment())
    """The sections around the network."""
    warnings: tuple[Problem, ...] = field(default=())
    limits: Limits = field(default=Limits())
    """How large the network may be."""
    root: Path = field(default_factory=Path.cwd)
    """The folder that paths in the spec start from: that of its file, or where the program runs."""
    file: str = ""
    """The name of its file there, if it has one."""

    @property
    def name(self) -> str:
        return self.graph.name

    @property
    def text(self) -> str:
        """The spec as YAML, with everything that was set over it, and without rules in whose place others hold."""
        return self.document.source.without(self.graph.idle).text

    def at(self, root: Path, file: str = "") -> Spec:
        """The same spec, with its paths starting from another folder, where it is the `file` of that name."""
        return replace(self, root=root, file=file)

    def over(self, overrides: Sequence[str]) -> Spec:
        """The same spec with `section.key=value` overrides laid over it. Raises SpecError."""
        for text in overrides:
            if override_path(text.partition("=")[0])[:1] == ("extends",):
                raise not_laid(text, "what this spec extends is part of it already", "Set it where the file is read.")
        with sparing():
            return _checked(overridden(self.document.source, overrides), self.limits).at(self.root, self.file)

    def source(self) -> str:
        """The network as a readable Python file that needs only torch."""
        return self._printed

    @cached_property
    def _printed(self) -> str:
        from netspec.views.code import bound, source

        return source(replace(self.graph, bound=bound(self.document, self.graph)))

    def need_room(self, *, training: bool = False) -> None:
        """Raises SpecError for a network that this machine cannot hold, before torch is imported."""
        train = self.experiment.train if training else None
        batch, device = (train.batch, train.device) if train else (1, "cpu")
        problems = beyond_machine(self.graph, batch=batch, device=device, training=training)
        if problems:
            raise SpecError(problems, self.document.source)

    def build(self, weights: Mapping[str, Tensor] | None = None) -> nn.Module:
        """A torch module, made by running the very text that `source` gives, in training mode as torch makes modules.

        It uses `weights`, a state_dict, as its own without copying them; else those that the spec loads; else it is
        initialised. Raises DataError where they do not fit, and SpecError where this machine cannot hold them.
        """
        self.need_room()
        from netspec.runtime.network.build import build

        return build(self, weights)

    def look(self, *, allow_outside: bool = False) -> tuple[str, ...]:
        """What becomes of each column of the spec's table, line by line.

        Nothing for other data, nor where the table's file is not there or too large to be read for this alone. Raises
        DataError where the table does not go with the spec.
        """
        from netspec.datasets.looking import look

        section = self.experiment.data
        return look(section, self.graph.inputs, self.root, allow_outside) if section is not None else ()

    def train(
        self,
        folder: str | Path | None = None,
        *,
        resume: bool | Literal["auto"] = False,
        progress: bool = False,
        allow_outside: bool = False,
    ) -> Trained:
        """Train the network on the spec's data, into the run folder `folder` if one is named.

        `resume` goes on with the run that is there, which must have begun as the same experiment; where it was stopped
        before its first checkpoint, it begins again. "auto" does so where there is a run, and else begins one.
        `progress` shows it on the screen. `allow_outside` reads data outside of the spec's folder too. Raises
        UsageError for a spec without data or training, or another than the run began with, DataError, Diverged and
        Interrupted.
        """
        self.need_room(training=True)
        from netspec.runs.run import train
        from netspec.runtime.train.progress import progress_for

        shown = progress_for() if progress else None
        return train(self, Path(folder) if folder else None, resume=resume, progress=shown, allow_outside=allow_outside)

    def sweep(
        self,
        values: Sequence[str],
        *,
        metric: str | None = None,
        trials: int = 50,
        folder: str | Path | None = None,
        prune: bool = False,
        max_params: int | None = None,
        max_macs: int | None = None,
        seed: int = 0,
    ) -> Sweep:
        """Train the network with many settings, and go on where the same sweep stopped.

        `values` are overrides with choices, `params.width=32,64,96`, and ranges, `train.optimizer.lr=1e-4..1e-2:log`.
        Each trial is a run in `folder`, which other processes and machines may share. Needs optuna. Raises UsageError,
        SpecError where no combination fits, what training raises if the first trial fails, and Interrupted.
        """
        from netspec.sweeps.sweep import sweep

        return sweep(
            self,
            values,
            metric=metric,
            trials=trials,
            folder=Path(folder) if folder else None,
            prune=prune,
            max_params=max_params,
            max_macs=max_macs,
            seed=seed,
        )

    def export(self, path: str | Path, module: nn.Module | None = None, *, allow_outside: bool = False) -> Report:
        """Write `module`, or the network as it is built, to an ONNX file that is proven to agree with it.

        Raises ExportMismatch, and leaves no file, where it does not.
        """
        self.need_room()
        from netspec.runs.run import export

        return export(self, module if module is not None else self.build(), Path(path), allow_outside)


def load(
    path: str | Path, overrides: Sequence[str] = (), *, max_params: int | None = None, max_memory: int | None = None
) -> Spec:
    """The spec in the file at `path`, with `section.key=value` overrides laid over it.

    `max_params` and `max_memory`, in bytes, are limits that the network must keep.
    Raises SpecError with every problem found, each with its file, line and column.
    """
    with sparing():
        spec = checked(read_file(path), Path(path).parent, overrides, max_params=max_params, max_memory=max_memory)
        return replace(spec, file=Path(path).name)


def checked(
    source: Source,
    folder: Path,
    overrides: Sequence[str] = (),
    *,
    max_params: int | None = None,
    max_memory: int | None = None,
) -> Spec:
    """The same for one that has been read, with its paths starting from `folder`."""
    with sparing():
        return _checked(_laid(source, folder, overrides), Limits(max_params, max_memory)).at(folder.resolve())


def loads(
    text: str,
    overrides: Sequence[str] = (),
    name: str = "<spec>",
    *,
    max_params: int | None = None,
    max_memory: int | None = None,
) -> Spec:
    """The same for a spec that is already in memory, which has no folder and so extends no other."""
    with sparing():
        return _checked(_laid(read_text(text, name), None, overrides), Limits(max_params, max_memory))


def formatted(path: str | Path, *, long: bool = False) -> str:
    """The text of the spec at `path` with every call short, `conv 6 k5`, or long, `conv: {out_channels: 6, ...}`.

    Both mean the same. Comments and everything else stay as they are; what a row cannot say stays long.
    Raises SpecError where a call cannot be read. The spec need not fit together.
    """
    from netspec.views.format import formatted

    with sparing():
        return formatted(read_file(path), long=long)


def _laid(source: Source, folder: Path | None, overrides: Sequence[str]) -> Source:
    """`source` over the spec that it extends, with the overrides over both; one of `extends` says which that is."""
    of_extends = [text for text in overrides if override_path(text.partition("=")[0])[:1] == ("extends",)]
    source = _extended(overridden(source, of_extends), folder, 0)
    return overridden(source, [text for text in overrides if text not in of_extends])


def _extended(source: Source, folder: Path | None, depth: int) -> Source:
    """`source` laid over the spec that it extends, which lies in its folder or below. Raises SpecError."""
    name = source.data.get("extends") if isinstance(source.data, dict) else None
    if not isinstance(name, str):
        return source
    if folder is None:
        raise _not_extended(source, "a spec in memory has no folder to find another in")
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise _not_extended(source, f"{name!r} lies outside the folder of this spec")
    if not path.is_file():
        raise _not_extended(source, f"{name!r} is not a file")
    if depth >= MAX_EXTENDS:
        raise _not_extended(source, f"more than {MAX_EXTENDS} specs extend each other")
    whole = merged(_extended(read_file(path), path.parent, depth + 1), source)
    del whole.data["extends"]
    return whole


def _not_extended(source: Source, message: str) -> SpecError:
    problem = Problem("extends", message, At(("extends",)), "Name a spec in the folder of this one, as in base.yaml.")
    return SpecError([problem], source)


def _checked(source: Source, limits: Limits) -> Spec:
    document, problems = read_document(source)
    source = document.source
    graph, in_graph = expand(document)
    experiment, around = read_experiment(document)
    whole = not any(p.severity == "error" for p in (*problems, *in_graph))
    problems = [*problems, *in_graph, *around]
    if whole and experiment.train and experiment.train.groups:
        from netspec.graph.groups import assigned

        groups, unfit, idle = assigned(graph, experiment.train.groups, source)
        experiment = replace(experiment, train=experiment.train.replace(groups=groups))
        graph = replace(graph, idle=(*graph.idle, *idle))
        problems += unfit
    if whole:
        batch = experiment.train.batch if experiment.train else 1
        problems += beyond(graph, limits, batch=batch, training=experiment.train is not None)
    problems += lint(Facts(graph, experiment), whole)
    problems = silence(document.sections.get("lint"), problems)
    if any(p.severity == "error" for p in problems):
        raise SpecError(problems, source)
    return Spec(document, graph, experiment, tuple(problems), limits)
