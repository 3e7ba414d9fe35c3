"""The whole printed file: imports, helpers, classes, in the order in which they need each other.

A graph becomes a program in passes, `patterns`, `_plan`, `_classes`, `decided`, `merged` and `without_empty`, and the
program becomes text.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence, Set
from functools import partial
from itertools import chain
from textwrap import wrap

from netspec.emit.torch import HELPERS, helpers
from netspec.graph.model import Graph, Level, Value, flat
from netspec.graph.uses import handed
from netspec.layers.base import Layer
from netspec.python.allowlist import check, parsed
from netspec.python.imports import imports, names
from netspec.python.layout import WIDTH, Comments, lines
from netspec.python.names import Namespace, class_name
from netspec.python.nodes import assigned, attribute, named, same, tupled, valued
from netspec.tensors import Tensor, sample
from netspec.views.code.classes import ClassWriter
from netspec.views.code.closed import closed, wrap_of
from netspec.views.code.folding import folded, without_derived
from netspec.views.code.functions import without_empty
from netspec.views.code.initialising import over_arguments, padding, statements
from netspec.views.code.paths import Paths
from netspec.views.code.patterns import Pattern, Ref, ordered, patterns
from netspec.views.code.program import Class, Plan, Program, Rules, Signature
from netspec.views.code.rows import Stiff
from netspec.views.code.slots import Slots
from netspec.views.code.tidy import decided, merged
from netspec.words import listed


def source(graph: Graph, live: Collection[str] = (), rules: Rules | None = None, beside: Sequence[Graph] = ()) -> str:
    """The network as a Python file that needs only torch. Its last class is the network's own.

    `live` are the network's parameters that are arguments of that, where the graph is traced; for `rules` see Rules,
    and for the graphs `beside` it see `program`.
    """
    written = folded(without_derived(program(graph, live, rules, commented=True, beside=beside)))
    parts, comments = written.parts, written.comments
    graphs = [graph, *beside]
    above, used = _helpers(graphs, names(parts))
    walked = chain.from_iterable(each.root.walk() for each in graphs)
    origins = {step.op.origin for step in walked if isinstance(step.op, Layer) and step.op.origin}
    groups = imports(used, origins)
    docstring = _docstring(graph)
    meant: list[ast.stmt] = [ast.Expr(ast.Constant(docstring)), *(one for group in groups for one in group)]
    meant += [one for helper in above for one in parsed(helper).body]
    sections = [*(helper.rstrip() for helper in above), *(_text([one], comments) for one in parts)]
    heads = [f'"""{docstring}"""', *(_text(group, comments) for group in groups)]
    text = "\n\n\n".join(["\n\n".join(heads), *sections]) + "\n"
    check(text, closed(graphs), ast.Module([*meant, *parts], []))
    return text


def _text(statements: Sequence[ast.stmt], comments: Comments) -> str:
    """Statements as the text of a file."""
    return "\n".join(lines(statements, comments))


class Apart(Exception):
    """Graphs that no one program serves."""


def program(
    graph: Graph,
    live: Collection[str],
    rules: Rules | None = None,
    *,
    commented: bool = False,
    functions: bool = True,
    beside: Sequence[Graph] = (),
) -> Program:
    """The classes of a network; only where they are `commented` is it told what is said of their statements.

    Those that hold nothing are `functions`, unless all are to be classes. The program serves the graphs `beside` it as
    well, which are the same network with other values of its parameters; where none does, Apart is raised.
    """
    stiff: set[Hashable] = set()
    while True:
        try:
            plan = _plan([graph, *beside], live, rules or Rules(), stiff)
            classes = _classes([graph, *beside], plan)
            break
        except Stiff as row:  # each time one more of the rows that there are
            if row.source in stiff:
                raise Apart from None
            stiff.add(row.source)
    said = [(statement, say()) for each in classes for statement, say in each.sayings.items()] if commented else []
    comments = {statement: saying for statement, saying in said if saying}
    found = {place: rule for each in classes for place, rule in each.rules.items()}
    written = Program(tuple(each.definition for each in classes), comments, rules=found)
    whole = merged(decided(written), plan.stems, plan.places)
    registering = {each.signature.name for each in classes if each.signature.modules}
    return without_empty(whole, registering) if functions else whole


def _plan(graphs: Sequence[Graph], live: Collection[str], rules: Rules, stiff: Set[Hashable]) -> Plan:
    """Which classes there are and what they are called: the network's own, its blocks', those of other levels."""
    graph = graphs[0]
    serving = patterns([each.root for each in graphs], stiff, rules.fixed)
    if any(serving[each.root] is not serving[graph.root] for each in graphs):
        raise Apart
    *inner, last = ordered(serving[graph.root], serving)
    given = Namespace()
    own = given.fresh(graph.name)
    names: dict[Pattern, str] = {}
    stems = {own: graph.name}
    for pattern in inner:
        stem = _stem(pattern)
        names[pattern] = given.fresh(stem)
        stems[names[pattern]] = stem
    places = {name: place for pattern, name in names.items() if (place := _place(pattern))}
    return Plan(serving, {**names, last: own}, stems, places, live, rules)


def _place(pattern: Pattern) -> str:
    """What a class of one level is called with what that stands in: `TextEmbeddings`; empty for any other."""
    level, *others = pattern.levels
    around = level.parent
    if others or level.block or around is None or around.parent is None:
        return ""
    if level.name.isdecimal() or around.name.isdecimal():
        return ""
    return class_name(f"{around.block or around.name}_{level.name}")


def _stem(pattern: Pattern) -> str:
    """What a class is called but for the number that sets it apart: as the block, or as the member.

    Members that are numbered are called by what holds them: `Stage` for several of `stages`, `Stages0` for one alone.
    So is one called `self`, which says nothing by itself: `AttentionSelf`.
    """
    level = pattern.levels[0]
    if level.block or level.parent is None or not (level.name.isdecimal() or level.name == "self"):
        return class_name(level.block or level.name)
    held = level.parent.block or level.parent.name
    several = level.name.isdecimal() and len(pattern.levels) > 1
    if several and len(held) > 3 and held.endswith("s") and not held.endswith("ss"):
        return class_name(held.removesuffix("s"))
    return class_name(f"{held}_{level.name}")


def _classes(graphs: Sequence[Graph], plan: Plan) -> list[Class]:
    """The classes as they are written, each behind those that it needs."""
    graph, paths = graphs[0], Paths(plan.serving)
    last = plan.serving[graph.root]
    found: list[Class] = []
    signatures: dict[Pattern, Signature] = {}
    for pattern in plan.names:
        results, ending = _results(pattern, graph)
        if pattern is last and not _give_alike(pattern, graphs):
            raise Apart
        lean = _lean(graph, pattern.refs[0]) if pattern is last else None
        closing = partial(_closing, graphs, paths) if pattern is last else _nothing
        bound, lengths = (graph.bound, graph.lengths) if pattern is last else ({}, {})
        writer = ClassWriter(pattern, plan, signatures, closing, bound, lengths)
        found.append(writer.written(results, ending, lean))
        signatures[pattern] = found[-1].signature
    return found


def _closing(graphs: Sequence[Graph], paths: Paths, slots: Slots) -> list[ast.stmt]:
    """What ends the constructor of the network. Raises Apart."""
    each = []
    for graph, owners in zip(graphs, over_arguments(graphs, slots), strict=True):
        path = partial(_path, graph.root, paths)
        filling = statements(graph.init, owners, path, graph.parameters())
        each.append([*filling, *_ties(graph, path), *padding(graph, path)])
    if not all(same(found, each[0]) for found in each[1:]):
        raise Apart
    return each[0]


def _nothing(_: Slots) -> list[ast.stmt]:
    """No statements."""
    return []


def _helpers(graphs: Sequence[Graph], used: set[str]) -> tuple[list[str], set[str]]:
    """The helpers among these names, and all names that are used with them."""
    steps = [(step, step.op) for graph in graphs for step in graph.root.walk() if step.op is not None]
    called = dict.fromkeys(n for step, op in steps for n in (*helpers(type(op)), *wrap_of(step.wrap, type(op))))
    found = [HELPERS[name] for name in called if name in used and name in HELPERS]
    return found[::-1], used | names(parsed(helper) for helper in found)


def _docstring(graph: Graph) -> str:
    """What is said of the network above its class: name, shapes in and out, the number of parameters."""
    inputs = ", ".join(_shape(tensor) for tensor in graph.inputs.values())
    outputs = ", ".join(_shape(tensor) for tensor in graph.outputs.values())
    whole = f"{graph.name}: {inputs} in, {outputs} out, {graph.parameter_count:,} parameters."
    filled = listed(graph.from_data())
    if len(whole) <= WIDTH - 6 and not filled:
        return whole
    text = [f"In: {inputs}.", f"Out: {outputs}.", f"{graph.parameter_count:,} parameters."]
    if filled:
        text.append(f"A run computes {filled} from its data; here torch's own draw stands.")
    return "\n".join([f"{graph.name}.", "", *(line for part in text for line in wrap(part, WIDTH)), ""])


def _shape(tensor: Tensor) -> str:
    """A shape without the batch, where that comes first."""
    return sample(tensor.shape) if tensor.shape else str(tensor)


def _ties(graph: Graph, path: Callable[[str], ast.expr]) -> Iterator[ast.stmt]:
    """Statements that make two parameters one tensor."""
    for name, target in graph.ties.items():
        owner, _, tied = name.rpartition(".")
        other, _, source = target.rpartition(".")
        yield assigned(path(owner), tied, attribute(path(other), source))


def _path(root: Level, paths: Paths, dotted: str) -> ast.expr:
    """How a module is reached from the root: `self.transformer.wte`."""
    return paths.reached(named("self"), root, dotted.split(".") if dotted else [])


Ending = Callable[[list[ast.expr]], ast.expr]


def _results(pattern: Pattern, graph: Graph) -> tuple[list[Ref], Ending]:
    """What the class's forward returns, as places, and how it is written."""
    level = pattern.levels[0]
    refs = pattern.refs[0]
    if level is graph.root:
        return _root_results(graph, refs)
    return [refs[inner] for inner in (*level.exports.values(), *handed(level))], _joined


