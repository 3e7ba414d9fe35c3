"""A whole experiment: a spec trained into a run folder, and what is done with the folder afterwards."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain, count, islice
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import torch
from torch import nn

import netspec
from netspec.datasets.kinds import are_learnt
from netspec.datasets.values import is_kept
from netspec.errors import DataError, UsageError
from netspec.exporters import ONNX
from netspec.files import kind, write_text
from netspec.losses.base import Loss
from netspec.ops.sources import Noise
from netspec.plugins.loading import need, remember
from netspec.runtime.data.compatibility import need_fit, remarks
from netspec.runtime.data.loading import load_data
from netspec.runtime.data.scale import InOwnUnits, Scale
from netspec.runtime.data.split import Data, Split
from netspec.runtime.data.weighing import Compared
from netspec.runtime.device.allocator import kept_memory
from netspec.runtime.device.device import choose_device
from netspec.runtime.device.process_group import World, joined
from netspec.runtime.export.export import Report, by_shape, export_onnx, metadata
from netspec.runtime.export.onnx_graph import Probabilities
from netspec.runtime.network.build import build
from netspec.runtime.store.notes import need_plain, read_note, texts
from netspec.runtime.store.origin import ORIGIN, origin_note, where_from
from netspec.runtime.store.run_folder import OWN, RunFolder, no_run
from netspec.runtime.train.evaluate import batch_size, evaluate
from netspec.runtime.train.history import History
from netspec.runtime.train.loss import Objective
from netspec.runtime.train.progress import Progress, Silent
from netspec.runtime.train.run import train as run_training
from netspec.spec import Spec, load
from netspec.tensors import Misfit
from netspec.tensors import Tensor as Described
from netspec.views.meaning import differences, meaning, refusal
from netspec.words import one_line

if TYPE_CHECKING:
    from netspec.runs.predict import Prediction

LEARNT: Final = "data.json"
COMPARED: Final = 4
"""Batches of validation data that an exported file is compared on."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What training leaves: the network with its last weights, in evaluation mode, how it went, where it is kept."""

    module: nn.Module
    history: History
    folder: Path | None


def train(
    spec: Spec,
    folder: Path | None = None,
    *,
    resume: bool | Literal["auto"] = False,
    progress: Progress | None = None,
    allow_outside: bool = False,
    doubt: str = "",
    world: World | None = None,
) -> Trained:
    """Train a spec's network on its data, into a run folder if one is named.

    `resume` goes on with the run that is there, or begins it again where it was stopped before its first checkpoint;
    it must be the same experiment. "auto" does so where there is a run, and else begins one. With a `doubt` about the
    spec's folder no file there is opened, unless that is allowed.
    Under torchrun every process calls it, and folder and screen belong to the first of them; `world` is known where
    they have joined before.
    Raises UsageError for a spec without data or training, or another than the run began with, DataError, Diverged
    and Interrupted.
    """
    if resume and folder is None:
        raise UsageError("resume needs the folder of the run that goes on")
    progress = progress or Silent()
    with contextlib.ExitStack() as stack:
        world = stack.enter_context(joined()) if world is None else world
        run, saved = None, False
        with world.all_or_none():
            if folder and world.main and (resume is True or (resume and RunFolder.begun(folder))):
                run = stack.enter_context(RunFolder.open(folder))
                saved = run.saved
        there, going_on = world.from_main((run is not None, saved))
        with world.all_or_none():
            section = spec.experiment.train
            if folder and there:
                need(folder, unchanged=True)
                _need_same(spec, folder)
            device = choose_device(section.device, world) if section else "cpu"
            known = learnt_in(folder) if folder and going_on else None
            data = data_of(spec, allow_outside, known, device=device, doubt=doubt)
            if section is None:
                raise UsageError(f"{spec.name} cannot be trained: its spec has no train section")
            torch.manual_seed(section.seed)
            module = spec.build()
            need_fit(spec, data)
            if world.main:
                progress.tell([one_line(line) for line in data.told])
            if folder and world.main:
                if run is None:
                    run = stack.enter_context(RunFolder.create(folder, spec.text))
                elif not going_on:
                    progress.warn(f"the run in {folder} was stopped before its first checkpoint, so it begins again")
                    run.begin_again()
                _note(run, spec, data, begins=not going_on)
            for remark in remarks(spec, data) if world.main and not going_on else ():
                progress.warn(remark)
        shown = progress if world.main else None
        same = meaning(spec.graph, spec.experiment)
        history = run_training(module, section, data, run, resume=going_on, progress=shown, world=world, meaning=same)
    return Trained(module.eval(), history, folder)


