"""The reference as lines of text: lists of words, and whole pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netspec.views.reference.examples import Example
from netspec.views.reference.page import Page
from netspec.views.reference.search import related


def listing(pages: Sequence[Page]) -> str:
    """A line for each page, kind by kind: its name, its shortest word, what it does."""
    names = max((len(page.name) for page in pages), default=0)
    words = max((len(_short(page)) for page in pages), default=0)
    lines: list[str] = []
    for kind in dict.fromkeys(page.kind for page in pages):
        members = [page for page in pages if page.kind == kind]
        lines += ["", f"{kind} ({len(members)}), in {' or '.join(dict.fromkeys(page.place for page in members))}"]
        lines += [f"  {page.name:{names}}  {_short(page):{words}}  {page.sentence}" for page in members]
    return "\n".join(lines[1:])


def _short(page: Page) -> str:
    """The shortest word that means this page, where that is not just its name."""
    word = min((*page.words, *page.general), key=len)
    return word if word != page.name.lower() else ""


def whole(page: Page) -> str:
    """One page."""
    return "\n".join(_page(page))


def meanings(word: str, pages: Sequence[Page]) -> str:
    """What the pages of one word are, each with the command that shows it alone; empty for a single page."""
    if len(pages) < 2:
        return ""
    places = (page.kind if " " in page.place else page.place for page in pages)
    kinds = (f"  {p.noun} in {p.place}: netspec ops {place}.{word}" for p, place in zip(pages, places, strict=True))
    return "\n".join([f"{word} is {len(pages)} things, which follow:", *kinds, "", ""])


def _page(page: Page) -> Iterator[str]:
    """A page in lines for a terminal."""
    yield f"{page.name}, {page.noun}, in {page.place}"
    yield page.text.replace("\n\n", "\n")
    if page.rule:
        yield page.rule
    yield ""
    shared = f"; {', '.join(page.general)} by the shape it meets" if page.general else ""
    yield f"words      {', '.join(page.words)}{shared}"
    if page.inputs:
        yield f"inputs     {', '.join(page.inputs)}"
    if page.flags:
        yield f"flags      {', '.join(f'{word} ({meaning})' for word, meaning in page.flags.items())}"
    if page.arguments:
        yield from ("arguments", *_arguments(page))
    yield from _example(page.example)
    others = ", ".join(other.name for other in related(page))
    if others:
        yield f"see also   {others}"


def _arguments(page: Page) -> Iterator[str]:
    """The arguments in columns."""
    rows = [
        (f"{a.name} ({a.letter})" if a.letter else a.name, a.default, a.sentence, f"[{a.takes}]")
        for a in page.arguments
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    for name, default, sentence, takes in rows:
        yield f"  {name:{widths[0]}}  {default:{widths[1]}}  {sentence} {takes}"


def _example(example: Example) -> Iterator[str]:
    """The example in lines for a terminal."""
    yield "example"
    if example.short:
        yield f"  short    {example.short}"
    for i, line in enumerate(example.long.splitlines()):
        yield f"  {'' if i else 'long':8} {line}"
    for i, line in enumerate(example.torch):
        yield f"  {'' if i else 'torch':8} {line}"
    if example.outputs:
        yield f"  shapes   {gives(example)}"
    if example.parameters:
        yield f"  tensors  {tensors(example)}"


def gives(example: Example) -> str:
    """What the example makes of what: `B x 3 x 32 x 32 -> B x 16 x 32 x 32`."""
    return " -> ".join(filter(None, (", ".join(example.inputs), ", ".join(example.outputs))))


def tensors(example: Example, most: int = 8) -> str:
    """The parameters and buffers of the example, and how many numbers are learned."""
    shown = [*example.parameters[:most], *(["..."] if len(example.parameters) > most else [])]
    return f"{', '.join(shown)}; {example.count:,} parameters"
