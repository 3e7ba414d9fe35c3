"""What a graph means, run step by step without its printed source: what the printed network is held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from netspec import Spec
from netspec.dims import Dim, Size, substitute
from netspec.graph.model import Graph, Level, Step, Value, flat
from netspec.layers.base import Layer, Op
from tests import written

BATCH = 2
SIZES: dict[str, Size] = {"B": BATCH}
EVALUATING = nn.Identity().eval()
"""What a function asks whether the network is in training."""


def disagreement(spec: Spec) -> str:
    """How the network that is built differs from its graph: in its tensors, its modules, or what it computes."""
    torch.manual_seed(0)
    net = spec.build().eval()  # whose tensors are held against the graph's
    for name, step in spec.graph.root.owners():
        if isinstance(step.op, Layer) and not step.wrap:
            made, meant = repr(net.get_submodule(name)), repr(_evaluated(step.op, written.construct(step.op), {}))
            if made != meant:
                return f"{name} is {made}, it should be {meant}"
    given = [_example(tensor.shape, tensor.dtype) for tensor in spec.graph.inputs.values()]
    with torch.no_grad():
        found, wanted = net(*given), outputs(spec.graph, net, given)
    got = list(found.values()) if isinstance(found, dict) else [found] if isinstance(found, torch.Tensor) else [*found]
    said = [_sizes(tensor.shape) for tensor in spec.graph.outputs.values()]
    if [tuple(x.shape) for x in got] != said:
        return f"gives {[tuple(x.shape) for x in got]}, the graph says {said}"
    apart = next((i for i, (a, b) in enumerate(zip(got, wanted, strict=True)) if not _same(a, b)), None)
    return "" if apart is None else f"output {apart} is computed otherwise than the graph says"


def outputs(graph: Graph, net: nn.Module, given: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """What the graph gives for these inputs, with the modules and tensors of `net`, in evaluation."""
    values: dict[Value, torch.Tensor] = dict(zip(graph.root.inputs.values(), given, strict=True))
    _run(graph.root, net, values, {})
    made = graph.root.outputs
    results = list(made.values()) if isinstance(made, Mapping) else flat(made) if made is not None else []
    return [values[value.actual] for value in results]


def _run(level: Level, own: nn.Module, values: dict[Value, torch.Tensor], modules: dict[Level, nn.Module]) -> None:
    modules[level] = own
    for step in level.steps:
        module = own if step.module is None else modules[step.module.level]
        inputs = [values[value.actual] for value in step.inputs]
        if step.left_out:
            continue
        if step.training and step.passed is not None:
            values[step.value] = values[step.passed.actual]
        elif step.body is not None:
            values.update(zip(step.body.inputs.values(), inputs, strict=False))
            inner = module.get_submodule(step.member) if _is_module(step, module) else module
            _run(step.body, inner, values, modules)
            values.update({outside: values[inside.actual] for outside, inside in step.body.exports.items()})
        else:
            found = _flat(_computed(step, module, inputs))
            values.update(zip(flat(step.results), found, strict=False))


def _is_module(step: Step, module: nn.Module) -> bool:
    """Whether a level is a module, and no function; one that has a member that is no level always is."""
    assert step.body is not None
    return _owns(step.body) or step.member in dict(module.named_modules())


def _owns(level: Level) -> bool:
    """Whether a level has a member of its own that is no level, at any depth."""
    steps = [step for step in level.steps if step.member and step.module is None]
    return any(step.body is None or (not step.again and _owns(step.body)) for step in steps)


def _computed(step: Step, module: nn.Module, inputs: Sequence[torch.Tensor]) -> Any:
    op = step.op
    assert op is not None
    if op.source and step.member:
        return getattr(module, step.member)
    names = {f"x{i}": x for i, x in enumerate(inputs)}
    if step.member:
        call = f"module({', '.join(written.arguments(op, list(names)))})"
        return _evaluated(op, call, {**names, "module": module.get_submodule(step.member)})
    known = op.replace(**{name: _known(getattr(op, name)) for name in op.fields})
    text = written.called(known, list(names), "device" if op.needs_device else "")
    return _evaluated(op, text, {**names, "device": torch.zeros(())})


def _evaluated(op: Op, text: str, names: dict[str, Any]) -> Any:
    scope = {"torch": torch, "nn": nn, "F": functional, "self": EVALUATING, **names}
    exec(written.helpers(op), scope)
    return eval(text, scope)


def _known(value: Any) -> Any:
    if isinstance(value, Dim):
        return substitute(value, SIZES)
    return type(value)(map(_known, value)) if isinstance(value, tuple | list) else value


def _flat(found: Any) -> list[torch.Tensor]:
    return [x for part in found for x in _flat(part)] if isinstance(found, tuple | list) else [found]


def _sizes(shape: Sequence[Any]) -> tuple[int, ...]:
    return tuple(_known(size) for size in shape)


def _example(shape: Sequence[Any], dtype: str) -> torch.Tensor:
    return torch.randn(_sizes(shape)).to(getattr(torch, dtype))


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a.float(), b.float(), rtol=1e-4, atol=1e-5, equal_nan=True)
