"""Which parameters of a network are arguments of its class.

A parameter becomes one only if all that follows from it is written over it. That is tried: the network is printed with
other values of its parameters (trials.py), and but for the defaults that must be the same program.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from typing import Any

from netspec.graph.combining import LOST, Node, symbols
from netspec.graph.model import Graph, Level
from netspec.graph.symbols import node_of, plain, replaced, root_symbol
from netspec.graph.tracing import computed
from netspec.python.nodes import walk
from netspec.sections.document import Document
from netspec.sections.params import Params
from netspec.views.code.block_counts import counted
from netspec.views.code.bound import bound
from netspec.views.code.module import program
from netspec.views.code.module import source as written
from netspec.views.code.patterns import patterns, units_of
from netspec.views.code.proving import Unproved, equal, value
from netspec.views.code.sequences import over_root
from netspec.views.code.simpler import tidied
from netspec.views.code.slots import is_word
from netspec.views.code.trials import WORDS, Trials, arguments, takes, traced, variations
from netspec.vocabulary import OPERATIONS

TURNED = 8
"""How many values of a parameter are tried by which steps are there that would not be."""


@dataclass(frozen=True)
class _Known:
    """A document, known again by what it says and by the operations that plugins have added."""

    text: str
    added: tuple[type, ...]
    document: Document = field(compare=False)


def source(document: Document) -> str:
    """The network of a document as a Python file that needs only torch. Its last class is the network's own."""
    return _source(
        _Known(repr((document.name, document.source.data, document.folded)), tuple(OPERATIONS.added()), document)
    )


@lru_cache(maxsize=256)  # a run is read again to be measured and exported
def _source(known: _Known) -> str:
    """The printed text of a document, whose root class takes the parameters that can be changed."""
    found = _found(known.document)
    graph, live, rules = found.graph, found.live, found.trials.rules
    lengths = found.trials.lengths(live)
    graph = replace(graph, bound=bound(known.document, graph, live, rules), lengths=lengths)
    return written(graph, live, rules, found.beside)


@dataclass(frozen=True)
class _Found:
    """A network with the parameters that were found to be arguments."""

    graph: Graph
    trials: Trials
    live: list[str]

    @property
    def beside(self) -> Sequence[Graph]:
        """The same network with other values of those by which steps are there that would not be."""
        return (self.trials.family({}) or [self.graph])[1:] if self.trials.flags else ()


def _found(document: Document) -> _Found:
    """The network with as many of its parameters as can be arguments, of which some are computed by default.

    One that is computed stays a formula where, if it were an argument, another or itself would be none.
    """
    found = _with(document, ())
    computed = [name for name in document.params if _is_computed(document, found.graph, name)]
    if not computed:
        return found
    whole = _with(document, computed)
    if {*found.live, *computed} <= {*whole.live}:
        return whole
    for name in computed:
        more = _with(document, [*found.trials.rules.formulas, name])
        found = more if {*found.live, name} <= {*more.live} else found
    return found


def _with(document: Document, free: Collection[str]) -> _Found:
    """The network whose parameters may be arguments, those too that are computed from others if they are `free`."""
    graph = traced(document, free=free)
    assert graph is not None, "a traced graph is the plain one"
    formulas = {name: computed(document.params[name], graph.root.origins) for name in free}
    flags: Collection[str] | None = None
    while True:
        trials = _trials(document, graph, formulas, flags)
        live = trials.proven()
        if not {name for name in trials.live if name in trials.counts} <= {*live}:
            trials, live = _with_rules(trials, graph, live)
        if (held := trials.flags.keys() & {*live}) == trials.flags.keys():
            return _Found(graph, trials, live)
        flags = held  # without the others it is another program


def _is_computed(document: Document, graph: Graph, name: str) -> bool:
    """Whether a parameter is computed from others, and Python gives the same for other values of these too."""
    node, given = graph.root.origins[name], graph.root.params
    asked = symbols(node)
    if not asked or asked == {root_symbol(name)} or LOST.id in asked or not _is_argument(given[name]):
        return False
    formula = tidied(node)
    tried = [{}, *({n: v} for n in given if root_symbol(n) in asked for v in variations(plain(given[n])))]
    return all(_agrees(formula, document, name, values) for values in tried)


def _agrees(formula: ast.expr, document: Document, name: str, values: Mapping[str, Any]) -> bool:
    """Whether Python gives the value that the spec does with other values of parameters, if it gives one at all."""
    params = Params(replace(document, params={**document.params, **values}))
    if params.problems:
        return bool(values)
    try:
        found = value(formula, {root_symbol(n): v for n, v in params.values.items()})
    except Unproved:
        return False
    return equal(found, plain(params.values[name]))


def _with_rules(trials: Trials, graph: Graph, live: list[str]) -> tuple[Trials, list[str]]:
    """The trials, and the parameters that are found, where few rounds are written as more of them would be.

    Two rounds are alike in many ways, and one in all; if that does not help, it is as it was.
    """
    if (deeper := trials.deeper()) is None:
        return trials, live
    rounds = program(deeper, trials.live, trials.rules).rules
    rules = replace(trials.rules, rounds={**rounds, **trials.rules.rounds})
    ruled = replace(trials, rules=rules)
    ruled = replace(ruled, meant=ruled.program(ruled.family({}) or [graph]) or ())
    found = ruled.proven()
    return (ruled, found) if {*live} < {*found} else (trials, live)


