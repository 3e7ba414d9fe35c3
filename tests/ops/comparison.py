"""Holds one random operation against torch and says how they differ, if they do."""

from __future__ import annotations

from typing import Any

from netspec.dims import Size, named
from netspec.faults import Invalid
from netspec.layers.base import Op
from netspec.ops.indexing import Slice
from netspec.tensors import Misfit, Tensor
from tests.declared import assert_declared
from tests.ops import reference
from tests.ops.cases import Case

STRICTER = {
    "empty": "torch goes on with an empty tensor",
    "not-one": "torch leaves an axis that is to be squeezed and has another size than 1",
    "inputs": "one input and nothing to compute it with, or an input and a number too many",
    "stretched": "torch broadcasts axes of size 1 that have the same letter in an equation",
    "batch": "torch broadcasts queries, keys and values, or does not look at how many values there are",
    "mask": "torch lets a mask stretch the scores",
    "negative-pad": "torch crops where padding copies from the input",
    "undefined": "torch gives nan for the variance of one element",
    "table": "a position table of odd width, or with more than one axis of places; a matrix of other axes",
    "contradiction": "torch ignores a mask next to is_causal in some of its kernels",
    "unused": "a number that the filling of a parameter does not take",
}
"""Codes of what is refused here although torch takes it, and what torch does then."""

STRICTER_DTYPES = {
    "LogicalNot": "torch inverts the bits of whole numbers",
    "LogicalAnd": "torch joins the bits of whole numbers",
    "LogicalOr": "torch joins the bits of whole numbers",
    "Add": "torch adds a negative number to booleans",
    "Clamp": "torch takes booleans where there is only an upper bound",
    "Maximum": "as Clamp",
    "Minimum": "as Clamp",
    "Lerp": "torch takes a single whole number as weight",
    "MaskedFill": "torch takes infinity for true",
    "Interpolate": "torch copies booleans where the size stays",
    "StraightThrough": "torch subtracts and adds whole numbers",
    "DropPath": "torch multiplies whole numbers with the noise",
}
"""Classes that are particular about dtypes where torch is not."""


def difference(case: Case) -> str:
    """How torch and the catalogue differ on this case; empty where they agree."""
    try:
        op = case.cls(**case.values).fitted(*case.inputs)
        shapes = op.shape(*case.inputs)
    except (Misfit, Invalid) as refusal:
        return _refused_alone(case, refusal)
    assert_declared(op, len(case.inputs))
    try:
        result = reference.described(reference.run(op, case.inputs))
    except Exception as error:
        return f"torch refuses: {error}"
    return f"torch gives {result}, said to be {shapes}" if result != shapes else ""


def accepted(case: Case) -> bool:
    """Whether the catalogue takes this case."""
    try:
        case.cls(**case.values).fitted(*case.inputs).shape(*case.inputs)
    except (Misfit, Invalid):
        return False
    return True


def _refused_alone(case: Case, refusal: Misfit | Invalid) -> str:
    """Torch's answer to what is refused here, unless it refuses too or the refusal is meant."""
    if isinstance(refusal, Misfit) and refusal.code in STRICTER:
        return ""
    if isinstance(refusal, Misfit) and refusal.code == "dtype" and case.cls.__name__ in STRICTER_DTYPES:
        return ""
    if any(not x.shape for x in case.inputs) and isinstance(refusal, Misfit) and refusal.code == "rank":
        return ""  # torch lets single numbers have an axis 0
    op: Op = object.__new__(case.cls)
    op.__dict__.update({name: f.default for name, f in case.cls.fields.items() if not f.required})
    op.__dict__.update({k: tuple(v) if isinstance(v, list) else v for k, v in case.values.items()})
    try:
        result = reference.described(reference.run(op, case.inputs))
    except Exception:
        return ""
    return f"refused here: {refusal}; torch gives {result}"


def unknown_difference(case: Case, size: int) -> str:
    """The same with every axis of one size known only at run time: equal once the number is put back."""
    name = named("T")
    numbers = case.cls(**case.values)
    inputs = [x.with_shape(*(name if s == size else s for s in x.shape)) for x in case.inputs]
    values = {n: _with(v, size, name) if case.cls.fields[n].symbols else v for n, v in case.values.items()}
    shapes = numbers.shape(*case.inputs)
    for arguments in (case.values, values):
        try:
            found = case.cls(**arguments).shape(*inputs)
        except Misfit as misfit:
            if misfit.code == "unknown-size":
                continue
            return f"with {size} unknown: {misfit}"
        if reference.with_sizes(found, {"T": size}) != shapes and not _clamped(numbers, case.inputs):
            return f"with {size} unknown: {found}, said to be {shapes}"
    return ""


def _with(value: Any, size: int, name: Size) -> Any:
    if isinstance(value, list | tuple):
        return [_with(v, size, name) for v in value]
    return name if value == size and type(value) is int else value


def _clamped(op: Op, inputs: tuple[Tensor, ...]) -> bool:
    """Whether a slice reaches beyond its axis, which cannot be seen where the size is unknown."""
    if not isinstance(op, Slice):
        return False
    size = inputs[0].shape[op.dim]
    assert isinstance(size, int)
    return not all(-size <= place <= size for place in (op.start, op.stop or 0))
