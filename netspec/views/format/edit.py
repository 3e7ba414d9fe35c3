"""Rewrites the calls of a text in place: all else, and every comment, stays as it was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from netspec.errors import At, Path, Problem, SpecError
from netspec.graph.blocks import Block, read_block
from netspec.graph.written import AROUND, is_chain
from netspec.language import rows
from netspec.language.calls import Refused
from netspec.language.rows import RowError
from netspec.source import Source, report
from netspec.views.format.pieces import NoRow, Piece, from_long, from_row
from netspec.views.format.sites import Site, bracketed, plain, sites
from netspec.views.format.style import style_of
from netspec.views.format.yaml_text import WIDTH, block, flow, scalar

_COMMENT: Final = re.compile(r"\s+#.*")

Edit = tuple[int, int, str]
"""A stretch of the text, and what takes its place."""


def formatted(source: Source, *, long: bool = False) -> str:
    """The text of a spec with every call short, or every call long.

    What a row cannot say stays long, and comments stay where they are; a comment inside a call that
    becomes a row moves above it. Raises SpecError where a row cannot be read.
    """
    text = "\n".join(source.file.lines) + "\n"
    root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    problems: list[Problem] = []
    edits: list[Edit] = []
    if root is not None:
        for site in sites(root, _blocks(plain(root), problems)):
            try:
                edits += _edit(site, text, long)
            except Refused as refused:
                problems += refused.problems
    if problems:
        raise SpecError(problems, report(problems, source), source)
    for start, stop, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[stop:]
    return text


def _blocks(document: Any, problems: list[Problem]) -> dict[str, Block]:
    found = {}
    headers = document.get("blocks", {}) if isinstance(document, dict) else {}
    for header, body in headers.items() if isinstance(headers, dict) else ():
        try:
            made = read_block(header, body, ("blocks", header))
            found[made.name] = made
        except Refused as refused:
            problems += refused.problems
    return found


def _edit(site: Site, text: str, long: bool) -> list[Edit]:
    """What must change for a call to have the form that is asked for. Raises Refused."""
    pieces = list(_pieces(site.node, site.path, site))
    if any(isinstance(piece, Piece) for piece in pieces) or len(pieces) > 1:
        new = _long(pieces) if long else _short(pieces, site)
        return _placed(site, new, text) if new is not None else []
    return []


def _pieces(node: Node, path: Path, site: Site) -> Iterator[Piece | str]:
    """The calls of a site: those that have but one form as their text, those that only long forms say as "".

    Raises Refused.
    """
    data = plain(node)
    if isinstance(data, str):
        try:
            calls = rows.parse(data)
        except RowError as error:
            raise Refused(Problem("row", error.message, At(path, error.span), error.hint)) from None
        for call in calls:
            known = site.known(call.op) if isinstance(call.op, str) else None
            yield data[slice(*call.span)] if known is None else from_row(call, data, known, path)
    elif is_chain(data):
        for i, item in enumerate(node.value[0][1].value):
            yield from _pieces(item, (*path, "chain", i), site)
    else:
        assert isinstance(data, dict)
        word = next(key for key in data if key not in AROUND)
        options = data[word]
        if isinstance(options, str):  # an entry's arguments as a row: `{adamw: lr=1e-3}`
            yield from _pieces(ScalarNode("", f"{word} {options}".strip()), (*path, word), site)
            return
        known = site.known(word)
        assert known is not None
        try:
            yield from_long(word, options, {key: data[key] for key in data if key != word}, known, (*path, word))
        except NoRow:
            yield ""


def _long(pieces: list[Piece | str]) -> Any:
    items = [piece.long() if isinstance(piece, Piece) else piece for piece in pieces]
    if "" in items:
        return None
    return items[0] if len(items) == 1 else {"chain": items}


def _short(pieces: list[Piece | str], site: Site) -> str | None:
    words = []
    for piece in pieces:
        if isinstance(piece, Piece):
            known = site.known(piece.op)
            assert known is not None
            try:
                words.append(piece.short(style_of(known)))
            except NoRow:
                return None
        elif not piece:
            return None
        else:
            words.append(piece)
    return ", ".join(words)


def _placed(site: Site, new: Any, text: str) -> list[Edit]:
    """The edits that put a call in its new form where it stands."""
    node = site.node
    if isinstance(node, ScalarNode) and node.style in ("|", ">"):
        return []
    start, stop = node.start_mark.index, _end(node)
    if site.flow:
        inline = scalar(new, flow=True) if isinstance(new, str) else flow(new)
        return [] if list(_comments(node, start, stop, text)) else [(start, stop, inline)]
    if site.key is not None:
        start = text.index(":", site.key.end_mark.index) + 1
    return _as_row(site, new, text, start, stop) if isinstance(new, str) else _as_lines(site, new, text, start, stop)


def _as_row(site: Site, row: str, text: str, start: int, stop: int) -> list[Edit]:
    """One line. The comment of the first line stays behind it, others move above it."""
    begin = text.rfind("\n", 0, start) + 1
    indent = re.match(r"\s*", text[begin:])
    assert indent is not None
    behind, above = "", ""
    for at, comment in _comments(site.node, start, stop, text):
        if not behind and "\n" not in text[start:at].strip():
            behind = comment
        else:
            above += f"{indent[0]}{comment.strip()}\n"
    new = f"{' ' if site.key is not None else ''}{scalar(row, flow=False)}{behind}"
    return [(start, stop, new), *([(begin, begin, above)] if above else [])]


def _as_lines(site: Site, new: dict[str, Any], text: str, start: int, stop: int) -> list[Edit]:
    """One line or several, the comment behind the old one on the first of them."""
    if any(True for _ in _comments(site.node, start, stop, text)):
        return []  # it is long already, and its comments stand where its author put them
    column = site.node.start_mark.column if site.key is None else site.key.start_mark.column + 2
    if site.key is not None and not _tall(new) and column + len(inline := flow(new)) <= WIDTH:
        return [(start, stop, f" {inline}")]
    lines = block(new, column)
    if site.key is not None:
        lines = f"\n{' ' * column}{lines}"
    first, _, others = lines.partition("\n")
    end = text.index("\n", stop)
    return [(start, end, f"{first}{text[stop:end]}{chr(10) if others else ''}{others}")]


def _tall(new: dict[str, Any]) -> bool:
    """Whether a call takes several lines: a row of calls with arguments."""
    return not all(isinstance(call, str) for call in new.get("chain", ()))


def _end(node: Node) -> int:
    """Where the text of a node ends; of a block, where its last value does."""
    if isinstance(node, ScalarNode) or bracketed(node) or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(node, MappingNode) else last)


def _comments(node: Node, start: int, stop: int, text: str) -> Iterator[tuple[int, str]]:
    """The comments between two places, each with the blanks before it."""
    spans = [(scalar.start_mark.index, scalar.end_mark.index) for scalar in _scalars(node)]
    for match in _COMMENT.finditer(text, start, stop):
        if not any(begin <= match.start() < end for begin, end in spans):
            yield match.start(), match[0].replace("\n", "")


def _scalars(node: Node) -> Iterator[Node]:
    if isinstance(node, ScalarNode):
        yield node
        return
    for child in node.value:
        for inner in child if isinstance(child, tuple) else (child,):
            yield from _scalars(inner)
