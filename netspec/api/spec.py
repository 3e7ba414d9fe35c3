"""A spec with its verbs: built, trained, swept and exported."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic_core import core_schema as cs

from netspec import spec
from netspec.exporters.base import NeedsTorch
from netspec.faults import failed
from netspec.records import refuse
from netspec.text.report import SpecError
from netspec.text.source import as_text
from netspec.words import sparing

if TYPE_CHECKING:
    from torch import Tensor, nn

    from netspec.runs.train import Trained
    from netspec.runtime.export.report import Report
    from netspec.sweeps.results import Sweep


@dataclass(frozen=True, repr=False)
class Spec(spec.Spec):
    """A spec that fits together. Made by `load` and `loads`, which raise SpecError for one that does not."""

    def build(self, weights: Mapping[str, Tensor] | None = None) -> nn.Module:
        """A torch module, made by running the very text that `source` gives, in training mode as torch makes modules.

        It uses `weights`, a state_dict, as its own without copying them; else those that the spec loads; else it is
        initialised. Raises DataError where they do not fit, and SpecError where this machine cannot hold them.
        """
        self.need_room()
        from netspec.runtime.network.build import build

        return build(self, weights)

    def look(self, *, allow_outside: bool = False) -> tuple[str, ...]:
        """What becomes of each column of the spec's table, line by line; of arrays their headers are looked at.

        Nothing for other data, nor where its file is not there, or a table too large to be read for this alone. Raises
        DataError where the data does not go with the spec, SpecError where its target does not go with the loss.
        """
        section = self.experiment.data
        if section is None:
            return ()
        from netspec.datasets.files import Files

        files, source = Files(self.root, allow_outside), section.source.beside(section.split.columns)
        arrays = source.glance(files)
        announced = source.announced(files) if arrays is None else None
        if arrays is None and announced is None:
            return ()
        from netspec.runtime.data.looking import fit, look  # needs numpy, as reading did

        if announced is not None:
            fit(self, section, announced)
        return look(self, section, arrays) if arrays is not None else ()

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
        UsageError for a spec without data or training, or another than the run began with, SpecError for a step that
        does not fit into memory, DataError, Diverged and Interrupted.
        """
        from netspec.runs.room import need_room

        need_room(self)
        from netspec.runs.train import train
        from netspec.runtime.train.telling import progress_for

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

    def export(
        self,
        path: str | Path,
        module: nn.Module | None = None,
        *,
        allow_outside: bool = False,
        with_torch: bool = False,
        proven: bool = True,
    ) -> Report:
        """Write `module`, or the network as it is built, to a file that is proven to agree with it.

        The ending of `path` says the format, `.onnx` for ONNX. Weights that the spec loads from a run are held against
        the outputs that its training stored, and torch is not imported; all others are compared with torch, as these
        are where it is to be `with_torch`. Not `proven`, the file is compared with nothing.

        Raises ExportMismatch, and leaves no file, where it does not agree.
        """
        self.need_room()
        if module is None and not with_torch:
            from netspec.runs.direct import export_spec

            with contextlib.suppress(NeedsTorch):
                return export_spec(self, Path(path), proven=proven)
        from netspec.runs.export import export_with_torch

        return export_with_torch(self, module, Path(path), allow_outside, proven=proven)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> cs.CoreSchema:
        """How a pydantic model takes one: made already, as data, as the text of a spec, or as the Path of its file.

        It is dumped as data, with everything that was laid over it.
        """
        dumped = cs.plain_serializer_function_ser_schema(lambda spec: spec.data)
        return cs.no_info_plain_validator_function(_taken, serialization=dumped)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        """A spec as data, or as its text."""
        from netspec.views.schema import outline

        return {"anyOf": [outline(), {"type": "string", "description": "the text of a spec"}]}


def _taken(value: Any) -> Spec:
    """A spec from what a pydantic model was given. Raises pydantic's error."""
    try:
        if isinstance(value, Spec):
            return value
        if isinstance(value, Path):
            return load(value)
        if isinstance(value, str):
            return loads(value)
        if isinstance(value, Mapping):
            return loads(as_text(value))
    except SpecError as error:
        wrong = [p for p in error.problems if p.severity == "error"]
        raise failed("Spec", [(p.code, f"{p.message}. {p.hint}".rstrip(), p.at.path) for p in wrong], value) from None
    raise refuse("a spec as data, as text, or as the Path of its file")


def load(
    path: str | Path,
    overrides: Sequence[str] = (),
    *,
    max_params: int | None = None,
    max_memory: int | None = None,
    root: str | Path | None = None,
) -> Spec:
    """The spec in the file at `path`, with `section.key=value` overrides laid over it.

    `max_params` and `max_memory`, in bytes, are limits that the network must keep. Specs that it extends may stand
    anywhere in `root`, by default the repository that it is part of.
    Raises SpecError with every problem found, each with its file, line and column.
    """
    return Spec.load(path, overrides, max_params=max_params, max_memory=max_memory, root=root)


def loads(
    text: str,
    overrides: Sequence[str] = (),
    name: str = "<spec>",
    *,
    max_params: int | None = None,
    max_memory: int | None = None,
) -> Spec:
    """The same for a spec that is already in memory, which has no folder and so extends no other."""
    return Spec.loads(text, overrides, name, max_params=max_params, max_memory=max_memory)


def formatted(path: str | Path, *, long: bool = False) -> str:
    """The text of the spec at `path` with every call short, `conv 6 k5`, or long, `conv: {out_channels: 6, ...}`.

    Both mean the same. Comments and everything else stay as they are; what a row cannot say stays long.
    Raises SpecError where a call cannot be read. The spec need not fit together.
    """
    from netspec.text.reader import read_file
    from netspec.views.format import formatted

    with sparing():
        return formatted(read_file(path), long=long)
