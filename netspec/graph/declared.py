"""What a spec declares before its layers: params, blocks, and arguments that hold for a kind of layer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from netspec.errors import At, Path, Problem
from netspec.graph.blocks import Block, read_block, space_of
from netspec.graph.bodies import Row, opened, rows_of
from netspec.graph.defaults import WRAP, Default, idle
from netspec.graph.draft import Step
from netspec.graph.references import check_columns
from netspec.graph.report import Report
from netspec.graph.rows import Short, read_row, untorn
from netspec.graph.written import Long, calls_of
from netspec.language.calls import Arguments, bare_call, first_taking
from netspec.language.levels import is_group
from netspec.language.refusals import Refused, Unknown
from netspec.language.rows import Expr
from netspec.layers.base import Op
from netspec.sections.document import Document
from netspec.sections.params import Params, bare, spaces
from netspec.vocabulary import OPERATIONS
from netspec.words import command, did_you_mean

ENDLESS: Final = "Use `repeat`, or xN behind the row that uses it."
HINTS: Final = 20
"""How many parameters that nothing uses are told what they are like."""
_WORD: Final = re.compile(r"[A-Za-z_]\w*")


class Declared:
    """The declarations of a document."""

    def __init__(self, document: Document, report: Report) -> None:
        """Read what the document declares; what is wrong with it is reported."""
        self.report = report
        self.document = document
        self._left: set[str | Expr] | None = None
        self.params = self.read_params()
        self.blocks: dict[str, Block] = {}
        self._seen: dict[str, Mapping[str, Block]] = {}
        self.defaults: list[Default] = []
        self.wrapping: set[Step] = set()
        """The steps whose calls say themselves whether something wraps them."""
        self.folded = document.folded
        """Whether small matrices are added to the weights that they stand beside, so that there are none."""
        self.walked: set[At] = set()
        """The calls of operations that the network is made of."""
        self.refused: set[str] = set()
        """Names of blocks that cannot be read, of which nothing more is said."""
        self.lost = "blocks" in document.refused
        """Whether the whole section of blocks cannot be read, so that any word might be one."""
        self.used: set[str] = set()
        """Blocks that the network uses."""
        self.endless: set[str] = set()
        """Blocks that are sure to be used inside themselves."""
        for problem in self.params.problems:
            report.add(problem)
        self._read_blocks(document)
        self._find_endless()
        self._read_defaults(document)

    def read_params(self) -> Params:
        """The parameters of the whole network."""
        return Params(self.document)

    def params_of(self, block: Block | None) -> dict[str, Any]:
        """The parameters of the whole network that a block sees: those of its file, by the names they have there."""
        return self.params.values if block is None or not block.space else self.params.brought(block.space)

    def seen(self, path: Path) -> Mapping[str, Block]:
        """The blocks by the names that they have at a path: in a block of a file that is used, those of that file."""
        space = space_of(path)
        if not space:
            return self.blocks
        if space not in self._seen:
            own = [(name, block) for name, block in self.blocks.items() if name.startswith(f"{space}.")]
            self._seen[space] = {name.removeprefix(f"{space}."): block for name, block in own}
        return self._seen[space]

    def _read_blocks(self, document: Document) -> None:
        """Read the headers of the blocks, with a problem for each that cannot be one or has a word that is taken."""
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

    def _find_endless(self) -> None:
        """Report blocks that use themselves, also by way of others, where no condition ends it."""
        uses = {name: self._sure_uses(block) for name, block in self.blocks.items()}
        done: set[str] = set()
        for name in self.blocks:
            open_uses = {name: iter(uses[name].items())} if name not in done else {}
            while open_uses:
                inner = next(reversed(open_uses))
                used, at = next(open_uses[inner], ("", At()))
                if not used:
                    done.add(inner)
                    del open_uses[inner]
                elif used in open_uses:
                    self.endless.add(used)
                    self.report.add(Problem("recursion", f"the block {used} is used inside itself", at, ENDLESS))
                elif used not in done:
                    open_uses[used] = iter(uses[used].items())

    def _sure_uses(self, block: Block) -> dict[str, At]:
        """The blocks that each use of a block is sure to use, with where it does."""
        found: dict[str, At] = {}
        _, body, path = opened(block.body, block.path)
        seen = self.seen(block.path)
        for row in rows_of(body, path, seen):
            with suppress(Refused):
                for call in calls_of(row.written, row.path, seen) or ():
                    if call.op in seen and call.certain and not _conditional(block, row.path):
                        found.setdefault(seen[str(call.op)].name, call.at)
        return found

    def _read_defaults(self, document: Document) -> None:
        """Read the `defaults` section, with a problem for each line that nothing can take."""
        for key, value in document.defaults.items():
            path = ("defaults", key)
            space, _, word = key.rpartition(".") if not OPERATIONS.find(key) else ("", "", key)
            classes = OPERATIONS.find(word)
            if not classes:
                hint = "Arguments have spaces between them, as in: {conv: k3 s2}" if value is None else ""
                hint = hint or OPERATIONS.unknown(word)
                self.report.add(Problem("unknown-op", f"there is no operation {word!r}", At(path, on_key=True), hint))
                continue
            line = Default(word, classes, path, space=space)
            self.defaults.append(line)
            with self.report.catching():
                line.values = self._default(word, classes, value, path).values

    def _default(self, word: str, classes: Sequence[type[Op]], value: Any, path: Path) -> Arguments:
        """The arguments of one line of `defaults`. Raises Refused."""
        if isinstance(value, dict):
            return self._given(classes, Long(str(path[-1]), value, {}, path[:-1]))
        calls = read_row(f"{word} {value}", path)
        if len(calls) > 1 or calls[0].times is not None or calls[0].when is not None:
            text = "defaults are the arguments of one operation, without a comma, a repetition or a condition"
            raise Refused(Problem("row", text, At(path), "As in: {bn: eps=0.001 momentum=0.01}"))
        return self._given(classes, Short(bare_call(str(value), path, word), path))

    def _given(self, classes: Sequence[type[Op]], call: Short | Long) -> Arguments:
        """What a line says: arguments, and what wraps the weight. Raises Refused."""
        given = first_taking(classes, lambda cls: call.arguments(cls, self.params))
        wrap = call.wrap(classes[0], self.params)
        if wrap is not None:
            given.values[WRAP] = wrap
        return given

    def check_word(self, word: str, at: At) -> None:
        """Raises Refused for a word that is no operation and no block."""
        if word in self.refused:
            raise Unknown
        seen = self.seen(at.path)
        if word in ("use", "alias") or word in seen or OPERATIONS.find(word):
            return
        if self.lost:
            raise Unknown
        brought = next((name for name in seen if name.endswith(f".{word}")), "")
        hint = (
            f"Did you mean {brought!r}?"
            if brought
            else OPERATIONS.unknown(word, f"{command('ops', word)} searches the operations.", seen)
        )
        raise Refused(Problem("unknown-op", f"there is no operation or block {word!r}", at, hint))

    def check_defaults(self) -> list[Path]:
        """Report arguments that no call takes; gives those whose place a spec that extends theirs has taken."""
        passed: list[Path] = []
        for line in self.defaults:
            for name in (line.values or {}).keys() - line.wins:
                if self.may_name(line.classes, computed=not line.takers.get(name)):
                    continue
                problem = idle(line, name, self.defaults, self.document.source)
                if problem is not None:
                    self.report.add(problem)
                elif isinstance(self.document.defaults[str(line.path[-1])], dict):
                    passed.append((*line.path, name))
                elif not line.wins:
                    passed.append(line.path)
        return passed

    def may_name(self, classes: Collection[type[Op]], computed: bool = True) -> bool:
        """Whether a call that other settings of the spec would let in may be of one of these classes.

        A `computed` word may be any.
        """
        if self._left is None:
            calls = [c for row in self._rows() for c in calls_of(row.written, row.path, self.seen(row.path)) or ()]
            self._left = {call.op for call in calls if call.op_at not in self.walked or isinstance(call.op, Expr)}
        return any(
            computed if isinstance(op, Expr) else not set(OPERATIONS.find(op)).isdisjoint(classes) for op in self._left
        )

    def check_unused(self) -> None:
        """Read the rows that no use of the spec comes to: their words can be checked, their shapes cannot.

        Those that are left out in what is used wait until nothing else is wrong there, which they may stand in.
        """
        walked = {path for at in self.walked for path in (at.path, at.path[:-1])}
        for row in self._rows(unused=bool(self.report.problems)):
            if row.path in walked and "," not in row.written:
                continue  # its one call was walked
            with self.report.catching():
                for call in calls_of(row.written, row.path, self.seen(row.path)) or ():
                    if isinstance(call.op, str) and call.op_at not in self.walked:
                        self.check_word(call.op, call.op_at)

    def _rows(self, unused: bool = False) -> Iterator[Row]:
        """Every row of the spec and of its blocks, or only of those that are `unused`."""
        if not unused:
            yield from rows_of(self.document.layers, ("layers",), self.blocks)
        for block in self.blocks.values():
            if not unused or block.name not in self.used:
                _, body, path = opened(block.body, block.path)
                yield from rows_of(body, path, self.seen(path))


def _conditional(block: Block, path: Path) -> bool:
    """Whether a row of a block stands in a group or level that may be left out, or run no round."""
    body = block.body
    for key in path[len(block.path) :]:
        if is_group(body) and body.keys() & {"when", "repeat"}:
            return True
        body = body[key]
    return False


def unused_params(document: Document) -> Iterator[Problem]:
    """A warning for each parameter that nothing in the document mentions, such as a mistyped override."""
    if not document.params:
        return
    words = Counter(_words([value for key, value in document.source.data.items() if key != "params"]))
    own = {name: Counter(_words(value)) for name, value in document.params.items()}
    for counted in own.values():
        words.update(counted)
    for name in document.params:
        for there in (bare(name, space) for space in spaces(document.blocks)):
            words[name] += words[there] if there else 0
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
