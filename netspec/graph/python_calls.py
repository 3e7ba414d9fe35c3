"""Calls as Python has them, `nn.Conv2d(3, 16, 3)` or `Dense(10, activation="relu")`, as the rows that they mean."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from netspec.errors import At
from netspec.language import rows
from netspec.language.calls import Refused, arguments, construct, nothing
from netspec.layers.base import Layer, Op
from netspec.vocabulary import OPERATIONS

_CALL: Final = re.compile(r"(?:(?:self\.)?\w+ *= *)?[A-Za-z_][\w.]*\(.*\)[,;]?", re.DOTALL)
_WORDS: Final = re.compile(r"[A-Za-z_]\w*")
_CONV: Final = (
    "filters kernel_size strides padding data_format dilation_rate groups activation use_bias kernel_initializer"
)
_POOL: Final = "pool_size strides padding"
KERAS: Final[Mapping[str, tuple[str, str]]] = {
    "Dense": ("fc", "units activation use_bias"),
    "Conv1D": ("conv", _CONV),
    "Conv2D": ("conv", _CONV),
    "Conv3D": ("conv", _CONV),
    "Conv2DTranspose": ("conv_transpose", "filters kernel_size strides padding"),
    "MaxPooling1D": ("maxpool", _POOL),
    "MaxPooling2D": ("maxpool", _POOL),
    "MaxPool2D": ("maxpool", _POOL),
    "AveragePooling2D": ("avgpool", _POOL),
    "GlobalAveragePooling2D": ("gap", ""),
    "GlobalAveragePooling1D": ("gap", ""),
    "BatchNormalization": ("bn", ""),
    "LayerNormalization": ("layernorm", ""),
    "Embedding": ("embedding", "input_dim output_dim"),
    "UpSampling2D": ("upsample", "size"),
    "ZeroPadding2D": ("pad", "padding"),
    "Activation": ("", "activation"),
}
"""Layers of Keras by name: the word that they have here, and their arguments in order."""
CALLED: Final = {
    "units": "out_features", "filters": "out_channels", "strides": "stride", "dilation_rate": "dilation",
    "use_bias": "bias",
    "pool_size": "kernel_size", "rate": "p", "epsilon": "eps", "input_dim": "num_embeddings",
    "output_dim": "embedding_dim", "size": "scale_factor",
}  # fmt: skip
"""Arguments by what Keras calls them."""
UNNEEDED: Final = {
    "name", "input_shape", "batch_input_shape", "dtype", "data_format", "kernel_initializer", "bias_initializer",
    "device", "input_length", "inplace",
}  # fmt: skip
"""Arguments that say nothing of what is computed, or what stands elsewhere in a spec."""
FLOWING: Final = {"x", "out", "input", "inputs", "h", "y", "z", "hidden", "output"}
"""What the value that flows is called in Python."""


class _Unknown(Exception):
    """A call whose meaning here is not known for sure."""


def row_for(text: str) -> str:
    """The row that a Python call means, read and checked; empty for a text that is none, or one without a sure meaning.

    `nn.Linear(400, 120)` is `fc 400->120`, `Dense(10, activation="relu")` is `fc 10, relu`.
    """
    text = text.strip()
    if not _CALL.fullmatch(text):
        return ""
    with suppress(SyntaxError, ValueError, RecursionError, MemoryError, _Unknown, Refused, rows.RowError):
        statement = ast.parse(text.rstrip(",;")).body[0]
        name = ""
        if isinstance(statement, ast.Assign):
            target = statement.targets[0]
            name = target.attr if isinstance(target, ast.Attribute) else ""
        node = statement.value if isinstance(statement, ast.Assign | ast.Expr) else None
        if isinstance(node, ast.Call):
            row = _written(node)
            return f"{name}: {row}" if name else row
    return ""


def _written(node: ast.Call) -> str:
    dotted = ast.unparse(node.func)
    last = dotted.rpartition(".")[2]
    if last == "Sequential":
        inner = node.args[0].elts if len(node.args) == 1 and isinstance(node.args[0], ast.List) else node.args
        items = [_written(item) if isinstance(item, ast.Call) else _fail() for item in inner]
        quoted = [f'"{item}"' if "," in item else item for item in items]
        return f"[{', '.join(quoted)}]"
    keras = dotted.startswith(("keras.", "tf.", "layers."))
    if (last in KERAS and last != "Embedding") or (keras and last in ("Embedding", "Flatten", "Dropout", "ReLU")):
        return _keras(last, node)
    word = last if OPERATIONS.find(last) else OPERATIONS.meant(last)
    classes = OPERATIONS.find(word)
    if not classes or dotted.startswith("self."):
        raise _Unknown
    cls = classes[0]
    if issubclass(cls, Layer) and cls.__name__ == last:
        return _checked(_called(cls), cls, _torch_arguments(cls, node.args, node.keywords), ())
    if node.args and all(isinstance(arg, ast.Constant) for arg in node.args):
        return _layer(word, node)
    return _function(word, cls, node)


def _layer(word: str, node: ast.Call) -> str:
    """A word of this language with its numbers in brackets: all that torch takes, or those that it takes here."""
    for cls in OPERATIONS.find(word):
        for order in (None, cls.positional()):
            with suppress(Refused, _Unknown):
                return _checked(word, cls, _torch_arguments(cls, node.args, node.keywords, order), ())
    raise _Unknown


def _fail() -> str:
    raise _Unknown


def _called(cls: type[Op]) -> str:
    """The word that a spec has for a class of torch: fc for Linear, as the common one that flattens."""
    if cls.__name__ == "Linear":
        return "fc"
    general = {"BatchNorm": "bn", "MaxPool": "maxpool", "AvgPool": "avgpool", "Conv": "conv"}
    general["ConvTranspose"] = "conv_transpose"
    stem = re.sub(r"[123]d$", "", cls.__name__)
    if stem in general and cls.__name__ != stem:
        return general[stem]
    return cls.called() if OPERATIONS.find(cls.called())[:1] == (cls,) else cls.__name__


def _torch_arguments(
    cls: type[Op], args: Sequence[ast.expr], keywords: Sequence[ast.keyword], order: Sequence[str] | None = None
) -> dict[str, Any]:
    """The arguments of a call by torch's names, in torch's order or another."""
    order = order or [name for name, described in cls.fields.items() if described.torch]
    if len(args) > len(order):
        raise _Unknown
    given = dict(zip(order, map(_value, args), strict=False))
    for keyword in keywords:
        if keyword.arg is None or (keyword.arg not in order and keyword.arg not in UNNEEDED):
            raise _Unknown
        if keyword.arg not in UNNEEDED:
            given[keyword.arg] = _value(keyword.value)
    others = {name: described for name, described in cls.fields.items() if name in order and name not in given}
    return given | {n: f.torch_default for n, f in others.items() if f.default != f.torch_default and not f.required}


def _keras(last: str, node: ast.Call) -> str:
    word, order = KERAS.get(last, (last.lower(), "rate" if last == "Dropout" else ""))
    names = order.split()
    if len(node.args) > len(names):
        raise _Unknown
    given = dict(zip(names, node.args, strict=False)) | {k.arg or _fail(): k.value for k in node.keywords}
    then = given.pop("activation", None)
    after = [] if then is None or _value(then) in (None, "linear") else [_activation(_value(then))]
    if not word:
        return after[0] if after else _fail()
    ending = f"{last[-2:-1]}d"
    cls = next((c for c in OPERATIONS.find(word) if c.__name__.endswith(ending)), OPERATIONS.find(word)[0])
    values = {CALLED.get(k, k): _value(v) for k, v in given.items() if k not in UNNEEDED}
    if last == "BatchNormalization":  # its momentum counts from the other end, its axis is that of the channels here
        values = {k: v for k, v in values.items() if k == "eps"}
    if "maxpool" in word or "avgpool" in word:
        values.setdefault("kernel_size", 2)
    if values.get("padding") == "valid":
        del values["padding"]
    if values.get("padding") == "same" and "same" in cls.fields:
        del values["padding"]
        values["same"] = True
    return _checked(word, cls, values, after)


def _activation(name: Any) -> str:
    if not isinstance(name, str) or not OPERATIONS.find(name):
        raise _Unknown
    return f"{name} -1" if name == "softmax" else name


def _function(word: str, cls: type[Op], node: ast.Call) -> str:
    """A function of torch, whose first arguments are values: `torch.cat([a, b], 1)`, `F.max_pool2d(x, 2)`."""
    args = list(node.args)
    inputs: list[str] = []
    if args and isinstance(args[0], ast.Call):  # one function of another: `F.relu(F.max_pool2d(x, 2))`
        outer = ast.Call(node.func, [ast.Name("x"), *args[1:]], node.keywords)
        return f"{_written(args[0])}, {_function(word, cls, outer)}"
    while args and (isinstance(args[0], ast.Name) or (not inputs and isinstance(args[0], ast.List | ast.Tuple))):
        first = args.pop(0)
        names = first.elts if isinstance(first, ast.List | ast.Tuple) else [first]
        inputs += [name.id if isinstance(name, ast.Name) else _fail() for name in names]
    if not inputs and not (node.args or node.keywords):
        return _checked(word, cls, {}, ())
    weighed = issubclass(cls, Layer) and (len(inputs) > 1 or cls.parameters is not Layer.parameters)
    if not inputs or weighed:  # the weights of a function are values, those of a layer its own
        raise _Unknown
    flows = len(inputs) == 1 and inputs[0] in FLOWING
    order = [name for name, described in cls.fields.items() if described.torch]
    if cls.fields and len(order) == 1 and cls.fields[order[0]].rest and args:
        given: dict[str, Any] = {order[0]: tuple(_value(a) for a in args)}
    else:
        given = _torch_arguments(cls, args, [k for k in node.keywords if k.arg not in ("training", "inplace")])
    return _checked(word if flows else f"{word}({' '.join(inputs)})", cls, given, ())


def _value(node: ast.expr) -> Any:
    """A constant, a tuple of such, or the expression as a row has it."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        return -node.operand.value if isinstance(node.operand.value, int | float) else _fail()
    if isinstance(node, ast.Tuple | ast.List) and node.elts:
        return tuple(_value(item) for item in node.elts)
    if isinstance(node, ast.Name):
        return rows.Expr(node.id, (0, 0))
    if isinstance(node, ast.BinOp):
        return rows.Expr(ast.unparse(node), (0, 0))
    raise _Unknown


