"""`netspec init`: a spec to start from."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import click

from netspec.cli.common import show, talk, write
from netspec.errors import UsageError

SCHEMA = "netspec.schema.json"
TEMPLATES = ("lenet", "mlp", "resnet", "gpt")


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path), metavar="[FILE]")
@click.option("--template", type=click.Choice(TEMPLATES), default="lenet", help="What to start from.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def command(path: Path | None, template: str, force: bool) -> None:
    """Write a ready spec, with comments, to FILE; to stdout without one.

    Beside FILE goes netspec.schema.json, by which an editor completes, explains and checks the spec.
    """
    from netspec.runtime.disk import is_stream, kind, need_writable

    text = files("netspec").joinpath("templates", f"{template}.yaml").read_text(encoding="utf-8")
    if path is None:
        show(text.rstrip("\n"))
        return
    need_writable(path)
    if kind(path) == "file" and not is_stream(path) and not force:
        raise UsageError(f"{path} is there already. Name another file, or add --force.")
    if path.name == SCHEMA:
        raise UsageError(f"{SCHEMA} is written beside the spec. Give the spec another name.")
    write(path, text)
    if not is_stream(path):
        from netspec.views.schema import schema

        write(path.with_name(SCHEMA), json.dumps(schema()) + "\n")
    talk(f"wrote {path}; next: netspec check {path}")
