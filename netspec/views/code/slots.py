"""The arguments of a class's constructor, and what is written over them.

Each place in a class where a value stands has one value in each use, and the expression that it came from: over the
parameters of the block, the sizes of its inputs and the parameters of the network. Such an expression is written where
it gives each use its value; where none does, the place becomes an argument of its own. Numbers that only happen to be
equal are never taken for one another.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from netspec.emit.torch import torch_class
from netspec.graph.combining import LOST, Node, key, number, symbols
from netspec.graph.model import Level
from netspec.graph.symbols import Traced, counted, in_turn, node_of, plain, replaced, root_symbol
from netspec.graph.symbols import name as name_node
from netspec.layers.base import Layer
from netspec.python.names import Namespace, identifier, unlike
from netspec.python.nodes import Code, named, same, walk
from netspec.python.reserved import BUILTINS, RESERVED
from netspec.views.code.axes import CHANNELS, FEATURES, is_last, word
from netspec.views.code.proving import ABSENT as ABSENT
from netspec.views.code.proving import decides, proved
from netspec.views.code.proving import equal as equal
from netspec.views.code.sequences import around
from netspec.views.code.simpler import asked, is_long, tidied
from netspec.vocabulary import OPERATIONS

INPUT, HEADER, REST = range(3)
"""What an argument is, in the order in which a constructor has them."""


@dataclass(slots=True)
class Argument:
    """One argument of a constructor: its value in each use, and the expression that gives it there."""

    kind: int
    values: list[Any]
    """In the order of the uses."""
    origins: list[Node]
    """Over the symbols around each use."""
    free: frozenset[int] = frozenset()
    """The uses that ask for it nowhere, so that it could be anything there."""

    def filled(self, values: Sequence[Any], origins: Sequence[Node], free: frozenset[int]) -> Argument:
        """With these where it could be anything, but for the uses where these could be so too."""
        mine = self.free - free
        known = [values[use] if use in mine else v for use, v in enumerate(self.values)]
        nodes = [origins[use] if use in mine else node for use, node in enumerate(self.origins)]
        return Argument(self.kind, known, nodes, self.free & free)


class Slots:
    """The constructor's arguments of one class, found while its lines are written."""

    def __init__(
        self,
        levels: Sequence[Level],
        live: Collection[str],
        taken: Collection[str] = (),
        alone: bool = True,
        fixed: Collection[tuple[str, str]] = (),
    ) -> None:
        """`live` are the network's parameters that stay arguments; `taken` the names of classes.

        Where it is not `alone`, other uses of the block have a class of their own, which may yet come out the same.
        `fixed` are parameters, by their blocks, that are numbers here.
        """
        self.alone = alone
        self.fixed = fixed
        self.levels = levels
        self.blocks = [block for level in levels if (block := around(level)) is not None]
        self.root = root_of(levels[0])
        self.arguments: dict[str, Argument] = {}
        self.variables = unlike(self.blocks[0].params if self.blocks else (), RESERVED | BUILTINS | {*taken})
        """What each of the block's parameters is called here."""
        self.names = Namespace(RESERVED | BUILTINS | {"x", *taken, *self.variables.values()})
        self.live = {root_symbol(name): name for name in live}
        self.operations: set[str] = set()
        """The symbols of parameters that are the words of operations, and are given as classes."""
        self.counting: set[int] = set()
        """The numbers of the repeats whose counters stay symbols."""
        self.past: frozenset[str] = frozenset()
        """Counters of rounds that have been, which are numbers all the same."""
        self.called: dict[str, str] = {}
        """The argument that each symbol is."""
        self._told: dict[Hashable, Node | None] = {}
        self.either = _either(levels, self.live)
        """The symbols of the network's parameters that are true in some uses, and not in others."""
        self.fields: dict[str, set[str]] = {}
        """The fields that have a symbol for their value."""

    @property
    def params(self) -> dict[str, list[Any]]:
        """The values of each argument, use by use."""
        return {name: argument.values for name, argument in self.arguments.items()}

    def code(self, values: Sequence[Any], name: str, origins: Sequence[Node | None] = ()) -> Any:
        """The value to print for one place: a plain value, or Code over the constructor's arguments.

        `origins` are expressions of the spec that say more than the values do.
        """
        nodes = list(_nodes(values, origins))
        if any(isinstance(value, Code) for value in values):
            self.operations |= {node.id for node in nodes if isinstance(node, ast.Name)}
        given, values = values, [v if v is ABSENT else plain(v) for v in values]
        if (node := self.said(values, nodes, name)) is not None:
            return Code(node)
        present = [v for v in values if v is not ABSENT]
        # Here each use has its own though all are equal: another list would tell them apart.
        if not isinstance(present[0], tuple) and any(self._parted(node, nodes) for node in nodes):
            return Code(self._new(name, values, nodes))
        # One value that no expression gives is a number, not an argument that always has it.
        if all(equal(v, present[0]) for v in present) and not isinstance(present[0], tuple):
            return Code(node) if (node := self._in_full(present[0], nodes)) is not None else present[0]
        if all(isinstance(v, tuple) and len(v) == len(present[0]) for v in present):
            entries = range(len(present[0]))
            parts = ([v if v is ABSENT else v[i] for v in values] for i in entries)
            written = (list(map(partial(_entry, i), nodes, given)) for i in entries)
            return tuple(self.code(part, name, said) for part, said in zip(parts, written, strict=True))
        if all(equal(v, present[0]) for v in present):
            return present[0]
        return Code(self._new(name, values, nodes))

    def said(self, values: Sequence[Any], nodes: Sequence[Node], name: str = "") -> Node | None:
        """The first of these expressions that gives each use its value, over the arguments; None where none does."""
        return self._first(nodes, name, lambda node: proved(node, self.params, values))

    def _in_full(self, value: Any, nodes: Sequence[Node]) -> Node | None:
        """The expression that gave a fraction of many digits; None for any other value, or if there is none."""
        for node in nodes if is_long(value) else ():
            tree = None if "?" in symbols(node) else self._over(node, "")
            if tree is not None and not isinstance(tree, ast.Constant) and proved(tree, {}, [value]):
                return tree
        return None

    def condition(self, origins: Sequence[Node], values: Sequence[Any]) -> Node | None:
        """The first of these conditions that decides for each use as it was, if it asks; None where none does."""
        test = self._first(origins, "", lambda node: decides(node, self.params, values))
        return None if test is None else asked(test)

    def spelled(
        self, parts: Sequence[str | Node], write: Callable[[list[str | Node]], Node], names: Sequence[str]
    ) -> Node | None:
        """A name with computed parts, as `write` writes it; None unless it gives each use its own."""
        before = self.state()
        known = [part if isinstance(part, str) else self._over(part, "") for part in parts]
        if all(part is not None for part in known):
            node = write([part for part in known if part is not None])
            if proved(node, self.params, names):
                return node
        self.back(before)
        return None

    def _first(self, nodes: Sequence[Node], name: str, proof: Callable[[Node], bool]) -> Node | None:
        """The first of these expressions, over this class's arguments, that the proof holds for; None for none."""
        for node in _unlike({id(node): node for node in nodes if not _is_value(node)}):
            if self._parted(node, nodes):
                continue
            before = self.state()
            tree = self._over(node, name)
            if tree is not None and symbols(tree) and proof(tree):
                return tree
            self.back(before)
        return None

    def _parted(self, node: Node, nodes: Sequence[Node]) -> bool:
        """Whether it asks for an entry of a list that is an argument of the network, and others for another one.

        That all are equal is chance then: with another list each use has its own.
        """
        asked = symbols(node)
        if self.live.keys().isdisjoint(asked) or not any(isinstance(part, ast.Subscript) for part in walk(node)):
            return False
        counting = any(counter is not None and counter[0] in self.counting for counter in map(counted, asked))
        return not counting and any(not _alike(each, node) for each in nodes if not _is_value(each))

    def state(self) -> tuple[dict[str, Argument], set[str], dict[str, str]]:
        """The arguments that there are, to go back to."""
        return dict(self.arguments), set(self.names.taken), dict(self.called)

    def back(self, state: tuple[dict[str, Argument], set[str], dict[str, str]]) -> None:
        """Forget the arguments that only a proof that failed had asked for."""
        self.arguments, self.names.taken, self.called = state

    @property
    def in_use(self) -> set[str]:
        """The names that the class's arguments have, or would have."""
        return {*self.arguments, *self.variables.values(), *self.live.values()}

    def _over(self, node: Node, field: str) -> Node | None:
        """An expression over the constructor's arguments; None where they cannot say it."""
        found: dict[str, Node] = {}
        for symbol in sorted(symbols(node)):
            if isinstance(node, ast.Name):
                self.fields.setdefault(symbol, set()).add(field)
            if (known := self._symbol(symbol)) is None:
                return None
            found[symbol] = known
        return tidied(replaced(node, found)) if found else tidied(node)

    def _symbol(self, symbol: str) -> Node | None:
        """What a symbol is in the class: an argument, or a value where the network has it once and for all."""
        if symbol in self.called:
            return name_node(self.called[symbol])
        if (counter := counted(symbol)) is not None:
            counts = counter[0] in self.counting and symbol not in self.past
            return name_node(symbol) if counts else ast.Constant(counter[1])
        if symbol.startswith("$"):
            params = [plain(root_of(level).params[symbol[1:]]) for level in self.levels]
            if symbol not in self.live:
                return node_of(params[0]) if all(equal(value, params[0]) for value in params) else None
            origins: list[Node] = [name_node(symbol) for _ in self.levels]
            values = [class_of(value) if symbol in self.operations else value for value in params]
            kind = HEADER if self.levels[0] is self.root else REST
            return self._argument(symbol, symbol[1:], kind, values, origins)
        if len(self.blocks) != len(self.levels):
            return None
        if symbol in self.variables:
            values = [plain(block.params[symbol]) for block in self.blocks]
            if self._is_fixed(symbol):
                return node_of(values[0]) if all(equal(value, values[0]) for value in values) else None
            values = [class_of(value) for value in values] if symbol in self.operations else values
        else:
            values = [_size(block, symbol) for block in self.blocks]
        outside = [block.bound.get(symbol, LOST) for block in self.blocks]
        if symbol not in self.variables and self.alone:
            plain_ = not self.variables and self.levels[0].kind != "block"
            written = plain_ or not self._size_name(symbol).endswith(("channels", "features"))
            if written and all(self._settled(block, symbol) == values[0] for block in self.blocks):
                return ast.Constant(values[0])
            if (known := self._same(outside)) is not None:
                self.called[symbol] = known
                return name_node(known)
        origins = [
            node if level is block else name_node(symbol)
            for node, level, block in zip(outside, self.levels, self.blocks, strict=True)
        ]
        name = self.variables.get(symbol) or self._size_name(symbol)
        return self._argument(symbol, name, HEADER if symbol in self.variables else INPUT, values, origins)

    def _is_fixed(self, symbol: str) -> bool:
        """Whether a parameter of the block is a number in the class, as what follows from it is."""
        header = self.blocks[0].header
        return header is not None and (header.name, symbol) in self.fixed

    def _settled(self, block: Level | None, symbol: str) -> Any:
        """The size that the spec gives an input as a number, and not by an argument; None for any other."""
        if symbol.startswith("$"):
            return None if symbol in self.live else plain(self.root.params[symbol[1:]])
        if (counter := counted(symbol)) is not None:
            return counter[1]
        if block is None or symbol in block.params:
            return None
        node = block.bound.get(symbol, LOST)
        outer = around(block.parent) if block.parent is not None else None
        found = {name: self._settled(outer, name) for name in symbols(node)}
        if any(value is None for value in found.values()):
            return None
        settled = replaced(node, {name: node_of(value) for name, value in found.items()})
        return number(settled)

    def _same(self, outside: Sequence[Node]) -> str | None:
        """The argument that is given the same expression wherever the class is used."""
        if any(_is_value(node) for node in outside):
            return None
        keys = list(map(key, outside))
        for symbol in self.variables:
            if [key(block.bound.get(symbol, LOST)) for block in self.blocks] == keys:
                self._symbol(symbol)
                return self.called[symbol]
        found = {_from_root(node, block) for node, block in zip(outside, self.blocks, strict=True)}
        if len(found) == 1 and (symbol := found.pop()) in self.live:
            for own in self.variables:
                if all(_from_root(block.bound.get(own, LOST), block) == symbol for block in self.blocks):
                    self._symbol(own)
                    return self.called[own]
            self._symbol(symbol)
            return self.called[symbol]
        return None

    def _argument(self, symbol: str, name: str, kind: int, values: list[Any], origins: list[Node]) -> Node:
        """The name of a new argument with a value for each use."""
        fixed = symbol in self.variables
        name = name if fixed else self.names.fresh(identifier(name))
        self.called[symbol] = name
        self.arguments[name] = Argument(kind, values, origins)
        return name_node(name)

    def _size_name(self, symbol: str) -> str:
        """What a size of an input is called as an argument: by the fields that take it, else by its axis."""
        place, axis = map(int, symbol.split("."))
        input_name = list(self.blocks[0].inputs)[place]
        alone = len(self.blocks[0].inputs) == 1 or input_name in ("x", "in", "input")
        before = "in" if place == 0 and alone else identifier(input_name)
        fields = self.fields.get(symbol, set())
        if fields & CHANNELS:
            return f"{before}_channels"
        tensor = self.blocks[0].inputs[input_name].tensor
        rank = len(tensor.shape) if tensor is not None else 0
        if rank == 2 or (fields & FEATURES and axis == rank - 1):
            return f"{before}_features"
        said = word(rank, axis, is_last(self.blocks[0], place, rank))
        return f"{before}_{said or f'size{axis}'}"

    def _new(self, name: str, values: Sequence[Any], nodes: Sequence[Node]) -> Node:
        """An argument for what no expression says; a use that does not need it gives it as the first that does."""
        filler = next(use for use, v in enumerate(values) if v is not ABSENT)
        series = [values[filler] if v is ABSENT else v for v in values]
        known = [
            node_of(value) if node is LOST else replaced(node, level.bound) if level.kind == "block" else node
            for value, node, level in zip(series, nodes, self.levels, strict=True)
        ]
        # What is not asked for may be anything; that of another use needs no constant in the call.
        origins = [known[filler] if v is ABSENT else node for v, node in zip(values, known, strict=True)]
        free = frozenset(use for use, v in enumerate(values) if v is ABSENT)
        for other, argument in self.arguments.items():
            asked = {*range(len(series))} - free - argument.free
            alike = (equal(argument.values[u], series[u]) and _alike(argument.origins[u], origins[u]) for u in asked)
            if argument.kind == REST and asked and all(alike):
                self.arguments[other] = argument.filled(series, origins, free)
                return named(other)
        name = self.names.fresh(identifier(name))
        self.arguments[name] = Argument(REST, series, origins, free)
        return named(name)

    def parameter(self, tree: Node) -> str:
        """The parameter of the block, or of the network, that the spec computes so; empty where there is none."""
        for level in (*self.blocks[:1], self.root):
            for name, origin in level.origins.items():
                if origin is LOST or isinstance(origin, ast.Name | ast.Constant):
                    continue
                before = self.state()
                known = self._over(origin, "")
                self.back(before)
                if known is not None and same(known, tree):
                    return name
        return ""

    def as_given(self, name: str, value: Any) -> Any:
        """The default of an argument as a call would give it; ABSENT for an operation that no use has."""
        values = self.arguments[name].values
        if not isinstance(values[0], Code):
            return value
        return known if (known := class_of(value)) in values else ABSENT

    def told(self, values: Sequence[Any]) -> Node | None:
        """How sizes are said over the arguments that there are; None where they cannot be."""
        asked = (len(self.arguments), *(key(v.node) if isinstance(v, Traced) else (v,) for v in values))
        if asked not in self._told:
            self._told[asked] = self._sizes(values)
        return self._told[asked]

    def scales(self, values: Sequence[Any], size: str) -> dict[str, list[Any]] | None:
        """The arguments that sizes are computed from beside this one of an input; None where they are not."""
        nodes = [value.node for value in values if isinstance(value, Traced)]
        asked = {symbol for node in nodes for symbol in symbols(node)}
        found: dict[str, list[Any]] = {}
        if size not in asked:
            return None
        for symbol in sorted(asked - {size}):
            name = self.called.get(symbol, "")
            if "." in symbol or symbol in {LOST.id, *self.variables.keys() - self.called.keys()}:
                return None
            if name in self.arguments:
                found[name] = self.arguments[name].values
        return found

    def is_settled(self, values: Sequence[Any]) -> bool:
        """Whether no argument of the network is known to change sizes, but for those of which all uses have both."""
        blocks: Sequence[Level | None] = self.blocks or [None] * len(values)
        asked = [(symbols(v.node), block) for v, block in zip(values, blocks, strict=False) if isinstance(v, Traced)]
        free, self.live = self.live, {symbol: name for symbol, name in self.live.items() if symbol not in self.either}
        settled = all(s == LOST.id or self._settled(block, s) is not None for found, block in asked for s in found)
        self.live = free
        return settled

    def _sizes(self, values: Sequence[Any]) -> Node | None:
        """The expression of sizes that needs no argument more; None where there is none."""
        before = self.state()
        node = self.said([v if v is ABSENT else plain(v) for v in values], list(_nodes(values, ())))
        more = self.arguments.keys() != before[0].keys()
        self.back(before)
        return None if more else node


