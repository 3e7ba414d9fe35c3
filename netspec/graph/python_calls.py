"""Calls as Python has them, `nn.Conv2d(3, 16, 3)` or `Dense(10, activation="relu")`, as the rows that they mean."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any, Final

from netspec.language.calls import made
from netspec.language.python_calls import CALLED, UNNEEDED, Unsure, checked, statement, sure, torch_arguments, value
from netspec.layers.base import Layer, Op
from netspec.vocabulary import OPERATIONS

_CONV: Final = (
    "filters kernel_size strides padding data_format dilation_rate groups activation use_bias kernel_initializer"
)
_POOL: Final = "pool_size strides padding"
_RECURRENT: Final = "units activation"
KERAS: Final[Mapping[str, tuple[str, str]]] = {
    "Dense": ("fc", "units activation use_bias"),
    "Conv1D": ("conv", _CONV),
    "Conv2D": ("conv", _CONV),
    "Conv3D": ("conv", _CONV),
    "Conv2DTranspose": ("conv_transpose", "filters kernel_size strides padding"),
    "MaxPooling1D": ("maxpool", _POOL),
    "MaxPooling2D": ("maxpool", _POOL),
    "MaxPooling3D": ("maxpool", _POOL),
    "MaxPool1D": ("maxpool", _POOL),
    "MaxPool2D": ("maxpool", _POOL),
    "AveragePooling1D": ("avgpool", _POOL),
    "AveragePooling2D": ("avgpool", _POOL),
    "GlobalAveragePooling2D": ("gap", ""),
    "GlobalAveragePooling1D": ("gap", ""),
    "BatchNormalization": ("bn", ""),
    "LayerNormalization": ("layernorm", ""),
    "Embedding": ("embedding", "input_dim output_dim"),
    "UpSampling2D": ("upsample", "size"),
    "ZeroPadding2D": ("zeropad2d", "padding"),
    "Activation": ("", "activation"),
    "LSTM": ("lstm", _RECURRENT),
    "GRU": ("gru", _RECURRENT),
    "SimpleRNN": ("rnn", _RECURRENT),
}
"""Layers of Keras by name: the word that they have here, and their arguments in order."""
SHARED: Final = {"Embedding": "input_dim", "LSTM": "units", "GRU": "units"}
"""Those that torch has under the same name, and the argument by which Keras' are known."""
RECURRENT: Final = {"LSTM": ("tanh", "sigmoid"), "GRU": ("tanh", "sigmoid"), "SimpleRNN": ("tanh", "")}
"""Recurrent layers of Keras, and what torch's compute: other activations have no row."""
FLAX: Final[Mapping[str, tuple[str, str]]] = {
    "Dense": ("fc", "features use_bias"),
    "Conv": ("conv", "features kernel_size strides padding"),
    "Embed": ("embedding", "num_embeddings features"),
}
"""Layers of Flax that torch and Keras have under other names or with other arguments."""
FLOWING: Final = {"x", "out", "input", "inputs", "h", "y", "z", "hidden", "output"}
"""What the value that flows is called in Python."""
MODULES: Final = {"torch", "nn", "F", "tf", "keras", "layers", "jax", "flax", "paddle", "functional"}
"""What functions are taken from; before a dot, anything else is a value."""
WRAPS: Final = {"weight_norm", "spectral_norm", "orthogonal"}


def row_for(text: str) -> str:
    """The row that a Python call means, read and checked; empty for a text that is none, or one without a sure meaning.

    `nn.Linear(400, 120)` is `fc 400->120`, `Dense(10, activation="relu")` is `fc 10, relu`.
    """
    with sure():
        if (found := statement(text)) is not None:
            name, node = found
            row = _written(node)
            return f"{name}: {row}" if name else row
    return ""


