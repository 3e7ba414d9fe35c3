"""A trained run: its folder, read again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from netspec.displays import Displayed
from netspec.errors import DataError, UsageError
from netspec.files import shown
from netspec.paths import real
from netspec.plugins.loading import need
from netspec.runs.learnt import learnt_in
from netspec.runtime.store.notes import need_plain
from netspec.runtime.store.origin import where_from
from netspec.runtime.store.own import EXPORTED, OWN, best_weights, no_run
from netspec.spec import Spec
from netspec.words import command

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True, repr=False)
class Run(Displayed):
    """A run folder that is read again: its spec, its weights, and where its data's paths start."""

    folder: Path
    spec: Spec
    doubt: str = ""
    """Why its data is not read where the folder says that it lies, unless a person allows that; nothing where it is."""

    spec_type: ClassVar[type[Spec]] = Spec

    @classmethod
    def read(
        cls,
        folder: str | Path,
        overrides: Iterable[str] = (),
        root: str | Path | None = None,
        *,
        max_params: int | None = None,
        max_memory: int | None = None,
    ) -> Self:
        """The run in `folder`, whose data's paths start at `root`, or where the folder says without.

        `max_params` and `max_memory`, in bytes, are limits that its network must keep. Raises UsageError where there is
        no run, SpecError for overrides that do not fit and a network that is larger than allowed, DataError for a
        folder that is not as a run leaves it.
        """
        folder, overrides = Path(folder), list(overrides)
        if not (folder / "spec.yaml").exists():
            raise no_run(folder)
        need_plain(folder, OWN)
        need(folder)
        kept = cls.spec_type.load(folder / "spec.yaml", max_params=max_params, max_memory=max_memory)
        spec = kept.over(overrides) if overrides else kept
        _need_own_weights(folder, kept, spec)
        if root is not None:
            return cls(folder, spec.at(real(Path(root))))
        place, file, doubt = where_from(folder, kept)
        named = any(text.startswith(("data=", "data.source=")) for text in overrides)  # by whoever reads the run
        return cls(folder, spec.at(place, file), "" if named else doubt)

    def __repr__(self) -> str:
        """Its folder, and its network in a few words."""
        return f"<Run {self.folder} of {self.spec.name}: {self.spec.graph.in_words}>"

    @property
    def files(self) -> list[Path]:
        """The files of the folder that belong to the run."""
        return [self.folder / name for name in OWN if name not in EXPORTED]

    @property
    def weights(self) -> Path:
        """The file of the run's best weights, or of its last ones."""
        return best_weights(self.folder)

    @property
    def learnt(self) -> dict[str, Any]:
        """What its training data taught of how data is to be seen: classes, categories, means."""
        return learnt_in(self.folder)

    def module(self, *, fold: bool = False) -> nn.Module:
        """The network with those weights, in evaluation mode: dropout is off, and norms use what they have stored.

        `module().train()` is for training on. Where it is to `fold`, small matrices of lora are added to the weights
        that they stand beside. Raises DataError where the run has no weights yet.
        """
        self.need_weights()
        from netspec.runtime.network.build import build
        from netspec.runtime.network.folding import folded

        if self.doubt and self.spec.graph.weights.freeze.adapters and self.spec.graph.weights.loads:
            base = self.spec.graph.weights.loads[0].file
            raise DataError(f"{self.doubt}, so the base of its weights, {shown(base)}, is not read there")
        module = build(self.spec, self.weights).eval()
        return folded(module) if fold else module

    def need_weights(self) -> None:
        """Refuse a run that was stopped before its first weights were saved. Raises DataError."""
        if not self.weights.exists():
            text = f"the run in {self.folder} has no weights: it was stopped before its first were saved"
            raise DataError(f"{text}. Go on with it: {command('train', '--resume', str(self.folder))}")


def _need_own_weights(folder: Path, kept: Spec, spec: Spec) -> None:
    """Refuse a file of weights that was set for a run, which has its own. Raises UsageError.

    Adapters stand beside weights of another file, which may lie elsewhere by now.
    """
    before, now = ([load.file for load in each.graph.weights.loads] for each in (kept, spec))
    if now != before and not spec.graph.weights.freeze.adapters:
        text = (
            f"the weights of {shown(folder)} are those that it was trained to, and weights.load changes nothing there"
        )
        raise UsageError(f"{text}. To give its network others, name a spec in place of the run.")
