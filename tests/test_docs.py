"""The guides say what is so: every spec in them is one, and what it shows beside one is what comes of it."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

import pytest

import netspec
from netspec.views.reference.markdown import words
from netspec.views.reference.pages import pages
from tests.architectures import PAGE, page
from tests.guides import play

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
GUIDE = (DOCS / "language.md").read_text()
PAGES = [path for path in sorted(DOCS.rglob("*.md")) if path.parent.name != "reference" and path != PAGE]
SPECS = [spec for path in PAGES for spec in re.findall(r"```yaml\n(.*?)```", path.read_text(), re.DOTALL)]
PLAYED = [path for path in PAGES if "```console" in path.read_text() or path.name == "python.md"]
"""The pages whose files, commands and lines are for the reader to try, one after the other."""
LINK = re.compile(r"\]\((?!#)([^)#]+)#?([^)]*)\)")


@pytest.mark.parametrize("text", SPECS, ids=range(len(SPECS)))
def test_every_spec_of_the_guides_is_one(text: str) -> None:
    head = "" if re.search(r"^inputs?:", text, re.MULTILINE) else "input: 3x32x32\n"
    spec = netspec.loads(head + text)
    assert not spec.warnings
    said = [name for comment in re.findall(r"#(.*)", text) for name in re.findall(r"[\w.]+\.weight", comment)]
    assert set(said) <= set(spec.graph.parameters())
    assert spec.source()


def test_links_lead_somewhere() -> None:
    for path in (*PAGES, *ROOT.glob("*.md")):
        for link, anchor in LINK.findall(re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)):
            target = path.parent / link
            assert target.exists(), f"{path.name}: {link}"
            heads = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE) if anchor else ()
            assert not anchor or anchor in {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", PLAYED, ids=lambda path: path.stem)
def test_a_page_can_be_followed(path: Path, tmp_path: Path) -> None:
    play(path.read_text(), tmp_path)


def test_what_a_page_shows_is_held_against_what_comes_of_it(tmp_path: Path) -> None:
    spec = '```yaml title="a.yaml"\ninput: 8\nlayers: [fc 2]\n```\n\n```console\n$ netspec check a.yaml\n{}\n```\n'
    play(spec.format("a.yaml: Net fits together: 8 -> 2, ... MACs"), tmp_path)
    with pytest.raises(AssertionError, match="is not in"):
        play(spec.format("a.yaml: Net fits together: 8 -> 3, ... MACs"), tmp_path)
    with pytest.raises(AssertionError):
        play(spec.format("a.yaml:1:1  error[shape-mismatch]"), tmp_path)


def test_every_word_has_a_file_and_every_link_between_them_leads_to_one() -> None:
    made = words()
    assert made.keys() >= {f"{page.kind}/{page.name.lower()}.md" for page in pages()} | {"README.md"}
    assert len({name.lower() for name in made}) == len(made) == len(pages()) + len({page.kind for page in pages()}) + 1
    for name, text in made.items():
        for link, _ in LINK.findall(re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)):
            assert posixpath.normpath(posixpath.join(posixpath.dirname(name), link)) in made, f"{name}: {link}"


def test_the_error_of_the_guide_is_what_check_says() -> None:
    text = "netspec: 1\n\n\ninput: 3x32x32\nlayers:\n  stem: conv 8 k1\n  b: conv 8 k1\n\n  sum: add(stm b)\n"
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads(text, name="net.yaml")
    assert str(caught.value) in GUIDE


def test_the_architectures_are_those_of_the_specs() -> None:
    assert PAGE.read_text() == page(), "renew it: python -m tests.architectures"
