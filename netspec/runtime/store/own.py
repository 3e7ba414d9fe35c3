"""What of a run's folder is its own, by name. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from netspec.errors import UsageError
from netspec.vocabulary import EXPORTERS

PROOF: Final = "proof.safetensors"
"""What torch computes with the best weights for a few samples."""
EXPORTED: Final = tuple(f"model{cls.extension}{more}" for cls in EXPORTERS.classes() for more in ("", ".data"))
"""What a run is exported to where no name is given."""
OWN: Final = (
    *("spec.yaml", "environment.json", "origin.json", "plugins.json", "data.json", "metrics.jsonl", "lock"),
    *("base.safetensors", "best.safetensors", "best.loss.safetensors", "last.safetensors", "last.loss.safetensors"),
    PROOF,
    *(*EXPORTED, "tensorboard", "checkpoints"),
)
"""What of a folder is a run's own. Anything else in it is left alone."""


def no_run(folder: str | Path) -> UsageError:
    """What is said of a folder in which no run has begun."""
    return UsageError(f"{folder} is not a run's folder: it has no spec.yaml")