def _checked(call: str, cls: type[Op], values: Mapping[str, Any], after: Sequence[str]) -> str:
    """The row, once it has been read and its arguments are known to make the operation."""
    row = " ".join([call, *_arguments(cls, dict(values))])
    parsed = rows.parse(row)
    if "$" not in row:
        construct(cls, arguments(parsed[0], cls, nothing, ()), At())
    return ", ".join([row, *after])


def _arguments(cls: type[Op], values: dict[str, Any]) -> Iterator[str]:
    """Arguments as good style has them: an arrow, bare values, letters, flags, names."""
    first, second = cls.arrow or ("", "")
    values = {n: v for n, v in values.items() if v is not None and (n == "p" or v != cls.fields[n].default)}
    if first in values and second in values:
        yield f"{_text(values.pop(first))}->{_text(values.pop(second))}"
    letters = {name: letter for letter, name in cls.letters.items()}
    bare = cls.positional()[: _bare(cls)]
    for name in bare:
        if name in values and cls.fields[name].rest:
            value = values.pop(name)
            yield from map(_text, value if isinstance(value, tuple) else (value,))
        elif name in values and name not in letters:
            yield _text(values.pop(name))
        else:
            break
    for name, value in values.items():
        if cls.fields[name].axis is not None:  # what is inferred
            continue
        flag = next((word for word, meant in cls.flags.items() if meant == (name, value)), "")
        if flag or value is True:
            yield flag or name
        elif name in letters and not isinstance(value, str):
            yield f"{letters[name]}{_text(value)}"
        else:
            yield f"{name}={_text(value)}"


def _bare(cls: type[Op]) -> int:
    """How many values good style gives without their names."""
    if cls.bare is not None or not cls.example:
        return cls.bare or 0
    return sum(arg.kind == "positional" for arg in rows.parse(cls.example)[0].args)


def _text(value: Any) -> str:
    if isinstance(value, tuple) and len(value) > 1:
        return "x".join(map(_text, value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, rows.Expr):
        return f"${value.text}" if _WORDS.fullmatch(value.text) else f"$({value.text})"
    if isinstance(value, int | float | str):
        return str(value)
    raise _Unknown
