"""The reference as Markdown: a file for each kind, and an index of them."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.views.reference.page import Page
from netspec.views.reference.pages import pages
from netspec.views.reference.text import gives, tensors

NOTE = "<!-- Written by `netspec ops --markdown docs/reference`; change the records, not this file. -->"


def files() -> dict[str, str]:
    """The text of each file by its name."""
    kinds = list(dict.fromkeys(page.kind for page in pages()))
    made = {f"{kind}.md": _kind(kind, [p for p in pages() if p.kind == kind]) for kind in kinds}
    return {"README.md": _index(kinds), **made}


def _index(kinds: list[str]) -> str:
    lines = [
        NOTE,
        "",
        "# Reference",
        "",
        "Every word that a spec may use. `netspec ops WORD` shows the same pages.",
        "",
    ]
    for kind in kinds:
        members = [page for page in pages() if page.kind == kind]
        names = ", ".join(f"[{page.name}]({kind}.md#{page.name.lower()})" for page in members)
        lines += [f"## [{kind.capitalize()}]({kind}.md)", "", f"In {_places(members)}: {names}.", ""]
    return "\n".join(lines)


def _places(members: list[Page]) -> str:
    return " or ".join(f"`{place}`" for place in dict.fromkeys(page.place for page in members))


def _kind(kind: str, members: list[Page]) -> str:
    lines = [NOTE, "", f"# {kind.capitalize()}", "", f"In {_places(members)}. [All kinds](README.md)", ""]
    for page in members:
        lines += [*_page(page), ""]
    return "\n".join(lines)


def _page(page: Page) -> Iterator[str]:
    yield from (f"## {page.name}", "", page.text)
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
            yield f"| {name} | {a.default} | {a.sentence.replace('|', chr(92) + '|')} | {a.takes} |"
    yield from _example(page)


def _example(page: Page) -> Iterator[str]:
    example = page.example
    yield from ("", "```yaml", *filter(None, (example.short, example.long)), "```")
    if example.torch:
        yield from ("", "```python", *example.torch, "```")
    if example.outputs:
        yield from ("", gives(example) + (f"; {tensors(example)}" if example.parameters else ""))
