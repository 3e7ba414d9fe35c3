"""`netspec fmt`: one form for every call of a spec."""

from __future__ import annotations

from pathlib import Path

import click

from netspec.cli.common import STDIN, read_source, talk, write
from netspec.sections.extending import EXTENDS


@click.command()
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--long/--short", help="Write calls by torch's own names, or as rows, which is the default.")
@click.option("-w", "--write", "in_place", is_flag=True, help="Write the files instead of printing them.")
@click.option("--check", is_flag=True, help="Write nothing; name the files that would change, and exit with 3.")
def command(specs: tuple[Path, ...], long: bool, in_place: bool, check: bool) -> None:
    """Print specs with every call in one form: short, `conv 6 k5`, or long, `conv: {out_channels: 6, kernel_size: 5}`.

    Both mean the same, and comments stay.
    """
    from netspec.views.format import formatted

    if len(specs) > 1 and not (in_place or check):
        raise click.UsageError("Several specs are written with -w or named with --check; only one is printed.")
    if in_place and check:
        raise click.UsageError("--check writes nothing, -w does; keep one of them.")
    if in_place and any(str(path) == STDIN for path in specs):
        raise click.UsageError("What comes from stdin has no file to be written to; without -w it is printed.")
    changed = False
    for path in specs:
        source = read_source(path)
        text = formatted(source, long=long)
        if long and isinstance(source.data, dict) and EXTENDS in source.data:
            talk(f"{path} extends another spec, where a mapping merges and a row replaces: rows stay rows")
        if not in_place and not check:
            click.echo(text, nl=False)
        elif text != source.text:
            changed = True
            if in_place:
                write(path, text)
            talk(f"{path} {'would change' if check else 'is written anew'}")
    if check and changed:
        raise click.exceptions.Exit(3)
