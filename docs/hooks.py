"""What the site has besides the pages of this folder: one for each word, and those of the project's other files.

The words' pages are written by the records that check a spec. The README is the first page. What a page links to
outside of this folder, as it does to be followed in the repository too, has a page that shows it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from netspec.views.reference.markdown import words

ROOT = Path(__file__).parent.parent
LINK = re.compile(r"(?<=\]\()(?!\w+:)[^)#\s]+")
"""Where a link leads, without its anchor."""
WHOLE = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
"""Files of the project that are pages themselves."""
LANGUAGES = {".py": "python", ".yaml": "yaml"}
HOMES: dict[str, str] = {}
"""The file, from the project's folder on, that a page which is none of this folder shows."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of words, in place of the long ones of kinds, and those of the files that pages link to."""
    made = {f"reference/{name}": text for name, text in words().items()}
    todo = [*WHOLE, *(to for page in files.documentation_pages() for to in linked(page.content_string, home(page)))]
    while todo:
        path = todo.pop()
        uri = place(path)
        if not path.startswith("docs/") and uri not in made:
            made[uri], HOMES[uri] = shown(path), f"{path}/README.md" if (ROOT / path).is_dir() else path
            todo += linked(made[uri], HOMES[uri])
    for uri, text in made.items():
        if (old := files.get_file_from_path(uri)) is not None:
            files.remove(old)
        files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links out of this folder lead to the pages that show the files."""
    here = posixpath.dirname(page.file.src_uri)

    def led(link: re.Match[str]) -> str:
        paths = list(linked(f"]({link[0]})", home(page.file)))
        return posixpath.relpath(place(paths[0]), here or ".") if paths else link[0]

    return LINK.sub(led, markdown)


def home(page: File) -> str:
    """The file of the project that a page shows."""
    return HOMES.get(page.src_uri, f"docs/{page.src_uri}")


def linked(text: str, path: str) -> Iterator[str]:
    """The files and folders of the project that the text of a file links to."""
    for link in LINK.findall(text):
        to = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
        if (ROOT / to / "README.md").is_file():
            yield f"{to}/README.md"
        elif not to.startswith("..") and (ROOT / to).exists():
            yield to


def place(path: str) -> str:
    """The page that shows a file of the project."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return "index.md" if path == "README.md" else f"files/{path.removesuffix('.md')}.md"


def shown(path: str) -> str:
    """A file of the project as a page: itself, or as code; a folder as a list of its files."""
    if (ROOT / path).is_dir():
        names = sorted(file.name for file in (ROOT / path).iterdir() if file.suffix in LANGUAGES)
        return "\n".join([f"# {path}", "", *(f"- [{name}]({name})" for name in names), ""])
    text = (ROOT / path).read_text("utf-8")
    return text if path.endswith(".md") else f"# {path}\n\n````{LANGUAGES.get(Path(path).suffix, 'text')}\n{text}````\n"