def _need_same(spec: Spec, folder: Path) -> None:
    """Refuse to go on in a folder with another experiment than it holds. Raises UsageError and SpecError."""
    before = load(folder / "spec.yaml")
    if found := differences(meaning(before.graph, before.experiment), meaning(spec.graph, spec.experiment)):
        raise UsageError(refusal(found))


def _note(run: RunFolder, spec: Spec, data: Data, *, begins: bool) -> None:
    """Note in a run's folder what runs there: now where it begins, else once it is known to go on."""
    run.files = {"spec.yaml": spec.text, ORIGIN: origin_note(run.path, spec)}
    if begins:
        run.renew()
        remember(run.path)
        write_text(run.path / LEARNT, json.dumps(data.learnt, ensure_ascii=False, indent=1) + "\n")


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder that is read again: its spec, its weights, and where its data's paths start."""

    folder: Path
    spec: Spec
    doubt: str = ""
    """Why its data is not read where the folder says that it lies, unless a person allows that; nothing where it is."""

    @classmethod
    def read(cls, folder: str | Path, overrides: Iterable[str] = (), root: str | Path | None = None) -> Run:
        """The run in `folder`, whose data's paths start at `root`, or where the folder says without.

        Raises UsageError where there is none, SpecError for overrides that do not fit, DataError for a folder that
        is not as a run leaves it.
        """
        folder, overrides = Path(folder), list(overrides)
        if not (folder / "spec.yaml").exists():
            raise no_run(folder)
        need_plain(folder, OWN)
        need(folder)
        kept = load(folder / "spec.yaml")
        spec = kept.over(overrides) if overrides else kept
        if root is not None:
            return cls(folder, spec.at(Path(root).resolve()))
        place, doubt = where_from(folder, kept)
        named = any(text.startswith(("data=", "data.source=")) for text in overrides)  # by whoever reads the run
        return cls(folder, spec.at(place), "" if named else doubt)

    @property
    def files(self) -> list[Path]:
        """The files of the folder that belong to the run."""
        return [self.folder / name for name in OWN if name != "model.onnx"]

    @property
    def weights(self) -> Path:
        """The file of the run's best weights, or of its last ones."""
        best = self.folder / "best.safetensors"
        return best if kind(best) else self.folder / "last.safetensors"

    @property
    def learnt(self) -> dict[str, Any]:
        """What its training data taught of how data is to be seen: classes, categories, means."""
        return learnt_in(self.folder)

    def module(self) -> nn.Module:
        """The network with those weights, in evaluation mode: dropout is off, and norms use what they have stored.

        `module().train()` is for training on. Raises DataError where the run has no weights yet.
        """
        if not self.weights.exists():
            text = f"the run in {self.folder} has no weights: it was stopped before its first were saved"
            raise DataError(f"{text}. Go on with it: netspec train --resume {self.folder}")
        return build(self.spec, self.weights).eval()

    @kept_memory()
    def evaluate(self, part: Literal["train", "val", "test"] = "val", *, allow_outside: bool = False) -> dict[str, Any]:
        """The loss and the metrics of the best weights on one part of the data. Raises UsageError and DataError."""
        section = self.spec.experiment.train
        if section is None:
            raise UsageError(f"{self.folder} has no train section that says what to measure")
        data = data_of(self.spec, allow_outside, self.learnt, hold=False, doubt=self.doubt)
        split: Split | None = getattr(data, part)
        if split is None:
            raise DataError(f"the data of {self.spec.name} has no {part} part")
        need_fit(self.spec, data)
        objective = Objective(section.loss, learnt=data.learnt)
        objective.restore(self.weights)
        found = evaluate(self.module(), split, objective, section.metrics, batch=section.batch)
        assert found is not None
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
        """Write the network with the best weights to an ONNX file that is proven to agree with it, on its data too.

        Raises ExportMismatch, and leaves no file, where it does not.
        """
        return export(self.spec, self.module(), Path(path), allow_outside, self.learnt, self.doubt)


def export(
    spec: Spec,
    module: nn.Module,
    path: Path,
    allow_outside: bool = False,
    learnt: Mapping[str, Any] | None = None,
    doubt: str = "",
) -> Report:
    """Write a network to an ONNX file that agrees with it, also on the validation data where there is some.

    The data is seen as a run has `learnt` to see it, if one is given.
    """
    if path.suffix not in ("", ".onnx"):
        raise UsageError(f"{path} is not called .onnx, and no other format is written")
    section, training = spec.experiment.export, spec.experiment.train
    data = data_of(spec, allow_outside, learnt, hold=False, doubt=doubt) if spec.experiment.data is not None else None
    learnt = data.learnt if data else {}
    scale = Scale.of(learnt)
    return export_onnx(
        InOwnUnits(module, scale) if scale else module,
        spec.graph.inputs,
        path,
        section.onnx if section is not None else ONNX(),
        outputs=list(spec.graph.outputs) if len(spec.graph.outputs) > 1 else [_free("output", spec.graph.inputs)],
        validation=_validation(data),
        name=spec.name,
        metadata=metadata(netspec.__version__, spec.name, spec.text, learnt),
        probabilities=partial(_probabilities, training.loss) if training is not None else by_shape,
        draws=[step.path for step in spec.graph.root.walk() if isinstance(step.op, Noise) and not step.training],
    )


