"""How torch writes what a constructor makes, modules, parameters and buffers, and how modules are called.

A class that is not in the tables is `nn.` its own name with all its arguments; where it needs no module, the function
is that of torch.nn.functional of the same arguments; and a module is called with its inputs as they are.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Final

from netspec.emit.table import Table
from netspec.emit.torch.formulas import WRITTEN, tabled
from netspec.emit.torch.rules import (
    MINUS_INFINITY,
    SELF_TRAINING,
    Code,
    Inputs,
    Rule,
    Where,
    module_arguments,
    of_function,
    of_method,
    options,
    written,
)
from netspec.layers.base import Layer, Op
from netspec.ops.state import PLAIN, RANDOM
from netspec.python.nodes import Argument, call, keyword, method, spread, tupled, valued

if TYPE_CHECKING:
    from netspec.layers.adaptive import GAP
    from netspec.layers.attention import MultiheadAttention
    from netspec.layers.dropout import Dropping
    from netspec.layers.layernorm import LayerNorm, RMSNorm
    from netspec.layers.linear import FC
    from netspec.layers.padding import ConstantPad, Padding
    from netspec.layers.transformer import Decoding, Encoding, Layers, Transformer
    from netspec.ops.state import Buffer, Parameter, State
    from netspec.ops.windows import RelativeIndex, ShiftMask

CLASSES: Final = {"FC": "nn.Linear", "Attention": "nn.MultiheadAttention"}
"""The classes of torch.nn that are not called as the layer is."""


def torch_class(cls: type[Layer]) -> str:
    """The class as the printed source names it: `nn.Conv2d`."""
    if cls.origin:
        return f"{cls.origin}.{cls.__name__}"
    return CLASSES.get(cls.__name__, f"nn.{cls.__name__}")


@written("{module}")
def module(op: Layer, inputs: Inputs, where: Where) -> ast.expr:
    """`nn.Conv2d(1, 6, 5)`."""
    return call(torch_class(type(op)), *module_arguments(op))


@written(*(f"nn.AdaptiveAvgPool{dims}d" for dims in (1, 2, 3)))
def _average(op: GAP, inputs: Inputs, where: Where) -> ast.expr:
    """`gap` as a module."""
    return call(f"nn.AdaptiveAvgPool{op.dims}d", valued(1))


@written("{module}", "nn.TransformerEncoderLayer", "nn.TransformerDecoderLayer", "nn.LayerNorm")
def _layers(op: Layers, inputs: Inputs, where: Where) -> ast.expr:
    """An encoder or decoder of several layers: the layer, how many, and the norm behind them."""
    layer = call(f"nn.{type(op).__name__}Layer", *module_arguments(op))
    arguments: list[Argument] = [layer, keyword("num_layers", valued(op.num_layers))]
    if op.norm:
        eps = [] if op.layer_norm_eps == 1e-5 else [keyword("eps", valued(op.layer_norm_eps))]
        bias = [] if op.bias else [keyword("bias", valued(False))]
        arguments.append(keyword("norm", call("nn.LayerNorm", valued(op.d_model), *eps, *bias)))
    return call(torch_class(type(op)), *arguments)


@written(*_layers.names)
def _encoder(op: Layers, inputs: Inputs, where: Where) -> ast.expr:
    """An encoder of several layers, whose tensors are never nested."""
    made = _layers(op)
    assert isinstance(made, ast.Call)
    return call(made.func, *made.args, *made.keywords, keyword("enable_nested_tensor", valued(False)))


MODULES: Final = Table({"Layer": module, "GAP": _average, "Layers": _layers, "TransformerEncoder": _encoder})
"""The expressions of the constructor that make a module; `Layer` stands above all classes."""


def _tensor(op: State) -> ast.expr:
    """The first value of a parameter or a buffer."""
    if op.formula is not None:
        return tabled(op.formula, op.size)
    if op.init in PLAIN:
        return call(f"torch.{op.init}", *spread(op.size))
    if op.init in RANDOM:
        settings = options(op, "mean", "std", "a", "b")
        return call(f"nn.init.{op.init}_", call("torch.empty", *spread(op.size)), *settings)
    number = call("float", op.init.node) if isinstance(op.init, Code) else valued(float(op.init))
    return call("torch.full", valued(op.size), number)


_FILLING: Final = (
    *(f"torch.{name}" for name in (*PLAIN, "full", "empty")),
    *(f"nn.init.{name}_" for name in RANDOM),
    *WRITTEN,
)


@written("nn.Parameter", *_FILLING)
def _parameter(op: Parameter, inputs: Inputs, where: Where) -> ast.expr:
    """A free parameter as it is made in `__init__`."""
    fixed = [] if op.trainable is True else [keyword("requires_grad", valued(op.trainable))]
    return call("nn.Parameter", _tensor(op), *fixed)


@written("torch.arange", "torch.Size", ".numel", ".view", ".triu", ".tril", "sincos", *_FILLING)
def _buffer(op: Buffer, inputs: Inputs, where: Where) -> ast.expr:
    """A buffer as it is made in `__init__`."""
    match op.init if op.formula is None else None:
        case "arange":
            return _counted(op.size)
        case "causal":
            return method(call("torch.full", valued(op.size), MINUS_INFINITY), "triu", valued(1))
        case "tril":
            return method(call("torch.ones", *spread(op.size)), "tril")
        case "sincos":
            return call("sincos", *spread(op.size))
    return _tensor(op)


def _counted(size: Any) -> ast.expr:
    """The numbers from 0 on in this shape."""
    if isinstance(size, tuple) and all(isinstance(each, int) for each in size):
        count = call("torch.arange", valued(prod(size)))
        return count if len(size) == 1 else method(count, "view", *spread(size))
    count = method(call("torch.Size", valued(size)), "numel")
    return method(call("torch.arange", count), "view", *spread(size))


@written("relative_index", ".flatten")
def _relative_index(op: RelativeIndex, inputs: Inputs, where: Where) -> ast.expr:
    """The table of relative positions in a window, by a helper."""
    table = call("relative_index", *spread(op.window))
    return method(table, "flatten") if op.flat else table


@written("shift_mask")
def _shift_mask(op: ShiftMask, inputs: Inputs, where: Where) -> ast.expr:
    """The mask of windows that were shifted, by a helper."""
    return call("shift_mask", valued(op.map), valued(op.window), valued(op.shift))


STATE: Final = Table({
    "Parameter": _parameter,
    "Buffer": _buffer,
    "RelativeIndex": _relative_index,
    "ShiftMask": _shift_mask,
})  # fmt: skip
"""The expressions of the constructor that make a level's own tensors."""


