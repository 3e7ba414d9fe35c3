"""`netspec graph`: the network as a picture, or as a page to walk through."""

from __future__ import annotations

from pathlib import Path

import click

from netspec.cli.common import STDIN, inputs_of, load, show, talk, within, write
from netspec.cli.targets import Target


@click.command()
@click.argument("spec", metavar="SPEC", type=click.Path())
@click.argument("words", nargs=-1, metavar="[OTHER] [PATH.TO.VALUE=NEW]...")
@within
@click.option(
    "-o",
    "--output",
    type=Target(".svg", ".html", ".png", ".mmd", ".dot"),
    metavar="FILE",
    help="Write to FILE: a .svg, .png, .html, .mmd (Mermaid) or .dot.",
)
@click.option("--depth", type=click.IntRange(1), help="Leave closed what is nested deeper than this.")
def command(spec: str, words: tuple[str, ...], output: Path | None, depth: int | None) -> None:
    """Draw the network: as an SVG picture with levels as boxes, shapes on the lines between, equal blocks as one; or
    as a page to walk through, with what each step does and where it stands.

    A second spec behind the first is laid over it, each step matched by its name: what it adds, removes and changes.
    """
    from netspec.views.graph_page import compared, page
    from netspec.views.picture import comparison, picture, written
    from netspec.views.picture.dot import dot
    from netspec.views.picture.mermaid import mermaid

    other = words[0] if words and "=" not in words[0] else ""
    if spec == other == STDIN:
        raise click.UsageError("only one of the two specs can be on stdin")
    overrides = words[bool(other) :]
    loaded = [load(each, overrides, or_stdin=True) for each in (spec, other) if each]
    first, last = loaded[0], loaded[-1]
    form = output.suffix.lower() if output is not None else ""
    whole = form == ".html"
    if whole and depth is not None:
        raise click.UsageError("--depth is of a picture; the page folds and unfolds every level")
    if whole:
        drawn = compared(first, last) if other else page(first)
    elif form in (".mmd", ".dot"):
        drawn = written(first.graph, last.graph if other else None, depth, dot if form == ".dot" else mermaid)
    else:
        drawn = comparison(first.graph, last.graph, depth) if other else picture(first.graph, depth)
    if output is None:
        show(drawn.rstrip("\n"))
    else:
        inputs = [path for each in loaded for path in inputs_of(each)]
        if form == ".png":
            from netspec.files import need_writable, write_bytes
            from netspec.views.png import png

            need_writable(output, inputs)
            write_bytes(output, png(drawn))
        else:
            write(output, drawn, inputs)
        talk(f"wrote {output}")
