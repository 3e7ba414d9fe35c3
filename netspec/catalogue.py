"""Catalogues: the words that a spec may use, each with the record that explains and checks it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, Final, Generic, TypeVar

from netspec.records import Entry
from netspec.words import FEW, did_you_mean, nearest

SLIP: Final = 0.81
"""From this likeness on, a word is taken for a slip of the pen."""
_JOINED: Final = re.compile(r"(?P<word>[A-Za-z_]+?)_?(?P<digits>\d+)(?P<window>x\d+)?")
ALIKE: Final = 0.72
"""From this likeness on, it may be one."""

PLUGIN: Final = "If a plugin adds it, name that: --plugin FILE.py"
"""What is said of a word that nobody has."""


E_ = TypeVar("E_", bound=Entry)


class Catalogue(Generic[E_]):
    """Finds entries by word, and imports a family's file only when one of its words is used."""

    def __init__(
        self,
        noun: str,
        base: type[E_] | str,
        families: Mapping[str, str],
        foreign: Mapping[str, str] | None = None,
        explained: Mapping[str, str] | None = None,
    ) -> None:
        """`base` is what all entries have in common: the class, or its path to import it from when it is needed.

        `families` gives for each module all words that its classes answer to, `foreign` what others call them, and
        `explained` says of words that others have how the same is written here.
        """
        self.noun = noun
        self.explained = explained or {}
        self.foreign = foreign or {}
        self.beside: dict[str, Catalogue[Any]] = {}
        """Other catalogues whose words may be meant, each by where a spec has them: `train: {{loss: {}}}`."""
        self._base: type[E_] | str = base
        self.families = dict(families)
        self._modules = {w.lower(): module for module, words in families.items() for w in words.split()}
        self._members: dict[str, dict[str, tuple[type[E_], ...]]] = {}
        self._added: dict[str, tuple[type[E_], ...]] = {}

    @property
    def base(self) -> type[E_]:
        """The class that all entries have in common."""
        if isinstance(self._base, str):
            module, _, name = self._base.rpartition(".")
            self._base = getattr(import_module(module), name)
        assert not isinstance(self._base, str)
        return self._base

    def words(self) -> list[str]:
        """Every word that something of it answers to."""
        return [w for words in self.families.values() for w in words.split()] + list(self._added)

    def find(self, word: str) -> tuple[type[E_], ...]:
        """The classes that `word` may mean: one, or several that differ in what they take. Empty if unknown.

        Upper and lower case are the same, so `Conv2d` and `conv2d` both work.
        """
        word = word.lower()
        module = self._modules.get(word)
        return self.members(module).get(word, ()) if module else self._added.get(word, ())

    def members(self, module: str) -> dict[str, tuple[type[E_], ...]]:
        """The classes of one module by lower-case word."""
        if module not in self._members:
            self._members[module] = _by_word(vars(import_module(module)).values(), self.base, module)
        return self._members[module]

    def classes(self) -> list[type[E_]]:
        """Every class, family by family. Imports them all."""
        own = (c for m in self.families for found in self.members(m).values() for c in found)
        return list(dict.fromkeys([*own, *self.added()]))

    def added(self) -> list[type[E_]]:
        """The classes from outside."""
        return [c for found in self._added.values() for c in found]

    def add(self, cls: type[E_]) -> None:
        """Take in a class from outside, such as a plugin's. Raises ValueError where a word is taken."""
        added = _by_word([cls], self.base, cls.__module__)
        for word in added:
            if self.find(word):
                raise ValueError(f"the {self.noun} {word!r} is there already")
        self._added |= added

    def nearest(self, word: str, more: Iterable[str] = ()) -> str:
        """The word, perhaps one of `more`, that one which is not there must mean; empty where none is near."""
        return self.meant(word) or nearest(word, [*sorted(self.words()), *more])

    def meant(self, word: str) -> str:
        """The word for what others call so, or write with its module before it: `dense`, `nn.ReLU`, `zeros_`."""
        last = word.rpartition(".")[2].lower()
        bare = last.rstrip("_")
        return self.foreign.get(bare, "") or (bare if bare != word.lower() and self.find(bare) else "")

    def unknown(self, word: str, otherwise: str = "", more: Iterable[str] = ()) -> str:
        """What to do about a word that is not there; `otherwise` is said where no other is near, nor one of `more`."""
        if meant := self.meant(word):
            return f"It is called {meant} here." if "." not in word else f"Write {meant}, without the module before it."
        if said := self.explained.get(word.rpartition(".")[2].lower()) or self._spaced(word) or self._elsewhere(word):
            return said
        known = sorted(self.words())
        near = did_you_mean(word, [*known, *more], ALIKE)
        if did_you_mean(word, [*known, *more], SLIP):
            return near
        return f"{near or otherwise or self._offered()} {PLUGIN}"

    def _offered(self) -> str:
        """The words that there are, if they can be read: one for each class, that of its example."""
        if len(self.families) > FEW or len(names := {cls.written() for cls in self.classes()}) > FEW:
            return "`netspec ops` lists all."
        return f"There are: {', '.join(sorted(names))}."

    def _spaced(self, word: str) -> str:
        """What to write for a word that its first number, or its window, is joined to: `fc10`, `conv3x3`."""
        if (found := _JOINED.fullmatch(word)) is None or not (classes := self.find(found["word"])):
            return ""
        name, digits, window = found.group("word", "digits", "window")
        first, *_ = [*classes[0].positional(), ""]
        if not first or not classes[0].fields[first].required:
            return ""
        if not window:
            return "" if self.find(f"{name}{digits}d") else f"A space stands before a number, as in: {name} {digits}"
        return f"It is an argument, as in: {name} 64 k{digits}{window}" if "k" in classes[0].letters else ""

    def _elsewhere(self, word: str) -> str:
        """Where a word of another catalogue stands."""
        for place, other in self.beside.items():
            last = word.rpartition(".")[2].lower()
            if other is not self and (meant := last if other.find(last) else other.meant(word)):
                return f"It is {'an' if other.noun[0] in 'aeiou' else 'a'} {other.noun}: {place.format(meant)}"
        return ""


def _by_word(candidates: Any, base: type[E_], module: str) -> dict[str, tuple[type[E_], ...]]:
    """The classes of a module by the words that they answer to, several where a word stands for several."""
    found: dict[str, tuple[type[E_], ...]] = {}
    for cls in candidates:
        if isinstance(cls, type) and issubclass(cls, base) and cls.__module__ == module and cls.example:
            for word in dict.fromkeys(w.lower() for w in (cls.__name__, *cls.words, *cls.general)):
                found[word] = (*found.get(word, ()), cls)
    return found
