"""All that the text of a network may name: what its operations, wraps and initialisers are written with."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache

from netspec.emit.torch import ADAPTERS, HELPERS, WRAPPING, fill_name, helpers, torch_class, torch_names, wrap_names
from netspec.graph.model import Graph
from netspec.graph.names import MODULE_ATTRIBUTES
from netspec.layers.base import Layer, Op
from netspec.python.allowlist import METHODS, TORCH, Closed, parsed, paths
from netspec.views.code.routes import ROUTING
from netspec.views.code.scans import SCANNING
from netspec.vocabulary import INITIALIZERS, OPERATIONS
from netspec.wraps import Wrap


def closed(graphs: Sequence[Graph]) -> Closed:
    """What the text may name that serves these networks."""
    steps = [step for graph in graphs for step in graph.root.walk()]
    bodies = [step.body for step in steps if step.body is not None]
    found = _known(*[name for step in steps for name in wrap_of(step.wrap, type(step.op))])
    for op in {type(step.op) for step in steps if step.op is not None}:
        found |= _names(op)
    if any(body.scan is not None for body in bodies):
        found |= SCANNING
    if any(body.route is not None for body in bodies):
        found |= ROUTING
    owners = [owner for graph in graphs for owner in graph.owners]
    found |= {fill_name(type(i)) for graph in graphs for rule in graph.init for i in rule.tensors.values()}
    found |= {torch_class(type(owner.op)) for owner in owners if isinstance(owner.op, Layer)}
    names = [name for step in steps for name in (step.member, *(step.body.aliases if step.body else ()))]
    for graph in graphs:
        names += [*graph.root.aliases, *graph.parameters(), *graph.buffers(), *graph.ties]
    names += [name for owner in owners for name in (*owner.shapes, *owner.parts)]
    return Closed(
        TORCH | {name for name in found if not name.startswith(".")},
        METHODS | {name[1:] for name in found if name.startswith(".")},
        frozenset(part for name in names for part in (name, *name.split("."))),
        frozenset(step.op.origin for step in steps if isinstance(step.op, Layer) and step.op.origin),
    )


def catalogue(plugins: Collection[str] = ()) -> Closed:
    """What the text of any network may name that has layers of these plugins; loads the whole catalogue."""
    operations = OPERATIONS.classes()
    found = {name for cls in operations for name in _names(cls)} | _known(*WRAPPING.values(), *ADAPTERS.values())
    found |= SCANNING | ROUTING
    found |= set(map(fill_name, INITIALIZERS.classes()))
    return Closed(
        TORCH | {name for name in found if not name.startswith(".")},
        METHODS | {name[1:] for name in found if name.startswith(".")},
        None,
        frozenset(plugins),
        frozenset(MODULE_ATTRIBUTES),
    )


def wrap_of(wrap: Wrap | None, cls: type) -> frozenset[str]:
    """What wraps a layer of a class, by its name in the text; nothing where nothing does."""
    return wrap_names(wrap, torch_class(cls)) if wrap is not None and issubclass(cls, Layer) else frozenset()


def _known(*names: str) -> set[str]:
    """These names of torch, and in place of those of helpers what their texts name."""
    return {found for name in names for found in (_of_helper(name) if name in HELPERS else (name,))}


def _names(cls: type[Op]) -> frozenset[str]:
    """All that the text of an operation may name, that of the helpers which it calls included."""
    return torch_names(cls).union(*map(_of_helper, helpers(cls)))


@cache
def _of_helper(name: str) -> frozenset[str]:
    """What of torch the text of a helper names."""
    return frozenset(paths(parsed(HELPERS[name])))
