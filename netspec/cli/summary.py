"""`netspec summary`: the network, or its training, as a table."""

from __future__ import annotations

import click

from netspec.cli.common import as_json, limited, load, reads_spec, show, show_json
from netspec.errors import UsageError


@click.command()
@reads_spec
@limited
@click.option("--depth", type=click.IntRange(1), help="Leave out what is nested deeper than this.")
@click.option("--train", "of_training", is_flag=True, help="Show the training instead: groups, steps, learning rate.")
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
    of_weights: bool,
    samples: int | None,
    as_json: bool,
) -> None:
    """Show every step with its output shape, parameters, MACs and memory.

    Shapes are without the batch. MACs are multiply-accumulates of one forward pass at batch 1; memory is that of
    the output at batch 1. Nothing is run.
    """
    loaded = load(spec, overrides, max_params, max_memory, or_stdin=True)
    if of_training:
        from netspec.views import training

        beside = {name: each.graph for name, each in loaded.beside.items()}
        planned = training.training(loaded.name, loaded.graph, loaded.experiment, samples, beside)
        show_json(planned.listed()) if as_json else show(training.text(planned))
        return
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
