"""`netspec schema`: the language for editors."""

from __future__ import annotations

import click

from netspec.cli.common import show_json


@click.command()
def command() -> None:
    """Print the JSON Schema of a spec, which editors use to complete and explain.

    `netspec schema > netspec.schema.json`, and as the first line of a spec:
    `# yaml-language-server: $schema=netspec.schema.json`
    """
    from netspec.views.schema import schema

    show_json(schema())
