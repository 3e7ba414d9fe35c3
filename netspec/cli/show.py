"""`netspec show`: the spec that an exported file carries, and what else the file says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from netspec.cli.common import as_json, show, show_json, talk
from netspec.words import printable


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@as_json
def command(file: Path, as_json: bool) -> None:
    """Print the spec that an exported FILE carries; what else the file says of itself goes to the standard error.

    Nothing of the file is run, and neither torch nor ONNX is imported. Whether what it says is so is found out by
    `netspec verify`.
    """
    from netspec.errors import DataError
    from netspec.runs.verifying import SPEC, manifest_in

    said, manifest = manifest_in(file)
    if as_json:
        show_json(
            {"metadata": {k: v for k, v in said.items() if k != "netspec.manifest"}, "manifest": manifest or None}
        )
        return
    if SPEC not in said:
        raise DataError(f"{file} carries no spec: netspec did not write it")
    for line in (*_listed(said), *_told(manifest)):
        talk(line)
    show(said[SPEC].rstrip("\n"))


def _listed(said: Mapping[str, str]) -> Iterator[str]:
    """What a file says of itself besides, cut where it is long."""
    for key in sorted(said):
        if key not in ("netspec.spec", "netspec.manifest"):
            text = printable(said[key])
            yield f"{printable(key.removeprefix('netspec.')):<12} {text if len(text) <= 100 else f'{text[:97]}...'}"


def _told(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What a manifest says, a line each."""
    if not manifest:
        yield "manifest     none"
        return
    for key in ("network", "weights", "data", "compared"):
        yield f"{key:<12} {printable(str(manifest.get(key) or 'unknown'))}"
    versions = ", ".join(f"{name} {version}" for name, version in manifest["versions"].items() if version)
    yield f"versions     {printable(versions)}"
    tolerance = ", ".join(f"{name} {value}" for name, value in manifest["tolerance"].items())
    yield f"tolerance    {printable(tolerance)}"
    yield f"checks       {len(manifest['checks'])}, which `netspec verify` repeats"
