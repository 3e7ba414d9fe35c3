"""The catalogue: which operations exist, found by word, each family imported when first named."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from netspec.layers.base import Op

FAMILIES: dict[str, str] = {
    "convolution": "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d conv conv_transpose",
    "linear": "Linear FC Identity fc",
}
"""Each family file and every word that it answers to; a test holds this against the classes."""


@cache
def _families() -> dict[str, str]:
    """Family by word, in lower case: torch's own names are found however they are capitalised."""
    return {word.lower(): family for family, words in FAMILIES.items() for word in words.split()}


def words() -> list[str]:
    """Every word that names an operation."""
    return [word for words in FAMILIES.values() for word in words.split()]


@cache
def find(word: str) -> tuple[type[Op], ...]:
    """The classes that `word` may mean: one, or several that differ in the rank they take. Empty if unknown."""
    family = _families().get(word.lower())
    return members(family).get(word.lower(), ()) if family else ()


@cache
def members(family: str) -> dict[str, tuple[type[Op], ...]]:
    """The classes of one family file by lower-case word."""
    module = import_module(f"netspec.layers.{family}")
    found: dict[str, tuple[type[Op], ...]] = {}
    for cls in vars(module).values():
        if isinstance(cls, type) and issubclass(cls, Op) and cls.__module__ == module.__name__ and cls.example:
            for word in dict.fromkeys(w.lower() for w in (cls.__name__, *cls.words, *cls.general)):
                found[word] = (*found.get(word, ()), cls)
    return found
