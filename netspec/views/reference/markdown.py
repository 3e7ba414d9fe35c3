"""The reference as Markdown: a file for each kind and an index of them, or a file for each word, as a site has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from netspec.views.reference.page import Page
from netspec.views.reference.pages import pages
from netspec.views.reference.search import related
from netspec.views.reference.text import gives, tensors

NOTE = "<!-- Written by `netspec ops --markdown docs/reference`; change the records, not this file. -->"


def files() -> dict[str, str]:
    """The text of each file by its name."""
    kinds = list(dict.fromkeys(page.kind for page in pages()))
    made = {f"{kind}.md": _kind(kind, [p for p in pages() if p.kind == kind]) for kind in kinds}
    return {"README.md": f"{NOTE}\n\n{_index(kinds, lambda page: f'{page.kind}.md#{page.name.lower()}')}", **made}


def words() -> dict[str, str]:
    """The text of a file for each word, `layers/conv2d.md`, of a list for each kind, and of an index, by its name."""
    kinds = list(dict.fromkeys(page.kind for page in pages()))
    made = {"README.md": _index(kinds, _file)}
    for kind in kinds:
        members = [page for page in pages() if page.kind == kind]
        made[f"{kind}.md"] = _list(kind, members)
        made |= {_file(page): _word(page) for page in members}
    return made


def _file(page: Page) -> str:
    """The file of a word's page."""
    return f"{page.kind}/{page.name.lower()}.md"


def _list(kind: str, members: list[Page]) -> str:
    """The page of a kind, with a line for each word."""
    lines = [
        f"# {kind.capitalize()}",
        "",
        f"In {_places(members)}.",
        "",
        "| word | also | what it does |",
        "|---|---|---|",
    ]
    for page in members:
        others = ", ".join(f"`{word}`" for word in (*page.words, *page.general) if word != page.name.lower())
        lines += [f"| [{page.name}]({_file(page)}) | {others} | {_cell(page.sentence)} |"]
    return "\n".join([*lines, ""])


def _word(page: Page) -> str:
    """The page of one word."""
    lines = list(_page(page, "#"))
    place = " or ".join(f"`{place}`" for place in page.place.split(" or "))
    lines[1:1] = ["", f"*One of the [{page.kind}](../{page.kind}.md): a {page.noun}, in {place}.*"]
    if others := related(page):
        links = (f"[{other.name}](../{_file(other)})" for other in others)
        lines += ["", f"See also: {', '.join(links)}."]
    return "\n".join([*lines, ""])


def _cell(text: str) -> str:
    """Text as it stands in a table."""
    return text.replace("|", "\\|")


def _index(kinds: list[str], place: Callable[[Page], str]) -> str:
    """The page of all kinds."""
    lines = [
        "# Reference",
        "",
        "Every word that a spec may use. `netspec ops WORD` shows the same pages.",
        "",
    ]
    for kind in kinds:
        members = [page for page in pages() if page.kind == kind]
        names = ", ".join(f"[{page.name}]({place(page)})" for page in members)
        lines += [f"## [{kind.capitalize()}]({kind}.md)", "", f"In {_places(members)}: {names}.", ""]
    return "\n".join(lines)


def _places(members: list[Page]) -> str:
    """Where a spec has such words."""
    return " or ".join(f"`{place}`" for place in dict.fromkeys(page.place for page in members))


def _kind(kind: str, members: list[Page]) -> str:
    """The page of a kind, with all that is said of each word."""
    lines = [NOTE, "", f"# {kind.capitalize()}", "", f"In {_places(members)}. [All kinds](README.md)", ""]
    for page in members:
        lines += [*_page(page), ""]
    return "\n".join(lines)


def _page(page: Page, mark: str = "##") -> Iterator[str]:
    """What is said of one word."""
    yield from (f"{mark} {page.name}", "", page.text)
    if page.rule:
        yield from ("", page.rule)
    words = [f"`{word}`" for word in page.words]
    shared = f"; {', '.join(f'`{word}`' for word in page.general)} by the shape it meets" if page.general else ""
    yield from ("", f"Words: {', '.join(words)}{shared}.")
    if page.inputs:
        yield from ("", f"Inputs, by place or by name: {', '.join(f'`{name}`' for name in page.inputs)}.")
    if page.flags:
        yield from ("", f"Flags: {', '.join(f'`{word}` is `{meaning}`' for word, meaning in page.flags.items())}.")
    if page.arguments:
        yield from ("", "| argument | default | what it is | takes |", "|---|---|---|---|")
        for a in page.arguments:
            name = f"`{a.name}`, `{a.letter}`" if a.letter else f"`{a.name}`"
            yield f"| {name} | {a.default} | {_cell(a.sentence)} | {a.takes} |"
    yield from _example(page)


def _example(page: Page) -> Iterator[str]:
    """The example of a word, in both forms and as torch has it."""
    example = page.example
    yield from ("", "```yaml", *filter(None, (example.short, example.long)), "```")
    if example.torch:
        yield from ("", "```python", *example.torch, "```")
    if example.outputs:
        yield from ("", gives(example) + (f"; {tensors(example)}" if example.parameters else ""))