def _free(name: str, taken: Container[str]) -> str:
    """`name`, with a number behind it where it is taken."""
    return next(n for n in chain([name], (f"{name}_{i}" for i in count(1))) if n not in taken)


def _probabilities(loss: Loss, scores: torch.Tensor) -> Probabilities:
    """What makes probabilities of scores that were trained with `loss`, as `predict` gives them."""
    assert loss.activation is not None  # else the check `export-probabilities` has refused the spec
    return Probabilities(loss.activation, loss.class_axis(scores.ndim))


def _validation(data: Data | None) -> Iterator[tuple[torch.Tensor, ...]]:
    if data is not None:
        part = data.val or data.train
        for inputs, _ in islice(part.batches(batch_size(part, 64)), COMPARED):
            yield inputs


def learnt_in(folder: Path) -> dict[str, Any]:
    """What the run in a folder has learnt of its data; nothing where none is kept."""
    path = folder / LEARNT
    found: dict[str, Any] = read_note(path, _fault) if kind(path) else {}
    return found


def _fault(learnt: Any) -> str:
    """What is wrong with what a run has learnt, as it is kept; a source of a plugin may keep more."""
    if not isinstance(learnt, dict):
        return "expected a mapping"
    kept: dict[str, Callable[[Any], bool]] = {
        "classes": lambda value: value is None or texts(value),
        "inputs": _seen_as,
        "values": lambda value: isinstance(value, list) and all(map(is_kept, value)),
        "transform": lambda value: isinstance(value, list) and all(isinstance(x, dict | None) for x in value),
        "columns": are_learnt,
        "units": lambda value: isinstance(value, str),
        "own": lambda value: isinstance(value, dict) and value.keys() == {"classes"} and texts(value["classes"]),
        "positive": lambda value: isinstance(value, str),
        "scale": _scale,
        "weights": _weights,
    }
    wrong = [name for name, whole in kept.items() if name in learnt and not whole(learnt[name])]
    return f"{wrong[0]} is not what a run has learnt" if wrong else ""


def _seen_as(inputs: Any) -> bool:
    """Whether the names of the inputs and the largest byte are kept."""
    return isinstance(inputs, dict) and texts(inputs.get("names")) and inputs.get("peak") in range(1, 256)


def _scale(scale: Any) -> bool:
    """Whether a mean and a deviation are kept for each column of the target."""
    if not isinstance(scale, dict) or scale.keys() != {"mean", "deviation"}:
        return False
    mean, deviation = scale.values()
    return _numbers(mean) and _numbers(deviation) and len(mean) == len(deviation) and 0 not in deviation


def _weights(weights: Any) -> bool:
    """Whether each field of the loss has its weights, and where they are of."""
    return isinstance(weights, dict) and all(
        isinstance(one, dict) and one.keys() == {"of", "values"} and _numbers(one["values"]) for one in weights.values()
    )


def _numbers(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and all(type(x) in (int, float) and isfinite(x) for x in values)


def data_of(
    spec: Spec,
    allow_outside: bool,
    learnt: Mapping[str, Any] | None = None,
    *,
    device: torch.device | str = "cpu",
    hold: bool = True,
    doubt: str = "",
) -> Data:
    """The data that a spec names. Raises UsageError where it names none, DataError.

    With a `doubt` about its folder no file there is opened, unless that is allowed.
    """
    section = spec.experiment.data
    if section is None:
        raise UsageError(f"{spec.name} has no data: its spec has no data section")
    training = spec.experiment.train
    takes = partial(_takes, spec) if training is not None else None
    compared = Compared(training.loss, tuple(spec.graph.outputs.values())) if training is not None else None
    known: dict[str, Any] = {"device": device, "learnt": learnt, "hold": hold, "takes": takes, "compared": compared}
    return load_data(section, spec.root, allow_outside=allow_outside, doubt=doubt, **known)


def _takes(spec: Spec, target: Described) -> bool:
    """Whether the spec's loss can compare such a target with what the network gives."""
    assert spec.experiment.train is not None
    try:
        spec.experiment.train.loss.expect([*spec.graph.outputs.values()], target)
    except Misfit:
        return False
    return True
