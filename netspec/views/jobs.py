"""Cluster jobs: the file by which Slurm or Kubernetes trains a spec on several machines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from netspec.json_text import json_text
from netspec.words import in_shell

FILES: Final = {"slurm": "slurm.sh", "k8s": "k8s.yaml"}
"""The kinds of cluster, and the template of each."""


@dataclass(frozen=True, slots=True)
class Job:
    """A run over `nodes` machines with `processes` each, for `seconds` at a time."""

    name: str
    command: tuple[str, ...]
    """What each process runs, as a program: `python -m` would search the current folder for modules."""
    nodes: int = 1
    """How many machines."""
    processes: int = 1
    """How many on each, one an accelerator."""
    seconds: int = 86_400
    """Until the cluster ends a turn, and the next one goes on."""
    gpus: bool = True
    """Whether each process has a GPU."""
    image: str = ""
    """The container's image, for k8s."""
    claim: str = ""
    """The claim of the volume that all machines share, for k8s."""


def rendered(job: Job, kind: str) -> str:
    """The job's file for a kind of cluster."""
    from jinja2 import Environment, StrictUndefined

    options: dict[str, Any] = {"undefined": StrictUndefined, "trim_blocks": True, "keep_trailing_newline": True}
    environment = Environment(**options)  # noqa: S701  no HTML: each value is quoted as its file wants it
    environment.filters |= {"shell": lambda words: in_shell(*words), "json": json_text}
    text = files("netspec").joinpath("templates", "jobs", FILES[kind]).read_text(encoding="utf-8")
    fields = {name: getattr(job, name) for name in Job.__slots__}
    name = label(job.name) if kind == "k8s" else job.name
    return environment.from_string(text).render(**fields | {"name": name, "time": clock(job.seconds)})


def clock(seconds: int) -> str:
    """A time as Slurm writes it: days-hours:minutes:seconds."""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"{days}-{hour:02}:{minute:02}:{second:02}"


def label(name: str) -> str:
    """A name as Kubernetes takes it: small letters, digits and dashes, as short as a host's."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:50].strip("-") or "run"
