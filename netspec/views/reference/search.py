"""Finds pages by what a person types: a word, torch's name, or words of a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.views.reference.page import Page
from netspec.views.reference.pages import pages
from netspec.words import did_you_mean


def named(word: str) -> list[Page]:
    """The pages that are called so; several where kinds share a word, as `linear` does.

    A path begins with where the word stands, `train.metrics.precision`, or ends in a key of a key, or in an argument:
    `early_stop.patience`, `train.early_stop.patience`.
    """
    word = word.lower().replace("-", "_")
    if found := [page for page in pages() if word in page.words]:
        return found
    before, _, last = word.rpartition(".")
    if found := [page for page in pages() if before in (page.place, page.kind) and last in page.words]:
        return found
    holds = [page for page in pages() if before in page.words and last in {arg.name.lower() for arg in page.arguments}]
    return [page for page in holds if page.noun == "key"] or holds


def search(words: Sequence[str]) -> list[Page]:
    """The pages that every word occurs in, those first whose names begin with the first one."""
    wanted = [word.lower() for word in words]
    found = [page for page in pages() if all(any(w in text for text in _texts(page)) for w in wanted)]
    return sorted(found, key=lambda page: _distance(page, wanted[0])) if wanted else found


def related(page: Page) -> list[Page]:
    """The other pages whose names hold this one's."""
    return [other for other in search(page.words[:1]) if _distance(other, page.words[0]) < 3 and other is not page]


def suggest(words: Sequence[str]) -> str:
    """What may have been meant by a word that occurs nowhere."""
    known = {word for page in pages() for word in (*page.words, *page.general)}
    return did_you_mean(" ".join(words), known)


def _texts(page: Page) -> tuple[str, ...]:
    """Everything on a page that a search looks into."""
    arguments = (f"{argument.name}: {argument.sentence.lower()}" for argument in page.arguments)
    return (*page.words, *page.general, page.text.lower(), *arguments)


def _distance(page: Page, word: str) -> int:
    """How far a page is from a word: 0 shares it, 1 begins with it, 2 has it in a name, 3 in its text."""
    names = (*page.words, *page.general)
    if word in names:
        return 0
    return 1 if any(name.startswith(word) for name in names) else 2 if any(word in name for name in names) else 3
