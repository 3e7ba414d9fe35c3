"""`netspec bench`: how fast a network runs, in torch and as files, side by side."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netspec.cli.common import as_json, limited, load, show, show_json, talk, tell_of, within
from netspec.errors import UsageError
from netspec.words import printable

if TYPE_CHECKING:
    from netspec.runs.bench import Bench

PACKAGES = ("torch", "onnxruntime", "numpy")


@click.command()
@click.argument("source", metavar="RUN_OR_SPEC_OR_FILE.onnx", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[PATH.TO.VALUE=NEW]...")
@click.option("--batch", default="1,8,64", show_default=True, metavar="SIZES", help="Batch sizes.")
@click.option("--size", multiple=True, metavar="T=128", help="The size of an open dimension. For each of several.")
@click.option(
    *("--seconds", "seconds"),
    type=click.FloatRange(0, 600),
    default=1.0,
    show_default=True,
    help="How long each way runs for each batch size, about.",
)
@click.option("--no-compile", is_flag=True, help="Leave out torch.compile, which takes long to begin.")
@within
@limited
@as_json
def command(
    source: Path,
    overrides: tuple[str, ...],
    batch: str,
    size: tuple[str, ...],
    seconds: float,
    no_compile: bool,
    max_params: int | None,
    max_memory: int | None,
    as_json: bool,
) -> None:
    """Time the network of a run, of a spec or in an exported file: in torch, compiled, in ONNX Runtime, and in C.

    All ways take turns, behind runs that only warm up. Inputs are random. A file is run by ONNX Runtime alone, with one
    thread and with all.
    """
    from netspec.runs.bench import bench
    from netspec.runs.onnx_model import OnnxModel, is_model
    from netspec.runtime.store.own import no_run
    from netspec.vocabulary import EXPORTERS

    about: dict[str, Any] = {"batches": _counts(batch), "sizes": dict(map(_size, size)), "seconds": seconds}
    about |= {"compiled": not no_compile, "tell": talk}
    if is_model(source):
        if overrides:
            raise UsageError(f"a file is as it is: {printable(overrides[0])} cannot be set in it")
        found = bench(OnnxModel.read(source), **about)
    elif source.is_dir():
        from netspec.api.run import Run

        run = Run.read(source, overrides, max_params=max_params, max_memory=max_memory)
        tell_of(run)
        found = bench(run.spec, run.module(fold=True), **about)
    elif source.is_file() and source.suffix in {cls.extension for cls in EXPORTERS.classes()}:
        raise no_run(source)
    else:
        spec = load(str(source), overrides, max_params, max_memory)
        found = bench(spec, spec.build().eval(), **about)
    if as_json:
        show_json(_plain(found))
    else:
        show(_table(found))
    for name, reason in found.left_out.items():
        talk(f"{name} does not run here: {printable(reason)}")


def _counts(text: str) -> list[int]:
    """The batch sizes in a text. Raises UsageError."""
    words = [word.strip() for word in text.split(",")]
    if wrong := next(
        (word for word in words if not (word.isascii() and word.isdigit() and 0 < int(word) < 10**6)), None
    ):
        raise UsageError(f"{printable(wrong)!r} is no batch size. For example: --batch 1,8,64")
    return list(dict.fromkeys(map(int, words)))


def _size(text: str) -> tuple[str, int]:
    """A dimension and its size. Raises UsageError."""
    name, _, value = text.partition("=")
    if not (value.isascii() and value.isdigit() and 0 < int(value) < 10**6):
        raise UsageError(f"{printable(text)!r} is no size of a dimension. For example: --size T=128")
    return name, int(value)


def _surroundings() -> dict[str, Any]:
    """The machine, and the versions of what runs here."""
    from netspec.machine import cores
    from netspec.optional import installed

    return {"machine": f"{platform.system()} {platform.machine()}", "cores": cores(),
            **{name: version for name in PACKAGES if (version := installed(name))}}  # fmt: skip


def _plain(found: Bench) -> dict[str, Any]:
    """What was measured, for a machine; times are seconds."""
    results = [
        {"way": each.way, "threads": each.threads, "batch": each.batch, "p50": each.p50, "p90": each.p90,
         "samples_per_s": each.throughput, "runs": len(each.seconds)}
        for each in found.results
    ]  # fmt: skip
    return {**_surroundings(), "sizes": dict(found.sizes), "results": results, "left_out": dict(found.left_out)}


def _table(found: Bench) -> str:
    """What was measured, for a person."""
    around = [f"{name} {value}" for name, value in _surroundings().items() if name not in ("machine", "cores")]
    head = f"{_surroundings()['machine']}, {_surroundings()['cores']} cores; {', '.join(around)}"
    sizes = ", ".join(f"{name} {size}" for name, size in found.sizes.items())
    rows = [("batch", "way", "threads", "p50 ms", "p90 ms", "samples/s")]
    rows += [
        (str(each.batch), each.way, str(each.threads), f"{each.p50 * 1e3:.3g}", f"{each.p90 * 1e3:.3g}",
         f"{each.throughput:,.0f}" if each.throughput >= 10 else f"{each.throughput:.2g}")
        for each in found.results
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([head, *([f"sizes: {sizes}"] if sizes else []), *lines])
