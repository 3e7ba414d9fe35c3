"""Members with dotted names, `convs.0`: what holds them in the printed class, and how forward finds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netspec.graph.model import Level
from netspec.python.layout import Expression, Nested, repeated
from netspec.python.literals import literal
from netspec.python.names import attribute, is_identifier

Containers = Mapping[str, tuple[str, ...]]
"""For each container of a level the keys of its members, in order."""


def containers(level: Level) -> Containers:
    """The containers of a level: the parts of its members' names before the dot."""
    found: dict[str, tuple[str, ...]] = {}
    for name in level.members:
        head, dot, key = name.partition(".")
        if dot:
            found[head] = (*found.get(head, ()), key)
    return found


def made(keys: Sequence[str], items: Sequence[Expression]) -> Nested:
    """The container of these members: a ModuleList where they are counted from 0, else a ModuleDict."""
    return filled("nn.ModuleList" if _counted(keys) else "nn.ModuleDict", keys, items)


def filled(maker: str, keys: Sequence[str], items: Sequence[Expression]) -> Nested:
    """The call of `maker` with these members: a list where they are counted from 0, else a dictionary."""
    return of_list(maker, items) if _counted(keys) else Nested(f"{maker}(", (mapping(keys, items),))


def named_sequence(names: Sequence[str], items: Sequence[Expression]) -> Nested:
    """The nn.Sequential of members with names: by keyword where these are identifiers, else from a dictionary."""
    if all(map(is_identifier, names)):
        keywords = (headed(f"{name}=", item) for name, item in zip(names, items, strict=True))
        return Nested("nn.Sequential(", (Nested("OrderedDict(", tuple(keywords)),))
    return Nested("nn.Sequential(", (Nested("OrderedDict(", (mapping(names, items),)),))


def mapping(keys: Sequence[str], items: Sequence[Expression]) -> Nested:
    """A dictionary of these members."""
    return Nested("{", tuple(headed(f"{literal(k)}: ", item) for k, item in zip(keys, items, strict=True)), "}")


def of_list(maker: str, items: Sequence[Expression]) -> Nested:
    """The call of `maker` with a list of these members, as a comprehension where all are equal."""
    shown = repeated(items)
    if len(shown) == 1 and len(items) > 1:
        return Nested(f"{maker}(", (str(shown[0]).removeprefix("*"),))
    return Nested(f"{maker}(", (Nested("[", tuple(shown), "]"),))


def headed(start: str, item: Expression) -> Expression:
    """`item` with something before it."""
    return f"{start}{item}" if isinstance(item, str) else Nested(f"{start}{item.head}", item.items, item.tail)


def _counted(keys: Sequence[str]) -> bool:
    return list(keys) == [str(i) for i in range(len(keys))]


def key_of(key: str, keys: Sequence[str]) -> str:
    """A member's key as it stands in the brackets behind its container, which has these keys."""
    return key if _counted(keys) else literal(key)


def reference(member: str, within: Containers) -> str:
    """How a member, or one below it by its path, is named in the printed class, whatever characters it has."""
    head, dot, key = member.partition(".")
    if key in within.get(head, ()):
        return f"{reference(head, {})}[{key_of(key, within[head])}]"
    if dot:
        plain = all(is_identifier(part) for part in member.split("."))
        return f"self.{member}" if plain else f"self.get_submodule({literal(member)})"
    return attribute("self", member)
