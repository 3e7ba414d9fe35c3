"""`netspec launch`: a spec as a job for a cluster."""

from __future__ import annotations

from pathlib import Path

import click

from netspec.cli.common import load, reads_spec, root_words, show
from netspec.errors import UsageError
from netspec.records import seconds
from netspec.views.jobs import FILES, Job, rendered


class Time(click.ParamType[int]):
    """A stretch of time in seconds, written as in a spec."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, context: click.Context | None) -> int:
        found = seconds(str(value))
        return found or self.fail(f"{value!r} is not a time. For example: 45m, 12h, 1h30m or 2d", param, context)


@click.command()
@reads_spec
@click.option("--print", "kind", type=click.Choice(list(FILES)), required=True, help="The kind of cluster.")
@click.option("--nodes", type=click.IntRange(1), default=1, show_default=True, help="How many machines.")
@click.option("--nproc", type=click.IntRange(1), default=8, show_default=True, help="Processes on each; one for a GPU.")
@click.option("--time", type=Time(), default="1d", show_default=True, help="How long the job may last: 12h, 1h30m.")
@click.option("--run", "folder", type=click.Path(path_type=Path), help="The run's folder, which all see; runs/NAME.")
@click.option("--image", default="netspec", show_default=True, help="The image that k8s starts.")
@click.option("--claim", default="work", show_default=True, help="The claim of the volume that k8s mounts at /work.")
def command(
    spec: str,
    overrides: tuple[str, ...],
    kind: str,
    nodes: int,
    nproc: int,
    time: int,
    folder: Path | None,
    image: str,
    claim: str,
) -> None:
    """Print the file of a job that trains a spec on a cluster.

    The job goes on where it was stopped when it is started again: netspec launch SPEC --print slurm | sbatch
    """
    loaded = load(spec, overrides)
    section = loaded.experiment.train
    if section is None or loaded.experiment.data is None:
        raise UsageError(f"{loaded.name} cannot be trained: its spec has no {'data' if section else 'train'} section")
    place = folder or Path("runs") / loaded.name
    words = ("netspec", "train", spec, *overrides, *root_words(), "--run", str(place), "--resume", "auto")
    job = Job(loaded.name, words, nodes, nproc, time, section.device != "cpu", image, claim)
    show(rendered(job, kind).rstrip("\n"))
