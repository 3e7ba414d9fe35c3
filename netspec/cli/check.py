"""`netspec check`: every problem of a spec at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from netspec.cli.common import as_json, limited, painted, reads_spec, show, show_json
from netspec.errors import DataError, Problem, SpecError


@click.command()
@reads_spec
@limited
@as_json
@click.pass_context
def command(
    context: click.Context,
    spec: str,
    overrides: tuple[str, ...],
    max_params: int | None,
    max_memory: int | None,
    as_json: bool,
) -> None:
    """Check a spec, without running anything.

    Shows every problem with its line, the arithmetic behind it and a way out. Ends with 3 if there is an error.
    """
    from netspec.spec import load

    try:
        loaded = load(spec, overrides, max_params=max_params, max_memory=max_memory)
    except SpecError as error:
        if as_json:
            _show_rows(error.problems, error.source)
        else:
            show(painted(str(error)))
            count = sum(p.severity == "error" for p in error.problems)
            show(f"\n{count:,} error{'s' * (count != 1)}")
        context.exit(error.exit_code)
    source = loaded.document.source
    try:
        columns = loaded.look()
    except DataError as error:
        if as_json and loaded.experiment.data is not None:
            _show_rows([*loaded.warnings, Problem("data", str(error), loaded.experiment.data.source_at)], source)
            context.exit(error.exit_code)
        raise
    if as_json:
        _show_rows(loaded.warnings, source)
        return
    if loaded.warnings:
        from netspec.source import report

        show(painted(report(loaded.warnings, source)) + "\n")
    show(f"{spec}: {described(loaded.graph)}")
    for line in columns:
        show(line)


def _show_rows(problems: Sequence[Problem], source: object) -> None:
    from netspec.source import Source
    from netspec.views.problems import rows

    assert isinstance(source, Source)
    show_json(rows(problems, source))


def described(graph: object) -> str:
    """A network in one line: what goes in, what comes out, how large it is."""
    from netspec.dims import BATCH
    from netspec.graph.model import Graph
    from netspec.layers.base import Tensor
    from netspec.layers.base import show as shape

    assert isinstance(graph, Graph)

    def sizes(tensors: Mapping[str, Tensor]) -> str:
        """The shapes, of which the batch is shown where it is not the first size."""
        return ", ".join(shape(t.shape[t.shape[:1] == (BATCH,) :]) for t in tensors.values())

    given, made = sizes(graph.inputs), sizes(graph.outputs)
    macs = graph.macs()
    cost = f", {macs:,} MACs" if isinstance(macs, int) else ""
    return f"{graph.name} fits together: {given} -> {made}, {graph.parameter_count:,} parameters{cost}"