def _lean(graph: Graph, refs: Mapping[Value, Ref]) -> tuple[list[Ref], Ending] | None:
    """What the network's forward returns outside training, where that is not what it returns in training."""
    return _root_results(graph, refs, graph.root.training) if graph.root.training else None


def _root_results(
    graph: Graph, refs: Mapping[Value, Ref], without: Set[Value] = frozenset()
) -> tuple[list[Ref], Ending]:
    """What the network gives but for some of it, and how forward returns it: a tensor, a tuple, or a dictionary."""
    outputs = graph.root.outputs
    if isinstance(outputs, Mapping):
        outputs = {name: value for name, value in outputs.items() if value not in without}
    elif outputs is not None:
        outputs = tuple(value for value in flat(outputs) if value not in without)
    if isinstance(outputs, Mapping):
        keys = list(outputs)
        return [refs[v] for v in outputs.values()], lambda found: ast.Dict(list(map(valued, keys)), found)
    values: list[Value] = flat(outputs) if outputs is not None else []
    return [refs[v] for v in values], _joined


def _give_alike(pattern: Pattern, graphs: Sequence[Graph]) -> bool:
    """Whether the networks that a class serves give the same of it, and in training as outside."""
    given = []
    for graph in graphs:
        refs = pattern.refs[pattern.levels.index(graph.root)]
        outputs = graph.root.outputs
        named_ = list(outputs) if isinstance(outputs, Mapping) else None
        training = {refs[value] for value in graph.root.training} if graph.root.training else set()
        given.append((named_, _root_results(graph, refs)[0], training))
    return all(each == given[0] for each in given[1:])


def _joined(found: list[ast.expr]) -> ast.expr:
    """One value as it is, several as a tuple."""
    return found[0] if len(found) == 1 else tupled(found)
