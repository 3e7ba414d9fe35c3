"""`netspec predict`: what the network of a run says of new samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netspec.cli.common import as_json, show, show_json, talk, tell_weights
from netspec.cli.targets import Target
from netspec.errors import printable

if TYPE_CHECKING:
    from netspec.runtime.predict import Prediction

SHOWN = 8
"""Values of a sample that a line has room for."""


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("files", metavar="INPUT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--top", type=click.IntRange(1), default=3, show_default=True, help="How many classes to show.")
@click.option("-o", "--output", type=Target(".npy", ".npz"), metavar="FILE", help="Write all values: .npy or .npz.")
@as_json
def command(run: Path, files: tuple[Path, ...], top: int, output: Path | None, as_json: bool) -> None:
    """Predict from the best weights of the run in the folder RUN.

    INPUT is a .npz file with an array for each input of the network, or a .npy file for each, with a row for each
    sample, as the run's data has them before any transform; or a table, or images and folders of images, like those
    that the run was trained on. Shows each sample's likeliest classes, or its values.
    """
    from netspec.runtime.disk import need_writable
    from netspec.runtime.experiment import Run

    read = Run.read(run)
    if output is not None:
        need_writable(output, [*files, *read.files])
    tell_weights(read)
    found = read.predict(*files)
    if output is not None:
        _write(found, output)
        talk(f"wrote {output}")
    elif as_json:
        show_json(_listed(found))
    else:
        show("\n".join(_lines(found, top)))


def _lines(found: Prediction, top: int) -> list[str]:
    """A line for each sample."""
    chosen = found.best(top)
    if chosen is not None:
        lines = [", ".join(f"{name} ({share:.3f})" for name, share in best) for best in chosen]
    else:
        lines = ["; ".join(_values(values[i]) for values in found.outputs.values()) for i in range(len(found.first))]
    heads = found.files or range(len(lines))
    return [printable(f"{head}: {line}") for head, line in zip(heads, lines, strict=True)]


def _values(values: Any) -> str:
    if values.ndim > 1 or values.size > SHOWN:
        return f"{' x '.join(map(str, values.shape))} values, which -o FILE writes"
    return " ".join(f"{value:.4g}" for value in values.ravel().tolist())


def _listed(found: Prediction) -> list[dict[str, Any]]:
    chosen = found.best(len(found.classes or ()))
    said: list[dict[str, Any]]
    if chosen is not None:
        said = [{"class": best[0][0], "probabilities": dict(best)} for best in chosen]
    else:
        said = [{name: values[i].tolist() for name, values in found.outputs.items()} for i in range(len(found.first))]
    return [{"file": file, **one} for file, one in zip(found.files, said, strict=True)] if found.files else said


def _write(found: Prediction, output: Path) -> None:
    import numpy as np

    from netspec.runtime.disk import write_file

    if output.suffix == ".npy" and len(found.outputs) > 1:
        names = ", ".join(found.outputs)
        raise click.UsageError(f"the network gives {names}, which one .npy file cannot hold: name a .npz file")

    def save(path: Path) -> None:
        with path.open("wb") as stream:
            if output.suffix == ".npy":
                np.save(stream, found.first, allow_pickle=False)
            else:
                np.savez(stream, allow_pickle=False, **found.outputs)

    write_file(output, save)