def _written(node: ast.Call) -> str:
    """The row of a call. Raises Unsure."""
    if isinstance(node.func, ast.Call):  # Keras: a layer that is made, and called at once
        return _of_inputs(_written(node.func), node.args)
    dotted = ast.unparse(node.func)
    before, _, last = dotted.rpartition(".")
    if last in ("Sequential", "ModuleList"):
        return _sequential(node)
    if last in WRAPS and node.args and isinstance(node.args[0], ast.Call) and len(node.args) == 1:
        return f"{_written(node.args[0])} wrap={last}"
    if last in ("add", "append") and len(node.args) == 1 and isinstance(node.args[0], ast.Call) and before != "torch":
        return _written(node.args[0])  # model.add(Dense(10))
    if last in ("Bidirectional", "TimeDistributed") and node.args and isinstance(node.args[0], ast.Call):
        return _around(last, node.args[0])
    if _is_flax(last, node):
        return _flax(last, node)
    if _is_keras(before, last, node):
        return _keras(last, node)
    last = last.removeprefix("Lazy")
    word = last.lower() if OPERATIONS.find(last) else OPERATIONS.meant(last)
    classes = OPERATIONS.find(word)
    if not classes or before == "self":
        raise Unsure
    cls = classes[0]
    if issubclass(cls, Layer) and cls.__name__.lower() == last.lower() and cls.__name__[0] == last[0]:
        given = torch_arguments(cls, node.args, node.keywords, _order(node, cls, last))
        # What runs along an axis has to name it here; unnamed in Python it is the last one of B x classes.
        axis = ["-1"] if cls.makes and "dim" in cls.fields and given.get("dim") is None else []
        return " ".join([checked(_called(cls), cls, given, made), *axis])
    if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) and before not in MODULES:
        return _method(word, cls, ast.Call(node.func, [node.func.value, *node.args], node.keywords))
    if node.args and all(isinstance(arg, ast.Constant) for arg in node.args):
        return _layer(word, node)
    return _function(word, cls, node)


def _order(node: ast.Call, cls: type[Op], last: str) -> list[str] | None:
    """The order of a layer's arguments: without those that are inferred for a lazy one."""
    return cls.positional() if ast.unparse(node.func).rpartition(".")[2] != last else None


def _sequential(node: ast.Call) -> str:
    """A list for modules one after the other, a mapping where they have names."""
    inner = node.args[0] if len(node.args) == 1 else ast.Tuple(list(node.args))
    named = isinstance(inner, ast.Call) and ast.unparse(inner.func).endswith("OrderedDict") and inner.args
    items = named[0] if named else inner
    if not isinstance(items, ast.List | ast.Tuple):
        items = ast.Tuple([items])
    if not named:
        return (
            f"[{', '.join(_quoted(_written(item)) if isinstance(item, ast.Call) else _fail() for item in items.elts)}]"
        )
    pairs = []
    for item in items.elts:
        match item:
            case ast.Tuple([ast.Constant(str() as name), ast.Call() as call]):
                pairs.append(f"{name}: {_quoted(_written(call))}")
            case _:
                raise Unsure
    return f"{{{', '.join(pairs)}}}"


def _quoted(row: str) -> str:
    return f'"{row}"' if "," in row and row[0] not in "[{" else row


def _of_inputs(row: str, args: list[ast.expr]) -> str:
    """A row with the inputs that a layer of Keras is called on. Raises Unsure."""
    names = args[0].elts if len(args) == 1 and isinstance(args[0], ast.List) else args
    given = [name.id if isinstance(name, ast.Name) else _fail() for name in names]
    if len(given) == 1 and given[0] in FLOWING:
        return row
    word, *rest = row.split(" ", 1)
    first = word.rstrip(",")
    return " ".join([f"{first}({' '.join(given)}){word[len(first) :]}", *rest])


def _around(last: str, inner: ast.Call) -> str:
    """A layer of Keras inside one that runs it over time. Raises Unsure."""
    row = _keras(ast.unparse(inner.func).rpartition(".")[2], inner)
    if last == "TimeDistributed" and row.startswith("fc "):
        return f"linear {row.removeprefix('fc ')}"
    if last == "Bidirectional" and row.endswith(" batch_first"):
        return f"{row} bidirectional"
    raise Unsure


