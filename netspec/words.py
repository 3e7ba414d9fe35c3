"""Words in messages: what a misspelt one may mean, lists as sentences have them, text that is safe to show."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from itertools import islice
from typing import Final

FEW: Final = 20
"""How many words a hint lists."""
SAME: Final = 60
"""Words longer than this are like no other."""
EFFORT: Final = 10_000_000
"""How many pairs of characters are compared in search of what words may mean, in one reading of a spec."""

_effort: ContextVar[list[int] | None] = ContextVar("_effort", default=None)


@contextmanager
def sparing() -> Iterator[None]:
    """Inside, the search for words that others may mean ends after EFFORT; mistakes beyond that have no such hint."""
    token = _effort.set(_effort.get() or [EFFORT])
    try:
        yield
    finally:
        _effort.reset(token)


def _spent() -> bool:
    """Whether the effort that may go into advice is used up."""
    left = _effort.get()
    return left is not None and left[0] <= 0


def did_you_mean(word: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """A hint that offers the nearest known word, or an empty string where none is as like as that."""
    near = nearest(word, known, likeness)
    return f"Did you mean {near!r}?" if near else ""


def offered(word: str, known: Iterable[str], otherwise: str = "There are: {}.") -> str:
    """A hint that offers the nearest known word, or where none is near as many of them as can be read."""
    if _spent():
        return ""
    names = list(dict.fromkeys(known))
    return did_you_mean(word, names) or (otherwise.format(few(names)) if names else "There are none.")


def few(names: Iterable[str]) -> str:
    """The names with commas between, as many as can be read."""
    listed = list(islice(names, FEW + 1))
    return ", ".join(listed[:FEW]) + (" and more" if len(listed) > FEW else "")


def listed(words: Iterable[str]) -> str:
    """Words as a sentence has them, each once: `a, b and c`."""
    names = list(dict.fromkeys(words))
    shown = names if len(names) <= FEW else [*names[:FEW], f"{len(names) - FEW:,} more"]
    return " and ".join([", ".join(shown[:-1]), *shown[-1:]] if len(shown) > 1 else shown)


def nearest(word: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """The known word that is most like this one, or an empty string where none is as like as that."""
    if len(word) > SAME or _spent():
        return ""
    words = tuple(known)
    if (left := _effort.get()) is not None:
        left[0] -= (len(word) + 10) * (sum(map(len, words)) + 10 * len(words))
    return _nearest(word.lower(), words, likeness)


@lru_cache(maxsize=256)  # a mistake inside a repeat is met many times
def _nearest(word: str, known: tuple[str, ...], likeness: float) -> str:
    """The known word that is nearest to another; empty where none is near."""
    from difflib import get_close_matches  # only mistakes pay for it

    exact = {k.lower(): k for k in known if len(k) <= SAME}
    near = get_close_matches(word, exact, n=1, cutoff=likeness)
    return exact[near[0]] if near else ""


def in_shell(*words: str) -> str:
    """Words as a shell takes them, in quotes where it would read something else or a terminal would not show it."""
    return " ".join(map(_as_word, words))


def _as_word(word: str) -> str:
    """A word in quotes where it needs them: in $'...' what bash and zsh know by the bytes of its hidden characters."""
    import shlex  # only mistakes pay for it

    if one_line(word) == word:
        return shlex.quote(word)
    plain = (f"\\{c}" if c in "\\'" else c if one_line(c) == c else _as_bytes(c) for c in word)
    return f"$'{''.join(plain)}'"


def _as_bytes(character: str) -> str:
    """A character as escapes of the bytes that it has in the name of a file; half of a pair has its own."""
    escaped = "\udc80" <= character <= "\udcff"  # how Python holds a byte that is no text
    data = character.encode("utf-8", "surrogateescape" if escaped else "surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in data)


def command(*words: str) -> str:
    """A command of netspec's in a message; the words may be anyone's."""
    return f"`{in_shell('netspec', *words)}`"


def printable(text: str) -> str:
    """`text` with control and bidirectional characters escaped, safe to show on a terminal."""
    return "".join(
        c if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cs") else f"\\u{ord(c):04x}" for c in text
    )


def one_line(text: str) -> str:
    """The same with line breaks escaped too, for text that must not look like more than one line."""
    return printable(text).replace("\n", "\\n")
