"""A run folder with its verbs: evaluated, exported, and asked to predict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from netspec.api.spec import Spec
from netspec.errors import DataError, UsageError
from netspec.runs import run
from netspec.runs.data import data_of
from netspec.runs.export import export
from netspec.runs.networks import networks_of
from netspec.runtime.data.compatibility import need_fit
from netspec.runtime.data.split import Split
from netspec.runtime.device.allocator import kept_memory
from netspec.runtime.export.export import Report
from netspec.runtime.train.evaluate import evaluate
from netspec.runtime.train.loss import Objective
from netspec.text.report import pointing_into
from netspec.words import listed

if TYPE_CHECKING:
    from netspec.runs.predict import Prediction


@dataclass(frozen=True, slots=True)
class Run(run.Run):
    """A run folder that is read again: its spec, its weights, and where its data's paths start."""

    spec: Spec
    spec_type: ClassVar[type[Spec]] = Spec

    @kept_memory()
    def evaluate(
        self,
        part: Literal["train", "val", "test"] = "val",
        *,
        allow_outside: bool = False,
        tell: Callable[[str], None] | None = None,
    ) -> dict[str, Any]:
        """The loss and the metrics of the best weights on one part of the data.

        `tell` is told where that may be on another scale than the data that the run was trained on. Raises UsageError
        and DataError.
        """
        section = self.spec.experiment.train
        if section is None:
            raise UsageError(f"{self.folder} has no train section that says what to measure")
        data = data_of(self.spec, allow_outside, self.learnt, hold=False, doubt=self.doubt)
        split: Split | None = getattr(data, part)
        if split is None:
            others = [name for name in ("train", "val", "test") if getattr(data, name) is not None]
            hint = f"It has {listed(others)}, as in --part {others[0]}."
            raise DataError(f"the data of {self.spec.name} has no {part} part. {hint}")
        need_fit(self.spec, data)
        if tell is not None:
            for line in data.doubts:
                tell(line)
        loss = section.all_terms if section.players else section.loss
        objective = Objective(loss, learnt=data.learnt, names=tuple(self.spec.graph.outputs))
        networks = networks_of(self.spec, data, undrawn=True)
        if networks is not None:
            objective.hold(networks.players)
        objective.restore(self.weights)
        about: dict[str, Any] = {"batch": section.batch, "networks": networks}
        with pointing_into(self.spec.document.source):
            found = evaluate(self.module(), split, objective, section.metrics, **about)
        if not found:
            raise UsageError("nothing of its losses is measured outside training, where there is no other pass")
        return found

    def predict(self, *files: str | Path, as_is: bool = False) -> Prediction:
        """What the best weights make of samples like those that the run was trained on, before any transform.

        `files` are one .npz with an array for each input of the network, a .npy for each, or files like those of the
        run's source, without a target: a table, texts, images and folders of images, which every run over images
        takes. Values on another scale than the run was trained on are converted where that is sure, which the
        prediction's `told` says, and else refused, unless they are to be taken `as_is`. The data that the run was
        trained on is not needed. Raises DataError.
        """
        from netspec.runs.predict import predict

        return predict(self, [Path(file) for file in files], as_is=as_is)

    def export(self, path: str | Path, *, allow_outside: bool = False) -> Report:
        """Write the network with the best weights to a file that is proven to agree with it, on its data too.

        The ending of `path` says the format, `.onnx` for ONNX.

        Raises ExportMismatch, and leaves no file, where it does not.
        """
        return export(self.spec, self.module(), Path(path), allow_outside, self.learnt, self.doubt)
