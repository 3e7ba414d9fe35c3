"""What comes with weights that a spec loads: what the run that they are of has learnt of its data. Needs no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netspec.files import kind, shown
from netspec.runs.learnt import LEARNT, learnt_in
from netspec.spec import Spec
from netspec.text.report import SpecError

if TYPE_CHECKING:
    from netspec.sections.data import DataSection


def taken(spec: Spec) -> tuple[dict[str, Any] | None, str]:
    """What a run has learnt of its data whose weights a spec loads, where both see their data alike; and what is told.

    None where the weights are of no run, of several files, or of a run that sees its data in another way. Raises
    DataError for a run that is not as it was left.
    """
    section = spec.experiment.data
    found = spec.fitted() if section is not None else None
    files = list(dict.fromkeys(each.file for each in found.taken)) if found is not None else []
    if section is None or len(files) != 1:
        return None, ""
    folder = files[0].parent
    if kind(folder / "spec.yaml") != "file" or kind(folder / LEARNT) != "file":
        return None, ""
    try:
        own = Spec.load(folder / "spec.yaml").experiment.data
    except SpecError:
        own = None
    if own is None or _seen(own) != _seen(section):
        text = f"what {shown(folder)} has learnt of its data is left aside: its data section is another than the spec's"
        return None, text
    return learnt_in(folder), f"samples are seen as {shown(folder)} has learnt to see them"


def _seen(section: DataSection) -> tuple[Any, ...]:
    """All of a data section that what is learnt depends on, but for where the samples lie."""
    given = {name: value for name, value in section.source.given.items() if name not in ("path", "val", "test")}
    return type(section.source), given, section.transform, section.aim, dict(section.draw)