def _either(levels: Sequence[Level], live: Mapping[str, str]) -> set[str]:
    """The symbols of those of the network's parameters that are true in some uses and not in others."""
    roots = list({id(root): root for root in map(root_of, levels)}.values())
    if len(roots) < 2:
        return set()
    flags = (symbol for symbol, name in live.items() if isinstance(roots[0].params[name], bool))
    return {symbol for symbol in flags if len({root.params[live[symbol]] for root in roots}) > 1}


def root_of(level: Level) -> Level:
    """The network that a level is a part of."""
    while level.parent is not None:
        level = level.parent
    return level


def _from_root(node: Node, block: Level) -> str:
    """The parameter of the network that a block is given from outside; empty where it is given another expression."""
    while isinstance(node, ast.Name) and not node.id.startswith("$"):
        outer = around(block.parent) if block.parent is not None else None
        if outer is None:
            return ""
        node, block = outer.bound.get(node.id, LOST), outer
        if node is LOST:
            return ""
    return node.id if isinstance(node, ast.Name) else ""


def _size(block: Level, symbol: str) -> Any:
    """The size that a symbol of a block's input stands for; None where the shape is unknown."""
    place, axis = map(int, symbol.split("."))
    tensor = list(block.inputs.values())[place].tensor
    return plain(tensor.shape[axis]) if tensor is not None and axis < len(tensor.shape) else None


