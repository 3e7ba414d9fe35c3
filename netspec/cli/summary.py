"""`netspec summary`: the network, or its training, as a table."""

from __future__ import annotations

import click

from netspec.cli.common import Bytes, Named, as_json, limited, load, reads_spec, show, show_json
from netspec.errors import UsageError


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
        from netspec.views import forecast, training

        beside = {name: each.graph for name, each in loaded.beside.items()}
        planned = training.training(loaded.name, loaded.graph, loaded.experiment, samples, beside)
        expected = forecast.forecast(loaded.name, loaded.graph, loaded.experiment, beside, dict(sizes))
        if fit is not None:
            forecast.need_sizes(expected)
        if measure:
            from netspec.views import faster

            measured = loaded.measure()
            trial, ways = measured.trial, (measured.faster, measured.tried)
        if as_json:
            told = {"fit": {"bytes": fit, "batch": expected.fitting(fit)}} if fit is not None else {}
            told |= {"measured": {**forecast.compared(expected, trial), **faster.listed(*ways)}} if measure else {}
            show_json({**planned.listed(), "forecast": {**expected.listed(), **told}})
            return
        lines = [*forecast.lines(expected)]
        lines += forecast.fitting(expected, fit) if fit is not None else []
        lines += [*forecast.facts(expected, trial), *faster.lines(*ways)] if measure else []
        show("\n".join([training.text(planned), "", *lines]))
        return
    if fit is not None or sizes or measure:
        raise UsageError("--fit, --size and --measure go with --train")
    if of_weights:
        from netspec.views import weights

        found_weights = loaded.fitted()
        if found_weights is None:
            raise UsageError(f"{loaded.name} names no weights. For example: weights: {{load: resnet18.safetensors}}")
        show_json(weights.listed(found_weights)) if as_json else show(weights.text(found_weights))
        return
    from netspec.views.table import summary, text

    found = summary(loaded.graph)
    if as_json:
        show_json(found.listed())
    else:
        show(text(found, depth))