def _trials(
    document: Document, graph: Graph, formulas: Mapping[str, Node], flags: Collection[str] | None = None
) -> Trials:
    """What is tried to find the parameters of the network that its class takes; for `formulas` see Rules.

    Those of its parameters that decide whether steps are there may be `flags`, or any of them.
    """
    live = [name for name in document.params if _may_be(graph, name)]
    deciding = _deciding(graph, live)
    live = [name for name in live if name not in deciding]
    rules = counted(document, graph, live, formulas)
    given = {name: plain(param) for name, param in graph.root.params.items()}
    counts, divided = set(_counts(graph.root)), _parameters(filter(_divides, _expressions(graph.root)))
    trials = Trials(document, graph, given, live, counts, (), {}, divided, rules)
    for name, values in deciding.items():
        trials = _flagged(trials, name, values) if flags is None or name in flags else trials
    return replace(trials, meant=trials.program(trials.family({}) or [graph]) or () if trials.live else ())


def _flagged(trials: Trials, name: str, values: Sequence[Any]) -> Trials:
    """The trials with one more flag, by which steps are there or not; as they were where no one program is for both.

    `values` are such with which those steps are there that are not, or the other way round.
    """
    live = [each for each in trials.document.params if each in (*trials.live, name)]
    known = {*live, *(f"{each}_" for each in live)}
    for other in values:
        found = replace(trials, live=live, flags={**trials.flags, name: other})
        graphs = found.family({})
        if graphs is not None and (parts := found.program(graphs)) is not None:
            return found if takes(parts, name) and arguments(parts) <= known else trials
    return trials


def _may_be(graph: Graph, name: str) -> bool:
    """Whether a parameter is a value of its own, and not computed from others."""
    node, param = graph.root.origins.get(name), graph.root.params[name]
    return _is_argument(param) and isinstance(node, ast.Name) and node.id == root_symbol(name)


def _is_argument(param: Any) -> bool:
    """Whether a parameter is a value that an argument can have."""
    return isinstance(param, bool | int | float) or is_word(param) or _are_numbers(param)


def _are_numbers(param: Any) -> bool:
    """Whether a parameter is a list of numbers or of what is true or not, or of rows of them."""
    if not isinstance(param, list) or not param:
        return False
    return all(type(plain(item)) in (int, float, bool) or _are_numbers(item) for item in param)


def _deciding(graph: Graph, names: Sequence[str]) -> dict[str, list[Any]]:
    """The parameters by which a step is there or not, where the class that it would stand in has no `if` for it.

    With each go some other values with which it would be the other way round.
    """
    guards = ((step, step.guard.origin) for step in graph.root.walk() if step.guard is not None)
    over = [(step, over_root(node, step.level)) for step, node in guards if node is not None]
    asked = {name: [each for each in over if root_symbol(name) in symbols(each[1])] for name in names}
    if not any(asked.values()):
        return {}
    serving = patterns([graph.root])
    root = {root_symbol(name): node_of(plain(param)) for name, param in graph.root.params.items()}
    found: dict[str, list[Any]] = {}
    for name, steps in asked.items():
        symbol, given = root_symbol(name), plain(graph.root.params[name])
        values = [*variations(given), *_many(given)]
        others = {other: node for other, node in root.items() if other != symbol}
        for step, node in steps:
            pattern = serving.get(step.level)
            units = [i for i, unit in enumerate(units_of(step.level)) if step in unit.steps]
            if pattern is not None and all(map(pattern.varies, units)):
                continue
            condition = replaced(node, others)
            turning = (each for each in values if _holds(condition, symbol, each) is step.left_out)
            if turned := list(islice(turning, TURNED)):
                found[name] = turned
                break
    return found


def _many(value: Any) -> Sequence[Any]:
    """Values that a parameter may have, near and far."""
    if isinstance(value, bool):
        return (True, False)
    if isinstance(value, list):
        turned = ([*value[at:], *value[:at]] for at in range(1, len(value)))
        return (value, *variations(value), value[::-1], *turned, *([each] * len(value) for each in value))
    if isinstance(value, str):
        return (value, *WORDS)
    if isinstance(value, float):
        return (0.0, value / 4, value / 2 + 0.125, 2 * value, 1.0)
    return (*range(1, 65), *range(value, 4 * value + 8), *(2**n for n in range(7, 21)))[:4096]


def _holds(condition: ast.expr, symbol: str, of: Any) -> bool | None:
    """Whether a condition holds for a value; None where that cannot be told."""
    try:
        return bool(value(condition, {symbol: of}))
    except Unproved:
        return None


def _expressions(level: Level) -> Iterator[ast.expr]:
    """The expressions of the spec in a level and below it, over the parameters of the network."""
    yield from (over_root(node, level) for node in level.origins.values())
    yield from (over_root(node, level.parent) for node in level.bound.values() if level.parent is not None)
    for step in level.steps:
        yield from (over_root(node, level) for node in step.origins.values())
        if step.body is not None:
            yield from _expressions(step.body)


def _parameters(nodes: Iterable[ast.expr]) -> set[str]:
    """The parameters of the network that expressions ask for."""
    return {symbol[1:] for node in nodes for symbol in symbols(node) if symbol.startswith("$")}


def _divides(node: ast.expr) -> bool:
    """Whether an expression divides by what is no number."""
    if isinstance(node, ast.Name | ast.Constant):
        return False
    return any(
        isinstance(part, ast.BinOp) and isinstance(part.op, ast.FloorDiv) and symbols(part.right) for part in walk(node)
    )


def _counts(level: Level) -> Iterator[str]:
    """The parameters of the network that say how many rounds a repeat has."""
    for repeat in level.repeats:
        yield from (s[1:] for s in symbols(over_root(repeat.times, level)) if s.startswith("$"))
    for step in level.steps:
        if step.body is not None:
            yield from _counts(step.body)
