"""Holds one random layer against torch and says how they differ, if they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netspec.dims import BATCH, Size, named
from netspec.faults import Invalid
from netspec.layers.base import Layer
from netspec.tensors import Misfit, Tensor
from tests import written
from tests.declared import assert_declared
from tests.layers import reference
from tests.layers.cases import Case
from tests.layers.nonsense import excuse

Refusal = Misfit | Invalid


def difference(case: Case) -> str:
    """How torch and the catalogue differ on this case; empty where they agree."""
    try:
        op = case.cls(**case.values).fitted(*case.inputs)
        shapes = op.shape(*case.inputs)
    except (Misfit, Invalid) as refusal:
        return _refused_alone(case, refusal)
    assert_declared(op, len(case.inputs))
    return _compare(op, shapes, case.inputs) or _compare_unknown(case, op, shapes)


def accepted(case: Case) -> bool:
    """Whether the catalogue takes this case."""
    try:
        case.cls(**case.values).fitted(*case.inputs).shape(*case.inputs)
    except Exception:
        return False
    return True


def _refused_alone(case: Case, refusal: Refusal) -> str:
    """Why torch takes what is refused here, unless that is meant."""
    op = unchecked(case)
    if op is None:
        return ""
    try:
        module = reference.build(op)
        result = reference.run_module(op, module, [reference.sample(t) for t in case.inputs])
    except Exception:
        return ""
    return "" if excuse(case, refusal, reference.described(result)) else f"refused here: {refusal}"


def unchecked(case: Case) -> Layer | None:
    """The operation as written, without any check, its inferred sizes read off the inputs; None if there are none."""
    op: Layer = object.__new__(case.cls)
    op.__dict__.update({name: f.default for name, f in case.cls.fields.items() if not f.required})
    op.__dict__.update(case.values)
    x = case.inputs[0].shape
    for name, field in case.cls.fields.items():
        if field.required and name not in case.values:
            return None
        if field.axis is not None and op.__dict__[name] is None:
            source = case.inputs[-1].shape if name == "in2_features" else x
            if not -len(source) <= field.axis < len(source):
                return None
            op.__dict__[name] = source[field.axis]
    if case.cls.__name__ == "GAP":
        op.__dict__["dims"] = len(x) - 2
    if case.cls.__name__ == "FC":
        size = 1
        for each in x[1:]:
            size *= int(str(each))
        op.__dict__.update(flattens=True, in_features=case.values.get("in_features") or size)
    for name, index in (("kdim", 1), ("vdim", 2)):
        if name in case.cls.fields and op.__dict__[name] is None and case.inputs[1:]:
            op.__dict__[name] = case.inputs[min(index, len(case.inputs) - 1)].shape[-1]
    return op


def _compare(op: Layer, shapes: Any, inputs: Sequence[Tensor]) -> str:
    try:
        module = reference.build(op)
    except Exception as error:
        return f"torch does not build {written.construct(op)}: {error}"
    if reference.parameters(module) != list(op.parameters().items()):
        return f"parameters are {reference.parameters(module)}, said to be {list(op.parameters().items())}"
    if reference.buffers(module) != list(op.buffers().items()):
        return f"buffers are {reference.buffers(module)}, said to be {list(op.buffers().items())}"
    tensors = [reference.sample(t) for t in inputs]
    try:
        result = reference.run_module(op, module, tensors)
    except Exception as error:
        return f"torch refuses to run {written.construct(op)}: {error}"
    if reference.described(result) != shapes:
        return f"torch gives {reference.described(result)}, said to be {shapes}"
    text = "" if op.needs_module() else written.called(op, [f"x{i}" for i in range(len(inputs))])
    if text and not reference.equal(reference.run_function(text, tensors, training=True), result):
        return f"{text} differs from {written.construct(op)}"
    return ""


def _compare_unknown(case: Case, op: Layer, shapes: Any) -> str:
    """The same with the batch, then another axis, known only at run time: equal once the numbers are put in."""
    first = case.inputs[0].shape
    for axis, name in [(0, BATCH), *((i, named("T")) for i in range(1, len(first)))]:
        size = first[axis]
        inputs = [_with_axis(t, axis, size, name) for t in case.inputs]
        try:
            unknown = case.cls(**case.values).fitted(*inputs)
            found = _filled(unknown.shape(*inputs), str(name), size)
        except Misfit as misfit:
            if misfit.code == "unknown-size" or len(inputs) > 1:
                continue
            return f"with axis {axis} unknown: {misfit}"
        if found != shapes:
            return f"with axis {axis} unknown: {found}, said to be {shapes}"
        if unknown.parameters() != op.parameters():
            return f"with axis {axis} unknown: {unknown.parameters()}, said to be {op.parameters()}"
    return ""


def _with_axis(tensor: Tensor, axis: int, size: Size, name: Size) -> Tensor:
    shape = list(tensor.shape)
    if axis < len(shape) and shape[axis] == size:
        shape[axis] = name
    return tensor.with_shape(*shape)


def _filled(shapes: Any, name: str, size: Size) -> Any:
    if isinstance(shapes, Tensor):
        return reference.with_sizes(shapes, {name: size})
    return None if shapes is None else tuple(_filled(part, name, size) for part in shapes)
