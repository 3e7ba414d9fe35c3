"""Where calls stand in a document: in the bodies of `layers` and `blocks`, and in the sections of training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from netspec.catalogue import Catalogue
from netspec.errors import Path
from netspec.graph.blocks import Block
from netspec.graph.bodies import Row, opened, rows_of
from netspec.language.levels import GROUP
from netspec.records import Entry
from netspec.sections.known import find
from netspec.text.scalars import is_word
from netspec.vocabulary import OPERATIONS

Known = Callable[[str], Sequence[type[Entry] | Block]]
"""What a word may mean; a general word means several classes."""


@dataclass(frozen=True, slots=True)
class Site:
    """A row, or the long form of one."""

    node: Node
    path: Path
    flow: bool
    """Whether it stands inside brackets."""
    key: Node | None
    """The key that it is the value of; None for an item of a list."""
    known: Known
    row: Row | None = None
    """What it is in a body; None in the other sections."""


class Quoted(str):
    """A text in quotes that would be a number, a truth value or nothing without them."""


def plain(node: Node) -> Any:
    """A node as data, each scalar as its text."""
    match node:
        case SequenceNode():
            return [plain(item) for item in node.value]
        case MappingNode():
            return {key.value: plain(value) for key, value in node.value}
        case ScalarNode(style="'" | '"', value=text) if not is_word(text):
            return Quoted(text)
    return node.value


def extends(root: Node) -> bool:
    """Whether a document is laid over another, with which its mappings merge."""
    return isinstance(root, MappingNode) and any(key.value == "extends" for key, _ in root.value)


def sites(root: Node, blocks: Mapping[str, Block]) -> Iterator[Site]:
    """Every call of a document, in the order of the text."""
    if not isinstance(root, MappingNode):
        return

    def operation(word: str) -> Sequence[type[Entry] | Block]:
        return (blocks[word],) if word in blocks else OPERATIONS.find(word)

    laid = extends(root)
    for key, value in root.value:
        around = Site(value, (key.value,), bracketed(root), key, operation)
        own = find(key.value)
        if own is not None:
            yield from _calls(around, own.entries, blocks, laid)


def _calls(
    site: Site, entries: Mapping[Path, Catalogue[Any]], blocks: Mapping[str, Block], laid: bool
) -> Iterator[Site]:
    """The calls in a section or a part of it: whole rows where operations stand, else entries, the outer ones."""
    place = site.path[1:]
    under = [at for at in entries if len(at) >= len(place) and all(map(_meets, at, place))]
    catalogue = next((entries[at] for at in under if len(at) == len(place)), None)
    deeper = any(len(at) > len(place) for at in under) and isinstance(site.node, MappingNode)
    if catalogue is OPERATIONS:
        yield from _rows(site, blocks, laid)
    elif catalogue is not None and (found := _entry(site, catalogue)) is not None:
        yield found
    elif deeper:
        for inner in _values(site):
            yield from _calls(inner, entries, blocks, laid)
    elif catalogue is not None:
        yield from _entries_of(site, catalogue)


def _meets(part: str | int, key: str | int) -> bool:
    """Whether a part of a place, where a * stands for any name, means this key."""
    return part in ("*", key)


def _values(site: Site) -> Iterator[Site]:
    """A site for each value of a mapping."""
    flow = site.flow or bracketed(site.node)
    for key, value in site.node.value:
        yield Site(value, (*site.path, key.value), flow, key, site.known)


def _items(site: Site) -> Iterator[Site]:
    """A site for each item of a list."""
    flow = site.flow or bracketed(site.node)
    for i, item in enumerate(site.node.value):
        yield Site(item, (*site.path, i), flow, None, site.known)


def _rows(site: Site, blocks: Mapping[str, Block], laid: bool) -> Iterator[Site]:
    """The rows of the layers of the network, or of a block; `laid` over those of another spec."""
    found = {inner.path: inner for inner in _within(site)}
    body, path = plain(site.node), site.path
    if path[0] == "blocks":
        _, body, path = opened(body, path)
    for row in rows_of(body, path, blocks):
        if not (laid and _completes(site.node, row.path[len(site.path) :])):
            yield replace(found[row.path], row=row)


def _completes(node: Node, path: Path) -> bool:
    """Whether a text stands beside layers that the spec below has, as the count of a repeat does: it is no row."""
    for key in path:
        if isinstance(node, MappingNode):
            keys = {name.value for name, _ in node.value}
            if keys <= GROUP - {"layers"}:
                return True
            node = next(value for name, value in node.value if name.value == key)
        else:
            node = node.value[key]
    return False


def _within(site: Site) -> Iterator[Site]:
    """A place, and all places inside it."""
    yield site
    if isinstance(site.node, MappingNode | SequenceNode):
        for each in _values(site) if isinstance(site.node, MappingNode) else _items(site):
            yield from _within(each)


def _entries_of(site: Site, catalogue: Catalogue[Any]) -> Iterator[Site]:
    """The entry of a catalogue at a place, those of a list, or those for each input by its name."""
    if not isinstance(site.node, SequenceNode) and (found := _entry(site, catalogue)) is not None:
        yield found
    elif isinstance(site.node, SequenceNode | MappingNode):
        for inner in _items(site) if isinstance(site.node, SequenceNode) else _values(site):
            yield from _entries_of(inner, catalogue)


def _entry(site: Site, catalogue: Catalogue[Any]) -> Site | None:
    """The site of one entry of a catalogue; None where it is none."""
    data = plain(site.node)
    word = next(iter(data)) if isinstance(data, dict) and len(data) == 1 else data
    if not isinstance(word, str) or not catalogue.find(word.split(" ")[0]):
        return None

    return replace(site, known=catalogue.find)


def bracketed(node: Node) -> bool:
    """Whether a list or a mapping is written in brackets, and not on lines of its own."""
    return isinstance(node, SequenceNode | MappingNode) and bool(node.flow_style)
