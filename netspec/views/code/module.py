"""The whole printed file: imports, helpers, classes, in the order in which they need each other."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Sequence
from functools import partial
from textwrap import wrap

from netspec.graph.model import Graph, Level, Value, flat
from netspec.layers.base import Layer
from netspec.python.layout import WIDTH, Line
from netspec.python.literals import literal, veiled
from netspec.python.names import Namespace, assigned, attribute, class_name
from netspec.tensors import Tensor, sample
from netspec.views.code.allow import check, closed
from netspec.views.code.classes import ClassWriter
from netspec.views.code.initialising import padding, statements
from netspec.views.code.paths import Paths
from netspec.views.code.patterns import Pattern, Ref, ordered, patterns


def source(graph: Graph) -> str:
    """The network as a Python file that needs only torch. Its last class is the network's own.

    It is written without what its strings say first, which tells the tree that is meant.
    """
    with veiled() as veil:
        outline = _printed(graph)
    printed = _printed(graph) if veil.hidden else outline
    check(printed, closed(graph), veil.lifted(ast.parse(outline)) if veil.hidden else None)
    return printed


def _printed(graph: Graph) -> str:
    serving = patterns(graph.root)
    order = ordered(serving[graph.root], serving)
    _name(order, graph)
    path = partial(_path, graph.root, Paths(serving))
    text: list[str] = []
    for pattern in order:
        closing: list[Line] = []
        bound = graph.bound if pattern is order[-1] else {}
        if pattern is order[-1]:
            filling = statements(graph.init, graph.owners, path)
            closing = [*filling, *_ties(graph, path), *padding(graph, path)]
        results, ending = _results(pattern, graph)
        text += ["", "", *ClassWriter(pattern, serving, closing, bound).lines(results, ending)]
    body = "\n".join(text)
    named = _names(body)
    for helper in dict.fromkeys(s.op.helper for s in graph.root.walk() if s.op is not None and s.op.helper):
        name = helper.strip().removeprefix("def ").partition("(")[0]
        if name in named:
            body = f"\n\n{helper.strip()}\n{body}"
            named |= _names(helper)
    origins = sorted({s.op.origin for s in graph.root.walk() if isinstance(s.op, Layer) and s.op.origin})
    return f"{_docstring(graph)}\n\n{_imports(named, origins)}\n{body}\n"


def _docstring(graph: Graph) -> str:
    inputs = ", ".join(_shape(tensor) for tensor in graph.inputs.values())
    outputs = ", ".join(_shape(tensor) for tensor in graph.outputs.values())
    whole = f'"""{graph.name}: {inputs} in, {outputs} out, {graph.parameter_count:,} parameters."""'
    if len(whole) <= WIDTH:
        return whole
    text = (f"In: {inputs}.", f"Out: {outputs}.", f"{graph.parameter_count:,} parameters.")
    return "\n".join([f'"""{graph.name}.', "", *(line for part in text for line in wrap(part, WIDTH)), '"""'])


def _shape(tensor: Tensor) -> str:
    """A shape without the batch, where that comes first."""
    return sample(tensor.shape) if tensor.shape else str(tensor)


def _names(text: str) -> set[str]:
    """The names that a text uses; what its strings say is none."""
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def _imports(named: Collection[str], origins: Sequence[str]) -> str:
    """The imports of a text that uses these names."""
    lines = []
    if "OrderedDict" in named:
        lines.append("from collections import OrderedDict")
    if "fnmatch" in named:
        lines.append("from fnmatch import fnmatch")
    lines += [""] if lines else []
    if "torch" in named:
        lines.append("import torch")
    if "F" in named:
        lines.append("import torch.nn.functional as F")
    plugins = [f"import {origin}" for origin in origins]
    return "\n".join([*lines, "from torch import nn", *([""] if plugins else []), *plugins])


def _name(order: list[Pattern], graph: Graph) -> None:
    """Class names: the network's own, its blocks', and for other levels the name of the member."""
    names = Namespace()
    order[-1].name = names.fresh(graph.name)
    for pattern in order[:-1]:
        level = pattern.levels[0]
        base = class_name(level.block or level.name)
        if level.name.isdecimal() and not level.block and level.parent is not None:
            base = class_name(f"{level.parent.block or level.parent.name}_{level.name}")
        pattern.name = names.fresh(base)


def _ties(graph: Graph, path: Callable[[str], str]) -> list[Line]:
    """Statements that make two parameters one tensor."""
    lines = []
    for name, target in graph.ties.items():
        owner, _, tied = name.rpartition(".")
        other, _, source = target.rpartition(".")
        lines.append(Line(assigned(path(owner), tied, attribute(path(other), source))))
    return lines


def _path(root: Level, paths: Paths, dotted: str) -> str:
    """How a module is reached from the root: `self.transformer.wte`."""
    return paths.reached("self", root, dotted.split(".") if dotted else [])


Ending = Callable[[list[str]], str]


def _results(pattern: Pattern, graph: Graph) -> tuple[list[Ref], Ending]:
    """What the class's forward returns, as places, and how it is written."""
    level = pattern.levels[0]
    refs = pattern.refs[0]
    if level is graph.root:
        return _root_results(graph, refs)
    return [refs[inner] for inner in level.exports.values()], _joined


def _root_results(graph: Graph, refs: dict[Value, Ref]) -> tuple[list[Ref], Ending]:
    outputs = graph.root.outputs
    if isinstance(outputs, dict):
        keys = list(outputs)

        def as_dict(names: list[str]) -> str:
            return "{" + ", ".join(f"{literal(k)}: {n}" for k, n in zip(keys, names, strict=True)) + "}"

        return [refs[v] for v in outputs.values()], as_dict
    values = flat(outputs) if outputs is not None else []
    return [refs[v] for v in values], _joined


def _joined(names: list[str]) -> str:
    return ", ".join(names)
