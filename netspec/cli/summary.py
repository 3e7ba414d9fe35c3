"""`netspec summary`: the network, or its training, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from netspec.cli.common import Bytes, Named, as_json, limited, load, reads_spec, show, show_json
from netspec.errors import UsageError

if TYPE_CHECKING:
    from netspec.api.spec import Spec


@click.command()
@reads_spec
@limited
@click.option("--depth", type=click.IntRange(1), help="Leave out what is nested deeper than this.")
@click.option("--train", "of_training", is_flag=True, help="Show the training instead: groups, steps, learning rate.")
@click.option("--fit", type=Bytes(), metavar="BYTES", help="With --train: the largest batch for memory such as 24GB.")
@click.option("--size", "sizes", type=Named(), multiple=True, metavar="T=NUMBER", help="With --train: an open size.")
@click.option(
    "--measure", is_flag=True, help="With --train: take steps for some seconds; how long is an epoch, what is faster?"
)
@click.option("--weights", "of_weights", is_flag=True, help="Show what becomes of the weights that it names instead.")
@click.option("--samples", type=click.IntRange(1), help="With --train: the training samples, if the spec cannot tell.")
@as_json
def command(
    spec: str,
    overrides: tuple[str, ...],
    max_params: int | None,
    max_memory: int | None,
    depth: int | None,
    of_training: bool,
    fit: int | None,
    sizes: tuple[tuple[str, int], ...],
    measure: bool,
    of_weights: bool,
    samples: int | None,
    as_json: bool,
) -> None:
    """Show every step with its output shape, parameters, MACs and memory.

    Shapes are without the batch. MACs are multiply-accumulates of one forward pass at batch 1; memory is that of
    the output at batch 1. Nothing is run.

    With --train, memory and arithmetic of a training step are told as formulas, and only --measure runs something.
    """
    loaded = load(spec, overrides, max_params, max_memory, or_stdin=True)
    if of_training:
        _show_training(loaded, samples, dict(sizes), fit, measure=measure, as_json=as_json)
    elif fit is not None or sizes or measure:
        raise UsageError("--fit, --size and --measure go with --train")
    elif of_weights:
        _show_weights(loaded, as_json=as_json)
    else:
        _show_network(loaded, depth, as_json=as_json)


def _show_training(
    spec: Spec, samples: int | None, sizes: Mapping[str, int], fit: int | None, *, measure: bool, as_json: bool
) -> None:
    """Show groups, steps and learning rate, and the forecast of a step, beside what one takes where it is measured."""
    from netspec.views import faster, forecast, training

    beside = {name: each.graph for name, each in spec.beside.items()}
    planned = training.training(spec.name, spec.graph, spec.experiment, samples, beside)
    expected = forecast.forecast(spec.name, spec.graph, spec.experiment, beside, sizes)
    if fit is not None:
        forecast.need_sizes(expected)
    measured = spec.measure() if measure else None
    if as_json:
        told: dict[str, Any] = {"fit": {"bytes": fit, "batch": expected.fitting(fit)}} if fit is not None else {}
        if measured is not None:
            ways = faster.listed(measured.faster, measured.tried)
            told["measured"] = {**forecast.compared(expected, measured.trial), **ways}
        show_json({**planned.listed(), "forecast": {**expected.listed(), **told}})
        return
    lines = [*forecast.lines(expected)]
    lines += forecast.fitting(expected, fit) if fit is not None else []
    if measured is not None:
        lines += [*forecast.facts(expected, measured.trial), *faster.lines(measured.faster, measured.tried)]
    show("\n".join([training.text(planned), "", *lines]))


def _show_weights(spec: Spec, *, as_json: bool) -> None:
    """Show what becomes of the weights that a spec names. Raises UsageError where it names none."""
    from netspec.views import weights

    found = spec.fitted()
    if found is None:
        raise UsageError(f"{spec.name} names no weights. For example: weights: {{load: resnet18.safetensors}}")
    show_json(weights.listed(found)) if as_json else show(weights.text(found))


def _show_network(spec: Spec, depth: int | None, *, as_json: bool) -> None:
    """Show every step, or those that are nested no deeper than `depth`."""
    from netspec.views.table import summary, text

    found = summary(spec.graph)
    show_json(found.listed()) if as_json else show(text(found, depth))
