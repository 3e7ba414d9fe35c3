"""Rewrites the calls of a text in place: all else, and every comment, stays as it was."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from netspec.errors import At, Path, Problem
from netspec.graph.blocks import Block, read_block
from netspec.graph.bodies import Row
from netspec.graph.written import is_chain, long_call, not_a_call
from netspec.language import rows
from netspec.language.calls import first_taking
from netspec.language.refusals import Refused
from netspec.language.rows import AROUND, RowError
from netspec.text.report import SpecError
from netspec.text.source import Source
from netspec.views.format.pieces import OneForm, Piece, from_long, from_row
from netspec.views.format.sites import Site, bracketed, extends, plain, sites
from netspec.views.format.yaml_text import WIDTH, block, flow, scalar

_COMMENT: Final = re.compile(r"\s+#.*")

Edit = tuple[int, int, str]
"""A stretch of the text, and what takes its place."""


def formatted(source: Source, *, long: bool = False) -> str:
    """The text of a spec with every call short, or every call long.

    What a row cannot say stays long, as do calls of a spec that extends another, with which a mapping merges and a
    row does not; rows stay short there. Comments stay where they are; a comment inside a call that
    becomes a row moves above it. Raises SpecError where a row cannot be read.
    """
    text = "\n".join(source.file.lines) + "\n"
    root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    problems: list[Problem] = []
    edits: list[Edit] = []
    if root is not None:
        laid = extends(root)
        blocks = _blocks(plain(root), problems)
        for site in sites(root, blocks):
            try:
                row = isinstance(site.node, ScalarNode)
                if not (laid and row == long):
                    edits += _edit(site, text, long, blocks)
            except Refused as refused:
                problems += refused.problems
    if problems:
        raise SpecError(problems, source)
    for start, stop, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[stop:]
    return text


def _blocks(document: Any, problems: list[Problem]) -> dict[str, Block]:
    """The blocks by name, and the problems of headers that cannot be read."""
    found = {}
    headers = document.get("blocks", {}) if isinstance(document, dict) else {}
    for header, body in headers.items() if isinstance(headers, dict) else ():
        try:
            made = read_block(header, body, ("blocks", header))
            found[made.name] = made
        except Refused as refused:
            problems += refused.problems
    return found


def _edit(site: Site, text: str, long: bool, blocks: Mapping[str, Block]) -> list[Edit]:
    """What must change for a call to have the form that is asked for. Raises Refused."""
    pieces = list(_pieces(site.node, site.path, site))
    if not any(isinstance(piece, Piece) for piece in pieces) and len(pieces) == 1:
        return []
    new = _long(pieces, site, blocks) if long else _short(pieces)
    return _placed(site, new, text) if new is not None else []


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
            known = site.known(call.op) if isinstance(call.op, str) else ()
            yield first_taking(known, partial(from_row, call, path=path)) if known else str(call)
    elif is_chain(data):
        for i, item in enumerate(node.value[0][1].value):
            if not _is_piece(plain(item)):
                raise Refused(not_a_call((*path, "chain", i)))
            yield from _pieces(item, (*path, "chain", i), site)
    else:
        assert isinstance(data, dict)
        word = next(key for key in data if key not in AROUND)
        options = data[word]
        if not site.known(word):
            yield ""
            return
        if isinstance(options, str):  # an entry's arguments as a row: `{adamw: lr=1e-3}`
            yield from _pieces(ScalarNode("", f"{word} {options}".strip()), (*path, word), site)
            return
        beside = {key: data[key] for key in data if key != word}
        try:
            yield first_taking(site.known(word), partial(from_long, word, options, beside, path=(*path, word)))
        except OneForm:
            yield ""


def _is_piece(data: Any) -> bool:
    """Whether a part of a chain is a row, or a mapping of one word to its arguments."""
    words = [key for key in data if key not in AROUND] if isinstance(data, dict) else []
    return isinstance(data, str) or (len(words) == 1 and isinstance(data[words[0]], dict) and not is_chain(data))


def _long(pieces: list[Piece | str], site: Site, blocks: Mapping[str, Block]) -> Any:
    """A row in the long form: a call, or a chain of several; None where it cannot be one."""
    if "" in pieces:
        return None
    items = [_long_piece(piece) if isinstance(piece, Piece) else piece for piece in pieces]
    new = items[0] if len(items) == 1 else {"chain": items}
    if isinstance(new, str):
        return new
    if site.row is None:
        return new
    if site.row.alone:  # where a mapping would name steps
        return [new]
    return _short(pieces) if _makes_a_call(site.row, new, blocks) else new


def _makes_a_call(row: Row, new: Any, blocks: Mapping[str, Block]) -> bool:
    """Whether the level around would be a call: the step `dropout` of a level `attention` as an argument of its own."""
    if not 0 < len(row.around) <= 1 + len(AROUND):
        return False
    *outer, name = row.path
    return long_call({**row.around, str(name): new}, tuple(outer), blocks) is not None


def _long_piece(piece: Piece) -> Any:
    """A call in the long form, or as a row where it has only that form."""
    try:
        return piece.long()
    except OneForm:
        return piece.short()


def _short(pieces: list[Piece | str]) -> str | None:
    """Calls as one row; None where one of them has only the long form."""
    try:
        words = [piece.short() if isinstance(piece, Piece) else piece for piece in pieces]
    except OneForm:
        return None
    return None if "" in words else ", ".join(words)


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


def _as_lines(site: Site, new: Any, text: str, start: int, stop: int) -> list[Edit]:
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
    return [(start, end, f"{first}{text[stop:end].rstrip()}{chr(10) if others else ''}{others}")]


def _tall(new: Any) -> bool:
    """Whether a call takes several lines: a row of calls with arguments."""
    call = new[0] if isinstance(new, list) else new
    return not all(isinstance(call, str) for call in call.get("chain", ()))


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
    """Every scalar inside a node."""
    if isinstance(node, ScalarNode):
        yield node
        return
    for child in node.value:
        for inner in child if isinstance(child, tuple) else (child,):
            yield from _scalars(inner)
