"""Which parameters of a network are arguments of its class.

A parameter becomes one only if all that follows from it is written over it. That is tried: the network is printed with
other values of the parameter, larger and smaller, and but for the default that must be the same program. Several are
tried at once, any two of them also in opposite directions; where that is another program, or no network, fewer are.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import combinations
from math import comb, gcd
from typing import Any, Final

from netspec.graph.expand import expand
from netspec.graph.model import Graph, Level
from netspec.graph.symbols import node_of, plain, replaced, root_symbol, symbols
from netspec.python.nodes import same
from netspec.sections.document import Document
from netspec.views.code.bound import bound
from netspec.views.code.module import program
from netspec.views.code.module import source as written
from netspec.views.code.patterns import patterns, units_of
from netspec.views.code.proving import Unproved, value
from netspec.views.code.sequences import over_root
from netspec.views.code.slots import class_of, equal, is_word
from netspec.vocabulary import OPERATIONS

TRIALS: Final = 2
"""How many other values of a parameter are tried."""
WORDS: Final = ("gelu", "tanh", "relu", "hardswish")
"""Other operations that are tried in the place of one."""
FEW: Final = 3
"""From how many rounds on a repeat shows what they have in common."""
SMALL: Final = 16
"""Up to here a number may be one of heads or groups, which divides others."""


@dataclass(frozen=True)
class _Known:
    """A document, known again by what it says and by the operations that plugins have added."""

    text: str
    added: tuple[type, ...]
    document: Document = field(compare=False)


def source(document: Document) -> str:
    """The network of a document as a Python file that needs only torch. Its last class is the network's own."""
    return _source(_Known(repr((document.name, document.source.data)), tuple(OPERATIONS.added()), document))


@lru_cache(maxsize=256)  # a run is read again to be measured and exported
def _source(known: _Known) -> str:
    document = known.document
    graph = _traced(document)
    assert graph is not None, "a traced graph is the plain one"
    live = arguments(document, graph)
    return written(replace(graph, bound=bound(document, graph, live)), live)


def arguments(document: Document, graph: Graph) -> list[str]:
    """The parameters of the network that its class takes."""
    live = [name for name in document.params if _may_be(graph, name)]
    live = [name for name in live if not _decides(graph, name)] if live else []
    counts = set(_counts(graph.root))
    meant = program(graph, live).classes if live else ()
    proven = _proven(document, live, counts, meant, [name for name in live if _takes(meant, name)])
    return _proven_odd(document, live, counts, meant, proven)


def _proven(
    document: Document,
    live: Sequence[str],
    counts: Collection[str],
    meant: Sequence[ast.ClassDef],
    names: Sequence[str],
) -> list[str]:
    """Those of these parameters with other values of which the network is the program that is `meant`."""
    if len(names) < 2:
        return [n for n in names if _all_alike(meant, _others(document, n, counts), live, [n])]
    turns = _turns(document, names, counts)
    together = (_traced(replace(document, params={**document.params, **values})) for values in turns)
    if _all_alike(meant, together, live, names):
        return list(names)
    half = len(names) // 2
    return [n for part in (names[:half], names[half:]) for n in _proven(document, live, counts, meant, part)]


def _proven_odd(
    document: Document,
    live: Sequence[str],
    counts: Collection[str],
    meant: Sequence[ast.ClassDef],
    names: Sequence[str],
) -> list[str]:
    """Those that also hold with values of no common factor: what is divided is not without a rest only by chance."""
    odd = {name: value for name in names if (value := _odd(document, name, counts)) is not None}
    together = _traced(replace(document, params={**document.params, **odd})) if odd else None
    if not odd or (together is not None and _alike(meant, together, live, odd)):
        return list(names)
    alone = ((name, _traced(replace(document, params={**document.params, name: odd[name]}))) for name in odd)
    lying = {name for name, other in alone if other is not None and not _alike(meant, other, live, [name])}
    return [name for name in names if name not in lying]


