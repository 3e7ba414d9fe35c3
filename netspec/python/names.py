"""Names in the printed source: identifiers that collide with nothing."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterable
from typing import Final

from netspec.python.reserved import BUILTINS, RESERVED

_AMBIGUOUS: Final = {"l", "I", "O"}
"""Names that look like numbers, which nobody reads with ease."""


def identifier(name: str) -> str:
    """`name` made fit to be a variable: `block1-0` is block1_0, `0` is x0.

    One underscore at most begins it, and it is never `_` alone, which holds what nobody reads.
    """
    name = re.sub(r"^_+", "_", re.sub(r"[^A-Za-z0-9_]", "_", name))
    if name in ("", "_") or name[0].isdigit():
        name = f"x{name}"
    return f"{name}_" if keyword.iskeyword(name) or name in RESERVED | BUILTINS | _AMBIGUOUS else name


def class_name(name: str) -> str:
    """`encoder_block` as EncoderBlock; capitals that are there stay."""
    words = re.findall(r"[A-Za-z0-9]+", name)
    made = "".join(word[0].upper() + word[1:] for word in words)
    fit = made and not made[0].isdigit() and made not in _AMBIGUOUS and not keyword.iskeyword(made)
    return made if fit else f"Block{made}"


def unlike(names: Iterable[str], taken: Collection[str]) -> dict[str, str]:
    """A variable for each name, no two alike: where `a-b` and `a_b` would be, the one that is a variable keeps it."""
    given = list(names)
    space = Namespace({*taken})
    found = {n: space.fresh(n) for n in given if identifier(n) == n and n not in space.taken}
    return {n: found[n] if n in found else space.fresh(identifier(n)) for n in given}


class Namespace:
    """Hands out names that are not in use yet."""

    def __init__(self, taken: set[str] | frozenset[str] = RESERVED) -> None:
        self.taken = set(taken)

    def fresh(self, name: str) -> str:
        """`name`, or with a number behind it if it is taken."""
        found, count = name, 1
        while found in self.taken:
            count += 1
            found = f"{name}{count}" if not name[-1].isdigit() else f"{name}_{count}"
        self.taken.add(found)
        return found
