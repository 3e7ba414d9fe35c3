"""`netspec ops`: the catalogue of the language, listed, searched and explained."""

from __future__ import annotations

from pathlib import Path

import click

from netspec.cli.common import as_json, show, show_json, talk, write
from netspec.cli.targets import Folder
from netspec.files import saving


def completed(context: click.Context, option: click.Parameter, begun: str) -> list[str]:
    """The words that begin so."""
    from netspec.views.reference.pages import pages

    return sorted({word for page in pages() for word in page.words if word.startswith(begun.lower())})


@click.command()
@click.argument("words", nargs=-1, metavar="[WORD]...", shell_complete=completed)
@click.option("--markdown", type=Folder(), metavar="FOLDER", help="Write the reference to FOLDER.")
@as_json
def command(words: tuple[str, ...], markdown: Path | None, as_json: bool) -> None:
    """List every word that a spec may use, or explain one.

    A name, as in `netspec ops conv2d`, shows its arguments, its rule and an example with what it gives. Anything else
    is searched for in names, arguments and sentences: `netspec ops pool`, `netspec ops learning rate`.
    """
    from netspec.views.reference.search import named, search, suggest
    from netspec.views.reference.text import listing, meanings, whole

    if markdown is not None:
        _write(markdown)
        return
    pages = named(words[0]) if len(words) == 1 else []
    found = pages or search(words)
    if not found:
        raise click.UsageError(f"nothing is called {' '.join(words)!r} or says so. {suggest(words)}".strip())
    if as_json:
        show_json([page.listed() for page in found])
        return
    if not pages:
        show(listing(found))
        return
    show(meanings(words[0], pages) + "\n\n".join(map(whole, pages)))


def _write(folder: Path) -> None:
    """Write the pages of the reference into a folder."""
    from netspec.views.reference.markdown import files

    with saving(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        write(folder / name, text)
    talk(f"wrote {folder}")
