"""`netspec predict`: what the network of a run says of new samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netspec.cli.common import as_json, inputs_of, limited, show, talk, tell_of
from netspec.cli.targets import Target
from netspec.words import printable

if TYPE_CHECKING:
    from netspec.runs.prediction import Answer, Prediction

SHOWN = 8
"""Values of a sample that a line has room for."""
PLACES = 64
"""Places of a sample, such as tokens, that a line has room for."""
FORMATS = (".csv", ".json", ".npy", ".npz")


@click.command()
@click.argument("source", metavar="RUN_OR_FILE.onnx", type=click.Path(path_type=Path))
@click.argument("files", metavar="INPUT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--top", type=click.IntRange(1), default=3, show_default=True, help="How many classes to show.")
@click.option(
    *("-o", "--output"),
    type=Target(*FORMATS),
    metavar="FILE",
    help="Write all of it: .csv or .json with what names each sample, its class and the probabilities, or its values; "
    ".npy or .npz with the values alone. A pipe takes what .csv has.",
)
@click.option("--as-is", is_flag=True, help="Take values as they are, whatever the scale of those of training.")
@limited
@as_json
def command(
    source: Path,
    files: tuple[Path, ...],
    top: int,
    output: Path | None,
    as_is: bool,
    max_params: int | None,
    max_memory: int | None,
    as_json: bool,
) -> None:
    """Predict from the best weights of a run, or from an exported file, by ONNX Runtime and without torch.

    INPUT is a .npz file with an array for each input of the network, or a .npy file for each, with a row for each
    sample, as the run's data has them before any transform. Or it is like what the run was trained on: a table, with
    or without the target, which may come on standard input (-); images and folders of images, which every run over
    images takes; lines of text in a file, as one argument with blanks in it, or on standard input. Shows each sample's
    likeliest classes, or its values, as soon as they are known.
    """
    if output is not None and as_json:
        raise click.UsageError("--json prints what -o would write: name one of them")
    pieces = _pieces(source, files, output, as_is, max_params, max_memory)
    if output is not None:
        from netspec.runs.answers import save

        save(_talking(pieces), output)
        talk(f"wrote {printable(str(output))}")
    elif as_json:
        from netspec.runs.answers import json_pieces

        for part in json_pieces(_talking(pieces)):
            click.echo(part, nl=False)
        click.echo()
    else:
        for found in _talking(pieces):
            show("\n".join(_lines(found, top)))


def _pieces(
    source: Path,
    files: tuple[Path, ...],
    output: Path | None,
    as_is: bool,
    max_params: int | None,
    max_memory: int | None,
) -> Iterator[Prediction]:
    """What the network says, a batch after the other; an output that cannot hold that is refused before."""
    from netspec.files import need_writable
    from netspec.runs.answers import need_format
    from netspec.runs.onnx_model import OnnxModel, is_model

    if is_model(source):
        from netspec.runs import predict_file

        model = OnnxModel.read(source)
        if output is not None:
            need_format(output, model.spec.graph, predict_file.chosen_in(model))
            need_writable(output, [*files, source])
        return predict_file.predicted(model, files, as_is=as_is)
    from netspec.api.run import Run
    from netspec.runs.predict import predicted

    run = Run.read(source, max_params=max_params, max_memory=max_memory)
    if output is not None:
        need_format(output, run.spec.graph)
        need_writable(output, [*files, *inputs_of(run.spec), *run.files])
    tell_of(run)
    return predicted(run, files, as_is=as_is)


def _talking(pieces: Iterable[Prediction]) -> Iterator[Prediction]:
    """The same, with what a person should know of them said on the way."""
    for found in pieces:
        for line in found.told:
            talk(printable(line))
        yield found


def _lines(found: Prediction, top: int) -> list[str]:
    """A line for each sample."""
    chosen, places = found.best(top), found.places()
    if found.answers:
        lines = ["; ".join(each) for each in zip(*(_of(*pair, top) for pair in found.answers.items()), strict=True)]
    elif chosen is not None:
        lines = [", ".join(f"{name} ({share:.3f})" for name, share in best) for best in chosen]
    elif places is not None:
        lines = [_named(each) for each in places]
    else:
        labels = [found.labels, *[()] * (len(found.outputs) - 1)]
        pairs = list(zip(found.outputs.values(), labels, strict=True))
        lines = ["; ".join(_values(values[i], names) for values, names in pairs) for i in range(len(found.first))]
    heads = found.names.values() or [range(found.start, found.start + len(lines))]
    return [printable(f"{', '.join(map(str, head))}: {line}") for *head, line in zip(*heads, lines, strict=True)]


def _of(name: str, answer: Answer, top: int) -> list[str]:
    """What one of several outputs says of each sample."""
    chosen, places = answer.best(top), answer.places()
    if chosen is not None:
        said = [", ".join(f"{each} ({share:.3f})" for each, share in best) for best in chosen]
    else:
        said = [_named(each) for each in places] if places is not None else [_values(each) for each in answer.values]
    return [f"{name} {each}" for each in said]


def _named(places: Any) -> str:
    """The likeliest class of each place."""
    if isinstance(places, str):
        return str(places)
    if places.size > PLACES:
        return f"classes of {' x '.join(map(str, places.shape))} places, which -o FILE writes"
    return " ".join(places.ravel().tolist())


def _values(values: Any, labels: Sequence[str] = ()) -> str:
    """What was predicted of a sample, by name where there are several `labels`; or only how much where that is much."""
    if values.ndim > 1 or values.size > SHOWN:
        return f"{' x '.join(map(str, values.shape))} values, which -o FILE writes"
    shown = [f"{value:.4g}" for value in values.ravel().tolist()]
    if len(labels) > 1:
        return ", ".join(f"{label} {value}" for label, value in zip(labels, shown, strict=True))
    return " ".join(shown)