def _layer(word: str, node: ast.Call) -> str:
    """A word of this language with its numbers in brackets: all that torch takes, or those that it takes here."""
    for cls in OPERATIONS.find(word):
        for order in (None, cls.positional()):
            with sure():
                return checked(word, cls, torch_arguments(cls, node.args, node.keywords, order), made)
    raise Unsure


def _fail() -> str:
    raise Unsure


def _called(cls: type[Op]) -> str:
    """The word that a spec has for a class of torch: fc for Linear, as the common one that flattens."""
    if cls.multiplies == "last axis":
        return "fc"
    general = {"BatchNorm": "bn", "MaxPool": "maxpool", "AvgPool": "avgpool", "Conv": "conv"}
    general["ConvTranspose"] = "conv_transpose"
    stem = cls.__name__[:-2] if cls.__name__[-2:] in ("1d", "2d", "3d") else cls.__name__
    if stem in general and cls.__name__ != stem:
        return general[stem]
    return cls.called() if OPERATIONS.find(cls.called())[:1] == (cls,) else cls.__name__


# --- Keras and Flax -----------------------------------------------------------------------------


def _is_keras(before: str, last: str, node: ast.Call) -> bool:
    """Whether a call is one of Keras', which may have torch's names."""
    keras = before.split(".")[0] in ("keras", "tf", "layers")
    if last in SHARED:
        mine = SHARED[last] in {keyword.arg for keyword in node.keywords}
        return keras or mine or (last in RECURRENT and len(node.args) == 1 and "nn" not in before)
    return (last in KERAS and (keras or "nn" not in before or last == "Dense")) or (
        keras and last in ("Flatten", "Dropout", "ReLU")
    )


def _keras(last: str, node: ast.Call) -> str:
    """The row of a layer of Keras. Raises Unsure."""
    word, order = KERAS.get(last, (last.lower(), "rate" if last == "Dropout" else ""))
    given = _by_name(node, order.split())
    if last in RECURRENT:
        return _recurrent(last, word, given)
    then = given.pop("activation", None)
    after = [] if then is None or _name(then) in (None, "linear") else [_activation(_name(then))]
    if not word:
        return after[0] if after else _fail()
    ending = f"{last.replace('Transpose', '')[-2:-1]}d"
    cls = next((c for c in OPERATIONS.find(word) if c.__name__.endswith(ending)), OPERATIONS.find(word)[0])
    values = {_here(k, cls): value(v) for k, v in given.items() if k not in UNNEEDED}
    if last == "BatchNormalization":  # its momentum counts from the other end, its axis is that of the channels here
        values = {k: v for k, v in values.items() if k == "eps"}
    if word in ("maxpool", "avgpool"):
        values.setdefault("kernel_size", 2)
    if word == "zeropad2d":
        values = {"padding": _frame(values.get("padding", 1))}
    if "kernel_size" in cls.fields:
        _pad(values, cls)
    return ", ".join([checked(word, cls, values, made), *after])


def _here(name: str, cls: type[Op]) -> str:
    """The field that an argument of Keras sets."""
    return CALLED[name] if CALLED.get(name) in cls.fields else name


def _by_name(node: ast.Call, names: list[str]) -> dict[str, ast.expr]:
    """The arguments of a call by name. Raises Unsure."""
    if len(node.args) > len(names):
        raise Unsure
    return dict(zip(names, node.args, strict=False)) | {k.arg or _fail(): k.value for k in node.keywords}


def _pad(values: dict[str, Any], cls: type[Op]) -> None:
    """Writes `padding="same"` as this language has it. Raises Unsure where torch pads otherwise."""
    padding = str(values.get("padding", "valid")).lower()
    if padding == "valid":
        values.pop("padding", None)
        return
    sizes = values.get("kernel_size")
    odd = all(isinstance(k, int) and k % 2 for k in (sizes if isinstance(sizes, tuple) else (sizes,)))
    if padding != "same" or "same" not in cls.fields or not odd:
        raise Unsure
    del values["padding"]
    values["same"] = True


