"""Calls as Python has them, `nn.Conv2d(3, 16, 3)` or `Dense(10, activation="relu")`, as the rows that they mean."""

from __future__ import annotations

import ast
from typing import Final

from netspec.graph.keras_calls import flax_row, is_flax, is_keras, keras_row
from netspec.language.calls import made
from netspec.language.python_calls import Unsure, checked, fail, statement, sure, torch_arguments
from netspec.layers.base import Layer, Op
from netspec.vocabulary import OPERATIONS

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
    if is_flax(last, node):
        return flax_row(last, node)
    if is_keras(before, last, node):
        return keras_row(last, node)
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
            f"[{', '.join(_quoted(_written(item)) if isinstance(item, ast.Call) else fail() for item in items.elts)}]"
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
    """A row as YAML has it in a flow list, where a comma needs quotes."""
    return f'"{row}"' if "," in row and row[0] not in "[{" else row


def _of_inputs(row: str, args: list[ast.expr]) -> str:
    """A row with the inputs that a layer of Keras is called on. Raises Unsure."""
    names = args[0].elts if len(args) == 1 and isinstance(args[0], ast.List) else args
    given = [name.id if isinstance(name, ast.Name) else fail() for name in names]
    if len(given) == 1 and given[0] in FLOWING:
        return row
    word, *rest = row.split(" ", 1)
    first = word.rstrip(",")
    return " ".join([f"{first}({' '.join(given)}){word[len(first) :]}", *rest])


def _around(last: str, inner: ast.Call) -> str:
    """A layer of Keras inside one that runs it over time. Raises Unsure."""
    row = keras_row(ast.unparse(inner.func).rpartition(".")[2], inner)
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
        inputs += [name.id if isinstance(name, ast.Name) else fail() for name in names]
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
