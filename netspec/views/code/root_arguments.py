"""Which parameters of a network are arguments of its class.

A parameter becomes one only if all that follows from it is written over it. That is tried: the network is printed with
another value of the parameter, and but for the default that must be the same program.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import gcd
from typing import Any, Final

from netspec.graph.expand import expand
from netspec.graph.model import Graph
from netspec.graph.symbols import root_symbol
from netspec.graph.tracing import Known
from netspec.python.nodes import same
from netspec.sections.document import Document
from netspec.views.code.bound import bound
from netspec.views.code.module import program
from netspec.views.code.module import source as written
from netspec.vocabulary import OPERATIONS

TRIALS: Final = 2
"""How many other values of a parameter are tried."""


@dataclass(frozen=True)
class _Known:
    """A document, known again by what it says and by the operations that plugins have added."""

    text: str
    added: tuple[type, ...]
    document: Document = field(compare=False)


def source(document: Document) -> str:
    """The network of a document as a Python file that needs only torch. Its last class is the network's own."""
    return _source(_Known(repr((document.name, document.source.data)), tuple(OPERATIONS.added()), document))


@lru_cache(maxsize=64)  # a run is read again to be measured and exported
def _source(known: _Known) -> str:
    document = known.document
    graph = _traced(document)
    assert graph is not None, "a traced graph is the plain one"
    live = arguments(document, graph)
    return written(replace(graph, bound=bound(document, graph, live)), live)


def arguments(document: Document, graph: Graph) -> list[str]:
    """The parameters of the network that its class takes."""
    live = [name for name in document.params if _may_be(graph, name)]
    others = {name: list(_others(document, name)) for name in live}
    live = [name for name in live if others[name]]
    meant = program(graph, live, {}) if live else []
    return [n for n in live if _takes(meant, n) and all(_alike(meant, other, live, n) for other in others[n])]


def _traced(document: Document) -> Graph | None:
    graph, problems = expand(document, traced=True)
    return None if any(problem.severity == "error" for problem in problems) else graph


def _may_be(graph: Graph, name: str) -> bool:
    """Whether a parameter is a value of its own, and not computed from others."""
    params = graph.root.params
    node = params.nodes[name] if isinstance(params, Known) else None
    single = isinstance(params[name], bool | int | float)
    return single and isinstance(node, ast.Name) and node.id == root_symbol(name)


def _others(document: Document, name: str) -> Iterator[Graph]:
    """The network with other values of a parameter, as far as it fits together with them."""
    found = 0
    for value in _values(document.params[name]):
        graph = _traced(replace(document, params={**document.params, name: value}))
        if graph is not None:
            yield graph
            found += 1
        if found == TRIALS:
            break


def _values(value: Any) -> Sequence[Any]:
    """Other values near to one, larger and smaller, with more factors and with none of its own.

    What is divided without a rest here, and is simpler for that, must not be so only by chance.
    """
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, float):
        return (value / 2 + 0.125, value / 4)
    coprime = next((v for v in range(value // 2, 0, -1) if gcd(v, value) == 1), 1)
    others = (2 * value, coprime, value // 2, value + 1, value - 1, 3 * value, value + 2)
    return [v for v in dict.fromkeys(others) if v != value]


def _takes(classes: Sequence[ast.ClassDef], name: str) -> bool:
    return any(name == argument.arg for argument in _all(_constructor(classes[-1])))


def _alike(classes: Sequence[ast.ClassDef], other: Graph, live: Sequence[str], name: str) -> bool:
    """Whether a network with another value of a parameter is the same program, but for its default."""
    found = program(other, live, {})
    constructor = _constructor(found[-1])
    if constructor is None or not _takes(found, name):
        return False
    return len(classes) == len(found) and all(map(same, _without(classes, name), _without(found, name)))


def _without(classes: Sequence[ast.ClassDef], name: str) -> list[ast.ClassDef]:
    """The classes without the default of one argument of the last."""
    *first, last = classes
    constructor = _constructor(last)
    assert constructor is not None
    arguments = constructor.args
    place = [argument.arg for argument in arguments.args].index(name) - len(arguments.args) + len(arguments.defaults)
    defaults: list[ast.expr] = list(arguments.defaults)
    defaults[place] = ast.Constant(None)
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