def construct(op: Op) -> ast.expr:
    """What makes the module, the parameter or the buffer of an operation: `nn.Conv2d(1, 6, 5)`."""
    return making(type(op))(op)


def making(cls: type[Op]) -> Rule:
    """How a class writes what it makes in `__init__`."""
    return (MODULES if issubclass(cls, Layer) else STATE).of(cls)


def function_name(cls: type[Layer]) -> str:
    """The function of torch.nn.functional that computes what a layer does: `F.leaky_relu` for LeakyReLU."""
    own = cls.__name__.lower()
    return f"F.{next((word for word in cls.words if word.replace('_', '') == own), own)}"


@written("{function}")
def function(op: Layer, inputs: Inputs, where: Where) -> ast.expr:
    """`F.max_pool2d(x, 2)`."""
    return call(function_name(type(op)), *inputs, *module_arguments(op))


@written(*(f"F.adaptive_avg_pool{dims}d" for dims in (1, 2, 3)))
def _averaged(op: GAP, inputs: Inputs, where: Where) -> ast.expr:
    """`gap` as a function."""
    return call(f"F.adaptive_avg_pool{op.dims}d", inputs[0], valued(1))


@written("{function}")
def _dropped(op: Dropping, inputs: Inputs, where: Where) -> ast.expr:
    """A dropout as a function, which must be told whether the network trains."""
    inplace = [keyword("inplace", valued(True))] if op.inplace is True and op.overwrites else []
    return call(function_name(type(op)), inputs[0], valued(op.p), SELF_TRAINING, *inplace)


@written("F.pad")
def _padded(op: Padding, inputs: Inputs, where: Where) -> ast.expr:
    """Padding as `F.pad`: two sizes for each axis, the last axis first."""
    sides = op.padding if isinstance(op.padding, tuple) else (op.padding,) * (2 * op.dims)
    mode = [keyword("mode", valued(op.mode))] if op.mode else []
    return call("F.pad", inputs[0], valued(sides), *mode)


@written("F.pad")
def _padded_with(op: ConstantPad, inputs: Inputs, where: Where) -> ast.expr:
    """Padding with a value."""
    padded = _padded(op, inputs)
    assert isinstance(padded, ast.Call)
    return call(padded.func, *padded.args, keyword("value", valued(op.value)))


def _last_axes(name: str) -> Rule:
    """A norm over the last axes, whose sizes are a tuple here even where there is but one."""

    def write(op: LayerNorm | RMSNorm, inputs: Inputs, where: Where) -> ast.expr:
        sizes = op.normalized_shape
        eps = [] if op.eps == op.fields["eps"].torch_default else [keyword("eps", valued(op.eps))]
        return call(name, inputs[0], valued(sizes if isinstance(sizes, tuple) else (sizes,)), *eps)

    return Rule(write, (name,))


def _resized(**how: Any) -> Rule:
    """A rule for `F.interpolate` with `how` as fixed arguments."""

    def write(op: Layer, inputs: Inputs, where: Where) -> ast.expr:
        fixed = [keyword(name, valued(value)) for name, value in how.items()]
        return call("F.interpolate", inputs[0], *module_arguments(op), *fixed)

    return Rule(write, ("F.interpolate",))


@written("F.rrelu")
def _rrelu(op: Layer, inputs: Inputs, where: Where) -> ast.expr:
    """`F.rrelu`, which draws its slopes in training alone."""
    return call("F.rrelu", inputs[0], *module_arguments(op), keyword("training", SELF_TRAINING))