def _odd(document: Document, name: str, counts: Collection[str]) -> int | None:
    """The largest value up to half of a whole number that has no factor of it; 1 for few, which others may be by."""
    value = document.params[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < 2 or name in counts:
        return None
    return next((v for v in range(value // 2, 0, -1) if gcd(v, value) == 1), 1) if value > SMALL else 1


def _turns(document: Document, names: Sequence[str], counts: Collection[str]) -> Iterator[dict[str, Any]]:
    """Other values of parameters, so that each has a larger and a smaller one, and any two both ways round.

    Each has the larger one in turns of its own: as many for all of them, and none the same.
    """
    count = next(count for count in range(2, len(names) + 1) if comb(count, count // 2) >= len(names))
    larger = dict(zip(names, combinations(range(count), count // 2), strict=False))
    either = {name: _either(document, name, counts) for name in names}
    for turn in range(count):
        yield {name: either[name][0 if turn in larger[name] else -1] for name in names}


def _either(document: Document, name: str, counts: Collection[str]) -> Sequence[Any]:
    """A larger value and a smaller one, as far as there are such that most networks would take."""
    return _tried(document, name, counts)[: 1 if document.params[name] == 0 else 2]


def _tried(document: Document, name: str, counts: Collection[str]) -> Sequence[Any]:
    """Other values of a parameter; of `counts` of rounds, so many that what rounds have in common can be told."""
    return [value for value in _values(document.params[name]) if name not in counts or value >= FEW]


def _all_alike(
    meant: Sequence[ast.ClassDef], others: Iterable[Graph | None], live: Sequence[str], names: Sequence[str]
) -> bool:
    """Whether there are other networks, and all of them are the program that is meant."""
    found = False
    for other in others:
        if other is None or not _alike(meant, other, live, names):
            return False
        found = True
    return found


def _traced(document: Document) -> Graph | None:
    graph, problems = expand(document, traced=True)
    return None if any(problem.severity == "error" for problem in problems) else graph


def _may_be(graph: Graph, name: str) -> bool:
    """Whether a parameter is a value of its own, and not computed from others."""
    node, param = graph.root.origins.get(name), graph.root.params[name]
    single = isinstance(param, bool | int | float) or is_word(param)
    return single and isinstance(node, ast.Name) and node.id == root_symbol(name)


def _decides(graph: Graph, name: str) -> bool:
    """Whether a step is there for some values of a parameter and not for others, and the class has no `if` for it."""
    symbol, root = root_symbol(name), graph.root.params
    guards = [(step, step.guard.origin) for step in graph.root.walk() if step.guard is not None]
    over = [(step, over_root(node, step.level)) for step, node in guards if node is not None]
    asked = [(step, node) for step, node in over if symbol in symbols(node)]
    if not asked:
        return False
    serving = patterns(graph.root)
    others = {root_symbol(n): node_of(plain(v)) for n, v in root.items() if n != name}
    for step, node in asked:
        pattern = serving.get(step.level)
        found = [i for i, unit in enumerate(units_of(step.level)) if step in unit.steps]
        if pattern is not None and all(map(pattern.varies, found)):
            continue
        condition = replaced(node, others)
        if any(_holds(condition, symbol, value) is step.left_out for value in _many(plain(root[name]))):
            return True
    return False


def _many(value: Any) -> Sequence[Any]:
    """Values that a parameter may have, near and far."""
    if isinstance(value, bool):
        return (True, False)
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


def _counts(level: Level) -> Iterator[str]:
    """The parameters of the network that say how many rounds a repeat has."""
    for repeat in level.repeats:
        yield from (s[1:] for s in symbols(over_root(repeat.times, level)) if s.startswith("$"))
    for step in level.steps:
        if step.body is not None:
            yield from _counts(step.body)


def _others(document: Document, name: str, counts: Collection[str]) -> Iterator[Graph]:
    """The network with other values of a parameter, as far as it fits together with them."""
    found = 0
    for other in _tried(document, name, counts):
        graph = _traced(replace(document, params={**document.params, name: other}))
        if graph is not None:
            yield graph
            found += 1
        if found == TRIALS:
            break


def _values(value: Any) -> Sequence[Any]:
    """Other values near to one, larger and smaller in turn, with more factors and with fewer."""
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, float):
        return (value / 2 + 0.125, value / 4)
    if isinstance(value, str):
        return [word for word in WORDS if not equal(class_of(word), class_of(value))]
    return [v for v in (2 * value, value // 2, value + 1, value - 1, 3 * value, value + 2) if v != value]


def _takes(classes: Sequence[ast.ClassDef], name: str) -> bool:
    return any(name == argument.arg for argument in _all(_constructor(classes[-1])))


def _alike(classes: Sequence[ast.ClassDef], other: Graph, live: Sequence[str], names: Collection[str]) -> bool:
    """Whether a network with other values of parameters is the same program, but for their defaults."""
    found = program(other, live).classes
    if not all(_takes(found, name) for name in names):
        return False
    return len(classes) == len(found) and all(map(same, _without(classes, names), _without(found, names)))


def _without(classes: Sequence[ast.ClassDef], names: Collection[str]) -> list[ast.ClassDef]:
    """The classes without the defaults of some arguments of the last."""
    *first, last = classes
    constructor = _constructor(last)
    assert constructor is not None
    arguments = constructor.args
    given = arguments.args[len(arguments.args) - len(arguments.defaults) :]
    defaults: list[ast.expr] = [
        ast.Constant(None) if argument.arg in names else default
        for argument, default in zip(given, arguments.defaults, strict=True)
    ]
    head = ast.arguments(
        posonlyargs=[], args=arguments.args, kwonlyargs=arguments.kwonlyargs, kw_defaults=[], defaults=defaults
    )
    made = ast.FunctionDef(constructor.name, head, constructor.body, [])
    body = [made if part is constructor else part for part in last.body]
    return [*first, ast.ClassDef(last.name, last.bases, [], body, [])]


def _constructor(cls: ast.ClassDef) -> ast.FunctionDef | None:
    return next((f for f in cls.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"), None)


def _all(constructor: ast.FunctionDef | None) -> list[ast.arg]:
    return constructor.args.args if constructor is not None else []
