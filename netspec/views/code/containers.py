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


def made(keys: Sequence[str], items: Sequence[ast.expr], runs: Sequence[Run] = ()) -> ast.expr:
    """The container of these members: a ModuleList where they are counted from 0, else a ModuleDict."""
    return filled(named("nn.ModuleList" if _counted(keys) else "nn.ModuleDict"), keys, items, runs)


def filled(maker: ast.expr, keys: Sequence[str], items: Sequence[ast.expr], runs: Sequence[Run] = ()) -> ast.expr:
    """The call of `maker` with these members: a list where they are counted from 0, else a dictionary."""
    return of_list(maker, items, runs) if _counted(keys) else call(maker, mapping(keys, items, runs))


def named_sequence(names: Sequence[str], items: Sequence[ast.expr], runs: Sequence[Run] = ()) -> ast.expr:
    """The nn.Sequential of members with names: by keyword where these are identifiers, else from a dictionary."""
    if all(map(is_identifier, names)) and not runs:
        return call("nn.Sequential", call("OrderedDict", *map(keyword, names, items)))
    return call("nn.Sequential", call("OrderedDict", mapping(names, items, runs)))


def mapping(keys: Sequence[str], items: Sequence[ast.expr], runs: Sequence[Run] = ()) -> ast.expr:
    """A dictionary of these members; those of a run as `{f"layer{i}": ... for i in range(n)}`."""
    begun = {run.start: run for run in runs}
    pairs: list[tuple[ast.expr | None, ast.expr]] = []
    at = 0
    while at < len(keys):
        if run := begun.get(at):
            assert run.key is not None
            pairs.append((None, ast.DictComp(run.key, run.item, [ast.comprehension(run.counter, run.rounds, [], 0)])))
            at += run.count
        else:
            pairs.append((valued(keys[at]), items[at]))
            at += 1
    if len(pairs) == 1 and pairs[0][0] is None:
        return pairs[0][1]
    return ast.Dict([key for key, _ in pairs], [item for _, item in pairs])


@dataclass(frozen=True, slots=True)
class Run:
    """Members that a repeat makes, one a round."""

    start: int
    """The first of them among all members."""
    begin: int
    """The round that it is; those before are written out."""
    count: int
    times: ast.expr
    """The expression for how many rounds there are."""
    item: ast.expr
    """What makes each of them."""
    counter: ast.expr
    """The variable that counts the rounds."""
    key: ast.expr | None = None
    """The name of each of them; None where they are numbered in their container."""
    inner: ast.comprehension | None = None
    """The rounds of another repeat that each of its rounds is."""
    tested: tuple[int, ...] = ()
    """The places of its modules where a round has several: `item` is a tuple of these and of the condition of each."""

    @property
    def rounds(self) -> ast.expr:
        """What its variable goes over."""
        return call("range", *([valued(self.begin)] if self.begin else []), self.times)

    @property
    def items(self) -> ast.ListComp:
        """What makes all of them, as a list."""
        inside = [self.inner] if self.inner is not None else []
        return ast.ListComp(self.item, [ast.comprehension(self.counter, self.rounds, [], 0), *inside])


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
            found.append(ast.Starred(run.items, ast.Load()))
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
    """Whether an expression makes an nn.Sequential."""
    return isinstance(node, ast.Call) and same(node.func, named("nn.Sequential"))


def _counted(keys: Sequence[str]) -> bool:
    """Whether names are the numbers from 0 on."""
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
