"""Layers as Keras and Flax have them, `Dense(10, activation="relu")`, as the rows that they mean."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any, Final

from netspec.language.calls import made
from netspec.language.python_calls import CALLED, UNNEEDED, Unsure, checked, fail, value
from netspec.layers.base import Op
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


def is_keras(before: str, last: str, node: ast.Call) -> bool:
    """Whether a call is one of Keras', which may have torch's names."""
    keras = before.split(".")[0] in ("keras", "tf", "layers")
    if last in SHARED:
        mine = SHARED[last] in {keyword.arg for keyword in node.keywords}
        return keras or mine or (last in RECURRENT and len(node.args) == 1 and "nn" not in before)
    return (last in KERAS and (keras or "nn" not in before or last == "Dense")) or (
        keras and last in ("Flatten", "Dropout", "ReLU")
    )


def keras_row(last: str, node: ast.Call) -> str:
    """The row of a layer of Keras. Raises Unsure."""
    word, order = KERAS.get(last, (last.lower(), "rate" if last == "Dropout" else ""))
    given = _by_name(node, order.split())
    if last in RECURRENT:
        return _recurrent(last, word, given)
    then = given.pop("activation", None)
    after = [] if then is None or _name(then) in (None, "linear") else [_activation(_name(then))]
    if not word:
        return after[0] if after else fail()
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
    return dict(zip(names, node.args, strict=False)) | {k.arg or fail(): k.value for k in node.keywords}


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
    """The row of an activation by Keras' name for it. Raises Unsure."""
    if not isinstance(name, str) or not OPERATIONS.find(name):
        raise Unsure
    return f"{name} -1" if name == "softmax" else name


def is_flax(last: str, node: ast.Call) -> bool:
    """Whether a call is one of Flax', of which `Conv` and `Embed` are no one else's."""
    mine = last in ("Embed", "Conv") and isinstance(node.func, ast.Attribute)
    return last in FLAX and (mine or any(keyword.arg == "features" for keyword in node.keywords))


def flax_row(last: str, node: ast.Call) -> str:
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
