"""How torch writes each stateless operation where forward computes it.

A class that is not in the table is written as those above it, and else as the function of torch that it is called by.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from netspec.emit.table import Table
from netspec.emit.torch.rules import (
    MINUS_INFINITY,
    SELF_TRAINING,
    Code,
    Inputs,
    Rule,
    Where,
    comparison,
    of_function,
    of_method,
    operator,
    options,
    prefix,
    the_other_way,
    written,
)
from netspec.python.nodes import (
    Argument,
    attribute,
    call,
    either,
    infix,
    item,
    keyword,
    method,
    named,
    spread,
    tupled,
    valued,
)

if TYPE_CHECKING:
    from netspec.ops.arithmetic import Add, Extreme
    from netspec.ops.attention import SDPA, MaskedFill
    from netspec.ops.convolving import Convolve
    from netspec.ops.elementwise import To
    from netspec.ops.fourier import FFT, IRFFT, RFFT
    from netspec.ops.indexing import Select, Slice
    from netspec.ops.normalizing import GroupNormFunction, LayerNormFunction, RMSNormFunction
    from netspec.ops.random import DropPath
    from netspec.ops.sources import Arange, Causal, Constant, Eye, Filled, Full, Linspace, Typed
    from netspec.tensors import Dtype


_COMPLEX: Final = ("torch.complex", "torch.view_as_real", ".unbind")


@written()
def _add(op: Add, inputs: Inputs, where: Where) -> ast.expr:
    """A sum, or a difference where the number is negative: `x - 1`."""
    if isinstance(op.other, int | float) and op.other < 0:
        return infix(ast.Sub(), inputs[0], valued(-op.other))
    return _PLUS(op, inputs)


_PLUS: Final = operator(ast.Add())


@written("torch.{}", "torch.clamp")
def _extreme(op: Extreme, inputs: Inputs, where: Where) -> ast.expr:
    """`clamp` against a number, `maximum` and `minimum` between tensors."""
    if op.other is not None:
        return call("torch.clamp", inputs[0], keyword(op.bound, valued(op.other)))
    return call(f"torch.{op.called()}", *inputs)


@written(".float", ".long", ".bool")
def _to(op: To, inputs: Inputs, where: Where) -> ast.expr:
    """A cast: `x.float()`, or to the dtype of the parameters where that may be another."""
    if where.dtype is not None:
        return method(inputs[0], "to", where.dtype)
    return method(inputs[0], {"float32": "float", "int64": "long", "bool": "bool"}[op.dtype])


@written(".select")
def _select(op: Select, inputs: Inputs, where: Where) -> ast.expr:
    """One place of an axis, `x[:, 0]` where a subscript says it shortly."""
    index = valued(op.index)
    return _place(inputs[0], op.dim, index) or method(inputs[0], "select", valued(op.dim), index)


@written(".movedim")
def _slice(op: Slice, inputs: Inputs, where: Where) -> ast.expr:
    """Places of an axis, `x[:, 1:5]` where a subscript says it shortly."""
    start = None if op.start == 0 else valued(op.start)
    stop = None if op.stop is None else valued(op.stop)
    places = ast.Slice(start, stop, None if op.step == 1 else valued(op.step))
    if (node := _place(inputs[0], op.dim, places)) is not None:
        return node
    dim, first = valued(op.dim), valued(0)
    return method(item(method(inputs[0], "movedim", dim, first), places), "movedim", first, dim)


def _place(of: ast.expr, dim: int | Code, index: ast.expr) -> ast.expr | None:
    """`x[:, index]` for an axis that is a number; None for one that is not, or lies too far in to read well."""
    if not isinstance(dim, int) or not -4 <= dim <= 4:
        return None
    whole = ast.Slice()
    places = [whole] * dim + [index] if dim >= 0 else [ast.Constant(...), index] + [whole] * (-dim - 1)
    return item(of, places[0] if len(places) == 1 else tupled(places))


@written("torch.fft.fft", "torch.fft.ifft", "torch.fft.fftn", "torch.fft.ifftn", ".resolve_conj", *_COMPLEX)
def _fft(op: FFT, inputs: Inputs, where: Where) -> ast.expr:
    """A transform along one axis or several, as a pair of real tensors."""
    several = not isinstance(op.dim, tuple) or len(op.dim) != 1
    dim = op.dim if several else op.dim[0]
    settings = [] if dim == -1 else [keyword("dim", valued(dim))]
    name = f"torch.fft.{op.called()}{'n' if several else ''}"
    found = call(name, _complex(inputs), *settings, *options(op, "norm"))
    return _pair(method(found, "resolve_conj") if op.called() == "ifft" else found)


@written("torch.fft.rfft", *_COMPLEX)
def _rfft(op: RFFT, inputs: Inputs, where: Where) -> ast.expr:
    """The half of a transform of real numbers, as a pair of real tensors."""
    return _pair(call("torch.fft.rfft", inputs[0], *options(op, "dim", "norm")))


@written("torch.fft.irfft", *_COMPLEX)
def _irfft(op: IRFFT, inputs: Inputs, where: Where) -> ast.expr:
    """The way back from that half."""
    return call("torch.fft.irfft", _complex(inputs), *options(op, "n", "dim", "norm"))


def _complex(inputs: Inputs) -> ast.expr:
    """One tensor as it is, two as the parts of a complex one."""
    return inputs[0] if len(inputs) == 1 else call("torch.complex", *inputs)


def _pair(node: ast.expr) -> ast.expr:
    """The parts of a complex tensor."""
    return method(call("torch.view_as_real", node), "unbind", valued(-1))


@written("F.conv1d", "F.conv2d", "F.conv3d", "convolve_each")
def _convolve(op: Convolve, inputs: Inputs, where: Where) -> ast.expr:
    """A convolution with a weight that is computed, perhaps one for each sample."""
    settings = options(op, "stride", "padding", "dilation", "groups")
    return call("convolve_each" if op.whose == "each" else f"F.conv{op.dims}", *inputs, *settings)


@written("F.layer_norm")
def _layer_norm(op: LayerNormFunction, inputs: Inputs, where: Where) -> ast.expr:
    """`F.layer_norm`, whose axes are those of the weight."""
    x, *weights = inputs
    return call("F.layer_norm", x, attribute(weights[0], "shape"), *weights, *options(op, "eps"))


@written("F.rms_norm")
def _rms_norm(op: RMSNormFunction, inputs: Inputs, where: Where) -> ast.expr:
    """`F.rms_norm`, whose axes are those of the weight."""
    x, weight = inputs
    return call("F.rms_norm", x, attribute(weight, "shape"), weight, *options(op, "eps"))


@written("F.group_norm")
def _group_norm(op: GroupNormFunction, inputs: Inputs, where: Where) -> ast.expr:
    """`F.group_norm` with weights that are values of the network."""
    x, *weights = inputs
    return call("F.group_norm", x, valued(op.num_groups), *weights, *options(op, "eps"))


@written("F.scaled_dot_product_attention", "attend")
def _sdpa(op: SDPA, inputs: Inputs, where: Where) -> ast.expr:
    """Attention, with heads taken apart and put together by a helper where there are several."""
    settings: list[Argument] = [keyword("attn_mask", mask) for mask in inputs[3:]]
    if op.dropout_p != 0:
        settings.append(keyword("dropout_p", either(SELF_TRAINING, valued(op.dropout_p), valued(0.0))))
    settings += options(op, "is_causal", "scale", "enable_gqa")
    if op.heads is None:
        return call("F.scaled_dot_product_attention", *inputs[:3], *settings)
    return call("attend", *inputs[:3], valued(op.heads), *settings)


@written(".masked_fill")
def _masked_fill(op: MaskedFill, inputs: Inputs, where: Where) -> ast.expr:
    """`masked_fill`, minus infinity where no number is given."""
    return method(inputs[0], "masked_fill", inputs[1], MINUS_INFINITY if op.value is None else valued(op.value))


@written("drop_path")
def _drop_path(op: DropPath, inputs: Inputs, where: Where) -> ast.expr:
    """Stochastic depth by a helper; nothing where no path is dropped."""
    return inputs[0] if op.p == 0 else call("drop_path", inputs[0], valued(op.p), SELF_TRAINING)


_PLACED: Final = (".device", "torch.int64", "torch.bool")
"""What `_placed` names."""


def _placed(name: str, arguments: list[ast.expr], where: Where, dtype: Dtype = "float32") -> ast.expr:
    """The call of a function that makes a tensor, on the device and in the dtype of the network."""
    typed = where.dtype if dtype == "float32" else named(f"torch.{dtype}")
    settings: list[Argument] = [keyword("dtype", typed)] if typed is not None else []
    settings += [keyword("device", attribute(where.like, "device"))] if where.like is not None else []
    return call(name, *arguments, *settings)


@written("torch.{}", *_PLACED)
def _filled(op: Filled, inputs: Inputs, where: Where) -> ast.expr:
    """`torch.zeros` and its like, on the device of the network."""
    return _placed(f"torch.{op.called()}", spread(op.size), where)


@written("torch.{}", *_PLACED)
def _typed(op: Typed, inputs: Inputs, where: Where) -> ast.expr:
    """A source whose dtype is its own, whatever that of the parameters is."""
    return _placed(f"torch.{op.called()}", spread(op.size), where, op.result())


@written("torch.full", *_PLACED)
def _full(op: Full, inputs: Inputs, where: Where) -> ast.expr:
    """`torch.full`."""
    return _placed("torch.full", [valued(op.size), valued(op.value)], where)


@written("torch.eye", *_PLACED)
def _eye(op: Eye, inputs: Inputs, where: Where) -> ast.expr:
    """`torch.eye`, square without a second size."""
    return _placed("torch.eye", spread([op.n] if op.m is None else [op.n, op.m]), where)


@written("torch.arange", *_PLACED)
def _arange(op: Arange, inputs: Inputs, where: Where) -> ast.expr:
    """`torch.arange`, without a start of 0 and a step of 1."""
    values = [op.start, op.end] if op.start != 0 or op.step != 1 else [op.end]
    return _placed("torch.arange", spread([*values, op.step] if op.step != 1 else values), where)


@written("torch.linspace", *_PLACED)
def _linspace(op: Linspace, inputs: Inputs, where: Where) -> ast.expr:
    """`torch.linspace`."""
    return _placed("torch.linspace", spread([op.start, op.end, op.steps]), where)


@written("torch.full", ".triu", *_PLACED)
def _causal(op: Causal, inputs: Inputs, where: Where) -> ast.expr:
    """A causal mask: minus infinity above the diagonal, 0 elsewhere."""
    full = _placed("torch.full", [valued((op.size, op.size)), MINUS_INFINITY], where)
    return method(full, "triu", valued(1))


@written("torch.tensor", *_PLACED)
def _constant(op: Constant, inputs: Inputs, where: Where) -> ast.expr:
    """`torch.tensor` of numbers that the spec has."""
    return _placed("torch.tensor", [valued(op.value)], where)


FUNCTIONS: Final = Table({
    "Op": of_function("torch.{}"),
    # arithmetic
    "Add": _add,
    "Sub": operator(ast.Sub()),
    "RSub": operator(ast.Sub(), the_other_way),
    "Mul": operator(ast.Mult()),
    "Div": operator(ast.Div()),
    "Pow": operator(ast.Pow()),
    "RPow": operator(ast.Pow(), the_other_way),
    "Extreme": _extreme,
    "Lerp": of_function("torch.lerp", "weight?"),
    # elementwise
    "Neg": prefix(ast.USub()),
    "Clamp": of_function("torch.clamp", "min=?", "max=?"),
    "To": _to,
    # comparing
    "Eq": comparison(ast.Eq()),
    "Ne": comparison(ast.NotEq()),
    "Lt": comparison(ast.Lt()),
    "Le": comparison(ast.LtE()),
    "Gt": comparison(ast.Gt()),
    "Ge": comparison(ast.GtE()),
    "LogicalNot": prefix(ast.Invert()),
    "LogicalAnd": operator(ast.BitAnd()),
    "LogicalOr": operator(ast.BitOr()),
    "Where": of_function("torch.where", "other?"),
    # joining
    "Concat": of_function("torch.cat", "[$]", "dim="),
    "Stack": of_function("torch.stack", "[$]", "dim="),
    "Split": of_method("split", "split_size", "dim="),
    "Chunk": of_method("chunk", "chunks", "dim="),
    "Unbind": of_method("unbind", "dim"),
    # indexing
    "Select": _select,
    "Slice": _slice,
    "Narrow": of_method("narrow", "dim", "start", "length"),
    "IndexSelect": of_method("index_select", "dim", "$"),
    "Gather": of_method("gather", "dim", "$"),
    "Scattering": of_method("{}", "dim", "$"),
    "IndexAdd": of_method("index_add", "dim", "$"),
    # sorting, gradients
    "TopK": of_method("topk", "k", "dim=?", "largest=?", "sorted=?"),
    "Sort": of_method("sort", "dim=?", "descending=?"),
    "ArgSort": of_method("argsort", "dim=?", "descending=?"),
    "Detach": of_method("detach"),
    "StraightThrough": of_function("straight_through"),
    # reshaping
    "Reshape": of_method("reshape", "*sizes"),
    "Permute": of_method("permute", "*dims"),
    "Transpose": of_method("transpose", "dim0", "dim1"),
    "MoveDim": of_method("movedim", "source_dim", "destination"),
    "Squeeze": of_method("squeeze", "(dim)"),
    "Unsqueeze": of_method("unsqueeze", "dim"),
    # repeating
    "Expand": of_method("expand", "*sizes"),
    "Tile": of_method("tile", "*dims"),
    "RepeatInterleave": of_method("repeat_interleave", "repeats", "dim="),
    "Roll": of_method("roll", "(shifts)", "(dims)"),
    "Flip": of_method("flip", "*dims"),
    # spatial
    "Pad": of_function("F.pad", "pad", "mode=?", "value=?"),
    "Interpolate": of_function(
        "F.interpolate", "(size)=?", "scale_factor=?", "mode=?", "align_corners=?", "antialias=?"
    ),
    "GridSample": of_function("F.grid_sample", "mode=?", "padding_mode=?", "align_corners=?"),
    "AffineGrid": of_function("F.affine_grid", "size", "align_corners=?"),
    # reducing
    "Reduction": of_method("{}", "(dim)", "keepdim=?"),
    "Spread": of_method("{}", "(dim)", "correction=?", "keepdim=?"),
    "VectorNorm": of_function("torch.linalg.vector_norm", "ord=?", "(dim)=", "keepdim=?"),
    "SingleAxis": of_method("{}", "dim", "keepdim=?"),
    "CumSum": of_method("cumsum", "dim"),
    # normalizing
    "Normalize": of_function("F.normalize", "p=?", "dim=?", "eps=?"),
    "LayerNormFunction": _layer_norm,
    "RMSNormFunction": _rms_norm,
    "GroupNormFunction": _group_norm,
    # algebra, einsum
    "MatMul": operator(ast.MatMult()),
    "CDist": of_function("torch.cdist", "p=?"),
    "Einsum": of_function("torch.einsum", "equation", "$"),
    # fourier, convolving
    "FFT": _fft,
    "RFFT": _rfft,
    "IRFFT": _irfft,
    "Convolve": _convolve,
    # attention
    "SDPA": _sdpa,
    "MaskedFill": _masked_fill,
    "Triangle": of_method("{}", "diagonal?"),
    # sources
    "Filled": _filled,
    "Typed": _typed,
    "Full": _full,
    "Eye": _eye,
    "Arange": _arange,
    "Linspace": _linspace,
    "Causal": _causal,
    "Constant": _constant,
    # lookup, random
    "OneHot": of_function("F.one_hot", "num_classes"),
    "Lookup": of_function("F.embedding"),
    "DropPath": _drop_path,
})  # fmt: skip
"""The expressions of forward; `Op` stands above all classes."""


SEATS: Final[Mapping[str, Rule]] = {
    "Permute": Rule(lambda op, inputs, where: call("Permute", *spread(op.dims)), ("Permute",)),
    "Transpose": Rule(lambda op, inputs, where: call("Transpose", valued(op.dim0), valued(op.dim1)), ("Transpose",)),
    "Slice": Rule(
        lambda op, inputs, where: call("Slice", valued(op.dim), *options(op, "start", "stop", "step")), ("Slice",)
    ),
}
"""Functions that stand among the modules of an nn.Sequential, as modules of the helpers' classes; by their classes."""
