"""What of a run's folder is its own, by name. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from netspec.errors import UsageError
from netspec.files import kind
from netspec.vocabulary import EXPORTERS
from netspec.weights.stored import BEST

PROOF: Final = "proof.safetensors"
"""What torch computes with the best weights for a few samples."""
METRICS: Final = "metrics.jsonl"
REPORT: Final = "report.html"
FINDINGS: Final = "findings.json"
"""What the best weights get right and wrong, sample by sample."""
EXPORTED: Final = tuple(
    f"model{end}"
    for cls in EXPORTERS.classes()
    for end in (*(f"{cls.extension}{more}" for more in ("", ".data", ".json")), *cls.beside)
)
"""What a run is exported to where no name is given."""
OWN: Final = (
    *("spec.yaml", "environment.json", "origin.json", "plugins.json", "data.json", METRICS, "lock"),
    *("base.safetensors", "best.safetensors", "best.loss.safetensors", "last.safetensors", "last.loss.safetensors"),
    *(PROOF, REPORT, FINDINGS),
    *(*EXPORTED, "tensorboard", "checkpoints"),
)
"""What of a folder is a run's own. Anything else in it is left alone."""


def no_run(folder: str | Path) -> UsageError:
    """What is said of a folder in which no run has begun."""
    if Path(folder).is_file():
        taken = "Of exported files, predict, eval, generate and bench take those that end in .onnx."
        return UsageError(f"{folder} is a file, not a run's folder. {taken}")
    return UsageError(f"{folder} is not a run's folder: it has no spec.yaml")


def best_weights(folder: Path) -> Path:
    """The file of a run's best weights, or where nothing was measured yet that of its last ones.

    It need not be there: a run that was stopped before its first checkpoint has neither.
    """
    best, last = (folder / name for name in BEST)
    return best if kind(best) else last
