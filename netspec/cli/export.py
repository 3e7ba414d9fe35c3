"""`netspec export`: a network in a format for other programs, proven equal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from netspec.cli.common import allow_outside, as_json, inputs_of, limited, load, show, show_json, talk, tell_weights
from netspec.cli.targets import Target

if TYPE_CHECKING:
    from netspec.runtime.export.export import Report


@click.command()
@click.argument("source", metavar="RUN_OR_SPEC", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[PATH.TO.VALUE=NEW]...")
@click.option("--onnx", is_flag=True, help="ONNX is what is written; it need not be said.")
@click.option("-o", "--output", type=Target(".onnx"), metavar="FILE", help="The file; NAME.onnx without.")
@limited
@allow_outside
@as_json
def command(
    source: Path,
    overrides: tuple[str, ...],
    onnx: bool,
    output: Path | None,
    max_params: int | None,
    max_memory: int | None,
    allow_outside: bool,
    as_json: bool,
) -> None:
    """Export the best weights of a run, or a spec's network as it is initialised.

    The file is compared with torch in ONNX Runtime at batch 1, 2 and 5 and on the validation data. Where they
    differ by more than the tolerance, no file is left and the exit code is 6.
    """
    from netspec.files import need_writable

    if source.is_dir():
        from netspec.api.run import Run

        run = Run.read(source, overrides, max_params=max_params, max_memory=max_memory)
        output = output or source / "model.onnx"
        need_writable(output, [*inputs_of(run.spec), *run.files])
        tell_weights(run)
        report = run.export(output, allow_outside=allow_outside)
    else:
        spec = load(str(source), overrides, max_params, max_memory)
        need_writable(output or Path(f"{spec.name}.onnx"), inputs_of(spec))
        talk("no run is named, so the weights are those the network starts with")
        report = spec.export(output or f"{spec.name}.onnx", allow_outside=allow_outside)
    if as_json:
        show_json({"file": str(report.path), "bytes": report.bytes, "opset": report.opset, "nodes": report.nodes,
                   "inputs": report.inputs, "outputs": report.outputs,
                   "absolute": report.absolute, "relative": report.relative})  # fmt: skip
    else:
        show(described(report))


def described(report: Report) -> str:
    """A report as lines for a person."""
    shapes = ", ".join(f"{name} {shape}" for name, shape in {**report.inputs, **report.outputs}.items())
    return "\n".join(
        [
            f"wrote {report.path}: {report.bytes:,} bytes, opset {report.opset}, {shapes}",
            f"largest difference to torch: {report.absolute:.3g} absolute, {report.relative:.3g} relative",
        ]
    )
