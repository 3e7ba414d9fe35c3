"""Members with dotted names, `convs.0`: what holds them in the printed class, and how forward finds them."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from netspec.graph.model import Level
from netspec.python.nodes import (
    attribute,
    call,
    every,
    is_identifier,
    item,
    keyword,
    listed,
    method,
    named,
    same,
    stored,
    valued,
)

Containers = Mapping[str, tuple[str, ...]]
"""For each container of a level the keys of its members, in order."""
SELF: Final = named("self")
SUPER: Final = attribute(call("super"), "__init__")
"""The constructor of the class above, `super().__init__`."""


def containers(level: Level) -> Containers:
    """The containers of a level: the parts of its members' names before the dot."""
    found: dict[str, tuple[str, ...]] = {}
    for name in level.members:
        head, dot, key = name.partition(".")
        if dot:
            found[head] = (*found.get(head, ()), key)
    return found


def made(keys: Sequence[str], items: Sequence[ast.expr]) -> ast.expr:
    """The container of these members: a ModuleList where they are counted from 0, else a ModuleDict."""
    return filled(named("nn.ModuleList" if _counted(keys) else "nn.ModuleDict"), keys, items)


def filled(maker: ast.expr, keys: Sequence[str], items: Sequence[ast.expr], runs: Sequence[Run] = ()) -> ast.expr:
    """The call of `maker` with these members: a list where they are counted from 0, else a dictionary."""
    return of_list(maker, items, runs) if _counted(keys) else call(maker, mapping(keys, items))


def named_sequence(names: Sequence[str], items: Sequence[ast.expr]) -> ast.expr:
    """The nn.Sequential of members with names: by keyword where these are identifiers, else from a dictionary."""
    if all(map(is_identifier, names)):
        return call("nn.Sequential", call("OrderedDict", *map(keyword, names, items)))
    return call("nn.Sequential", call("OrderedDict", mapping(names, items)))


def mapping(keys: Sequence[str], items: Sequence[ast.expr]) -> ast.Dict:
    """A dictionary of these members."""
    return ast.Dict(list(map(valued, keys)), list(items))


@dataclass(frozen=True, slots=True)
class Run:
    """Members that a repeat makes: from which on, how many, and the expression for that."""

    start: int
    count: int
    times: ast.expr


def of_list(maker: ast.expr, items: Sequence[ast.expr], runs: Sequence[Run] = ()) -> ast.expr:
    """The call of `maker` with a list of these members, as a comprehension where all are equal."""
    shown = repeated(items, runs)
    if len(shown) == 1 and isinstance(only := shown[0], ast.Starred):
        return call(maker, only.value)
    return call(maker, listed(shown))


def repeated(items: Sequence[ast.expr], runs: Sequence[Run] = ()) -> list[ast.expr]:
    """Three or more equal members in a row, and those of a run, as a comprehension; others as they are."""
    found: list[ast.expr] = []
    begun = {run.start: run for run in runs}
    at = 0
    while at < len(items):
        if run := begun.get(at):
            found.append(ast.Starred(every(items[at], stored("_"), call("range", run.times)), ast.Load()))
            at += run.count
            continue
        count = 1
        while at + count < len(items) and at + count not in begun and same(items[at + count], items[at]):
            count += 1
        if count > 2 and not _is_sequence(items[at]):
            times = every(items[at], stored("_"), call("range", valued(count)))
            found.append(ast.Starred(times, ast.Load()))
        else:
            found += [items[at]] * count
        at += count
    return found


def _is_sequence(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and same(node.func, named("nn.Sequential"))


def _counted(keys: Sequence[str]) -> bool:
    return list(keys) == [str(i) for i in range(len(keys))]


def key_of(key: str, keys: Sequence[str]) -> ast.expr:
    """A member's key as it stands in the brackets behind its container, which has these keys."""
    return valued(int(key) if _counted(keys) else key)


def reference(member: str, within: Containers) -> ast.expr:
    """How a member, or one below it by its path, is named in the printed class, whatever characters it has."""
    head, dot, key = member.partition(".")
    if key in within.get(head, ()):
        return item(attribute(SELF, head), key_of(key, within[head]))
    if dot:
        plain = all(is_identifier(part) for part in member.split("."))
        return named(f"self.{member}") if plain else method(SELF, "get_submodule", valued(member))
    return attribute(SELF, member)
