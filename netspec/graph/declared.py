"""What a spec declares before its layers: params, blocks, and arguments that hold for a kind of layer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from netspec.errors import At, Path, Problem, did_you_mean
from netspec.graph.blocks import Block, read_block
from netspec.graph.references import check_columns
from netspec.graph.report import Report
from netspec.graph.rows import read_row, untorn
from netspec.graph.steps import Defaults
from netspec.language.calls import Refused, Unknown, arguments, long_arguments
from netspec.language.document import Document
from netspec.language.params import Params
from netspec.language.rows import Call
from netspec.vocabulary import OPERATIONS

HINTS: Final = 20
"""How many parameters that nothing uses are told what they are like."""
_WORD: Final = re.compile(r"[A-Za-z_]\w*")
GROUP: Final = {"layers", "repeat", "as", "when", "order", "outputs"}
"""The keys of a group, and of the long form of a level."""


def is_group(body: Any) -> bool:
    """Whether a mapping is a group or the long form of a level, and not steps by name."""
    return isinstance(body, dict) and "layers" in body and body.keys() <= GROUP


class Declared:
    """The declarations of a document."""

    def __init__(self, document: Document, report: Report) -> None:
        self.report = report
        self.params = Params(document)
        self.blocks: dict[str, Block] = {}
        self.defaults: Defaults = {}
        self.refused: set[str] = set()
        """Names of blocks that cannot be read, of which nothing more is said."""
        self.lost = "blocks" in document.refused
        """Whether the whole section of blocks cannot be read, so that any word might be one."""
        self.used: set[str] = set()
        """Blocks that the network uses."""
        for problem in self.params.problems:
            report.add(problem)
        self._read_blocks(document)
        self._read_defaults(document)

    def _read_blocks(self, document: Document) -> None:
        for header, body in untorn(document.blocks.items()):
            path = ("blocks", header)
            words = set(_WORD.findall(header.partition("(")[0]))
            self.refused |= words
            with self.report.catching():
                block = read_block(header, body, path)
                if OPERATIONS.find(block.name):
                    text = f"{block.name} is an operation already; a block needs a name of its own"
                    raise Refused(Problem("block-name", text, At(path, on_key=True), f"For example: my_{block.name}"))
                if block.name in self.blocks:
                    text = f"there are two blocks {block.name}"
                    raise Refused(Problem("block-name", text, At(path, on_key=True), "Give one of them another name."))
                if is_group(body) and "when" in body:
                    text = "a block has no when of its own; the row that uses it may have one"
                    hint = "As in: basic 64 when depth > 2"
                    raise Refused(Problem("when", text, At((*path, "when"), on_key=True), hint))
                if is_group(body):
                    check_columns(body, path)
                self.blocks[block.name] = block
                self.refused -= words

    def _read_defaults(self, document: Document) -> None:
        for word, value in document.defaults.items():
            path = ("defaults", word)
            classes = OPERATIONS.find(word)
            if not classes:
                hint = "Arguments have spaces between them, as in: {conv: k3 s2}" if value is None else ""
                hint = hint or OPERATIONS.unknown(word)
                self.report.add(Problem("unknown-op", f"there is no operation {word!r}", At(path, on_key=True), hint))
                continue
            self.defaults[word.lower()] = None
            with self.report.catching():
                if isinstance(value, dict):
                    given = long_arguments(value, classes[0], self.params, path, word)
                else:
                    calls = read_row(f"{word} {value}", path)
                    if len(calls) > 1:
                        text = "defaults are the arguments of one operation, without a comma"
                        raise Refused(Problem("row", text, At(path), "As in: {bn: eps=0.001 momentum=0.01}"))
                    given = arguments(shifted(calls[0], -len(word) - 1), classes[0], self.params, path)
                self.defaults[word.lower()] = given.values

    def check_word(self, word: str, at: At) -> None:
        """Raises Refused for a word that is no operation and no block."""
        if word in self.refused:
            raise Unknown
        if word in ("use", "alias") or word in self.blocks or OPERATIONS.find(word):
            return
        if self.lost:
            raise Unknown
        hint = OPERATIONS.unknown(word, f"`netspec ops {word}` searches the operations.", self.blocks)
        raise Refused(Problem("unknown-op", f"there is no operation or block {word!r}", at, hint))

    def check_unused(self) -> None:
        """Read the rows of blocks that nothing uses: their words can be checked, their shapes cannot."""
        for block in self.blocks.values():
            if block.name not in self.used:
                for text, path in texts(block.body, block.path):
                    with self.report.catching():
                        for call in read_row(text, path):
                            if isinstance(call.op, str):
                                self.check_word(call.op, At(path, call.op_span))


def unused_params(document: Document) -> Iterator[Problem]:
    """A warning for each parameter that nothing in the document mentions, such as a mistyped override."""
    if not document.params:
        return
    words = Counter(_words([value for key, value in document.source.data.items() if key != "params"]))
    own = {name: Counter(_words(value)) for name, value in document.params.items()}
    for counted in own.values():
        words.update(counted)
    unused = [name for name in document.params if words[name] <= own[name][name]]
    used = [name for name in document.params if words[name]]
    for number, name in enumerate(unused):
        hint = did_you_mean(name, used) if number < HINTS else ""
        text = f"nothing uses the parameter {name}"
        yield Problem("unused-param", text, At(("params", name), on_key=True), hint, severity="warning")


def _words(data: Any) -> Iterator[str]:
    """Every word of the texts in plain data, keys among them."""
    if isinstance(data, str):
        yield from _WORD.findall(data)
    elif isinstance(data, list):
        for item in data:
            yield from _words(item)
    elif isinstance(data, dict):
        for key, item in data.items():
            yield from _WORD.findall(str(key))
            yield from _words(item)


def texts(body: Any, path: Path) -> Iterator[tuple[str, Path]]:
    """The rows of a body, as far as they can be told from other texts."""
    if isinstance(body, str):
        yield body, path
    elif isinstance(body, list):
        for i, item in enumerate(body):
            yield from texts(item, (*path, i))
    elif isinstance(body, dict):
        inner = {"layers": body["layers"]} if is_group(body) else body
        for key, item in inner.items():
            if not isinstance(item, dict) or not OPERATIONS.find(str(key)):
                yield from texts(item, (*path, key))


def shifted(call: Call, by: int) -> Call:
    """A call whose places are moved along its text."""
    args = tuple(replace(a, span=(max(0, a.span[0] + by), max(1, a.span[1] + by))) for a in call.args)
    return replace(call, args=args)
