"""A run folder with its verbs: evaluated, exported, and asked to predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from netspec.api.spec import Spec
from netspec.exporters.base import NeedsTorch
from netspec.files import sha256
from netspec.runs import run

if TYPE_CHECKING:
    from netspec.runs.prediction import Prediction
    from netspec.runs.sampling import Continuation
    from netspec.runtime.export.report import Report


@dataclass(frozen=True, slots=True, repr=False)
class Run(run.Run):
    """A run folder that is read again: its spec, its weights, and where its data's paths start."""

    spec: Spec
    spec_type: ClassVar[type[Spec]] = Spec

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
        from netspec.runs.evaluating import evaluated

        return evaluated(self, part, allow_outside, tell)

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

    def generate(
        self,
        prompt: str,
        *,
        tokens: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        stop: str | Sequence[str] = (),
        cache: bool = True,
        tell: Callable[[str], None] | None = None,
    ) -> Continuation:
        """What the best weights go on with after a prompt, up to so many `tokens` or a `stop` word.

        Iterating gives its pieces as soon as they are known; `.read()` gives the whole text. Each token is chosen by
        chance, as likely as the network takes it to be: scores are divided by the `temperature`, of which 0 takes the
        likeliest token each time, `top_k` keeps so many of the likeliest, and `top_p` the fewest of them that have this
        probability together. The same `seed` gives the same text. With a `cache` what was read is kept from token to
        token; `tell` is told where the network cannot go on from that. For a run that was not trained on a text the
        prompt and what follows are numbers of tokens. Raises UsageError where the network is no language model, and
        DataError for a prompt that it cannot begin with.
        """
        from netspec.runs.generate import generate
        from netspec.runs.sampling import Sampling

        how = Sampling(temperature, top_k, top_p, seed)
        stops = (stop,) if isinstance(stop, str) else tuple(stop)
        return generate(self, prompt, tokens=tokens, how=how, stop=stops, cache=cache, tell=tell)

    def export(
        self, path: str | Path, *, allow_outside: bool = False, with_torch: bool = False, proven: bool = True
    ) -> Report:
        """Write the network with the best weights to a file that is proven to agree with it.

        The ending of `path` says the format, `.onnx` for ONNX. The file is held against the outputs that training
        stored, and torch is not imported. Where there are none, or it is to be `with_torch`, it is compared with torch,
        on the run's data too. Not `proven`, it is compared with nothing; the report says which of these it was.

        Raises ExportMismatch, and leaves no file, where it does not agree.
        """
        note = ""
        if not with_torch:
            from netspec.runs.direct import export_run

            try:
                return export_run(self, Path(path), proven=proven)
            except NeedsTorch as reason:
                note = f"done with torch, because {reason}"
        from netspec.runs.export import export

        about = (self.spec, self.module(), Path(path), allow_outside, self.learnt, self.doubt)
        report = export(*about, proven=proven, weights=sha256(self.weights))
        return replace(report, note="; ".join(filter(None, (note, report.note))))
