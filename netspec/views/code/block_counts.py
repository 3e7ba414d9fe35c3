"""Which parameters of blocks that count the rounds of a repeat are arguments of the printed class, and which numbers.

As with the parameters of the network, that is tried: the network is printed with more rounds in every use of each
block, and but for that argument its class must be the same. From more rounds it is also told what few have in common.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from netspec.graph.combining import Node, symbols
from netspec.graph.model import Graph, Level
from netspec.python.names import class_name
from netspec.python.nodes import same, walk
from netspec.sections.document import Document
from netspec.views.code.module import program
from netspec.views.code.program import Program, Rules
from netspec.views.code.sequences import around
from netspec.views.code.trials import FEW, constructor, traced

Count = tuple[str, str]
"""A parameter that counts rounds, behind the name of its block."""


def counted(document: Document, graph: Graph, live: Collection[str], formulas: Mapping[str, Node]) -> Rules:
    """What is told of the classes of a network by one with more rounds in its blocks.

    `live` are the parameters of the network that are arguments in both; for `formulas` see Rules. A count whose block
    is another class with more rounds is `fixed`; so is one of which no network has more.
    """
    counts = sorted(set(_counts(graph.root)))
    plain = Rules(formulas=formulas)
    if not counts:
        return plain
    deeper = traced(document, more=dict.fromkeys(counts, FEW), free=formulas)
    if deeper is None and len(counts) > 1:  # perhaps only one of the blocks cannot have more
        several = [traced(document, more={count: FEW}, free=formulas) for count in counts]
    else:
        several = [deeper]
    others = [program(each, live, plain, functions=False) for each in several if each is not None]
    rules = replace(plain, rounds={site: run for each in others for site, run in each.rules.items()})
    # What few rounds cannot tell, more of them have told: both programs are written by the same rules.
    meant = program(graph, live, rules, functions=False)
    kept = {count for count in counts if any(_is_alike(meant, each, count) for each in others)}
    return replace(rules, fixed=frozenset(counts) - kept)


def _counts(level: Level) -> Iterator[Count]:
    """The parameters of blocks that say how many rounds a repeat has."""
    block = around(level)
    if block is not None and block.header is not None:
        asked = (symbol for repeat in level.repeats for symbol in symbols(repeat.times))
        yield from ((block.header.name, name) for name in asked if type(block.params.get(name)) is not bool)
    for step in level.steps:
        if step.body is not None:
            yield from _counts(step.body)


def _is_alike(one: Program, other: Program, count: Count) -> bool:
    """Whether the classes of a block, and those that it needs, are the same in two programs but for its count.

    What calls them may give another number there, and have other sizes behind it.
    """
    block, name = count
    found = [_reached(each, class_name(block)) for each in (one, other)]
    if list(found[0]) != list(found[1]):
        return False
    places = {cls: place for cls, node in found[0].items() if _is_of(cls, block) if (place := _place(node, name)) >= 0}
    return all(
        same(_without(a.bases, places, name), _without(b.bases, places, name))
        and same(_without(a.body, places, name), _without(b.body, places, name))
        for a, b in zip(found[0].values(), found[1].values(), strict=True)
    )


def _reached(program: Program, stem: str) -> Mapping[str, ast.ClassDef]:
    """The classes of a block and those that they call."""
    known = {cls.name: cls for cls in program.classes}
    found: dict[str, ast.ClassDef] = {}
    left = [name for name in known if _is_of(name, stem)]
    while left:
        if (name := left.pop(0)) not in found:
            found[name] = known[name]
            called = (node.id for node in walk(known[name]) if isinstance(node, ast.Name))
            left += [other for other in called if other in known]
    return found


def _is_of(name: str, block: str) -> bool:
    """Whether a class has the name of a block, perhaps with a number behind it."""
    stem = class_name(block)
    return name.startswith(stem) and (name == stem or name[len(stem) :].isdecimal())


def _place(cls: ast.ClassDef, name: str) -> int:
    """Where an argument stands in the constructor of a class; -1 if it has none of that name."""
    made = constructor(cls)
    names = [argument.arg for argument in made.args.args[1:]] if made is not None else []
    return names.index(name) if name in names else -1


def _without(node: object, places: Mapping[str, int], name: str) -> object:
    """A tree in which no call of these classes gives this argument."""
    if isinstance(node, list):
        return [_without(each, places, name) for each in node]
    if not isinstance(node, ast.AST):
        return node
    parts = {field: _without(getattr(node, field, None), places, name) for field in node._fields}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in places:
        place = places[node.func.id]
        given = [each for at, each in enumerate(node.args) if at != place]
        parts["args"] = _without(given, places, name)
        parts["keywords"] = _without([each for each in node.keywords if each.arg != name], places, name)
    return type(node)(**parts)
