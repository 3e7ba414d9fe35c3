"""Expands a document into a graph: what it declares, its layers walked, and what holds for the whole."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from netspec.errors import At, Path, Problem
from netspec.graph.declared import Declared, unused_params
from netspec.graph.draft import Level, Value, freeze
from netspec.graph.heads import mark_heads
from netspec.graph.inputs import read_input
from netspec.graph.model import Graph
from netspec.graph.names import check_input_name
from netspec.graph.prune import prune
from netspec.graph.report import Report, Stopped
from netspec.graph.scope import Flow, Naming, Scope
from netspec.graph.size import impossible
from netspec.graph.walk import Walk
from netspec.language.calls import raise_all
from netspec.language.refusals import Refused
from netspec.sections.document import Document
from netspec.sections.weights import read_weights
from netspec.tensors import Tensor, show
from netspec.weights.patterns import means_part
from netspec.words import offered

if TYPE_CHECKING:
    from netspec.graph.init import Owner, Rule


def expand(
    document: Document,
    sizes: Mapping[str, Tensor] | None = None,
    *,
    traced: bool = False,
    more: Mapping[tuple[str, str], int] | None = None,
    free: Collection[str] = (),
    report: Report | None = None,
) -> tuple[Graph, list[Problem]]:
    """The graph of a document, and every problem in it. `sizes` are inputs in place of those that it declares.

    Where it is `traced`, its numbers know the expressions that they came from, and the parameters of blocks, by block
    and name, can be so many `more` in every use. `free` are parameters that are computed from others, and yet come from
    themselves. `report` is what takes the problems.
    """
    report = report or Report()
    walk = _walker(document, report, traced, more or {}, free)
    declared = walk.declared
    building = walk.root(document.name)
    building.inputs = _read_inputs(document, building, declared, report, sizes or {})
    _walk(document, building, walk, report)
    prune(building)
    if "wrap" in document.sections and not report.problems:
        from netspec.graph.wrapping import wrap_by_name

        wrap_by_name(building, document.sections["wrap"], declared, report)
    if building.training:
        mark_heads(building, report)
    root = freeze(building)
    shapes = dict(root.parameters()) if not report.problems else {}
    adapters = root.adapters() if shapes else frozenset()
    ties = _ties(document, shapes, adapters, report) if shapes else {}
    rules: list[Rule] = []
    owners: tuple[Owner, ...] = ()
    idle = declared.check_defaults() if not report.problems else []
    if "init" in document.sections:
        from netspec.graph.init import assign, read_rules

        rules = read_rules(document.sections["init"], declared.params, report.add, document.source)
        left = list(root.left_out())
        count = sum(1 for _ in root.parameters()) + len(left)
        if not report.problems and report.affords(len(rules), count, At(("init",), on_key=True)):
            owners, unused = assign(root, rules, ties, _may_be(left, declared), report.add)
            idle += unused
    held = [name for name in dict(root.buffers()) if "running_" in name] if shapes else []
    weights = read_weights(document.sections.get("weights", {}), [*shapes, *held], report, adapters)
    graph = Graph(document.name, root, MappingProxyType(ties), tuple(rules), owners, weights, tuple(idle))
    return graph, list(report.problems.values()) or list(unused_params(document))


def _walker(
    document: Document, report: Report, traced: bool, more: Mapping[tuple[str, str], int], free: Collection[str]
) -> Walk:
    """The walk through a document, which notes where numbers come from if it is `traced`."""
    if traced:
        from netspec.graph.tracing import TracedDeclared, TracedWalk

        return TracedWalk(TracedDeclared(document, report, free), report, more)
    return Walk(Declared(document, report), report)


def _may_be(left: Sequence[str], declared: Declared) -> Callable[[Rule, bool], bool]:
    """Whether a rule, which matches something or nothing, also means what a `when` leaves out."""

    def may_be(rule: Rule, matched: bool) -> bool:
        if rule.classes:
            return declared.may_name(rule.classes, computed=not matched)
        return any(means_part(rule.key, path) for path in left)

    return may_be


def _walk(document: Document, root: Level, walk: Walk, report: Report) -> None:
    """Walk the layers of the document into the root, and settle what it gives and in which order it registers."""
    declared = walk.declared
    start = next(iter(root.inputs.values()), Value("input", None, root))
    naming: Naming = "names" if isinstance(document.layers, dict) else "root"
    scope = Scope(root, start, Flow(start, naming), names=dict(root.inputs), params=declared.params.values)
    both = {"input", "inputs"} <= document.sections.keys()
    scope.blind = not root.inputs or both or declared.params.lost
    if document.layers is not None:
        try:
            walk.body(document.layers, ("layers",), scope)
        except Stopped:
            scope.blind = True
        if not root.steps and not report.problems and not document.refused:
            hint = "For example: layers: [conv 6 k5, relu, fc 10]"
            report.add(Problem("empty", "the network has no layers", At(("layers",)), hint))
    declared.check_unused()
    walk.results.finish(root, scope, document.sections.get("outputs"), ("outputs",))
    walk.members.reorder(root, document.sections.get("order"), ("order",))


def _read_inputs(
    document: Document, root: Level, declared: Declared, report: Report, sizes: Mapping[str, Tensor]
) -> dict[str, Value]:
    """What the network takes, by name: values without a step. `sizes` stand in place of those that are declared."""
    sections = document.sections
    given = {"input": sections["input"]} if "input" in sections else sections.get("inputs", {})
    found = {}
    for name, value in given.items():
        path: Path = ("input",) if "input" in sections else ("inputs", name)
        found[name] = Value(name, None, root)
        with report.catching():
            check_input_name(name, At(path, on_key=True))
            tensor = read_input(value, path, declared.params)
            raise_all([Refused(problem) for problem in impossible(tensor, f"{name} has", At(path))])
            found[name].tensor = sizes.get(name, tensor)
    return found


def _ties(
    document: Document, shapes: dict[str, tuple[int, ...]], adapters: Collection[str], report: Report
) -> dict[str, str]:
    """Parameters that share a tensor with another, by the other's name."""
    ties = {}
    changed = {name.partition(".lora_")[0] for name in adapters}
    for name, target in document.sections.get("tie", {}).items():
        at = At(("tie", name), on_key=True)
        missing = [n for n in (name, target) if not isinstance(n, str) or n not in shapes]
        if missing:
            text = f"there is no parameter {missing[0]!r}"
            report.add(Problem("unknown-name", text, at, offered(str(missing[0]), shapes)))
        elif shapes[name] != shapes[target]:
            text = f"{name} is {show(shapes[name])}, {target} is {show(shapes[target])}; only equal shapes can be tied"
            report.add(Problem("shape-mismatch", text, at, "Change the sizes of one, or leave the tie out."))
        elif beside := next((n for n in (name, target) if n.rpartition(".")[0] in changed), ""):
            text = f"{beside} is changed by lora beside it, and would be changed under its other name as well"
            report.add(Problem("tie", text, at, "Wrap other layers, or leave out the tie."))
        else:
            ties[name] = target
    return _ends(ties, report)


def _ends(ties: dict[str, str], report: Report) -> dict[str, str]:
    """For each tied parameter the one at the end of its chain of ties."""
    ends: dict[str, str] = {}
    for name in ties:
        chain = dict.fromkeys([name])
        last = name
        while last not in ends and (target := ties.get(last)) is not None and target not in chain:
            chain[last := target] = None
        if last not in ends and last in ties:
            text, at = f"{ties[last]} is tied to itself in a circle", At(("tie", ties[last]), on_key=True)
            report.add(Problem("tie", text, at, "Tie each of them to the same one."))
        ends |= dict.fromkeys(chain, ends.get(last, last))
    return {name: ends[name] for name in ties}