def _nodes(values: Sequence[Any], origins: Sequence[Node | None]) -> Iterator[Node]:
    """The expression of each value: where it came from, or itself."""
    for use, value in enumerate(values):
        known = origins[use] if origins else None
        yield LOST if value is ABSENT else known if known is not None and known is not LOST else node_of(value)


def _entry(place: int, node: Node, value: Any) -> Node | None:
    """The expression of one entry of a tuple, which one for a single number may have given."""
    if isinstance(node, ast.Tuple | ast.List):
        return node.elts[place] if place < len(node.elts) else None
    known = LOST if value is ABSENT else node_of(value[place])
    return node if isinstance(known, ast.Constant) and node is not LOST else known


def _is_value(node: Node) -> bool:
    """Whether an expression is a plain value, or none at all."""
    asked = symbols(node)
    return not asked or "?" in asked or isinstance(node, ast.Tuple | ast.List)


def matches(values: Sequence[Any], series: Sequence[Any]) -> bool:
    """Whether values are those of a series wherever there is one."""
    return len(values) == len(series) and all(v is ABSENT or equal(v, s) for v, s in zip(values, series, strict=True))


def is_word(value: Any) -> bool:
    """Whether a value is the word of a layer, whose class can be an argument."""
    return isinstance(class_of(value), Code)


def class_of(word: Any) -> Any:
    """The class that the word of an operation stands for."""
    classes = OPERATIONS.find(word) if isinstance(word, str) else ()
    return Code(named(torch_class(classes[0]))) if classes and issubclass(classes[0], Layer) else word


def _unlike(nodes: Mapping[int, Node]) -> Iterable[Node]:
    """The expressions that differ, each once."""
    return nodes.values() if len(nodes) < 2 else {key(node): node for node in nodes.values()}.values()


def _alike(one: Node, other: Node) -> bool:
    """Whether expressions are the same, in the rounds that they stand in."""
    return key(in_turn(one)) == key(in_turn(other))