def _frame(given: Any) -> Any:
    """The padding of Keras, by axis from the first one, as torch has it, from the last one."""
    if not isinstance(given, tuple):
        return given
    high, wide = (side if isinstance(side, tuple) else (side, side) for side in given)
    return (*wide, *high)


def _recurrent(last: str, word: str, given: dict[str, ast.expr]) -> str:
    """A recurrent layer of Keras, whose batch comes first, and which gives the last step alone unless asked."""
    known = {k: value(v) for k, v in given.items() if k not in UNNEEDED}
    whole = known.pop("return_sequences", False)
    activations = known.pop("activation", "tanh"), known.pop("recurrent_activation", RECURRENT[last][1])
    if known.keys() != {"units"} or activations != RECURRENT[last]:
        raise Unsure
    (cls,) = OPERATIONS.find(word)[:1]
    row = checked(word, cls, {"hidden_size": known["units"], "batch_first": True}, made)
    return row if whole else f"{row}, select 1 -1"


def _name(node: ast.expr) -> Any:
    """What an activation is called, `tf.nn.relu` too."""
    return node.attr if isinstance(node, ast.Attribute) else value(node)


def _activation(name: Any) -> str:
    if not isinstance(name, str) or not OPERATIONS.find(name):
        raise Unsure
    return f"{name} -1" if name == "softmax" else name


def _is_flax(last: str, node: ast.Call) -> bool:
    """Whether a call is one of Flax', of which `Conv` and `Embed` are no one else's."""
    mine = last in ("Embed", "Conv") and isinstance(node.func, ast.Attribute)
    return last in FLAX and (mine or any(keyword.arg == "features" for keyword in node.keywords))


def _flax(last: str, node: ast.Call) -> str:
    """The row of a layer of Flax, whose convolutions keep the size unless told otherwise. Raises Unsure."""
    word, order = FLAX[last]
    (cls, *_) = OPERATIONS.find("conv2d" if word == "conv" else word)
    called = {"features": {"fc": "out_features", "conv": "out_channels", "embedding": "embedding_dim"}[word]}
    values = {
        called.get(k) or _here(k, cls): value(v) for k, v in _by_name(node, order.split()).items() if k not in UNNEEDED
    }
    if last == "Conv":
        values.setdefault("padding", "same")
        if values.get("stride", 1) != 1:
            raise Unsure
        _pad(values, cls)
    return checked(word, cls, values, made)


# --- functions of torch -------------------------------------------------------------------------


def _method(word: str, cls: type[Op], node: ast.Call) -> str:
    """A method of a value: `x.permute(0, 2, 1)`, and `x.view(x.size(0), -1)`, which flattens."""
    first, *args = node.args
    if word in ("view", "reshape") and len(args) == 2 and isinstance(first, ast.Name):
        batch, rest = map(ast.unparse, args)
        whole = f"{first.id}.size(0)", f"{first.id}.shape[0]", f"len({first.id})"
        if rest == "-1" and batch in (*whole, "B", "batch", "batch_size"):
            return "flatten" if first.id in FLOWING else f"flatten({first.id})"
        if batch == "-1":  # a batch that is not known to be one
            raise Unsure
    return _function(word, cls, node)


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
        return checked(word, cls, {}, made)
    weighed = issubclass(cls, Layer) and (len(inputs) > 1 or cls.parameters is not Layer.parameters)
    if inputs and weighed:  # the weights of a function are values, those of a layer its own
        raise Unsure
    if not inputs:
        return _layer(word, node)
    flows = len(inputs) == 1 and inputs[0] in FLOWING
    keywords = [k for k in node.keywords if k.arg != "training"]
    args = [arg for arg in args if ast.unparse(arg) != "self.training"]
    given = torch_arguments(cls, args, keywords)
    return checked(word if flows else f"{word}({' '.join(inputs)})", cls, given, made)