FUNCTIONS: Final = Table({
    "Layer": function,
    "Identity": Rule(lambda op, inputs, where: inputs[0]),
    "Flatten": of_function("torch.flatten", "start_dim", "end_dim?"),
    "Unflatten": of_method("unflatten", "dim", "unflattened_size"),
    "GAP": _averaged,
    "Dropping": _dropped,
    "Padding": _padded,
    "ConstantPad": _padded_with,
    "InstanceNorm": of_function("F.instance_norm", "eps=?"),
    "GroupNorm": of_function("F.group_norm", "num_groups", "eps=?"),
    "LayerNorm": _last_axes("F.layer_norm"),
    "RMSNorm": _last_axes("F.rms_norm"),
    "Sigmoid": of_function("torch.sigmoid", "..."),
    "Tanh": of_function("torch.tanh", "..."),
    "LogSigmoid": of_function("F.logsigmoid", "..."),
    "RReLU": _rrelu,
    "Softmax2d": Rule(lambda op, inputs, where: call("F.softmax", *inputs, keyword("dim", valued(1))), ("F.softmax",)),
    "Upsample": of_function("F.interpolate", "..."),
    "UpsamplingNearest2d": _resized(mode="nearest"),
    "UpsamplingBilinear2d": _resized(mode="bilinear", align_corners=True),
})  # fmt: skip
"""The expressions of forward for layers that need no module."""


@dataclass(frozen=True, slots=True)
class Passing:
    """How a module is called with its inputs, and what that names of torch and of the helpers."""

    write: Callable[[Any, Inputs], Sequence[Argument]]
    """The arguments, over the inputs of an operation."""
    names: tuple[str, ...] = ()
    """All that these name of torch."""


def _flattened(op: FC, inputs: Inputs) -> Sequence[Argument]:
    """The input of `fc`, flattened where it has more axes than batch and features."""
    return [call("torch.flatten", inputs[0], valued(1))] if op.flattens else inputs


def _state_pair(op: Layer, inputs: Inputs) -> Sequence[Argument]:
    """The input, and both states as the tuple that torch takes."""
    return [inputs[0], tupled(inputs[1:])] if len(inputs) == 3 else inputs


def _attended(op: MultiheadAttention, inputs: Inputs) -> Sequence[Argument]:
    """The call of a MultiheadAttention: query, key and value, masks by name, and no weights that nobody takes."""
    query, key, value, masks = op.spelled_out(inputs)
    weights = [] if op.need_weights else [keyword("need_weights", valued(False))]
    given = [keyword(name, mask) for name, mask in masks.items()]
    if op.is_causal:
        given += _causal("attn_mask", "is_causal", query, op.batch_first)
    whole = op.average_attn_weights or not op.need_weights
    return [query, key, value, *weights, *given, *([] if whole else [keyword("average_attn_weights", valued(False))])]


def _causal(mask: str, flag: str, sequence: ast.expr, batch_first: bool) -> list[ast.keyword]:
    """The arguments that hide what follows each place of a sequence."""
    made = call("causal_mask", sequence, valued(1 if batch_first else 0))
    return [keyword(mask, made), keyword(flag, valued(True))]


def _by_name(op: Layer, inputs: Inputs) -> list[Argument]:
    """The inputs, those that were given by name behind it."""
    count = len(inputs) - len(op.named)
    names = zip(op.named, inputs[count:], strict=True)
    return [*inputs[:count], *(keyword(name, node) for name, node in names)]


def _encoded(op: Encoding, inputs: Inputs) -> Sequence[Argument]:
    """The call of an encoder, with a causal mask if it is one that looks back alone."""
    causal = _causal(op.mask_name, "is_causal", inputs[0], op.batch_first) if op.is_causal else []
    return [*_by_name(op, inputs), *causal]


def _decoded(op: Decoding, inputs: Inputs) -> Sequence[Argument]:
    """The call of a decoder, with a causal mask over its target if it is to look back alone."""
    causal = _causal("tgt_mask", "tgt_is_causal", inputs[0], op.batch_first) if op.tgt_is_causal else []
    return [*_by_name(op, inputs), *causal]


def _translated(op: Transformer, inputs: Inputs) -> Sequence[Argument]:
    """The call of a whole Transformer, causal as its decoder is."""
    causal = _causal("tgt_mask", "tgt_is_causal", inputs[1], op.batch_first) if op.tgt_is_causal else []
    return [*_by_name(op, inputs), *causal]


_MASKED: Final = ("causal_mask",)
PASSED: Final = Table({
    "Op": Passing(lambda op, inputs: inputs),
    "FC": Passing(_flattened, ("torch.flatten",)),
    "LSTM": Passing(_state_pair),
    "LSTMCell": Passing(_state_pair),
    "MultiheadAttention": Passing(_attended, _MASKED),
    "Encoding": Passing(_encoded, _MASKED),
    "Decoding": Passing(_decoded, _MASKED),
    "Transformer": Passing(_translated, _MASKED),
})  # fmt: skip
"""What a module is called with; `Op` stands above all classes."""


def arguments(op: Op, inputs: Inputs) -> Sequence[Argument]:
    """What the module of an operation is called with, over its inputs."""
    return PASSED.of(type(op)).write(op, inputs)
